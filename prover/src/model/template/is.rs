//! Decides what tests say: `value is name`.

use super::builtins::{self, known};
use super::evaluate::Passed;
use super::render::Renderer;
use super::syntax::{Operator, Relation};
use super::value::Value;
use super::{Outcome, failed, methods, operators, print, refused};

impl Renderer<'_> {
    /// `value is name(..)`
    pub fn test(&mut self, name: &str, value: &Value, passed: Passed) -> Outcome<bool> {
        if known(builtins::TESTS, name).is_none() {
            return Err(failed(format!("no test is called `{name:.64}`")));
        }
        let relation = match name {
            "eq" | "equalto" | "==" => Some(Relation::Equal),
            "ne" | "!=" => Some(Relation::NotEqual),
            "lt" | "lessthan" | "<" => Some(Relation::Less),
            "le" | "<=" => Some(Relation::LessOrEqual),
            "gt" | "greaterthan" | ">" => Some(Relation::Greater),
            "ge" | ">=" => Some(Relation::GreaterOrEqual),
            "in" => Some(Relation::In),
            _ => None,
        };
        if let Some(relation) = relation {
            let [other] = passed.bind(name, ["other"], 1, false)?;
            return self.relation(value, relation, &other.unwrap_or(Value::None));
        }
        match name {
            "divisibleby" | "sameas" => {
                let [other] = passed.bind(name, [if name == "sameas" { "other" } else { "num" }], 1, true)?;
                let other = other.unwrap_or(Value::None);
                if name == "sameas" {
                    return same(value, &other);
                }
                self.remainder(value, &other).map(|remainder| remainder == 0)
            }
            "odd" => passed.none(name).and_then(|()| Ok(self.remainder(value, &Value::Int(2))? == 1)),
            "even" => passed.none(name).and_then(|()| Ok(self.remainder(value, &Value::Int(2))? == 0)),
            "lower" | "upper" => {
                passed.none(name)?;
                methods::classify(&print::text(value, &self.purse)?, &format!("is{name}"))
            }
            "filter" | "test" => {
                passed.none(name)?;
                let names = if name == "filter" { builtins::FILTERS } else { builtins::TESTS };
                let text = value.as_text().ok_or_else(|| refused(format!("the name of a {name} that is no text")))?;
                Ok(known(names, text).is_some())
            }
            _ => passed.none(name).and_then(|()| kind_test(name, value)),
        }
    }

    fn remainder(&self, value: &Value, divisor: &Value) -> Outcome<i64> {
        match operators::binary(value, Operator::Remainder, divisor, &self.purse)? {
            Value::Int(number) => Ok(number),
            other => Err(refused(format!("a remainder that is a {}", other.kind()))),
        }
    }
}

/// Whether two values are one object: of `None` and booleans there is one each, of others Python's memory decides.
fn same(a: &Value, b: &Value) -> Outcome<bool> {
    match (a, b) {
        (Value::None, Value::None) => Ok(true),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::None | Value::Bool(_), _) | (_, Value::None | Value::Bool(_)) => Ok(false),
        _ => Err(refused("`sameas` of other values than none, true and false")),
    }
}

fn kind_test(name: &str, value: &Value) -> Outcome<bool> {
    use Value as V;
    let undefined = matches!(value, V::Undefined(_));
    Ok(match name {
        "defined" => !undefined,
        "undefined" => undefined,
        "none" => matches!(value, V::None),
        "boolean" => matches!(value, V::Bool(_)),
        "true" => matches!(value, V::Bool(true)),
        "false" => matches!(value, V::Bool(false)),
        "integer" => matches!(value, V::Int(_)),
        "float" => matches!(value, V::Float(_)),
        "number" => value.is_number(),
        "string" => value.as_text().is_some(),
        "escaped" => matches!(value, V::Safe(_)),
        "mapping" => matches!(value, V::Dict(_)),
        "callable" => undefined || matches!(value, V::Macro(_) | V::Method(_) | V::Function(_) | V::Loop(_)),
        "sequence" => {
            let listed = matches!(value, V::List(_) | V::Tuple(_) | V::Dict(_) | V::Range(_));
            undefined || listed || value.as_text().is_some()
        }
        "iterable" => !matches!(
            value,
            V::None
                | V::Bool(_)
                | V::Int(_)
                | V::Float(_)
                | V::Namespace(_)
                | V::Macro(_)
                | V::Method(_)
                | V::Function(_)
        ),
        other => return Err(refused(format!("the test `{other}`"))),
    })
}
