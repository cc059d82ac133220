//! Decides how tokens become expressions: what binds tighter than what.

use super::builtins::{self, known};
use super::lexer::Token;
use super::parser::{PARAMETERS, Parser};
use super::syntax::{Arguments, Expr, Filter, Operator, Relation};
use super::{Outcome, failed, refused};

/// What a parser does with expressions.
pub trait Expressions {
    /// An expression, or several with commas between them as a tuple.
    fn tuple(&mut self, choice: bool) -> Outcome<Expr>;
    /// An expression; with `choice` also `a if b else c`.
    fn expression(&mut self, choice: bool) -> Outcome<Expr>;
    /// A filter, after `|`.
    fn filter(&mut self) -> Outcome<Filter>;
}

impl Expressions for Parser {
    fn tuple(&mut self, choice: bool) -> Outcome<Expr> {
        self.tuple_in(choice, false)
    }

    fn expression(&mut self, choice: bool) -> Outcome<Expr> {
        self.deeper(|parser| if choice { parser.choice() } else { parser.or() })
    }

    fn filter(&mut self) -> Outcome<Filter> {
        let name = self.dotted_name()?;
        if known(builtins::FILTERS, &name).is_none() {
            self.unknown.push(name.clone());
        }
        let arguments = if self.is("(") { self.arguments()? } else { Arguments::default() };
        Ok(Filter { name, arguments })
    }
}

fn both(left: Expr, right: Expr) -> (Box<Expr>, Box<Expr>) {
    (Box::new(left), Box::new(right))
}

impl Parser {
    fn tuple_in(&mut self, choice: bool, parentheses: bool) -> Outcome<Expr> {
        let mut values = Vec::new();
        let mut tuple = false;
        loop {
            if matches!(self.peek(), Token::VariableEnd | Token::BlockEnd) || self.is(")") {
                break;
            }
            values.push(self.expression(choice)?);
            if !self.skip(",") {
                break;
            }
            tuple = true;
        }
        match (tuple, values.pop()) {
            (false, Some(value)) => Ok(value),
            (false, None) if !parentheses => self.unexpected("an expression"),
            (_, last) => {
                values.extend(last);
                Ok(Expr::Tuple(values))
            }
        }
    }

    fn dotted_name(&mut self) -> Outcome<String> {
        let mut name = self.name()?;
        while self.skip(".") {
            name.push('.');
            name.push_str(&self.name()?);
        }
        Ok(name)
    }

    fn choice(&mut self) -> Outcome<Expr> {
        let known = self.unknown.len();
        let mut value = self.or()?;
        while self.skip_name("if") {
            self.link()?;
            let test = self.or()?;
            let other = if self.skip_name("else") { Some(Box::new(self.deeper(Parser::choice)?)) } else { None };
            self.unknown.truncate(known);
            value = Expr::Choice(Box::new(test), Box::new(value), other);
        }
        Ok(value)
    }

    /// `operand (operator operand)*`, each one a level deeper than the one before.
    fn chain(
        &mut self,
        operand: fn(&mut Parser) -> Outcome<Expr>,
        operator: impl Fn(&mut Parser) -> Option<Operator>,
    ) -> Outcome<Expr> {
        let mut left = operand(self)?;
        while let Some(operator) = operator(self) {
            self.link()?;
            let (l, r) = both(left, operand(self)?);
            left = Expr::Binary(l, operator, r);
        }
        Ok(left)
    }

    fn or(&mut self) -> Outcome<Expr> {
        let mut left = self.and()?;
        while self.skip_name("or") {
            self.link()?;
            let (l, r) = both(left, self.and()?);
            left = Expr::Or(l, r);
        }
        Ok(left)
    }

    fn and(&mut self) -> Outcome<Expr> {
        let mut left = self.not()?;
        while self.skip_name("and") {
            self.link()?;
            let (l, r) = both(left, self.not()?);
            left = Expr::And(l, r);
        }
        Ok(left)
    }

    fn not(&mut self) -> Outcome<Expr> {
        if self.skip_name("not") {
            return Ok(Expr::Not(Box::new(self.deeper(Parser::not)?)));
        }
        let left = self.sum()?;
        let mut relations = Vec::new();
        while let Some(relation) = self.relation() {
            relations.push((relation, self.sum()?));
        }
        Ok(if relations.is_empty() { left } else { Expr::Compare(Box::new(left), relations) })
    }

