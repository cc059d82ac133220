//! Decides how a template's text is cut into text, tags and the tokens in them, with `trim_blocks` and `lstrip_blocks`
//! on, as jinja2's lexer does.

use super::{Outcome, failed, refused, space};

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// Text outside tags.
    Data(String),
    BlockBegin,
    BlockEnd,
    VariableBegin,
    VariableEnd,
    Name(String),
    Text(String),
    Int(i64),
    Float(f64),
    Operator(&'static str),
    End,
}

/// Bytes of the longest name.
const NAME: usize = 256;

const OPERATORS: [&str; 26] = [
    "**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",", ";",
];

/// Where the lexer is.
struct Lexer<'a> {
    source: &'a str,
    at: usize,
    /// Whether what was read last ended a line, so that a tag may have its line for itself.
    line_begins: bool,
    tokens: Vec<Token>,
}

/// The tokens of a template.
pub fn tokens(source: &str) -> Outcome<Vec<Token>> {
    let mut source = source.replace("\r\n", "\n").replace('\r', "\n");
    // One newline at the end is not part of the template.
    if source.ends_with('\n') {
        source.pop();
    }
    let mut lexer = Lexer { source: &source, at: 0, line_begins: true, tokens: Vec::new() };
    while lexer.next_part()? {}
    lexer.tokens.push(Token::End);
    Ok(lexer.tokens)
}

