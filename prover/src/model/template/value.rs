//! Decides which values a template works with, as Python has them: which of them are true, equal, less, how deep they
//! are.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::rc::Rc;

use super::{DEPTH, Outcome, Purse, failed, refused};

/// A Python value.
#[derive(Clone, Debug)]
pub enum Value {
    /// With what is said when it is used.
    Undefined(Rc<str>),
    None,
    Bool(bool),
    Int(i64),
    /// Finite.
    Float(f64),
    Text(Rc<str>),
    /// Text marked as safe: adding other text to it escapes that text.
    Safe(Rc<str>),
    List(Rc<Items>),
    Tuple(Rc<Items>),
    Dict(Rc<Dict>),
    /// Start, stop, step.
    Range(Rc<[i64; 3]>),
    Keys(Rc<Dict>),
    Values(Rc<Dict>),
    Pairs(Rc<Dict>),
    /// What a filter yields: it can be gone through once.
    Once(Rc<Once>),
    Namespace(usize),
    Loop(usize),
    Macro(usize),
    Method(Rc<(Value, &'static str)>),
    Function(&'static str),
}

/// Values in order.
#[derive(Debug)]
pub struct Items {
    pub values: Vec<Value>,
    depth: usize,
}

/// Keys with their values, in the order in which they came.
#[derive(Debug, Default)]
pub struct Dict {
    pub entries: Vec<(Value, Value)>,
    depth: usize,
}

/// Values that can be taken out once.
#[derive(Debug)]
pub struct Once {
    values: RefCell<Option<Vec<Value>>>,
    depth: usize,
}

fn depth_of<'a>(values: impl Iterator<Item = &'a Value>) -> Outcome<usize> {
    let depth = values.map(Value::depth).max().unwrap_or(0) + 1;
    if depth > DEPTH { Err(refused(format!("a value nested in more than {DEPTH} others"))) } else { Ok(depth) }
}

impl Dict {
    /// The value of a key.
    pub fn value(&self, key: &Value, purse: &Purse) -> Outcome<Option<&Value>> {
        for (other, value) in &self.entries {
            if equal(other, key, purse)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The value of a key that is text.
    pub fn named(&self, key: &str, purse: &Purse) -> Outcome<Option<&Value>> {
        purse.pay_for(self.entries.len() / 8)?;
        Ok(self.entries.iter().find(|(other, _)| other.as_text() == Some(key)).map(|(_, value)| value))
    }

    /// Sets the value of a key, which keeps its place if it has one.
    pub fn set(&mut self, key: Value, value: Value, purse: &Purse) -> Outcome<()> {
        if !key.hashable() {
            return Err(failed(format!("a key that is a {}", key.kind())));
        }
        purse.pay_for(2)?;
        self.depth = self.depth.max(depth_of([&key, &value].into_iter())?);
        for (other, old) in &mut self.entries {
            if equal(other, &key, purse)? {
                *old = value;
                return Ok(());
            }
        }
        self.entries.push((key, value));
        Ok(())
    }
}

impl Value {
    /// Text.
    pub fn text(text: impl Into<Rc<str>>) -> Value {
        Value::Text(text.into())
    }

    /// Nothing, and what is said when it is used.
    pub fn undefined(message: impl Into<Rc<str>>) -> Value {
        Value::Undefined(message.into())
    }

    /// A list; its values are paid for.
    pub fn list(values: Vec<Value>) -> Outcome<Value> {
        Ok(Value::List(Rc::new(Items { depth: depth_of(values.iter())?, values })))
    }

    /// A tuple; its values are paid for.
    pub fn tuple(values: Vec<Value>) -> Outcome<Value> {
        Ok(Value::Tuple(Rc::new(Items { depth: depth_of(values.iter())?, values })))
    }

    /// A dictionary with texts for keys, no two of them alike.
    pub fn record(entries: Vec<(&str, Value)>) -> Outcome<Value> {
        let depth = depth_of(entries.iter().map(|(_, value)| value))?;
        let entries = entries.into_iter().map(|(key, value)| (Value::text(key), value)).collect();
        Ok(Value::dict(Dict { entries, depth }))
    }

    /// A dictionary.
    pub fn dict(dict: Dict) -> Value {
        Value::Dict(Rc::new(dict))
    }

    /// Values to go through once; they are paid for.
    pub fn once(values: Vec<Value>) -> Outcome<Value> {
        let depth = depth_of(values.iter())?;
        Ok(Value::Once(Rc::new(Once { values: RefCell::new(Some(values)), depth })))
    }

    fn depth(&self) -> usize {
        match self {
            Value::List(items) | Value::Tuple(items) => items.depth,
            Value::Dict(dict) | Value::Keys(dict) | Value::Values(dict) | Value::Pairs(dict) => dict.depth + 1,
            Value::Once(once) => once.depth,
            Value::Method(method) => method.0.depth() + 1,
            _ => 0,
        }
    }

    /// Its type's name in Python.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Undefined(_) => "undefined value",
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Text(_) => "str",
            Value::Safe(_) => "Markup",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Dict(_) => "dict",
            Value::Range(_) => "range",
            Value::Keys(_) => "dict_keys",
            Value::Values(_) => "dict_values",
            Value::Pairs(_) => "dict_items",
            Value::Once(_) => "generator",
            Value::Namespace(_) => "namespace",
            Value::Loop(_) => "loop",
            Value::Macro(_) => "macro",
            Value::Method(_) => "method",
            Value::Function(_) => "function",
        }
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Safe(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is a whole one (`True` is 1).
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            Value::Bool(bool) => Some((*bool).into()),
            _ => None,
        }
    }

    /// Whether it is a number of any type.
    pub fn is_number(&self) -> bool {
        matches!(self, Value::Bool(_) | Value::Int(_) | Value::Float(_))
    }

    fn hashable(&self) -> bool {
        match self {
            Value::List(_) | Value::Dict(_) | Value::Keys(_) | Value::Pairs(_) => false,
            Value::Tuple(items) => items.values.iter().all(Value::hashable),
            _ => true,
        }
    }

    /// Whether it counts as true.
    pub fn truth(&self) -> bool {
        match self {
            Value::Undefined(_) | Value::None => false,
            Value::Bool(bool) => *bool,
            Value::Int(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::Text(text) | Value::Safe(text) => !text.is_empty(),
            Value::List(items) | Value::Tuple(items) => !items.values.is_empty(),
            Value::Dict(dict) | Value::Keys(dict) | Value::Values(dict) | Value::Pairs(dict) => {
                !dict.entries.is_empty()
            }
            Value::Range(range) => range_length(range) > 0,
            _ => true,
        }
    }

    /// How many values are in it (characters, in text).
    pub fn length(&self, purse: &Purse) -> Outcome<i64> {
        let length = match self {
            Value::Undefined(_) => 0,
            Value::Text(text) | Value::Safe(text) => {
                purse.pay(text.len())?;
                text.chars().count()
            }
            Value::List(items) | Value::Tuple(items) => items.values.len(),
            Value::Dict(dict) | Value::Keys(dict) | Value::Values(dict) | Value::Pairs(dict) => dict.entries.len(),
            Value::Range(range) => return Ok(range_length(range)),
            other => return Err(failed(format!("a {} has no length", other.kind()))),
        };
        Ok(length as i64)
    }

    /// The values in it, each paid for.
    pub fn iterate(&self, purse: &Purse) -> Outcome<Vec<Value>> {
        Ok(match self {
            Value::Undefined(_) => Vec::new(),
            Value::Text(text) | Value::Safe(text) => {
                purse.pay_for(2 * text.chars().count())?;
                let mut buffer = [0; 4];
                text.chars().map(|c| Value::text(&*c.encode_utf8(&mut buffer))).collect()
            }
            Value::List(items) | Value::Tuple(items) => {
                purse.pay_for(items.values.len())?;
                items.values.clone()
            }
            Value::Dict(dict) | Value::Keys(dict) => {
                purse.pay_for(dict.entries.len())?;
                dict.entries.iter().map(|(key, _)| key.clone()).collect()
            }
            Value::Values(dict) => {
                purse.pay_for(dict.entries.len())?;
                dict.entries.iter().map(|(_, value)| value.clone()).collect()
            }
            Value::Pairs(dict) => {
                purse.pay_for(4 * dict.entries.len())?;
                let pair = |(key, value): &(Value, Value)| Value::tuple(vec![key.clone(), value.clone()]);
                dict.entries.iter().map(pair).collect::<Outcome<_>>()?
            }
            Value::Range(range) => {
                let length = range_length(range);
                purse.pay_for(length as usize)?;
                (0..length).map(|step| Value::Int(range[0] + step * range[2])).collect()
            }
            Value::Once(once) => {
                let values = once.values.borrow_mut().take();
                values.ok_or_else(|| refused("going twice through what a filter yields"))?
            }
            other => return Err(failed(format!("a {} cannot be gone through", other.kind()))),
        })
    }
}

/// How many numbers a range has.
pub fn range_length(range: &[i64; 3]) -> i64 {
    let [start, stop, step] = range.map(i128::from);
    let distance = if step > 0 { stop - start } else { start - stop };
    let length = (distance + step.abs() - 1).div_euclid(step.abs()).max(0);
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// A whole number and one that may not be, as Python compares them: exactly.
fn compare_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    let exact = |int: i64, float: f64| {
        let whole = float.trunc();
        // Beyond 2^63 the float decides; below, its whole part fits.
        match whole.abs() < 9.2e18 {
            true => int.cmp(&(whole as i64)).then_with(|| 0.0.partial_cmp(&(float - whole)).unwrap_or(Ordering::Equal)),
            false => 0.0.partial_cmp(&float).unwrap_or(Ordering::Equal),
        }
    };
    match (a.as_int(), a, b.as_int(), b) {
        (Some(a), _, Some(b), _) => Some(a.cmp(&b)),
        (Some(a), _, None, Value::Float(b)) => Some(exact(a, *b)),
        (None, Value::Float(a), Some(b), _) => Some(exact(b, *a).reverse()),
        (None, Value::Float(a), None, Value::Float(b)) => a.partial_cmp(b),
        _ => None,
    }
}

/// `a == b`
pub fn equal(a: &Value, b: &Value, purse: &Purse) -> Outcome<bool> {
    purse.pay(8)?;
    let same = |a: &[Value], b: &[Value]| -> Outcome<bool> {
        if a.len() != b.len() {
            return Ok(false);
        }
        for (a, b) in a.iter().zip(b) {
            if !equal(a, b, purse)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    if let Some(order) = compare_numbers(a, b) {
        return Ok(order == Ordering::Equal);
    }
    if let (Some(a), Some(b)) = (a.as_text(), b.as_text()) {
        purse.pay(a.len().min(b.len()))?;
        return Ok(a == b);
    }
    Ok(match (a, b) {
        (Value::Undefined(_), Value::Undefined(_)) | (Value::None, Value::None) => true,
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => same(&a.values, &b.values)?,
        (Value::Dict(a), Value::Dict(b)) => {
            if a.entries.len() != b.entries.len() {
                return Ok(false);
            }
            for (key, value) in &a.entries {
                match b.value(key, purse)? {
                    Some(other) if equal(value, other, purse)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Namespace(a), Value::Namespace(b))
        | (Value::Loop(a), Value::Loop(b))
        | (Value::Macro(a), Value::Macro(b)) => a == b,
        (Value::Function(a), Value::Function(b)) => a == b,
        (a, b) if std::mem::discriminant(a) == std::mem::discriminant(b) => {
            return Err(refused(format!("comparing values of type {}", a.kind())));
        }
        (Value::Keys(_) | Value::Pairs(_), Value::Keys(_) | Value::Pairs(_)) => {
            return Err(refused("comparing parts of dictionaries"));
        }
        _ => false,
    })
}

/// `values` in order, equal ones as they stood. The first comparison that fails ends it: the library's sorts need an order of all.
pub fn sorted<T>(mut values: Vec<T>, order: &impl Fn(&T, &T) -> Outcome<Ordering>) -> Outcome<Vec<T>> {
    if values.len() < 2 {
        return Ok(values);
    }
    let upper = values.split_off(values.len() / 2);
    let mut merged = Vec::with_capacity(values.len() + upper.len());
    let mut lower = sorted(values, order)?.into_iter().peekable();
    let mut upper = sorted(upper, order)?.into_iter().peekable();
    while let (Some(low), Some(high)) = (lower.peek(), upper.peek()) {
        let next = if order(high, low)? == Ordering::Less { &mut upper } else { &mut lower };
        merged.extend(next.next());
    }
    merged.extend(lower);
    merged.extend(upper);
    Ok(merged)
}

/// How `a` and `b` are ordered.
pub fn order(a: &Value, b: &Value, purse: &Purse) -> Outcome<Ordering> {
    purse.pay(8)?;
    if let Some(order) = compare_numbers(a, b) {
        return Ok(order);
    }
    if let (Some(a), Some(b)) = (a.as_text(), b.as_text()) {
        purse.pay(a.len().min(b.len()))?;
        return Ok(a.cmp(b));
    }
    match (a, b) {
        (Value::Undefined(message), _) | (_, Value::Undefined(message)) => Err(failed(&**message)),
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            for (a, b) in a.values.iter().zip(&b.values) {
                if !equal(a, b, purse)? {
                    return order(a, b, purse);
                }
            }
            Ok(a.values.len().cmp(&b.values.len()))
        }
        (a, b) => Err(failed(format!("a {} and a {} have no order", a.kind(), b.kind()))),
    }
}