    fn relation(&mut self) -> Option<Relation> {
        let relations = [
            ("==", Relation::Equal),
            ("!=", Relation::NotEqual),
            ("<", Relation::Less),
            ("<=", Relation::LessOrEqual),
            (">", Relation::Greater),
            (">=", Relation::GreaterOrEqual),
        ];
        if let Some((_, relation)) = relations.into_iter().find(|(operator, _)| self.skip(operator)) {
            return Some(relation);
        }
        if self.skip_name("in") {
            return Some(Relation::In);
        }
        if self.is_name("not") && matches!(self.look(), Token::Name(name) if name == "in") {
            self.skip_name("not");
            self.skip_name("in");
            return Some(Relation::NotIn);
        }
        None
    }

    fn sum(&mut self) -> Outcome<Expr> {
        self.chain(Parser::concat, |parser| match () {
            () if parser.skip("+") => Some(Operator::Add),
            () if parser.skip("-") => Some(Operator::Subtract),
            () => None,
        })
    }

    fn concat(&mut self) -> Outcome<Expr> {
        let first = self.product()?;
        if !self.is("~") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.skip("~") {
            parts.push(self.product()?);
        }
        Ok(Expr::Concat(parts))
    }

    fn product(&mut self) -> Outcome<Expr> {
        self.chain(Parser::power, |parser| match () {
            () if parser.skip("*") => Some(Operator::Multiply),
            () if parser.skip("/") => Some(Operator::Divide),
            () if parser.skip("//") => Some(Operator::FloorDivide),
            () if parser.skip("%") => Some(Operator::Remainder),
            () => None,
        })
    }

    fn power(&mut self) -> Outcome<Expr> {
        self.chain(|parser| parser.unary(true), |parser| parser.skip("**").then_some(Operator::Power))
    }

    fn unary(&mut self, filtered: bool) -> Outcome<Expr> {
        let mut value = if self.skip("-") {
            Expr::Negative(Box::new(self.deeper(|parser| parser.unary(false))?))
        } else if self.skip("+") {
            Expr::Positive(Box::new(self.deeper(|parser| parser.unary(false))?))
        } else {
            self.primary()?
        };
        value = self.postfix(value)?;
        if filtered { self.filtered(value) } else { Ok(value) }
    }