/// A tag that begins here: its first two characters, and a sign for the spaces before it.
fn opening(rest: &str) -> Option<(&'static str, Option<char>)> {
    let tag = ["{%", "{{", "{#"].into_iter().find(|tag| rest.starts_with(tag))?;
    Some((tag, rest[2..].chars().next().filter(|sign| matches!(sign, '-' | '+'))))
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    /// Goes on by some bytes.
    fn pass(&mut self, bytes: usize) {
        self.line_begins = self.source[..self.at + bytes].ends_with('\n');
        self.at += bytes;
    }

    fn spaces(&self, from: usize) -> usize {
        let rest = &self.source[self.at + from..];
        rest.len() - rest.trim_start_matches(space).len()
    }

    /// Text up to the next tag, and that tag; whether there was one.
    fn next_part(&mut self) -> Outcome<bool> {
        let mut length = 0;
        let found = loop {
            match self.rest()[length..].find('{') {
                None => break None,
                Some(place) => {
                    length += place;
                    if let Some(found) = opening(&self.rest()[length..]) {
                        break Some(found);
                    }
                    length += 1;
                }
            }
        };
        let Some((tag, sign)) = found else {
            let rest = self.rest().to_string();
            self.data(&rest);
            return Ok(false);
        };
        self.text_before(length, sign, tag == "{{");
        self.pass(length + 2 + sign.map_or(0, char::len_utf8));
        match tag {
            "{#" => self.comment()?,
            "{{" => {
                self.tokens.push(Token::VariableBegin);
                self.inside(Token::VariableEnd, "}}", false)?;
            }
            _ => match self.raw_tag("raw", false) {
                Some(bytes) => {
                    self.pass(bytes);
                    self.raw()?;
                }
                None => {
                    self.tokens.push(Token::BlockBegin);
                    self.inside(Token::BlockEnd, "%}", true)?;
                }
            },
        }
        Ok(true)
    }

    fn data(&mut self, text: &str) {
        if !text.is_empty() {
            self.tokens.push(Token::Data(text.into()));
        }
    }

    /// The text before a tag, without the spaces that the tag takes away.
    fn text_before(&mut self, length: usize, sign: Option<char>, variable: bool) {
        let text = self.rest()[..length].to_string();
        let kept = match sign {
            Some('-') => text.trim_end_matches(space),
            None if !variable => {
                let line = text.rfind('\n').map_or(0, |place| place + 1);
                let alone = (line > 0 || self.line_begins) && text[line..].chars().all(space);
                if alone { &text[..line] } else { &text }
            }
            _ => &text,
        };
        self.data(kept);
    }

    /// How many bytes the end of a tag takes, if it is here: the tag, with spaces after `-`, a newline after none.
    fn closing(&self, from: usize, tag: &str, block: bool) -> Option<usize> {
        let rest = &self.rest()[from..];
        if rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(tag)) {
            return Some(3 + self.spaces(from + 3));
        }
        if block && rest.strip_prefix('+').is_some_and(|rest| rest.starts_with(tag)) {
            return Some(3);
        }
        let after = rest.strip_prefix(tag)?;
        Some(2 + usize::from(block && after.starts_with('\n')))
    }

    fn comment(&mut self) -> Outcome<()> {
        let places = self.rest().char_indices().map(|(place, _)| place);
        // The earliest end; of those, one with a sign begins before the one without.
        let end = places.into_iter().find_map(|place| Some(place + self.closing(place, "#}", true)?));
        self.pass(end.ok_or_else(|| failed("a comment without an end"))?);
        Ok(())
    }

    /// How many bytes the rest of a `raw` or `endraw` tag takes, if it is here.
    fn raw_tag(&self, name: &str, newline: bool) -> Option<usize> {
        let before = self.spaces(0);
        self.rest()[before..].strip_prefix(name)?;
        let named = before + name.len();
        let after = named + self.spaces(named);
        if newline {
            return Some(after + self.closing(after, "%}", true)?);
        }
        // `raw` takes no newline after it, and no `+`.
        let rest = &self.rest()[after..];
        match rest.strip_prefix("-%}") {
            Some(_) => Some(after + 3 + self.spaces(after + 3)),
            None => rest.starts_with("%}").then_some(after + 2),
        }
    }

    fn raw(&mut self) -> Outcome<()> {
        let mut length = 0;
        while let Some(place) = self.rest()[length..].find("{%") {
            length += place;
            let sign = self.rest()[length + 2..].chars().next().filter(|sign| matches!(sign, '-' | '+'));
            let tag = 2 + sign.map_or(0, char::len_utf8);
            let inner =
                Lexer { source: self.source, at: self.at + length + tag, line_begins: false, tokens: Vec::new() };
            if let Some(bytes) = inner.raw_tag("endraw", true) {
                self.text_before(length, sign, false);
                self.pass(length + tag + bytes);
                return Ok(());
            }
            length += 2;
        }
        Err(failed("a raw block without an end"))
    }

    /// The tokens inside a tag, up to its end.
    fn inside(&mut self, end: Token, tag: &str, block: bool) -> Outcome<()> {
        let mut open = Vec::new();
        loop {
            if open.is_empty()
                && let Some(bytes) = self.closing(0, tag, block)
            {
                self.pass(bytes);
                self.tokens.push(end);
                return Ok(());
            }
            let spaces = self.spaces(0);
            if spaces > 0 {
                self.pass(spaces);
                continue;
            }
            match self.rest().chars().next() {
                None => return Err(failed(format!("a tag without {tag}"))),
                Some('0'..='9') => self.number()?,
                Some('\'' | '"') => self.string()?,
                Some(c) if c.is_alphanumeric() || c == '_' => self.name()?,
                Some(c) => {
                    let rest = self.rest();
                    let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator));
                    let operator = operator.ok_or_else(|| failed(format!("the character {c:?} in a tag")))?;
                    match operator {
                        "(" => open.push(")"),
                        "[" => open.push("]"),
                        "{" => open.push("}"),
                        ")" | "]" | "}" if open.pop() != Some(operator) => {
                            return Err(failed(format!("an unexpected {operator:?}")));
                        }
                        _ => {}
                    }
                    self.pass(operator.len());
                    self.tokens.push(Token::Operator(operator));
                }
            }
        }
    }

    fn name(&mut self) -> Outcome<()> {
        let length = self.rest().find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest().len());
        let name = self.rest()[..length].to_string();
        if !name.is_ascii() {
            return Err(refused(format!("the name {name:?}, which is not ASCII,")));
        }
        // It is copied wherever it is used, and nobody pays for that.
        if length > NAME {
            return Err(refused(format!("a name of more than {NAME} bytes")));
        }
        self.pass(length);
        self.tokens.push(Token::Name(name));
        Ok(())
    }

    fn number(&mut self) -> Outcome<()> {
        // After a point, digits are an index: `messages.0`.
        let index = self.source[..self.at].ends_with('.');
        if let Some(length) = float_length(self.rest()).filter(|_| !index) {
            let text = self.rest()[..length].replace('_', "");
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            self.tokens.push(Token::Float(number.ok_or_else(|| refused(format!("the number {text}")))?));
            self.pass(length);
            return Ok(());
        }
        let (length, base) = integer_length(self.rest());
        let text = self.rest()[..length].replace('_', "");
        let digits = if base == 10 { &text[..] } else { &text[2..] };
        let number = i64::from_str_radix(digits, base).map_err(|_| refused(format!("the number {text}")))?;
        self.tokens.push(Token::Int(number));
        self.pass(length);
        Ok(())
    }

    fn string(&mut self) -> Outcome<()> {
        let mut characters = self.rest().char_indices();
        let quote = characters.next().map_or('"', |(_, quote)| quote);
        let mut escaped = false;
        for (place, c) in characters {
            if !escaped && c == quote {
                let text = unescape(&self.rest()[1..place])?;
                self.pass(place + 1);
                self.tokens.push(Token::Text(text));
                return Ok(());
            }
            escaped = c == '\\' && !escaped;
        }
        Err(failed("a string without an end"))
    }
}

