//! Decides what the statements of a template do, and which names they see.

use super::evaluate::Passed;
use super::syntax::{Expr, Filter, Loop, Macro, Statement, Target};
use super::value::Dict;
use super::{Fault, Now, Outcome, Purse, STEP, Value, failed, parser, print, refused};

/// How deep evaluation goes: expressions in statements in macros in loops.
const LEVELS: usize = 400;

/// What a template renders to, given the variables of a conversation and the time.
///
/// # Errors
/// Whatever jinja2 refuses, or would render and this does not.
pub fn render(template: &str, variables: Vec<(&'static str, Value)>, now: Now, given: usize) -> Result<String, Fault> {
    let body = parser::parse(template)?;
    let mut renderer = Renderer::new(variables, now, Purse::new(given));
    renderer.exec(&body)?;
    Ok(renderer.out)
}

/// Names and their values.
struct Scope<'a> {
    names: Vec<(&'a str, Value)>,
    parent: Option<usize>,
}

/// A macro and the scope it was made in.
#[derive(Clone, Copy)]
pub struct Closure<'a> {
    pub macro_: &'a Macro,
    pub scope: usize,
}

/// A loop that runs or has run.
pub struct Running<'a> {
    node: &'a Loop,
    scope: usize,
    pub values: Vec<Value>,
    pub index: usize,
    pub depth: usize,
    pub changed: Option<Vec<Value>>,
}

/// How a statement ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Next,
    Break,
    Continue,
}

/// A template on its way.
///
/// Scopes, namespaces, macros and loops stay until the end and are known by their numbers, so that no two own each
/// other.
pub struct Renderer<'a> {
    pub purse: Purse,
    pub now: Now,
    scopes: Vec<Scope<'a>>,
    scope: usize,
    pub namespaces: Vec<Dict>,
    pub closures: Vec<Closure<'a>>,
    pub loops: Vec<Running<'a>>,
    level: usize,
    out: String,
}

