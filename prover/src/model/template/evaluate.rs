//! Decides what expressions are worth: names, attributes, calls.

use super::builtins::{self, known};
use super::render::Renderer;
use super::syntax::{Arguments, Constant, Expr, Relation};
use super::value::{Dict, Value, equal, order, range_length};
use super::{Outcome, failed, methods, operators, refused};

/// What a call was given.
#[derive(Default, Clone)]
pub struct Passed {
    pub positional: Vec<Value>,
    pub keyword: Vec<(String, Value)>,
}

impl Passed {
    /// The values of parameters, of which the first ones are required.
    pub fn bind<const N: usize>(
        self,
        function: &str,
        parameters: [&str; N],
        required: usize,
        keywords: bool,
    ) -> Outcome<[Option<Value>; N]> {
        let mut values: [Option<Value>; N] = std::array::from_fn(|_| None);
        if self.positional.len() > N {
            return Err(failed(format!("`{function}` takes {N} arguments, and {} are given", self.positional.len())));
        }
        for (place, value) in self.positional.into_iter().enumerate() {
            values[place] = Some(value);
        }
        for (name, value) in self.keyword {
            match parameters.iter().position(|parameter| *parameter == name).filter(|_| keywords) {
                Some(place) if values[place].is_none() => values[place] = Some(value),
                _ => return Err(failed(format!("`{function}` takes no `{name}` here"))),
            }
        }
        if values[..required].iter().any(Option::is_none) {
            return Err(failed(format!("`{function}` needs {required} arguments")));
        }
        Ok(values)
    }

    /// Nothing must be given.
    pub fn none(self, function: &str) -> Outcome<()> {
        self.bind(function, [], 0, false).map(|[]| ())
    }
}

/// The attribute of a value in Python's own sense, if it has one of that name.
fn own_attribute(value: &Value, name: &str) -> Outcome<Option<Value>> {
    let method = |names| known(names, name).map(|name| Value::Method((value.clone(), name).into()));
    let unknown = |names| match known(names, name) {
        Some(_) => Err(refused(format!("the attribute `{name}` of a {}", value.kind()))),
        None => Ok(None),
    };
    if name.starts_with("__") {
        return Err(refused(format!("the attribute `{name}`")));
    }
    let changing = known(builtins::CHANGING, name).is_some();
    let forbidden =
        || Value::undefined(format!("access to attribute '{name:.64}' of '{}' object is unsafe.", value.kind()));
    match value {
        Value::Undefined(message) => Err(failed(&**message)),
        Value::List(_) => Ok(method(builtins::LIST_METHODS).map(|method| if changing { forbidden() } else { method })),
        Value::Dict(_) => Ok(method(builtins::DICT_METHODS).map(|method| if changing { forbidden() } else { method })),
        Value::Tuple(_) => Ok(method(builtins::TUPLE_METHODS)),
        Value::Text(_) => Ok(method(builtins::TEXT_METHODS)),
        Value::Safe(_) => match method(builtins::TEXT_METHODS) {
            None => unknown("escape striptags unescape"),
            method => Ok(method),
        },
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => unknown(builtins::NUMBER_ATTRIBUTES),
        Value::Range(_) => unknown("count index start step stop"),
        Value::Keys(_) | Value::Values(_) | Value::Pairs(_) => unknown("isdisjoint mapping"),
        Value::Once(_) => unknown("close gi_code gi_frame gi_running gi_yieldfrom send throw"),
        Value::Macro(_) if name.starts_with('_') => Err(refused(format!("the attribute `{name}` of a macro"))),
        Value::Macro(_) => unknown("arguments caller catch_kwargs catch_varargs explicit_caller name"),
        Value::Function(_) => Err(refused(format!("the attribute `{name}` of a function"))),
        Value::None | Value::Method(_) | Value::Namespace(_) | Value::Loop(_) => Ok(None),
    }
}

