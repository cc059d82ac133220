//! Decides what filters that go through values do: choosing, ordering, looking up attributes.

use super::evaluate::Passed;
use super::render::Renderer;
use super::syntax::{Operator, Relation};
use super::value::{Value, equal, order, sorted};
use super::{Outcome, failed, operators, refused};

/// The key by which text is compared where its case does not matter.
fn ignore_case(value: Value, sensitive: bool) -> Value {
    match value {
        Value::Text(text) if !sensitive => Value::text(text.to_lowercase()),
        Value::Safe(text) if !sensitive => Value::Safe(text.to_lowercase().into()),
        other => other,
    }
}

/// A part of an attribute's path: digits are an index.
fn key(part: &str) -> Outcome<Value> {
    if part.chars().any(|c| c.is_numeric() && !c.is_ascii()) {
        return Err(refused(format!("the attribute {part:?}")));
    }
    let number = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    Ok(number.map_or_else(|| Value::text(part), Value::Int))
}

impl Renderer<'_> {
    /// `value.a.b` for the attribute `a.b`, with another value for what is undefined on the way; the value itself if there
    /// is no attribute.
    pub fn looked_up(&mut self, value: Value, attribute: Option<&Value>, other: Option<&Value>) -> Outcome<Value> {
        let keys = match attribute {
            None | Some(Value::None) => return Ok(value),
            Some(Value::Text(path)) => {
                self.purse.pay(8 * path.len())?;
                path.split('.').map(key).collect::<Outcome<_>>()?
            }
            Some(number) if number.as_int().is_some() => vec![number.clone()],
            Some(other) => return Err(failed(format!("an attribute that is a {}", other.kind()))),
        };
        let mut found = value;
        for key in keys {
            found = self.item(&found, &key)?;
            if let (Value::Undefined(_), Some(other)) = (&found, other) {
                found = other.clone();
            }
        }
        Ok(found)
    }

    pub fn choosing_filter(&mut self, name: &str, value: Value, mut passed: Passed) -> Outcome<Value> {
        if !value.truth() {
            return Value::once(Vec::new());
        }
        let values = value.iterate(&self.purse)?;
        if name == "map" && passed.positional.is_empty() {
            return self.attributes(values, passed);
        }
        let attribute = match name {
            "selectattr" | "rejectattr" if passed.positional.is_empty() => {
                return Err(failed(format!("`{name}` needs an attribute")));
            }
            "selectattr" | "rejectattr" => Some(passed.positional.remove(0)),
            _ => None,
        };
        let function = if passed.positional.is_empty() { None } else { Some(passed.positional.remove(0)) };
        if function.is_none() && !passed.keyword.is_empty() {
            return Err(refused(format!("`{name}` with arguments and without a test")));
        }
        let by = |function: &Value| failed(format!("`{name}` by a {}", function.kind()));
        let function = function.map(|function| function.as_text().map(str::to_string).ok_or_else(|| by(&function)));
        let function = function.transpose()?;
        let mut chosen = Vec::new();
        for value in values {
            self.purse.pay_for(1 + passed.positional.len() + 2 * passed.keyword.len())?;
            let tested = self.looked_up(value.clone(), attribute.as_ref(), None)?;
            let holds = match &function {
                Some(function) if name == "map" => {
                    chosen.push(self.filter(function, value, passed.clone())?);
                    continue;
                }
                Some(function) => self.test(function, &tested, passed.clone())?,
                None => tested.truth(),
            };
            if holds == name.starts_with("select") {
                chosen.push(value);
            }
        }
        Value::once(chosen)
    }

    /// `map(attribute='a', default=0)`
    fn attributes(&mut self, values: Vec<Value>, passed: Passed) -> Outcome<Value> {
        let [attribute, other] = passed.bind("map", ["attribute", "default"], 0, true)?;
        if attribute.is_none() {
            return Err(failed("`map` needs a filter or an attribute"));
        }
        let other = other.filter(|other| !matches!(other, Value::None));
        self.purse.pay_for(values.len())?;
        let found = values.into_iter().map(|value| self.looked_up(value, attribute.as_ref(), other.as_ref()));
        Value::once(found.collect::<Outcome<_>>()?)
    }

    /// Values with their keys in order.
    fn sorted(&self, keyed: Vec<(Value, Value)>, reverse: bool) -> Outcome<Vec<Value>> {
        self.purse.pay_for(3 * keyed.len())?;
        let order = |a: &(Value, Value), b: &(Value, Value)| {
            let order = order(&a.0, &b.0, &self.purse)?;
            // Equal ones stay in their order either way.
            Ok(if reverse { order.reverse() } else { order })
        };
        Ok(sorted(keyed, &order)?.into_iter().map(|(_, value)| value).collect())
    }

    pub fn ordering_filter(&mut self, name: &str, value: Value, passed: Passed) -> Outcome<Value> {
        let set = |value: Option<Value>| value.is_some_and(|value| value.truth());
        match name {
            "dictsort" => {
                let [sensitive, by, reverse] = passed.bind(name, ["case_sensitive", "by", "reverse"], 0, true)?;
                self.dictsort(value, set(sensitive), by, set(reverse))
            }
            "sort" => {
                let names = ["reverse", "case_sensitive", "attribute"];
                let [reverse, sensitive, attribute] = passed.bind(name, names, 0, true)?;
                if attribute.as_ref().and_then(Value::as_text).is_some_and(|attribute| attribute.contains(',')) {
                    return Err(refused("`sort` by several attributes"));
                }
                let keyed = self.keyed(value, attribute, set(sensitive))?;
                Value::list(self.sorted(keyed, set(reverse))?)
            }
            "max" | "min" => {
                let [sensitive, attribute] = passed.bind(name, ["case_sensitive", "attribute"], 0, true)?;
                let mut keyed = self.keyed(value, attribute, set(sensitive))?.into_iter();
                let Some(mut best) = keyed.next() else {
                    return Ok(Value::undefined("No aggregated item, sequence was empty."));
                };
                let relation = if name == "max" { Relation::Greater } else { Relation::Less };
                for other in keyed {
                    if self.relation(&other.0, relation, &best.0)? {
                        best = other;
                    }
                }
                Ok(best.1)
            }
            "sum" => {
                let [attribute, start] = passed.bind(name, ["attribute", "start"], 0, true)?;
                self.sum(value, attribute, start.unwrap_or(Value::Int(0)))
            }
            _ => {
                let [sensitive, attribute] = passed.bind(name, ["case_sensitive", "attribute"], 0, true)?;
                let keyed = self.keyed(value, attribute, set(sensitive))?;
                self.unique(keyed)
            }
        }
    }

    fn dictsort(&self, value: Value, sensitive: bool, by: Option<Value>, reverse: bool) -> Outcome<Value> {
        let by_key = match by.as_ref().map_or(Some("key"), Value::as_text) {
            Some("key") => true,
            Some("value") => false,
            _ => return Err(failed("`dictsort` by neither key nor value")),
        };
        let Value::Dict(dict) = value else {
            return Err(failed(format!("`dictsort` of a {}", value.kind())));
        };
        self.purse.pay_for(4 * dict.entries.len())?;
        let keyed = dict.entries.iter().map(|(key, value)| {
            let compared = if by_key { key } else { value };
            Ok((self.case(compared.clone(), sensitive)?, Value::tuple(vec![key.clone(), value.clone()])?))
        });
        let keyed = keyed.collect::<Outcome<Vec<_>>>()?;
        Value::list(self.sorted(keyed, reverse)?)
    }

    fn sum(&mut self, value: Value, attribute: Option<Value>, start: Value) -> Outcome<Value> {
        let mut sum = start;
        if sum.as_text().is_some() {
            return Err(failed("a sum of texts"));
        }
        for value in value.iterate(&self.purse)? {
            let value = self.looked_up(value, attribute.as_ref(), None)?;
            // Python adds them with more digits than they have.
            if matches!(value, Value::Float(_)) {
                return Err(refused("a sum of numbers that are not whole"));
            }
            sum = operators::binary(&sum, Operator::Add, &value, &self.purse)?;
        }
        Ok(sum)
    }

    fn unique(&self, keyed: Vec<(Value, Value)>) -> Outcome<Value> {
        let (mut seen, mut unique): (Vec<Value>, _) = (Vec::new(), Vec::new());
        for (key, value) in keyed {
            if matches!(key, Value::List(_) | Value::Dict(_)) {
                return Err(failed(format!("`unique` of a {}", key.kind())));
            }
            let mut known = false;
            for other in &seen {
                known = known || equal(other, &key, &self.purse)?;
            }
            if !known {
                seen.push(key);
                unique.push(value);
            }
        }
        Value::once(unique)
    }

    fn case(&self, value: Value, sensitive: bool) -> Outcome<Value> {
        self.purse.pay(4 * value.as_text().map_or(0, str::len))?;
        Ok(ignore_case(value, sensitive))
    }

    /// Values with the keys that they are compared by.
    fn keyed(&mut self, value: Value, attribute: Option<Value>, sensitive: bool) -> Outcome<Vec<(Value, Value)>> {
        let values = value.iterate(&self.purse)?;
        self.purse.pay_for(2 * values.len())?;
        let mut keyed = Vec::new();
        for value in values {
            let key = self.looked_up(value.clone(), attribute.as_ref(), None)?;
            keyed.push((self.case(key, sensitive)?, value));
        }
        Ok(keyed)
    }
}
