//! Decides what a chat template renders to: what jinja2 renders, as transformers sets it up, to the byte, or nothing.
//!
//! Python's ways of printing, comparing, cutting and counting are in what templates write, and no template engine in
//! Rust keeps them (`true` is `True`, `[1, 'a']` has its quotes, `'a' < 1` is an error); none bounds what a template
//! makes on its way either, where `x ~ x` doubles. So this is one of our own, for the part of jinja2 that chat
//! templates are written in. Whatever is outside of it is an error that names it. `tests/template.rs` compares with
//! what jinja2 renders.
//!
//! Every step and every byte that is made or looked at is paid for from one purse, so a template takes bounded time and
//! memory whatever it does.

mod builtins;
mod evaluate;
mod expression;
mod filters;
mod is;
mod json;
mod lexer;
mod methods;
mod numbers;
mod operators;
mod parser;
mod print;
mod render;
mod sequences;
mod syntax;
mod time;
mod value;

use std::cell::Cell;

pub use render::render;
pub use time::Now;
pub use value::Value;

/// How deep a template, what it evaluates, and its values may be nested.
const DEPTH: usize = 100;

/// Why a template was not rendered.
#[derive(Debug)]
pub struct Fault(String);

type Outcome<T> = Result<T, Fault>;

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What jinja2 refuses too.
fn failed(reason: impl Into<String>) -> Fault {
    let mut reason = reason.into();
    // It quotes the template, whose words may be long.
    if let Some((end, _)) = reason.char_indices().nth(600) {
        reason.truncate(end);
        reason.push_str("..");
    }
    Fault(reason)
}

/// What jinja2 would do.
fn refused(what: impl Into<String>) -> Fault {
    failed(format!("{} is not supported in a template here", what.into()))
}

/// What Python takes for a space.
fn space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// What a template may still do.
pub struct Purse(Cell<u64>);

/// What a step, or a value in a list, costs, in bytes.
const STEP: usize = 32;

impl Purse {
    /// For a template that is given texts of that many bytes.
    fn new(given: usize) -> Purse {
        Purse(Cell::new((32 << 20) + 64 * given as u64))
    }

    /// Pays for bytes that are made or looked at.
    fn pay(&self, bytes: usize) -> Outcome<()> {
        match self.0.get().checked_sub(bytes as u64) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(failed("it takes more steps or memory than any chat template needs")),
        }
    }

    /// Pays for so many values or steps.
    fn pay_for(&self, values: usize) -> Outcome<()> {
        self.pay(values.saturating_mul(STEP))
    }
}