impl<'a> Renderer<'a> {
    fn new(variables: Vec<(&'static str, Value)>, now: Now, purse: Purse) -> Renderer<'a> {
        let globals = Scope { names: variables, parent: None };
        let own = Scope { names: Vec::new(), parent: Some(0) };
        Renderer {
            purse,
            now,
            scopes: vec![globals, own],
            scope: 1,
            namespaces: Vec::new(),
            closures: Vec::new(),
            loops: Vec::new(),
            level: 0,
            out: String::new(),
        }
    }

    /// Takes a step one level deeper.
    pub fn deeper<T>(&mut self, step: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.purse.pay(STEP)?;
        if self.level == LEVELS {
            return Err(refused(format!("what goes more than {LEVELS} levels deep")));
        }
        self.level += 1;
        let result = step(self);
        self.level -= 1;
        result
    }

    /// The value of a name, if a scope has it.
    pub fn lookup(&self, name: &str) -> Outcome<Option<Value>> {
        let mut scope = Some(self.scope);
        while let Some(number) = scope {
            let Scope { names, parent } = &self.scopes[number];
            self.purse.pay(8 + 4 * names.len())?;
            if let Some((_, value)) = names.iter().find(|(other, _)| *other == name) {
                return Ok(Some(value.clone()));
            }
            scope = *parent;
        }
        Ok(None)
    }

    fn define(&mut self, name: &'a str, value: Value) -> Outcome<()> {
        self.purse.pay(2 * STEP)?;
        let names = &mut self.scopes[self.scope].names;
        match names.iter_mut().find(|(other, _)| *other == name) {
            Some((_, old)) => *old = value,
            None => names.push((name, value)),
        }
        Ok(())
    }

    /// Runs a step in a new scope inside the given one.
    fn scoped<T>(&mut self, parent: usize, step: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.purse.pay(8 * STEP)?;
        self.scopes.push(Scope { names: Vec::new(), parent: Some(parent) });
        let outer = std::mem::replace(&mut self.scope, self.scopes.len() - 1);
        let result = step(self);
        self.scope = outer;
        result
    }

    /// What a step writes, instead of writing it.
    fn captured<T>(&mut self, step: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<(T, String)> {
        let outer = std::mem::take(&mut self.out);
        let result = step(self);
        let written = std::mem::replace(&mut self.out, outer);
        Ok((result?, written))
    }

    fn assign(&mut self, target: &'a Target, value: Value) -> Outcome<()> {
        match target {
            Target::Name(name) => self.define(name, value),
            Target::Attribute(name, attribute) => match self.lookup(name)? {
                Some(Value::Namespace(_)) if attribute.starts_with('_') => {
                    Err(failed(format!("the attribute `{attribute}` of a namespace")))
                }
                Some(Value::Namespace(number)) => {
                    self.namespaces[number].set(Value::text(attribute.as_str()), value, &self.purse)
                }
                _ => Err(failed(format!("an assignment to an attribute of `{name}`, which is no namespace"))),
            },
            Target::Tuple(targets) => {
                let values = value.iterate(&self.purse)?;
                if values.len() != targets.len() {
                    return Err(failed(format!("{} values for {} names", values.len(), targets.len())));
                }
                targets.iter().zip(values).try_for_each(|(target, value)| self.assign(target, value))
            }
        }
    }

    pub fn exec(&mut self, body: &'a [Statement]) -> Outcome<Flow> {
        for statement in body {
            let flow = self.deeper(|renderer| renderer.step(statement))?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn write(&mut self, text: &str) -> Outcome<Flow> {
        self.purse.pay(2 * text.len())?;
        self.out.push_str(text);
        Ok(Flow::Next)
    }

    /// What a block gives is not printed, so it must be text.
    fn write_text(&mut self, value: &Value) -> Outcome<Flow> {
        match value.as_text() {
            Some(text) => self.write(text),
            None => Err(failed(format!("a block that gives a {}", value.kind()))),
        }
    }

    fn step(&mut self, statement: &'a Statement) -> Outcome<Flow> {
        match statement {
            Statement::Text(text) => self.write(text),
            Statement::Output(value) => {
                let value = self.eval(value)?;
                let text = print::text(&value, &self.purse)?;
                self.write(&text)
            }
            Statement::If(branches, otherwise) => {
                for (test, body) in branches {
                    if self.eval(test)?.truth() {
                        return self.exec(body);
                    }
                }
                self.exec(otherwise)
            }
            Statement::For(node) => {
                let values = self.eval(&node.values)?;
                self.run_loop(node, values, self.scope, 0)
            }
            Statement::Set(target, value) => {
                let value = self.eval(value)?;
                self.assign(target, value)?;
                Ok(Flow::Next)
            }
            Statement::SetBlock(target, filters, body) => {
                let (flow, text) = self.filtered_body(body, filters)?;
                if flow == Flow::Next {
                    self.assign(target, text)?;
                }
                Ok(flow)
            }
            Statement::FilterBlock(filters, body) => {
                let (flow, value) = self.filtered_body(body, filters)?;
                if flow == Flow::Next { self.write_text(&value) } else { Ok(flow) }
            }
            Statement::Macro(node) => {
                let value = self.closure(node)?;
                self.define(&node.name, value)?;
                Ok(Flow::Next)
            }
            Statement::CallBlock(call, caller) => {
                let caller = self.closure(caller)?;
                let value = self.call_with(call, Some(caller))?;
                self.write_text(&value)
            }
            Statement::Generation(node) => {
                self.closure(node)?;
                let value = self.invoke(self.closures.len() - 1, Passed::default())?;
                self.write_text(&value)
            }
            Statement::With(values, body) => self.with(values, body),
            Statement::Break => Ok(Flow::Break),
            Statement::Continue => Ok(Flow::Continue),
        }
    }

    fn with(&mut self, values: &'a [(Target, Expr)], body: &'a [Statement]) -> Outcome<Flow> {
        let values = values.iter().map(|(target, value)| Ok((target, self.eval(value)?)));
        let values = values.collect::<Outcome<Vec<_>>>()?;
        self.scoped(self.scope, |renderer| {
            values.into_iter().try_for_each(|(target, value)| renderer.assign(target, value))?;
            renderer.exec(body)
        })
    }

    /// What a body writes, filtered.
    fn filtered_body(&mut self, body: &'a [Statement], filters: &'a [Filter]) -> Outcome<(Flow, Value)> {
        let scope = self.scope;
        let (flow, text) = self.captured(|renderer| renderer.scoped(scope, |renderer| renderer.exec(body)))?;
        let mut value = Value::text(text);
        for filter in filters {
            let passed = self.passed(&filter.arguments)?;
            value = self.filter(&filter.name, value, passed)?;
        }
        Ok((flow, value))
    }

    fn closure(&mut self, macro_: &'a Macro) -> Outcome<Value> {
        self.purse.pay(STEP)?;
        self.closures.push(Closure { macro_, scope: self.scope });
        Ok(Value::Macro(self.closures.len() - 1))
    }

    /// The loop over some values; `scope` is the one that it stands in.
    fn run_loop(&mut self, node: &'a Loop, values: Value, scope: usize, depth: usize) -> Outcome<Flow> {
        let mut chosen = Vec::new();
        for value in values.iterate(&self.purse)? {
            let keep = match &node.condition {
                None => true,
                Some(condition) => {
                    let value = value.clone();
                    self.scoped(scope, |renderer| {
                        renderer.assign(&node.target, value)?;
                        Ok(renderer.eval(condition)?.truth())
                    })?
                }
            };
            if keep {
                chosen.push(value);
            }
        }
        let number = self.loops.len();
        self.purse.pay(8 * STEP)?;
        let count = chosen.len();
        self.loops.push(Running { node, scope, values: chosen, index: 0, depth, changed: None });
        // Python's `else` of a loop runs where no round came to its end.
        let mut ended = false;
        for index in 0..count {
            self.loops[number].index = index;
            let value = self.loops[number].values[index].clone();
            let flow = self.scoped(scope, |renderer| {
                renderer.assign(&node.target, value)?;
                renderer.define("loop", Value::Loop(number))?;
                renderer.exec(&node.body)
            })?;
            match flow {
                Flow::Break => break,
                Flow::Continue => {}
                Flow::Next => ended = true,
            }
        }
        if ended {
            return Ok(Flow::Next);
        }
        self.scoped(scope, |renderer| renderer.exec(&node.otherwise))
    }

    /// `loop(values)` in a recursive loop.
    pub fn recurse(&mut self, number: usize, passed: Passed) -> Outcome<Value> {
        let Running { node, scope, depth, .. } = self.loops[number];
        let [values] = passed.bind("loop", ["iterable"], 1, true)?;
        if !node.recursive {
            return Err(failed("a call of a loop that is not recursive"));
        }
        let values = values.unwrap_or(Value::None);
        let (_, text) = self.captured(|renderer| renderer.run_loop(node, values, scope, depth + 1))?;
        Ok(Value::text(text))
    }

    /// What a macro writes.
    pub fn invoke(&mut self, number: usize, mut passed: Passed) -> Outcome<Value> {
        let Closure { macro_, scope } = self.closures[number];
        let [reads_caller, reads_keywords, reads_rest] = macro_.reads;
        let parameters = &macro_.parameters;
        let mut given: Vec<Option<Value>> = Vec::new();
        let mut positional = passed.positional.into_iter();
        for parameter in parameters {
            let named = passed.keyword.iter().position(|(name, _)| name == parameter);
            given.push(match (positional.next(), named) {
                // Only what is missing is looked for by its name.
                (None, Some(place)) => Some(passed.keyword.remove(place).1),
                (value, _) => value,
            });
        }
        let caller = passed.keyword.iter().position(|(name, _)| name == "caller").filter(|_| reads_caller);
        let caller = caller.map(|place| passed.keyword.remove(place).1);
        let rest: Vec<Value> = positional.collect();
        if let Some((name, _)) = passed.keyword.first().filter(|_| !reads_keywords) {
            return Err(failed(format!("the macro `{}` takes no `{name}`", macro_.name)));
        }
        if !rest.is_empty() && !reads_rest {
            return Err(failed(format!("the macro `{}` takes {} arguments", macro_.name, parameters.len())));
        }
        let (_, text) = self.captured(|renderer| {
            renderer.scoped(scope, |renderer| {
                if reads_caller {
                    let caller = caller.filter(|caller| !matches!(caller, Value::None));
                    renderer.define("caller", caller.unwrap_or(Value::undefined("No caller defined")))?;
                }
                if reads_keywords {
                    let mut keywords = Dict::default();
                    for (name, value) in passed.keyword {
                        keywords.set(Value::text(name), value, &renderer.purse)?;
                    }
                    renderer.define("kwargs", Value::dict(keywords))?;
                }
                if reads_rest {
                    renderer.define("varargs", Value::tuple(rest)?)?;
                }
                renderer.parameters(macro_, given)?;
                renderer.exec(&macro_.body)
            })
        })?;
        Ok(Value::text(text))
    }

    /// Defines what a macro was given; what it was not given is undefined to the defaults before its own.
    fn parameters(&mut self, macro_: &'a Macro, given: Vec<Option<Value>>) -> Outcome<()> {
        let without = macro_.parameters.len() - macro_.defaults.len();
        let missing: Vec<bool> = given.iter().map(Option::is_none).collect();
        for (name, value) in macro_.parameters.iter().zip(given) {
            let value = value.unwrap_or_else(|| Value::undefined(format!("parameter '{name}' was not provided")));
            self.define(name, value)?;
        }
        for (place, default) in macro_.defaults.iter().enumerate() {
            if missing[without + place] {
                let value = self.eval(default)?;
                self.define(&macro_.parameters[without + place], value)?;
            }
        }
        Ok(())
    }
}