    fn primary(&mut self) -> Outcome<Expr> {
        use super::syntax::Constant;
        let token = self.next();
        match token {
            Token::Name(name) => Ok(match Parser::constant(&name) {
                Some(constant) => Expr::Constant(constant),
                None => Expr::Name(name),
            }),
            Token::Text(mut text) => {
                while let Token::Text(more) = self.peek() {
                    text.push_str(more);
                    self.next();
                }
                Ok(Expr::Constant(Constant::Text(text)))
            }
            Token::Int(number) => Ok(Expr::Constant(Constant::Int(number))),
            Token::Float(number) => Ok(Expr::Constant(Constant::Float(number))),
            Token::Operator("(") => {
                let inner = self.deeper(|parser| parser.tuple_in(true, true))?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Operator("[") => {
                let mut values = Vec::new();
                while !self.is("]") {
                    if !values.is_empty() {
                        self.expect(",")?;
                    }
                    if self.is("]") {
                        break;
                    }
                    values.push(self.expression(true)?);
                }
                self.expect("]")?;
                Ok(Expr::List(values))
            }
            Token::Operator("{") => {
                let mut pairs = Vec::new();
                while !self.is("}") {
                    if !pairs.is_empty() {
                        self.expect(",")?;
                    }
                    if self.is("}") {
                        break;
                    }
                    let key = self.expression(true)?;
                    self.expect(":")?;
                    pairs.push((key, self.expression(true)?));
                }
                self.expect("}")?;
                Ok(Expr::Dict(pairs))
            }
            other => Err(failed(format!("an expression expected, and there is {other:?}"))),
        }
    }

    fn postfix(&mut self, mut value: Expr) -> Outcome<Expr> {
        loop {
            value = if self.is(".") || self.is("[") {
                self.subscript(value)?
            } else if self.is("(") {
                Expr::Call(Box::new(value), self.arguments()?)
            } else {
                return Ok(value);
            };
            self.link()?;
        }
    }

    fn filtered(&mut self, mut value: Expr) -> Outcome<Expr> {
        loop {
            value = if self.skip("|") {
                Expr::Filter(Box::new(value), self.filter()?)
            } else if self.skip_name("is") {
                self.test(value)?
            } else if self.is("(") {
                Expr::Call(Box::new(value), self.arguments()?)
            } else {
                return Ok(value);
            };
            self.link()?;
        }
    }

    fn subscript(&mut self, value: Expr) -> Outcome<Expr> {
        use super::syntax::Constant;
        if self.skip(".") {
            return match self.next() {
                Token::Name(name) => Ok(Expr::Attribute(Box::new(value), name)),
                Token::Int(number) => Ok(Expr::Item(Box::new(value), Box::new(Expr::Constant(Constant::Int(number))))),
                other => Err(failed(format!("a name or a number expected, and there is {other:?}"))),
            };
        }
        self.expect("[")?;
        let start = if self.is(":") { None } else { Some(self.expression(true)?) };
        if let Some(index) = start {
            if !self.is(":") {
                if self.is(",") {
                    return Err(refused("an index of several values"));
                }
                self.expect("]")?;
                return Ok(Expr::Item(Box::new(value), Box::new(index)));
            }
            return self.slice(value, Some(index));
        }
        self.slice(value, None)
    }

    /// The rest of a slice, from its first `:`.
    fn slice(&mut self, value: Expr, start: Option<Expr>) -> Outcome<Expr> {
        self.expect(":")?;
        let part = |parser: &mut Parser| -> Outcome<Option<Box<Expr>>> {
            if parser.is(":") || parser.is("]") || parser.is(",") {
                return Ok(None);
            }
            Ok(Some(Box::new(parser.expression(true)?)))
        };
        let stop = part(self)?;
        let step = if self.skip(":") { part(self)? } else { None };
        if self.is(",") {
            return Err(refused("an index of several values"));
        }
        self.expect("]")?;
        Ok(Expr::Slice(Box::new(value), [start.map(Box::new), stop, step]))
    }

    fn arguments(&mut self) -> Outcome<Arguments> {
        self.expect("(")?;
        let mut arguments = Arguments::default();
        let invalid = || failed("arguments in an order that no call has");
        let mut comma = false;
        while !self.is(")") {
            if comma {
                self.expect(",")?;
                if self.is(")") {
                    break;
                }
            }
            comma = true;
            let named = matches!(self.peek(), Token::Name(_)) && *self.look() == Token::Operator("=");
            let ordered = arguments.sequence.is_none() && arguments.mapping.is_none();
            if self.skip("*") {
                if !ordered {
                    return Err(invalid());
                }
                arguments.sequence = Some(Box::new(self.expression(true)?));
            } else if self.skip("**") {
                if arguments.mapping.is_some() {
                    return Err(invalid());
                }
                arguments.mapping = Some(Box::new(self.expression(true)?));
            } else if named {
                let name = self.name()?;
                self.expect("=")?;
                if arguments.mapping.is_some() || arguments.keyword.iter().any(|(other, _)| *other == name) {
                    return Err(invalid());
                }
                if arguments.keyword.len() == PARAMETERS {
                    return Err(refused(format!("a call with more than {PARAMETERS} names")));
                }
                arguments.keyword.push((name, self.expression(true)?));
            } else {
                if !ordered || !arguments.keyword.is_empty() {
                    return Err(invalid());
                }
                arguments.positional.push(self.expression(true)?);
            }
        }
        self.expect(")")?;
        Ok(arguments)
    }

    /// The test after `is`.
    fn test(&mut self, value: Expr) -> Outcome<Expr> {
        let negated = self.skip_name("not");
        let name = self.dotted_name()?;
        if known(builtins::TESTS, &name).is_none() {
            self.unknown.push(name.clone());
        }
        let operand = match self.peek() {
            Token::Name(name) => !matches!(name.as_str(), "else" | "or" | "and"),
            Token::Text(_) | Token::Int(_) | Token::Float(_) | Token::Operator("[" | "{") => true,
            _ => false,
        };
        let arguments = if self.is("(") {
            self.arguments()?
        } else if operand {
            if self.is_name("is") {
                return Err(failed("a test of a test"));
            }
            let operand = self.primary()?;
            Arguments { positional: vec![self.postfix(operand)?], ..Arguments::default() }
        } else {
            Arguments::default()
        };
        let test = Expr::Test(Box::new(value), name, arguments);
        Ok(if negated { Expr::Not(Box::new(test)) } else { test })
    }
}
