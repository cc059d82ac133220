//! Decides what `tojson` writes: Python's `json.dumps` as transformers calls it.

use super::value::{Dict, Value, order, sorted};
use super::{Outcome, Purse, failed, print, refused};

/// How a value is written.
pub struct Style {
    pub ascii: bool,
    /// What a level is indented by; one line if there is none.
    pub indent: Option<String>,
    /// Between values, and between a key and its value.
    pub separators: [String; 2],
    pub sorted: bool,
}

/// A value as JSON.
pub fn dumps(value: &Value, style: &Style, purse: &Purse) -> Outcome<String> {
    let mut writer = Writer { style, purse, out: String::new() };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer<'a> {
    style: &'a Style,
    purse: &'a Purse,
    out: String,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, level: usize) -> Outcome<()> {
        self.purse.pay(32)?;
        match value {
            Value::None => self.out.push_str("null"),
            Value::Bool(bool) => self.out.push_str(if *bool { "true" } else { "false" }),
            Value::Int(number) => self.out.push_str(&number.to_string()),
            Value::Float(number) => self.out.push_str(&print::float(*number)),
            Value::Text(text) | Value::Safe(text) => self.text(text)?,
            Value::List(items) | Value::Tuple(items) => {
                let write = |writer: &mut Self, value: &Value| writer.value(value, level + 1);
                self.all('[', items.values.iter(), ']', level, write)?;
            }
            Value::Dict(dict) => self.dict(dict, level)?,
            other => return Err(failed(format!("a {} is not JSON", other.kind()))),
        }
        Ok(())
    }

    fn dict(&mut self, dict: &Dict, level: usize) -> Outcome<()> {
        let mut entries: Vec<&(Value, Value)> = dict.entries.iter().collect();
        if self.style.sorted {
            self.purse.pay_for(2 * entries.len())?;
            entries = sorted(entries, &|a, b| order(&a.0, &b.0, self.purse))?;
        }
        let write = |writer: &mut Self, (key, value): &(Value, Value)| {
            match key {
                Value::Text(text) | Value::Safe(text) => writer.text(text)?,
                Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                    writer.out.push('"');
                    writer.value(key, level + 1)?;
                    writer.out.push('"');
                }
                other => return Err(failed(format!("a {} is no key of JSON", other.kind()))),
            }
            writer.purse.pay(writer.style.separators[1].len())?;
            writer.out.push_str(&writer.style.separators[1]);
            writer.value(value, level + 1)
        };
        self.all('{', entries.into_iter(), '}', level, write)
    }

    fn all<'v, T: 'v>(
        &mut self,
        open: char,
        values: impl ExactSizeIterator<Item = &'v T>,
        close: char,
        level: usize,
        write: impl Fn(&mut Self, &T) -> Outcome<()>,
    ) -> Outcome<()> {
        self.out.push(open);
        let empty = values.len() == 0;
        for (at, value) in values.enumerate() {
            if at > 0 {
                self.purse.pay(self.style.separators[0].len())?;
                self.out.push_str(&self.style.separators[0]);
            }
            self.line(level + 1)?;
            write(self, value)?;
        }
        if !empty {
            self.line(level)?;
        }
        self.out.push(close);
        Ok(())
    }

    /// A new line at a level, if there are lines.
    fn line(&mut self, level: usize) -> Outcome<()> {
        let style = self.style;
        if let Some(indent) = &style.indent {
            self.purse.pay(1 + indent.len().saturating_mul(level))?;
            self.out.push('\n');
            (0..level).for_each(|_| self.out.push_str(indent));
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Outcome<()> {
        self.purse.pay(6 * text.len())?;
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' => self.out.push_str(&format!("\\u{:04x}", u32::from(c))),
                c if self.style.ascii && !(' '..='~').contains(&c) => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        self.out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
        Ok(())
    }
}

/// The style that the arguments of `tojson` ask for: `ensure_ascii`, `indent`, `separators`, `sort_keys`.
pub fn style([ascii, indent, separators, sorted]: [Option<Value>; 4], purse: &Purse) -> Outcome<Style> {
    let indent = match indent.unwrap_or(Value::None) {
        Value::None => None,
        Value::Text(text) | Value::Safe(text) => {
            purse.pay(text.len())?;
            Some(text.to_string())
        }
        other => {
            let count = other.as_int().ok_or_else(|| failed(format!("an indent that is a {}", other.kind())))?;
            let count = usize::try_from(count).unwrap_or(0);
            purse.pay(count)?;
            Some(" ".repeat(count))
        }
    };
    let separators = match separators.unwrap_or(Value::None) {
        Value::None => [if indent.is_some() { "," } else { ", " }.to_string(), ": ".to_string()],
        Value::Tuple(items) | Value::List(items) => match items.values.as_slice() {
            [Value::Text(between), Value::Text(after)] => {
                purse.pay(between.len() + after.len())?;
                [between.to_string(), after.to_string()]
            }
            _ => return Err(failed("separators that are not two texts")),
        },
        _ => return Err(refused("separators that are not in a tuple")),
    };
    let set = |value: Option<Value>| value.is_some_and(|value| value.truth());
    Ok(Style { ascii: set(ascii), indent, separators, sorted: set(sorted) })
}
