//! Decides what filters of numbers do, and which texts are numbers.

use super::evaluate::Passed;
use super::render::Renderer;
use super::value::Value;
use super::{Outcome, failed, methods, operators, refused};

impl Renderer<'_> {
    pub fn number_filter(&mut self, name: &str, value: Value, passed: Passed) -> Outcome<Value> {
        match name {
            "abs" => {
                passed.none(name)?;
                match (value.as_int(), &value) {
                    (Some(number), _) if number < 0 => operators::signed(&value, true),
                    (Some(number), _) => Ok(Value::Int(number)),
                    (None, Value::Float(number)) => Ok(Value::Float(number.abs())),
                    _ => Err(failed(format!("`abs` of a {}", value.kind()))),
                }
            }
            "int" => {
                let [other, base] = passed.bind(name, ["default", "base"], 0, true)?;
                if base.is_some_and(|base| base.as_int() != Some(10)) {
                    return Err(refused("`int` with a base"));
                }
                Ok(self.int(&value)?.map_or_else(|| other.unwrap_or(Value::Int(0)), Value::Int))
            }
            "float" => {
                let [other] = passed.bind(name, ["default"], 0, true)?;
                Ok(self.float(&value)?.map_or_else(|| other.unwrap_or(Value::Float(0.0)), Value::Float))
            }
            _ => {
                let [precision, method] = passed.bind(name, ["precision", "method"], 0, true)?;
                let precision = precision.map_or(Some(0), |precision| precision.as_int());
                let common = method.is_none_or(|method| method.as_text() == Some("common"));
                match (&value, precision.and_then(|precision| usize::try_from(precision).ok())) {
                    (Value::Int(_), Some(_)) if common => Ok(value),
                    // To the nearest, and to the even one of two.
                    (Value::Float(number), Some(precision @ 0..=15)) if common => {
                        let rounded = format!("{number:.precision$}").parse().map_err(|_| failed("rounding"))?;
                        Ok(Value::Float(rounded))
                    }
                    _ => Err(refused(format!("`round` of a {} with these arguments", value.kind()))),
                }
            }
        }
    }

    /// A whole number as `int` takes it from a value; none where it gives its default.
    fn int(&self, value: &Value) -> Outcome<Option<i64>> {
        let whole = |number: f64| {
            let fits = number.abs() < 9.2e18;
            if fits { Ok(Some(number.trunc() as i64)) } else { Err(refused("a whole number of more than 64 bits")) }
        };
        match value {
            Value::Float(number) => whole(*number),
            Value::Text(text) | Value::Safe(text) => {
                let plain = self.plain_number(text)?;
                let digits = plain.trim_start_matches(['+', '-']);
                if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return match plain.parse::<i64>() {
                        Ok(number) => Ok(Some(number)),
                        Err(_) if plain.len() - digits.len() > 1 => Ok(None),
                        Err(_) => Err(refused("a whole number of more than 64 bits")),
                    };
                }
                self.float(value)?.map_or(Ok(None), whole)
            }
            other => match other.as_int() {
                Some(number) => Ok(Some(number)),
                None if matches!(other, Value::Undefined(_)) => Err(failed("`int` of an undefined value")),
                None => Ok(None),
            },
        }
    }

    /// Text without the spaces around it and the `_` between digits that Python allows in numbers.
    fn plain_number(&self, text: &str) -> Outcome<String> {
        self.purse.pay(4 * text.len())?;
        if !text.is_ascii() {
            return Err(refused("a number that is not ASCII"));
        }
        let text = methods::strip(text, None, true, true);
        let bytes = text.as_bytes();
        let digit =
            |place: Option<usize>| place.and_then(|place| bytes.get(place)).is_some_and(|byte| byte.is_ascii_digit());
        let parts = |place: usize| digit(place.checked_sub(1)) && digit(Some(place + 1));
        if bytes.iter().enumerate().any(|(place, byte)| *byte == b'_' && !parts(place)) {
            return Ok(String::new());
        }
        Ok(text.replace('_', ""))
    }

    fn float(&self, value: &Value) -> Outcome<Option<f64>> {
        match value {
            Value::Float(number) => Ok(Some(*number)),
            Value::Text(text) | Value::Safe(text) => {
                let plain = self.plain_number(text)?.to_ascii_lowercase();
                if plain.contains("inf") || plain.contains("nan") {
                    return Err(refused(format!("the number {plain:.20}")));
                }
                match plain.parse::<f64>() {
                    Ok(number) if number.is_finite() => Ok(Some(number)),
                    Ok(_) => Err(refused("a number that is not finite")),
                    Err(_) => Ok(None),
                }
            }
            other => match other.as_int() {
                Some(number) => Ok(Some(number as f64)),
                None if matches!(other, Value::Undefined(_)) => Err(failed("`float` of an undefined value")),
                None => Ok(None),
            },
        }
    }
}