/// What stands where a value has no attribute or item.
fn absent(value: &Value, name: &str) -> Value {
    let message = match value {
        Value::None => format!("'None' has no attribute '{name:.64}'"),
        other => format!("'{} object' has no attribute '{name:.64}'", other.kind()),
    };
    Value::undefined(message)
}

impl<'a> Renderer<'a> {
    /// `value.name`
    pub fn attribute(&mut self, value: &Value, name: &str) -> Outcome<Value> {
        if let Some(own) = own_attribute(value, name)? {
            return Ok(own);
        }
        let found = match value {
            Value::Dict(dict) => dict.named(name, &self.purse)?.cloned(),
            Value::Namespace(number) => self.namespaces[*number].named(name, &self.purse)?.cloned(),
            Value::Loop(number) => self.loop_attribute(*number, name)?,
            _ => None,
        };
        Ok(found.unwrap_or_else(|| absent(value, name)))
    }

    /// `value[key]`
    pub fn item(&mut self, value: &Value, key: &Value) -> Outcome<Value> {
        let place = |length: i64| {
            let place = key.as_int()?;
            let place = if place < 0 { place.checked_add(length)? } else { place };
            (0..length).contains(&place).then_some(place as usize)
        };
        let found = match value {
            Value::Undefined(message) => return Err(failed(&**message)),
            Value::Text(text) | Value::Safe(text) if key.as_int().is_some() => {
                let character = place(value.length(&self.purse)?).and_then(|place| text.chars().nth(place));
                character.map(|c| match value {
                    Value::Safe(_) => Value::Safe(c.to_string().into()),
                    _ => Value::text(c.to_string()),
                })
            }
            Value::List(items) | Value::Tuple(items) => {
                place(items.values.len() as i64).map(|place| items.values[place].clone())
            }
            Value::Range(range) => {
                place(range_length(range)).map(|place| Value::Int(range[0] + place as i64 * range[2]))
            }
            Value::Dict(dict) => dict.value(key, &self.purse)?.cloned(),
            _ => None,
        };
        match (found, key.as_text()) {
            (Some(found), _) => Ok(found),
            (None, Some(name)) => {
                let own = match value {
                    Value::Namespace(_) | Value::Loop(_) => return self.attribute(value, name),
                    other => own_attribute(other, name)?,
                };
                Ok(own.unwrap_or_else(|| absent(value, name)))
            }
            (None, None) => Ok(Value::undefined(format!("a {} has no such element", value.kind()))),
        }
    }

    fn loop_attribute(&mut self, number: usize, name: &str) -> Outcome<Option<Value>> {
        let running = &self.loops[number];
        let (index, count) = (running.index as i64, running.values.len() as i64);
        let neighbour = |place: i64, message: &str| {
            let neighbour = usize::try_from(place).ok().and_then(|place| running.values.get(place));
            neighbour.cloned().unwrap_or_else(|| Value::undefined(message))
        };
        Ok(Some(match name {
            "index" => Value::Int(index + 1),
            "index0" => Value::Int(index),
            "revindex" => Value::Int(count - index),
            "revindex0" => Value::Int(count - index - 1),
            "first" => Value::Bool(index == 0),
            "last" => Value::Bool(index + 1 == count),
            "length" => Value::Int(count),
            "depth" => Value::Int(running.depth as i64 + 1),
            "depth0" => Value::Int(running.depth as i64),
            "previtem" => neighbour(index - 1, "there is no previous item"),
            "nextitem" => neighbour(index + 1, "there is no next item"),
            "cycle" => Value::Method((Value::Loop(number), "cycle").into()),
            "changed" => Value::Method((Value::Loop(number), "changed").into()),
            name if name.starts_with('_') => return Err(refused(format!("the attribute `{name}` of a loop"))),
            _ => return Ok(None),
        }))
    }

