//! Decides what values look like when they are printed: `str` and `repr` of Python.

use super::value::Value;
use super::{Outcome, Purse, refused};

/// `str(value)`
pub fn text(value: &Value, purse: &Purse) -> Outcome<String> {
    let mut out = String::new();
    match value {
        Value::Text(text) | Value::Safe(text) => {
            purse.pay(text.len())?;
            out.push_str(text);
        }
        Value::Undefined(_) => {}
        other => repr(other, &mut out, purse)?,
    }
    Ok(out)
}

/// `repr(value)`, at the end of a text.
fn repr(value: &Value, out: &mut String, purse: &Purse) -> Outcome<()> {
    purse.pay(32)?;
    match value {
        Value::Undefined(_) => out.push_str("Undefined"),
        Value::None => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&float(*number)),
        Value::Text(text) => quoted(text, out, purse)?,
        Value::Safe(text) => {
            out.push_str("Markup(");
            quoted(text, out, purse)?;
            out.push(')');
        }
        Value::List(items) => listed("[", &items.values, "]", out, purse)?,
        Value::Tuple(items) => {
            listed("(", &items.values, if items.values.len() == 1 { ",)" } else { ")" }, out, purse)?
        }
        Value::Dict(dict) => {
            out.push('{');
            for (at, (key, value)) in dict.entries.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                repr(key, out, purse)?;
                out.push_str(": ");
                repr(value, out, purse)?;
            }
            out.push('}');
        }
        Value::Range(range) => {
            let [start, stop, step] = **range;
            out.push_str(&match step {
                1 => format!("range({start}, {stop})"),
                step => format!("range({start}, {stop}, {step})"),
            });
        }
        other => return Err(refused(format!("printing a {}", other.kind()))),
    }
    Ok(())
}

fn listed(open: &str, values: &[Value], close: &str, out: &mut String, purse: &Purse) -> Outcome<()> {
    out.push_str(open);
    for (at, value) in values.iter().enumerate() {
        out.push_str(if at > 0 { ", " } else { "" });
        repr(value, out, purse)?;
    }
    out.push_str(close);
    Ok(())
}

/// A text in quotes: double ones if it holds single ones and no double ones.
fn quoted(text: &str, out: &mut String, purse: &Purse) -> Outcome<()> {
    purse.pay(text.len().saturating_mul(10))?;
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c if c < '\u{100}' && c.is_control() || c == '\u{a0}' || c == '\u{ad}' => {
                out.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            // What is printable is a matter of Unicode's version; of letters and digits the two agree.
            c if c.is_alphanumeric() || ('\u{a1}'..='\u{ff}').contains(&c) => out.push(c),
            c if c.escape_debug().count() == 1 => out.push(c),
            c => return Err(refused(format!("printing a list with the character {}", c.escape_unicode()))),
        }
    }
    out.push(quote);
    Ok(())
}

/// `repr` of a float: the shortest digits that give it back, in Python's form.
pub fn float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) || number == 0.0 {
        return format!("{number:?}");
    }
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}