/// How many bytes `digit (_? digit)*` takes.
fn digits(text: &str, digit: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut length = 0;
    while let Some(byte) = bytes.get(length) {
        let parted = length > 0 && *byte == b'_' && bytes.get(length + 1).is_some_and(|byte| digit(*byte));
        match digit(*byte) || parted {
            true => length += 1,
            false => break,
        }
    }
    length
}

/// A number with a fraction, an exponent or both.
fn float_length(text: &str) -> Option<usize> {
    let decimal = |text: &str| digits(text, |byte| byte.is_ascii_digit());
    let whole = decimal(text);
    let fraction = text[whole..].strip_prefix('.').map_or(0, decimal);
    let mut length = whole + if fraction > 0 { 1 + fraction } else { 0 };
    let exponent = text[length..].strip_prefix(['e', 'E']);
    let sign = exponent.map_or(0, |text| usize::from(text.starts_with(['+', '-'])));
    let exponent = exponent.map_or(0, |text| decimal(&text[sign..]));
    if exponent > 0 {
        length += 1 + sign + exponent;
    }
    (whole > 0 && (fraction > 0 || exponent > 0)).then_some(length)
}

/// A whole number and its base.
fn integer_length(text: &str) -> (usize, u32) {
    let bytes = text.as_bytes();
    let base = match bytes.get(1).filter(|_| bytes.first() == Some(&b'0')).map(u8::to_ascii_lowercase) {
        Some(b'b') => 2,
        Some(b'o') => 8,
        Some(b'x') => 16,
        _ => 10,
    };
    let digit = |byte: u8| char::from(byte).is_digit(base);
    let prefixed = text.get(2..).filter(|_| base != 10).map_or(0, |text| {
        // The first digit may have a `_` before it.
        let skipped = usize::from(text.starts_with('_'));
        digits(&text[skipped..], digit) + if digits(&text[skipped..], digit) > 0 { skipped } else { 0 }
    });
    match (prefixed, bytes.first()) {
        (1.., _) => (2 + prefixed, base),
        // `0` with more zeros, and no other digit.
        (_, Some(b'0')) => (digits(text, |byte| byte == b'0'), 10),
        _ => (digits(text, |byte| byte.is_ascii_digit()), 10),
    }
}

/// What a string literal stands for, by Python's rules.
fn unescape(text: &str) -> Outcome<String> {
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let escaped = characters.next().ok_or_else(|| failed("a string that ends in a backslash"))?;
        let hex = |count: usize, characters: &mut std::iter::Peekable<std::str::Chars>| {
            let digits: String = characters.by_ref().take(count).collect();
            let code =
                u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == count && !digits.starts_with('+'));
            code.and_then(char::from_u32).ok_or_else(|| refused(format!("the escape \\{escaped}{digits}")))
        };
        let stands_for = match escaped {
            '\n' => continue,
            '\\' | '\'' | '"' => escaped,
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => hex(2, &mut characters)?,
            'u' => hex(4, &mut characters)?,
            'U' => hex(8, &mut characters)?,
            '0'..='7' => {
                let mut code = escaped.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    if let Some(digit) = characters.peek().and_then(|c| c.to_digit(8)) {
                        code = 8 * code + digit;
                        characters.next();
                    }
                }
                char::from_u32(code).ok_or_else(|| failed("an octal escape"))?
            }
            // Python names characters; a backslash before a character that is not ASCII is its second escape.
            'N' => return Err(refused("the escape \\N")),
            other if !other.is_ascii() => return Err(refused(format!("the escape \\{other}"))),
            other => {
                out.push('\\');
                other
            }
        };
        out.push(stands_for);
    }
    Ok(out)
}