    fn loop_method(&mut self, number: usize, name: &str, passed: Passed) -> Outcome<Value> {
        if let Some((keyword, _)) = passed.keyword.first() {
            return Err(failed(format!("`{name}` takes no `{keyword}`")));
        }
        let running = &mut self.loops[number];
        if name == "cycle" {
            let count = passed.positional.len().max(1);
            let value = passed.positional.into_iter().nth(running.index % count);
            return value.ok_or_else(|| failed("no items for cycling given"));
        }
        let before = running.changed.replace(passed.positional.clone());
        let Some(before) = before.filter(|before| before.len() == passed.positional.len()) else {
            return Ok(Value::Bool(true));
        };
        for (a, b) in before.iter().zip(&passed.positional) {
            if !equal(a, b, &self.purse)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }

    /// The values of arguments.
    pub fn passed(&mut self, arguments: &'a Arguments) -> Outcome<Passed> {
        let mut passed = Passed::default();
        self.purse.pay_for(arguments.positional.len() + arguments.keyword.len())?;
        for value in &arguments.positional {
            passed.positional.push(self.eval(value)?);
        }
        if let Some(sequence) = &arguments.sequence {
            let sequence = self.eval(sequence)?;
            passed.positional.extend(sequence.iterate(&self.purse)?);
        }
        for (name, value) in &arguments.keyword {
            passed.keyword.push((name.clone(), self.eval(value)?));
        }
        if let Some(mapping) = &arguments.mapping {
            let Value::Dict(dict) = self.eval(mapping)? else {
                return Err(failed("** of what is no dictionary"));
            };
            self.purse.pay_for(2 * dict.entries.len())?;
            for (key, value) in &dict.entries {
                let name = key.as_text().ok_or_else(|| failed("a keyword that is no text"))?;
                self.purse.pay(name.len())?;
                if passed.keyword.iter().any(|(other, _)| other == name) {
                    return Err(failed(format!("two values for `{name}`")));
                }
                passed.keyword.push((name.to_string(), value.clone()));
            }
        }
        Ok(passed)
    }

    /// A call, with `caller` if it is that of a block.
    pub fn call_with(&mut self, call: &'a Expr, caller: Option<Value>) -> Outcome<Value> {
        let Expr::Call(callee, arguments) = call else {
            return Err(failed("a call expected"));
        };
        let callee = self.eval(callee)?;
        let mut passed = self.passed(arguments)?;
        passed.keyword.extend(caller.map(|caller| ("caller".to_string(), caller)));
        match &callee {
            Value::Macro(number) => self.invoke(*number, passed),
            Value::Loop(number) => self.recurse(*number, passed),
            Value::Method(method) => match &**method {
                (Value::Loop(number), name) => self.loop_method(*number, name, passed),
                (receiver, name) => methods::call(receiver, name, passed, &self.purse),
            },
            Value::Function(name) => self.function(name, passed),
            Value::Undefined(message) => Err(failed(&**message)),
            other => Err(failed(format!("a {} cannot be called", other.kind()))),
        }
    }

    fn function(&mut self, name: &str, passed: Passed) -> Outcome<Value> {
        match name {
            "range" => {
                let [start, stop, step] = passed.bind(name, ["start", "stop", "step"], 1, false)?;
                let number = |value: Option<Value>, usual: i64| match value {
                    None => Ok(usual),
                    Some(value) => value.as_int().ok_or_else(|| failed(format!("a range of a {}", value.kind()))),
                };
                let range = match stop {
                    None => [0, number(start, 0)?, 1],
                    stop => [number(start, 0)?, number(stop, 0)?, number(step, 1)?],
                };
                if range[2] == 0 {
                    return Err(failed("a range with step 0"));
                }
                // The sandbox's own limit.
                if range_length(&range) > 100_000 {
                    return Err(failed("a range of more than 100,000 numbers"));
                }
                Ok(Value::Range(range.into()))
            }
            "dict" => self.dict_of(name, passed).map(Value::dict),
            "namespace" => {
                let names = self.dict_of(name, passed)?;
                let private = |key: &Value| key.as_text().is_none_or(|name| name.starts_with('_'));
                if names.entries.iter().any(|(key, _)| private(key)) {
                    return Err(failed("a private attribute of a namespace"));
                }
                self.purse.pay_for(4)?;
                self.namespaces.push(names);
                Ok(Value::Namespace(self.namespaces.len() - 1))
            }
            "raise_exception" => {
                let [message] = passed.bind(name, ["message"], 1, true)?;
                let message = super::print::text(&message.unwrap_or(Value::None), &self.purse)?;
                Err(failed(format!("it says: {}", message.chars().take(500).collect::<String>())))
            }
            "strftime_now" => {
                let [form] = passed.bind(name, ["format"], 1, true)?;
                let form = form.unwrap_or(Value::None);
                let form = form.as_text().ok_or_else(|| failed("a form of time that is no text"))?;
                self.purse.pay(64 * form.len())?;
                self.now.format(form).map(Value::text)
            }
            other => Err(refused(format!("the function `{other}`"))),
        }
    }

    /// `dict(pairs, name=value)`
    fn dict_of(&mut self, function: &str, passed: Passed) -> Outcome<Dict> {
        let mut dict = Dict::default();
        let mut positional = passed.positional.into_iter();
        match positional.next() {
            None => {}
            Some(Value::Undefined(message)) => return Err(failed(&*message)),
            Some(Value::Dict(other)) => {
                for (key, value) in &other.entries {
                    dict.set(key.clone(), value.clone(), &self.purse)?;
                }
            }
            Some(other) => {
                for pair in other.iterate(&self.purse)? {
                    match pair.iterate(&self.purse)?.as_slice() {
                        [key, value] => dict.set(key.clone(), value.clone(), &self.purse)?,
                        _ => return Err(failed(format!("`{function}` of what is not made of pairs"))),
                    }
                }
            }
        }
        if positional.next().is_some() {
            return Err(failed(format!("`{function}` takes one argument")));
        }
        for (name, value) in passed.keyword {
            dict.set(Value::text(name), value, &self.purse)?;
        }
        Ok(dict)
    }

    fn name(&mut self, name: &'a str) -> Outcome<Value> {
        if let Some(value) = self.lookup(name)? {
            return Ok(value);
        }
        if let Some(function) = known(builtins::FUNCTIONS, name) {
            return Ok(Value::Function(function));
        }
        if known(builtins::UNKNOWN_VARIABLES, name).is_some() {
            return Err(refused(format!("the variable `{name}`")));
        }
        Ok(Value::undefined(format!("'{name}' is undefined")))
    }

    /// The value of an expression.
    pub fn eval(&mut self, expression: &'a Expr) -> Outcome<Value> {
        self.deeper(|renderer| renderer.value(expression))
    }

    fn all(&mut self, expressions: &'a [Expr]) -> Outcome<Vec<Value>> {
        self.purse.pay_for(expressions.len())?;
        expressions.iter().map(|expression| self.eval(expression)).collect()
    }

    fn value(&mut self, expression: &'a Expr) -> Outcome<Value> {
        match expression {
            Expr::Constant(constant) => self.constant(constant),
            Expr::Name(name) => self.name(name),
            Expr::List(values) => Value::list(self.all(values)?),
            Expr::Tuple(values) => Value::tuple(self.all(values)?),
            Expr::Dict(pairs) => {
                let mut dict = Dict::default();
                for (key, value) in pairs {
                    let (key, value) = (self.eval(key)?, self.eval(value)?);
                    dict.set(key, value, &self.purse)?;
                }
                Ok(Value::dict(dict))
            }
            Expr::Negative(value) => operators::signed(&self.eval(value)?, true),
            Expr::Positive(value) => operators::signed(&self.eval(value)?, false),
            Expr::Not(value) => Ok(Value::Bool(!self.eval(value)?.truth())),
            Expr::Binary(a, operator, b) => {
                let (a, b) = (self.eval(a)?, self.eval(b)?);
                operators::binary(&a, *operator, &b, &self.purse)
            }
            Expr::Concat(parts) => operators::concat(&self.all(parts)?, &self.purse),
            Expr::Compare(first, relations) => self.compare(first, relations),
            Expr::And(a, b) => match self.eval(a)? {
                value if value.truth() => self.eval(b),
                value => Ok(value),
            },
            Expr::Or(a, b) => match self.eval(a)? {
                value if value.truth() => Ok(value),
                _ => self.eval(b),
            },
            Expr::Choice(test, value, other) => match (self.eval(test)?.truth(), other) {
                (true, _) => self.eval(value),
                (false, Some(other)) => self.eval(other),
                (false, None) => Ok(Value::undefined("an `if` without `else` gave nothing")),
            },
            Expr::Attribute(value, name) => {
                let value = self.eval(value)?;
                self.attribute(&value, name)
            }
            Expr::Item(value, key) => {
                let (value, key) = (self.eval(value)?, self.eval(key)?);
                self.item(&value, &key)
            }
            Expr::Slice(value, bounds) => self.slice(value, bounds),
            Expr::Call(..) => self.call_with(expression, None),
            Expr::Filter(value, filter) => {
                let value = self.eval(value)?;
                let passed = self.passed(&filter.arguments)?;
                self.filter(&filter.name, value, passed)
            }
            Expr::Test(value, name, arguments) => {
                let value = self.eval(value)?;
                let passed = self.passed(arguments)?;
                self.test(name, &value, passed).map(Value::Bool)
            }
        }
    }

    fn constant(&mut self, constant: &Constant) -> Outcome<Value> {
        Ok(match constant {
            Constant::None => Value::None,
            Constant::Bool(bool) => Value::Bool(*bool),
            Constant::Int(number) => Value::Int(*number),
            Constant::Float(number) => Value::Float(*number),
            Constant::Text(text) => {
                self.purse.pay(text.len())?;
                Value::text(text.as_str())
            }
        })
    }

    /// `a < b <= c`, which holds where each pair does.
    fn compare(&mut self, first: &'a Expr, relations: &'a [(Relation, Expr)]) -> Outcome<Value> {
        let mut left = self.eval(first)?;
        for (relation, right) in relations {
            let right = self.eval(right)?;
            if !self.relation(&left, *relation, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    /// Whether a relation holds.
    pub fn relation(&self, a: &Value, relation: Relation, b: &Value) -> Outcome<bool> {
        let purse = &self.purse;
        Ok(match relation {
            Relation::Equal => equal(a, b, purse)?,
            Relation::NotEqual => !equal(a, b, purse)?,
            Relation::Less => order(a, b, purse)?.is_lt(),
            Relation::LessOrEqual => order(a, b, purse)?.is_le(),
            Relation::Greater => order(a, b, purse)?.is_gt(),
            Relation::GreaterOrEqual => order(a, b, purse)?.is_ge(),
            Relation::In => operators::contains(b, a, purse)?,
            Relation::NotIn => !operators::contains(b, a, purse)?,
        })
    }

    fn slice(&mut self, value: &'a Expr, bounds: &'a [Option<Box<Expr>>; 3]) -> Outcome<Value> {
        let value = self.eval(value)?;
        let mut numbers = [None; 3];
        for (number, bound) in numbers.iter_mut().zip(bounds) {
            *number = match bound.as_ref().map(|bound| self.eval(bound)).transpose()? {
                None | Some(Value::None) => None,
                Some(other) => Some(other.as_int().ok_or_else(|| failed(format!("a slice at a {}", other.kind())))?),
            };
        }
        operators::slice(&value, numbers, &self.purse)
    }
}
