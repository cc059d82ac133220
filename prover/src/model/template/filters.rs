//! Decides what filters do, those of text and those that need no file of their own.

use super::builtins::{self, known};
use super::evaluate::Passed;
use super::render::Renderer;
use super::value::Value;
use super::{Outcome, failed, json, methods, operators, print, refused, space};

/// The text of a value, of its own kind if it is text.
enum Soft {
    Plain(String),
    Safe(String),
}

impl Soft {
    /// The text changed, of the same kind.
    fn map(self, change: impl FnOnce(String) -> Outcome<String>) -> Outcome<Value> {
        Ok(match self {
            Soft::Plain(text) => Value::text(change(text)?),
            Soft::Safe(text) => Value::Safe(change(text)?.into()),
        })
    }
}

impl Renderer<'_> {
    fn soft(&self, value: &Value) -> Outcome<Soft> {
        let text = print::text(value, &self.purse)?;
        // What changes case or place is at most so many times as long.
        self.purse.pay(8 * text.len())?;
        Ok(if matches!(value, Value::Safe(_)) { Soft::Safe(text) } else { Soft::Plain(text) })
    }

    /// `value|name(..)`
    pub fn filter(&mut self, name: &str, value: Value, passed: Passed) -> Outcome<Value> {
        self.deeper(|renderer| renderer.filtered(name, value, passed))
    }

    fn filtered(&mut self, name: &str, value: Value, passed: Passed) -> Outcome<Value> {
        if known(builtins::FILTERS, name).is_none() {
            return Err(failed(format!("no filter is called `{name:.64}`")));
        }
        match name {
            "capitalize" | "e" | "escape" | "indent" | "lower" | "replace" | "safe" | "string" | "title" | "trim"
            | "upper" => self.text_filter(name, value, passed),
            "abs" | "float" | "int" | "round" => self.number_filter(name, value, passed),
            "map" | "reject" | "rejectattr" | "select" | "selectattr" => self.choosing_filter(name, value, passed),
            "dictsort" | "max" | "min" | "sort" | "sum" | "unique" => self.ordering_filter(name, value, passed),
            "first" | "items" | "last" | "list" | "reverse" => self.listing_filter(name, value, passed),
            "count" | "length" => passed.none(name).and_then(|()| Ok(Value::Int(self.length(&value)?))),
            "d" | "default" => {
                let [other, boolean] = passed.bind(name, ["default_value", "boolean"], 0, true)?;
                let boolean = boolean.is_some_and(|boolean| boolean.truth());
                let absent = matches!(value, Value::Undefined(_)) || (boolean && !value.truth());
                Ok(if absent { other.unwrap_or_else(|| Value::text("")) } else { value })
            }
            "join" => {
                let [between, attribute] = passed.bind(name, ["d", "attribute"], 0, true)?;
                let between = between.map_or(Ok(String::new()), |between| print::text(&between, &self.purse))?;
                let mut texts = Vec::new();
                for value in value.iterate(&self.purse)? {
                    let value = self.looked_up(value, attribute.as_ref(), None)?;
                    texts.push(print::text(&value, &self.purse)?);
                }
                methods::join(&between, texts.into_iter().map(Ok), &self.purse).map(Value::text)
            }
            "tojson" => {
                let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
                let style = json::style(passed.bind(name, names, 0, true)?, &self.purse)?;
                json::dumps(&value, &style, &self.purse).map(Value::text)
            }
            other => Err(refused(format!("the filter `{other}`"))),
        }
    }

    fn listing_filter(&mut self, name: &str, value: Value, passed: Passed) -> Outcome<Value> {
        passed.none(name)?;
        match (name, &value) {
            ("items", Value::Undefined(_)) => Value::once(Vec::new()),
            ("items", Value::Dict(dict)) => Value::once(Value::Pairs(dict.clone()).iterate(&self.purse)?),
            ("items", other) => Err(failed(format!("`items` of a {}", other.kind()))),
            ("last", Value::Once(_) | Value::Undefined(_) | Value::Loop(_)) => {
                Err(failed(format!("`last` of a {}", value.kind())))
            }
            ("last", Value::Safe(_)) => self.item(&value, &Value::Int(-1)),
            ("first" | "last", _) => {
                let mut values = value.iterate(&self.purse)?.into_iter();
                let found = if name == "first" { values.next() } else { values.next_back() };
                Ok(found.unwrap_or_else(|| Value::undefined(format!("No {name} item, sequence was empty."))))
            }
            ("reverse", Value::Text(_) | Value::Safe(_)) => {
                operators::slice(&value, [None, None, Some(-1)], &self.purse)
            }
            ("reverse", Value::Undefined(_)) => Err(refused("reversing an undefined value")),
            ("reverse", _) => {
                let mut values = value.iterate(&self.purse)?;
                values.reverse();
                // What has no end to begin at is made a list of.
                if matches!(value, Value::Once(_)) { Value::list(values) } else { Value::once(values) }
            }
            _ => Value::list(value.iterate(&self.purse)?),
        }
    }

    fn length(&self, value: &Value) -> Outcome<i64> {
        match value {
            Value::Loop(number) => Ok(self.loops[*number].values.len() as i64),
            other => other.length(&self.purse),
        }
    }

    fn text_filter(&mut self, name: &str, value: Value, passed: Passed) -> Outcome<Value> {
        match name {
            "string" => passed.none(name).and_then(|()| self.soft(&value)?.map(Ok)),
            "safe" => {
                passed.none(name)?;
                print::text(&value, &self.purse).map(|text| Value::Safe(text.into()))
            }
            "e" | "escape" => {
                passed.none(name)?;
                match value {
                    Value::Safe(_) => Ok(value),
                    other => {
                        let text = print::text(&other, &self.purse)?;
                        operators::escape(&text, &self.purse).map(|text| Value::Safe(text.into()))
                    }
                }
            }
            "upper" => passed.none(name).and_then(|()| self.soft(&value)?.map(|text| Ok(text.to_uppercase()))),
            "lower" => passed.none(name).and_then(|()| self.soft(&value)?.map(|text| Ok(text.to_lowercase()))),
            "capitalize" => passed.none(name).and_then(|()| self.soft(&value)?.map(|text| methods::capitalize(&text))),
            "title" => passed.none(name).and_then(|()| Ok(Value::text(title(&print::text(&value, &self.purse)?)?))),
            "trim" => {
                let [characters] = passed.bind(name, ["chars"], 0, true)?;
                let characters = match characters {
                    None | Some(Value::None) => None,
                    Some(Value::Text(characters)) => Some(characters),
                    Some(other) => return Err(failed(format!("`trim` of the characters of a {}", other.kind()))),
                };
                let cost = characters.as_ref().map_or(0, |characters| characters.len());
                self.soft(&value)?.map(|text| {
                    self.purse.pay(text.len().saturating_mul(cost))?;
                    Ok(methods::strip(&text, characters.as_deref(), true, true))
                })
            }
            "replace" => {
                let [old, new, count] = passed.bind(name, ["old", "new", "count"], 2, true)?;
                let text = |value: Option<Value>| print::text(&value.unwrap_or(Value::None), &self.purse);
                let (old, new) = (text(old)?, text(new)?);
                let count = match count {
                    None | Some(Value::None) => -1,
                    Some(count) => count.as_int().ok_or_else(|| failed("a count that is no number"))?,
                };
                let whole = print::text(&value, &self.purse)?;
                methods::replace(&whole, &old, &new, count, &self.purse).map(Value::text)
            }
            _ => self.indent(value, passed),
        }
    }

    fn indent(&mut self, value: Value, passed: Passed) -> Outcome<Value> {
        let [width, first, blank] = passed.bind("indent", ["width", "first", "blank"], 0, true)?;
        let set = |value: Option<Value>| value.is_some_and(|value| value.truth());
        let (first, blank) = (set(first), set(blank));
        let indent = match width {
            None => "    ".to_string(),
            Some(Value::Text(text)) => text.to_string(),
            Some(other) => {
                let width = other.as_int().ok_or_else(|| failed(format!("`indent` by a {}", other.kind())))?;
                let width = usize::try_from(width).unwrap_or(0);
                self.purse.pay(width)?;
                " ".repeat(width)
            }
        };
        let Value::Text(text) = value else {
            return Err(refused(format!("`indent` of a {}", value.kind())));
        };
        // A newline at the end, so that a last line that is empty counts.
        let lines = methods::lines(&format!("{text}\n"), false);
        self.purse.pay_for(2 * lines.len())?;
        self.purse.pay(4 * text.len() + lines.len().saturating_mul(indent.len()))?;
        let mut out = String::new();
        for (at, line) in lines.iter().enumerate() {
            out.push_str(if at > 0 { "\n" } else { "" });
            let indented = if at > 0 { blank || !line.is_empty() } else { first };
            out.push_str(if indented { &indent } else { "" });
            out.push_str(line);
        }
        Ok(Value::text(out))
    }
}

/// The filter `title`: words part at spaces, dashes and opening brackets.
fn title(text: &str) -> Outcome<String> {
    if !text.is_ascii() {
        return Err(refused("`title` of text that is not ASCII"));
    }
    let mut begins = true;
    let letter = |c: char| {
        let written = if begins { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        begins = space(c) || matches!(c, '-' | '(' | '{' | '[' | '<');
        written
    };
    Ok(text.chars().map(letter).collect())
}
