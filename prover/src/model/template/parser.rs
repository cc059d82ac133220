//! Decides how tokens become statements, as jinja2's parser does with the extensions that transformers loads.

use super::expression::Expressions;
use super::lexer::{self, Token};
use super::syntax::{Constant, Expr, Filter, Loop, Macro, Statement, Target};
use super::{DEPTH, Outcome, failed, refused};

/// Most operators in a tag, indices and filters among them.
const LINKS: usize = 1000;

/// Most parameters of a macro, and most names in a call.
pub const PARAMETERS: usize = 255;

/// The tokens that are left.
pub struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// How deep statements and expressions are in each other.
    depth: usize,
    /// Operators that follow each other in this tag.
    links: usize,
    /// Whether the statement stands in the body of a loop, of this macro.
    in_loop: bool,
    /// Filters and tests that there are not: an error unless they stand in a condition, where jinja2 waits for their
    /// use.
    pub unknown: Vec<String>,
}

/// The statements of a template.
pub fn parse(source: &str) -> Outcome<Vec<Statement>> {
    let mut parser =
        Parser { tokens: lexer::tokens(source)?, at: 0, depth: 0, links: 0, in_loop: false, unknown: Vec::new() };
    parser.certain(|parser| parser.statements(&[]))
}

impl Parser {
    pub fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub fn look(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    pub fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    pub fn is(&self, operator: &str) -> bool {
        matches!(self.peek(), Token::Operator(found) if *found == operator)
    }

    pub fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Token::Name(found) if found == name)
    }

    pub fn skip(&mut self, operator: &str) -> bool {
        let is = self.is(operator);
        self.at += usize::from(is);
        is
    }

    pub fn skip_name(&mut self, name: &str) -> bool {
        let is = self.is_name(name);
        self.at += usize::from(is);
        is
    }

    pub fn unexpected<T>(&self, expected: &str) -> Outcome<T> {
        Err(failed(format!("{expected} expected, and there is {:?}", self.peek())))
    }

    pub fn expect(&mut self, operator: &'static str) -> Outcome<()> {
        if self.skip(operator) { Ok(()) } else { self.unexpected(operator) }
    }

    fn expect_name(&mut self, name: &'static str) -> Outcome<()> {
        if self.skip_name(name) { Ok(()) } else { self.unexpected(name) }
    }

    pub fn name(&mut self) -> Outcome<String> {
        match self.next() {
            Token::Name(name) => Ok(name),
            _ => {
                self.at -= 1;
                self.unexpected("a name")
            }
        }
    }

    /// Runs a step in which what is unknown is an error.
    pub fn certain<T>(&mut self, step: impl FnOnce(&mut Parser) -> Outcome<T>) -> Outcome<T> {
        let known = self.unknown.len();
        let result = step(self)?;
        match self.unknown.get(known) {
            Some(name) => Err(failed(format!("no filter or test is called `{name:.64}`"))),
            None => Ok(result),
        }
    }

    /// Runs a step in which what is unknown may never be used.
    pub fn uncertain<T>(&mut self, step: impl FnOnce(&mut Parser) -> Outcome<T>) -> Outcome<T> {
        let known = self.unknown.len();
        let result = step(self)?;
        self.unknown.truncate(known);
        Ok(result)
    }

    /// Runs a step one level deeper.
    pub fn deeper<T>(&mut self, step: impl FnOnce(&mut Parser) -> Outcome<T>) -> Outcome<T> {
        if self.depth == DEPTH {
            return Err(refused(format!("a nesting of more than {DEPTH} levels")));
        }
        self.depth += 1;
        let result = step(self);
        self.depth -= 1;
        result
    }

    /// Counts an operator after another one: a chain of them is a tree as deep as it is long.
    pub fn link(&mut self) -> Outcome<()> {
        self.links += 1;
        if self.links > LINKS { Err(refused(format!("a tag of more than {LINKS} operators"))) } else { Ok(()) }
    }

    fn block_end(&mut self) -> Outcome<()> {
        match self.next() {
            Token::BlockEnd => Ok(()),
            _ => {
                self.at -= 1;
                self.unexpected("the end of the tag")
            }
        }
    }

    /// Statements up to a tag of one of these names, which is the next token then; up to the end if there is none.
    fn statements(&mut self, ends: &[&str]) -> Outcome<Vec<Statement>> {
        let mut body = Vec::new();
        loop {
            self.links = 0;
            match self.next() {
                Token::End if ends.is_empty() => return Ok(body),
                Token::End => return Err(failed(format!("the template ends before {}", ends.join(" or ")))),
                Token::Data(text) => body.push(Statement::Text(text)),
                Token::VariableBegin => {
                    body.push(Statement::Output(self.tuple(true)?));
                    match self.next() {
                        Token::VariableEnd => {}
                        _ => {
                            self.at -= 1;
                            return self.unexpected("}}");
                        }
                    }
                }
                Token::BlockBegin => {
                    if matches!(self.peek(), Token::Name(name) if ends.contains(&name.as_str())) {
                        return Ok(body);
                    }
                    self.deeper(|parser| parser.statement(&mut body))?;
                    self.block_end()?;
                }
                _ => return self.unexpected("text or a tag"),
            }
        }
    }

    /// The body of a tag up to one of these names.
    fn body(&mut self, ends: &[&str]) -> Outcome<Vec<Statement>> {
        self.skip(":");
        self.block_end()?;
        self.statements(ends)
    }

    /// The body of a tag, and the tag that ends it.
    fn whole_body(&mut self, end: &'static str) -> Outcome<Vec<Statement>> {
        let body = self.certain(|parser| parser.body(&[end]))?;
        self.expect_name(end)?;
        Ok(body)
    }

    fn statement(&mut self, body: &mut Vec<Statement>) -> Outcome<()> {
        let tag = self.name()?;
        body.push(match tag.as_str() {
            "for" => self.for_loop()?,
            "if" => self.if_block()?,
            "set" => self.set()?,
            "macro" => {
                let name = self.target_name()?;
                let (parameters, defaults) = self.signature()?;
                Statement::Macro(self.macro_body(name, parameters, defaults, "endmacro")?)
            }
            "call" => {
                let (parameters, defaults) = if self.is("(") { self.signature()? } else { Default::default() };
                let call = self.expression(true)?;
                if !matches!(call, Expr::Call(..)) {
                    return self.unexpected("a call before this");
                }
                Statement::CallBlock(call, self.macro_body("caller".into(), parameters, defaults, "endcall")?)
            }
            "filter" => {
                let filters = self.certain(|parser| parser.filters(true))?;
                Statement::FilterBlock(filters, self.whole_body("endfilter")?)
            }
            "with" => self.with()?,
            "generation" => {
                let (parameters, defaults) = Default::default();
                Statement::Generation(self.macro_body("generation".into(), parameters, defaults, "endgeneration")?)
            }
            "print" => {
                let mut first = true;
                while *self.peek() != Token::BlockEnd {
                    if !std::mem::replace(&mut first, false) {
                        self.expect(",")?;
                    }
                    body.push(Statement::Output(self.expression(true)?));
                }
                return Ok(());
            }
            "break" | "continue" if !self.in_loop => return Err(failed(format!("`{tag}` outside a loop"))),
            "break" => Statement::Break,
            "continue" => Statement::Continue,
            "block" | "extends" | "include" | "import" | "from" | "autoescape" => {
                return Err(refused(format!("the tag `{tag}`")));
            }
            _ => return Err(failed(format!("the unknown tag `{tag:.64}`"))),
        });
        Ok(())
    }

    fn for_loop(&mut self) -> Outcome<Statement> {
        let target = self.target(false)?;
        self.expect_name("in")?;
        let values = self.tuple(false)?;
        let condition = match self.skip_name("if") {
            true => Some(self.certain(|parser| parser.expression(true))?),
            false => None,
        };
        let recursive = self.skip_name("recursive");
        let outer = std::mem::replace(&mut self.in_loop, true);
        let body = self.certain(|parser| parser.body(&["endfor", "else"]))?;
        // A recursive loop is a function of its own.
        self.in_loop = outer && !recursive;
        let otherwise = if self.skip_name("endfor") {
            Vec::new()
        } else {
            self.expect_name("else")?;
            self.whole_body("endfor")?
        };
        self.in_loop = outer;
        Ok(Statement::For(Loop { target, values, condition, recursive, body, otherwise }))
    }

    fn if_block(&mut self) -> Outcome<Statement> {
        self.uncertain(Parser::branches)
    }

    fn branches(&mut self) -> Outcome<Statement> {
        let mut branches = Vec::new();
        loop {
            let test = self.tuple(false)?;
            branches.push((test, self.body(&["elif", "else", "endif"])?));
            if self.skip_name("endif") {
                return Ok(Statement::If(branches, Vec::new()));
            }
            if self.skip_name("else") {
                let otherwise = self.body(&["endif"])?;
                self.expect_name("endif")?;
                return Ok(Statement::If(branches, otherwise));
            }
            self.expect_name("elif")?;
        }
    }

    fn set(&mut self) -> Outcome<Statement> {
        let target = self.target(true)?;
        if self.skip("=") {
            return Ok(Statement::Set(target, self.tuple(true)?));
        }
        let filters = self.certain(|parser| parser.filters(false))?;
        Ok(Statement::SetBlock(target, filters, self.whole_body("endset")?))
    }

    fn with(&mut self) -> Outcome<Statement> {
        let mut values = Vec::new();
        while *self.peek() != Token::BlockEnd {
            if !values.is_empty() {
                self.expect(",")?;
            }
            let target = self.target(false)?;
            self.expect("=")?;
            values.push((target, self.expression(true)?));
        }
        Ok(Statement::With(values, self.whole_body("endwith")?))
    }

    fn signature(&mut self) -> Outcome<(Vec<String>, Vec<Expr>)> {
        let (mut parameters, mut defaults) = (Vec::new(), Vec::new());
        self.expect("(")?;
        while !self.is(")") {
            if !parameters.is_empty() {
                self.expect(",")?;
            }
            let name = self.target_name()?;
            if parameters.contains(&name) || matches!(name.as_str(), "caller" | "kwargs" | "varargs") {
                return Err(refused(format!("the parameter `{name}` of a macro")));
            }
            if parameters.len() == PARAMETERS {
                return Err(refused(format!("a macro with more than {PARAMETERS} parameters")));
            }
            parameters.push(name);
            if self.skip("=") {
                defaults.push(self.certain(|parser| parser.expression(true))?);
            } else if !defaults.is_empty() {
                return Err(failed("a parameter without a default after one with a default"));
            }
        }
        self.expect(")")?;
        Ok((parameters, defaults))
    }

    fn macro_body(
        &mut self,
        name: String,
        parameters: Vec<String>,
        defaults: Vec<Expr>,
        end: &'static str,
    ) -> Outcome<Macro> {
        let in_loop = std::mem::replace(&mut self.in_loop, false);
        let start = self.at;
        let body = self.whole_body(end)?;
        self.in_loop = in_loop;
        let read = |name: &str| {
            let windows = self.tokens[start - 1..=self.at].windows(3);
            let apart = |token: &Token, operators: &[&str]| !matches!(token, Token::Operator(operator) if operators.contains(operator));
            windows.into_iter().any(|three| {
                let named = matches!(&three[1], Token::Name(found) if found == name);
                named && apart(&three[0], &[".", "|"]) && apart(&three[2], &["="])
            })
        };
        let reads = [read("caller"), read("kwargs"), read("varargs")];
        Ok(Macro { name, parameters, defaults, body, reads })
    }

    fn target_name(&mut self) -> Outcome<String> {
        let name = self.name()?;
        match name.as_str() {
            "true" | "false" | "none" | "True" | "False" | "None" => Err(failed(format!("an assignment to {name}"))),
            // Names that jinja2 sets itself.
            "loop" | "self" | "super" | "caller" | "kwargs" | "varargs" => {
                Err(refused(format!("an assignment to `{name}`")))
            }
            _ => Ok(name),
        }
    }

    /// A name, a name of a namespace's attribute, or several in a tuple.
    fn target(&mut self, namespaces: bool) -> Outcome<Target> {
        let mut targets = Vec::new();
        let mut tuple = false;
        loop {
            if tuple && (*self.peek() == Token::BlockEnd || self.is(")")) {
                break;
            }
            if self.skip("(") {
                let inner = self.deeper(|parser| parser.target(false))?;
                self.expect(")")?;
                targets.push(inner);
            } else {
                let name = self.target_name()?;
                let attribute = if namespaces && self.skip(".") { Some(self.name()?) } else { None };
                targets.push(match attribute {
                    Some(attribute) => Target::Attribute(name, attribute),
                    None => Target::Name(name),
                });
            }
            if !self.skip(",") {
                break;
            }
            tuple = true;
        }
        match (tuple, targets.pop()) {
            (false, Some(target)) => Ok(target),
            (_, last) => {
                targets.extend(last);
                Ok(Target::Tuple(targets))
            }
        }
    }

    /// `|name(arguments)` as often as it comes; the first one without `|` if said.
    pub fn filters(&mut self, bare: bool) -> Outcome<Vec<Filter>> {
        let mut filters = Vec::new();
        while (bare && filters.is_empty()) || self.skip("|") {
            filters.push(self.filter()?);
        }
        Ok(filters)
    }

    /// The literal that a name is, if it is one.
    pub fn constant(name: &str) -> Option<Constant> {
        match name {
            "true" | "True" => Some(Constant::Bool(true)),
            "false" | "False" => Some(Constant::Bool(false)),
            "none" | "None" => Some(Constant::None),
            _ => None,
        }
    }
}
