//! Decides what operators do: Python's arithmetic on 64-bit integers and floats, joining and repeating, `in`, slices.

use super::syntax::Operator;
use super::value::{Value, equal};
use super::{Outcome, Purse, failed, print, refused};

/// The error of an operator whose operands it is not made for.
fn unfit(operator: &str, a: &Value, b: &Value) -> super::Fault {
    match (a, b) {
        (Value::Undefined(message), _) | (_, Value::Undefined(message)) => failed(&**message),
        _ => failed(format!("{operator} of a {} and a {}", a.kind(), b.kind())),
    }
}

/// A number that must not be infinite.
fn finite(number: f64) -> Outcome<Value> {
    if number.is_finite() { Ok(Value::Float(number)) } else { Err(refused("a number that is not finite")) }
}

fn whole(number: Option<i64>) -> Outcome<Value> {
    number.map(Value::Int).ok_or_else(|| refused("a whole number of more than 64 bits"))
}

fn as_float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        other => other.as_int().map(|number| number as f64),
    }
}

/// `a operator b`
pub fn binary(a: &Value, operator: Operator, b: &Value, purse: &Purse) -> Outcome<Value> {
    use Operator::{Add, Divide, FloorDivide, Multiply, Power, Remainder, Subtract};
    if let (Some(x), Some(y)) = (a.as_int(), b.as_int()) {
        return whole_numbers(x, operator, y);
    }
    if let (Some(x), Some(y), true, true) = (as_float(a), as_float(b), a.is_number(), b.is_number()) {
        return floats(x, operator, y);
    }
    match operator {
        Add => add(a, b, purse),
        Multiply => match (b.as_int(), a.as_int()) {
            (Some(count), _) => repeat(a, b, count, purse),
            (_, Some(count)) => repeat(b, a, count, purse),
            _ => Err(unfit("the product", a, b)),
        },
        Remainder if a.as_text().is_some() => Err(refused("formatting with %")),
        Subtract if matches!(a, Value::Keys(_) | Value::Pairs(_)) => Err(refused("a difference of sets")),
        Subtract => Err(unfit("the difference", a, b)),
        Divide | FloorDivide => Err(unfit("the quotient", a, b)),
        Remainder => Err(unfit("the remainder", a, b)),
        Power => Err(unfit("the power", a, b)),
    }
}

fn whole_numbers(a: i64, operator: Operator, b: i64) -> Outcome<Value> {
    // Python rounds down, and the remainder has the divisor's sign.
    let floor = |a: i64, b: i64| Some(a.checked_div(b)? - i64::from(a.checked_rem(b)? != 0 && (a < 0) != (b < 0)));
    match operator {
        Operator::Add => whole(a.checked_add(b)),
        Operator::Subtract => whole(a.checked_sub(b)),
        Operator::Multiply => whole(a.checked_mul(b)),
        Operator::Divide | Operator::FloorDivide | Operator::Remainder if b == 0 => Err(failed("a division by zero")),
        Operator::Divide if a.unsigned_abs().max(b.unsigned_abs()) > 1 << 53 => {
            Err(refused("the quotient of numbers beyond 2^53"))
        }
        Operator::Divide => finite(a as f64 / b as f64),
        Operator::FloorDivide => whole(floor(a, b)),
        Operator::Remainder => whole(floor(a, b).and_then(|quotient| a.checked_sub(quotient.checked_mul(b)?))),
        Operator::Power => match u32::try_from(b) {
            Ok(exponent) => whole(a.checked_pow(exponent)),
            Err(_) => Err(refused("a power with a negative or a large exponent")),
        },
    }
}

fn floats(a: f64, operator: Operator, b: f64) -> Outcome<Value> {
    match operator {
        Operator::Add => finite(a + b),
        Operator::Subtract => finite(a - b),
        Operator::Multiply => finite(a * b),
        Operator::Divide | Operator::FloorDivide | Operator::Remainder if b == 0.0 => Err(failed("a division by zero")),
        Operator::Divide => finite(a / b),
        Operator::FloorDivide | Operator::Remainder | Operator::Power => {
            Err(refused("rounded quotients, remainders and powers of numbers that are not whole"))
        }
    }
}

fn add(a: &Value, b: &Value, purse: &Purse) -> Outcome<Value> {
    let both = |a: &str, b: &str| -> Outcome<String> {
        purse.pay(2 * (a.len() + b.len()))?;
        Ok([a, b].concat())
    };
    let lists = |a: &[Value], b: &[Value]| -> Outcome<Vec<Value>> {
        purse.pay_for(a.len() + b.len())?;
        Ok([a, b].concat())
    };
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Ok(Value::text(both(a, b)?)),
        (Value::Safe(a), Value::Safe(b)) => Ok(Value::Safe(both(a, b)?.into())),
        (Value::Safe(a), Value::Text(b)) => Ok(Value::Safe(both(a, &escape(b, purse)?)?.into())),
        (Value::Text(a), Value::Safe(b)) => Ok(Value::Safe(both(&escape(a, purse)?, b)?.into())),
        (Value::List(a), Value::List(b)) => Value::list(lists(&a.values, &b.values)?),
        (Value::Tuple(a), Value::Tuple(b)) => Value::tuple(lists(&a.values, &b.values)?),
        _ => Err(unfit("the sum", a, b)),
    }
}

fn repeat(value: &Value, count_value: &Value, count: i64, purse: &Purse) -> Outcome<Value> {
    let count = usize::try_from(count).unwrap_or(0);
    let lists = |values: &[Value]| -> Outcome<Vec<Value>> {
        purse.pay_for(values.len().saturating_mul(count))?;
        Ok(std::iter::repeat_n(values, count).flatten().cloned().collect())
    };
    match value {
        Value::Text(text) | Value::Safe(text) => {
            purse.pay(text.len().saturating_mul(count).saturating_mul(2))?;
            let repeated = text.repeat(count);
            Ok(if matches!(value, Value::Safe(_)) { Value::Safe(repeated.into()) } else { Value::text(repeated) })
        }
        Value::List(items) => Value::list(lists(&items.values)?),
        Value::Tuple(items) => Value::tuple(lists(&items.values)?),
        other => Err(unfit("the product", other, count_value)),
    }
}

/// `-value` or `+value`
pub fn signed(value: &Value, negative: bool) -> Outcome<Value> {
    match (value, value.as_int()) {
        (_, Some(number)) => whole(if negative { number.checked_neg() } else { Some(number) }),
        (Value::Float(number), _) => Ok(Value::Float(if negative { -number } else { *number })),
        (Value::Undefined(message), _) => Err(failed(&**message)),
        (other, _) => Err(failed(format!("a sign before a {}", other.kind()))),
    }
}

/// `value in container`
pub fn contains(container: &Value, value: &Value, purse: &Purse) -> Outcome<bool> {
    match container {
        Value::Text(text) | Value::Safe(text) => {
            let part = value.as_text().ok_or_else(|| failed(format!("a {} in a str", value.kind())))?;
            purse.pay(text.len() + part.len())?;
            Ok(text.contains(part))
        }
        Value::Dict(dict) | Value::Keys(dict) => match value {
            Value::List(_) | Value::Dict(_) => Err(failed(format!("a {} as a key", value.kind()))),
            _ => Ok(dict.value(value, purse)?.is_some()),
        },
        other => {
            for inside in other.iterate(purse)? {
                if equal(&inside, value, purse)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// `value[start:stop:step]`
pub fn slice(value: &Value, bounds: [Option<i64>; 3], purse: &Purse) -> Outcome<Value> {
    let step = bounds[2].unwrap_or(1);
    if step == 0 {
        return Err(failed("a slice with step 0"));
    }
    let length = match value {
        Value::Text(_) | Value::Safe(_) | Value::List(_) | Value::Tuple(_) => value.length(purse)?,
        Value::Range(_) => return Err(refused("a slice of a range")),
        Value::Undefined(message) => return Err(failed(&**message)),
        other => return Err(failed(format!("a slice of a {}", other.kind()))),
    };
    // Bounds count from the end if negative, and are cut to what is there.
    let (least, most) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let bound = |bound: Option<i64>, usual: i64| match bound {
        None => usual,
        Some(bound) => (if bound < 0 { bound.saturating_add(length) } else { bound }).clamp(least, most),
    };
    let (start, stop) = if step > 0 { (0, length) } else { (length - 1, -1) };
    let (start, stop) = (bound(bounds[0], start), bound(bounds[1], stop));
    let count = usize::try_from(super::value::range_length(&[start, stop, step])).unwrap_or(0);
    let places = (0..count as i64).map(|at| (start + at * step) as usize);
    match value {
        Value::Text(text) | Value::Safe(text) => {
            purse.pay(8 * text.len())?;
            let characters: Vec<char> = text.chars().collect();
            let cut: String = places.map(|place| characters[place]).collect();
            Ok(if matches!(value, Value::Safe(_)) { Value::Safe(cut.into()) } else { Value::text(cut) })
        }
        Value::List(items) => {
            purse.pay_for(count)?;
            Value::list(places.map(|place| items.values[place].clone()).collect())
        }
        Value::Tuple(items) => {
            purse.pay_for(count)?;
            Value::tuple(places.map(|place| items.values[place].clone()).collect())
        }
        other => Err(failed(format!("a slice of a {}", other.kind()))),
    }
}

/// Text with the characters that HTML would read written as their names.
pub fn escape(text: &str, purse: &Purse) -> Outcome<String> {
    purse.pay(6 * text.len())?;
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            c => out.push(c),
        }
    }
    Ok(out)
}

/// `a ~ b ~ ..`
pub fn concat(parts: &[Value], purse: &Purse) -> Outcome<Value> {
    let mut out = String::new();
    for part in parts {
        out.push_str(&print::text(part, purse)?);
    }
    purse.pay(out.len())?;
    Ok(Value::text(out))
}
