//! Decides what the methods of Python's strings, lists and dictionaries do.

use super::evaluate::Passed;
use super::value::{Value, equal};
use super::{Outcome, Purse, failed, print, refused, space};

/// A method of a value.
pub fn call(receiver: &Value, name: &str, passed: Passed, purse: &Purse) -> Outcome<Value> {
    match receiver {
        Value::Text(text) => of_text(text, name, passed, purse),
        Value::Safe(_) => Err(refused(format!("the method `{name}` of safe text"))),
        Value::List(items) | Value::Tuple(items) => of_list(&items.values, name, passed, purse),
        Value::Dict(dict) => match name {
            "get" => {
                let [key, other] = passed.bind(name, ["key", "default"], 1, false)?;
                let key = key.unwrap_or(Value::None);
                if matches!(key, Value::List(_) | Value::Dict(_)) {
                    return Err(failed(format!("a {} as a key", key.kind())));
                }
                Ok(dict.value(&key, purse)?.cloned().or(other).unwrap_or(Value::None))
            }
            "keys" => passed.none(name).map(|()| Value::Keys(dict.clone())),
            "values" => passed.none(name).map(|()| Value::Values(dict.clone())),
            "items" => passed.none(name).map(|()| Value::Pairs(dict.clone())),
            "copy" => passed.none(name).map(|()| Value::Dict(dict.clone())),
            _ => Err(refused(format!("the method `{name}` of a dictionary"))),
        },
        other => Err(refused(format!("the method `{name}` of a {}", other.kind()))),
    }
}

fn of_list(values: &[Value], name: &str, passed: Passed, purse: &Purse) -> Outcome<Value> {
    match name {
        "index" | "count" => {
            let [wanted] = passed.bind(name, ["value"], 1, false)?;
            let wanted = wanted.unwrap_or(Value::None);
            let mut count = 0;
            for (place, value) in values.iter().enumerate() {
                if equal(value, &wanted, purse)? {
                    if name == "index" {
                        return Ok(Value::Int(place as i64));
                    }
                    count += 1;
                }
            }
            if name == "index" { Err(failed("a value that is not in the list")) } else { Ok(Value::Int(count)) }
        }
        _ => Err(refused(format!("the method `{name}` of a list"))),
    }
}

/// An argument that must be text.
fn as_text(value: Option<Value>, name: &str) -> Outcome<std::rc::Rc<str>> {
    match value {
        Some(Value::Text(text)) => Ok(text),
        Some(Value::Safe(_)) => Err(refused(format!("safe text as an argument of `{name}`"))),
        other => Err(failed(format!("a {} as an argument of `{name}`", other.map_or("nothing", |value| value.kind())))),
    }
}

/// An argument that, if given and not `None`, must be text.
fn optional_text(value: Option<Value>, name: &str) -> Outcome<Option<std::rc::Rc<str>>> {
    match value {
        None | Some(Value::None) => Ok(None),
        other => as_text(other, name).map(Some),
    }
}

fn optional_int(value: Option<Value>, name: &str, usual: i64) -> Outcome<i64> {
    match value {
        None => Ok(usual),
        Some(value) => value.as_int().ok_or_else(|| failed(format!("a {} as a number of `{name}`", value.kind()))),
    }
}

/// Text without some characters at its ends; spaces if none are given.
pub fn strip(text: &str, characters: Option<&str>, start: bool, end: bool) -> String {
    let cut = |c: char| characters.map_or_else(|| space(c), |characters| characters.contains(c));
    let text = if start { text.trim_start_matches(cut) } else { text };
    (if end { text.trim_end_matches(cut) } else { text }).to_string()
}

/// The first letter as a title has it, the others small; of letters whose title form Rust does not know, nothing.
pub fn capitalize(text: &str) -> Outcome<String> {
    let mut characters = text.chars();
    let Some(first) = characters.next() else { return Ok(String::new()) };
    // Letters of which the large form is the one in titles too.
    let usual = matches!(first, '\u{0}'..='\u{1c3}' | '\u{1f4}'..='\u{24f}' | '\u{370}'..='\u{52f}');
    let large = first.to_uppercase();
    let known = large.clone().eq([first]) || (usual && large.count() == 1);
    if !known {
        return Err(refused(format!("capitalising {first:?}")));
    }
    // The others as in the whole text: a sigma at the end of a word has a form of its own.
    let small = text.to_lowercase();
    let skipped: usize = first.to_lowercase().map(char::len_utf8).sum();
    Ok(first.to_uppercase().chain(small[skipped..].chars()).collect())
}

fn of_text(text: &str, name: &str, passed: Passed, purse: &Purse) -> Outcome<Value> {
    // Searching and changing case look at each byte; what is made is at most so many times as long.
    purse.pay(8 * text.len() + 32)?;
    match name {
        "upper" => passed.none(name).map(|()| Value::text(text.to_uppercase())),
        "lower" => passed.none(name).map(|()| Value::text(text.to_lowercase())),
        "capitalize" => passed.none(name).and_then(|()| Ok(Value::text(capitalize(text)?))),
        "title" => passed.none(name).and_then(|()| Ok(Value::text(title(text)?))),
        "strip" | "lstrip" | "rstrip" => {
            let [characters] = passed.bind(name, ["chars"], 0, false)?;
            let characters = optional_text(characters, name)?;
            purse.pay(text.len().saturating_mul(characters.as_ref().map_or(0, |characters| characters.len())))?;
            Ok(Value::text(strip(text, characters.as_deref(), name != "rstrip", name != "lstrip")))
        }
        "split" | "rsplit" => {
            let [separator, most] = passed.bind(name, ["sep", "maxsplit"], 0, true)?;
            let most = usize::try_from(optional_int(most, name, -1)?).unwrap_or(usize::MAX);
            listed(split(text, optional_text(separator, name)?.as_deref(), most, name == "rsplit")?, purse)
        }
        "splitlines" => {
            let [keep] = passed.bind(name, ["keepends"], 0, true)?;
            listed(lines(text, keep.is_some_and(|keep| keep.truth())), purse)
        }
        "join" => {
            let [values] = passed.bind(name, ["iterable"], 1, false)?;
            let values = values.unwrap_or(Value::None).iterate(purse)?;
            join(text, values.into_iter().map(|value| as_text(Some(value), name)), purse).map(Value::text)
        }
        "replace" => {
            let [old, new, count] = passed.bind(name, ["old", "new", "count"], 2, false)?;
            let (old, new) = (as_text(old, name)?, as_text(new, name)?);
            Ok(Value::text(replace(text, &old, &new, optional_int(count, name, -1)?, purse)?))
        }
        "isdigit" | "isdecimal" | "isnumeric" | "isalpha" | "isalnum" | "isspace" | "isupper" | "islower"
        | "isascii" => passed.none(name).and_then(|()| Ok(Value::Bool(classify(text, name)?))),
        "format" => format(text, passed, purse).map(Value::text),
        _ => searching(text, name, passed, purse),
    }
}

/// Texts as a list, each paid for as a value.
fn listed(texts: Vec<String>, purse: &Purse) -> Outcome<Value> {
    purse.pay_for(2 * texts.len())?;
    Value::list(texts.into_iter().map(Value::text).collect())
}

/// Methods that look for a part of the text.
fn searching(text: &str, name: &str, passed: Passed, purse: &Purse) -> Outcome<Value> {
    if !matches!(
        name,
        "startswith"
            | "endswith"
            | "find"
            | "rfind"
            | "index"
            | "rindex"
            | "count"
            | "removeprefix"
            | "removesuffix"
            | "partition"
            | "rpartition"
    ) {
        return Err(refused(format!("the method `{name}` of text")));
    }
    let [part, start, end] = passed.bind(name, ["part", "start", "end"], 1, false)?;
    if start.is_some() || end.is_some() {
        return Err(refused(format!("`{name}` with bounds")));
    }
    if let ("startswith" | "endswith", Some(Value::Tuple(items))) = (name, &part) {
        for part in &items.values {
            if searching(text, name, Passed { positional: vec![part.clone()], ..Passed::default() }, purse)?.truth() {
                return Ok(Value::Bool(true));
            }
        }
        return Ok(Value::Bool(false));
    }
    let part = as_text(part, name)?;
    purse.pay(text.len() + part.len())?;
    let place = || {
        let place = if name.starts_with('r') { text.rfind(&*part) } else { text.find(&*part) };
        place.map(|place| Value::Int(text[..place].chars().count() as i64))
    };
    Ok(match name {
        "startswith" => Value::Bool(text.starts_with(&*part)),
        "endswith" => Value::Bool(text.ends_with(&*part)),
        "removeprefix" => Value::text(text.strip_prefix(&*part).unwrap_or(text)),
        "removesuffix" => Value::text(text.strip_suffix(&*part).unwrap_or(text)),
        "find" | "rfind" => place().unwrap_or(Value::Int(-1)),
        "index" | "rindex" => place().ok_or_else(|| failed(format!("`{name}` of what is not there")))?,
        "count" if part.is_empty() => Value::Int(text.chars().count() as i64 + 1),
        "count" => Value::Int(text.matches(&*part).count() as i64),
        _ if part.is_empty() => return Err(failed("an empty separator")),
        _ => {
            let first = name == "partition";
            let parts = if first { text.split_once(&*part) } else { text.rsplit_once(&*part) };
            let whole = if first { [text, "", ""] } else { ["", "", text] };
            let parts = parts.map_or(whole, |(before, after)| [before, &part, after]);
            Value::tuple(parts.into_iter().map(Value::text).collect())?
        }
    })
}

/// What all characters of a text are; beyond ASCII Unicode's versions differ.
pub fn classify(text: &str, name: &str) -> Outcome<bool> {
    if name == "isascii" {
        return Ok(text.is_ascii());
    }
    if !text.is_ascii() {
        return Err(refused(format!("`{name}` of text that is not ASCII")));
    }
    let all = |is: fn(char) -> bool| !text.is_empty() && text.chars().all(is);
    let cased = text.chars().any(|c| c.is_ascii_alphabetic());
    Ok(match name {
        "isdigit" | "isdecimal" | "isnumeric" => all(|c| c.is_ascii_digit()),
        "isalpha" => all(|c| c.is_ascii_alphabetic()),
        "isalnum" => all(|c| c.is_ascii_alphanumeric()),
        "isspace" => all(space),
        "isupper" => cased && !text.chars().any(|c| c.is_ascii_lowercase()),
        _ => cased && !text.chars().any(|c| c.is_ascii_uppercase()),
    })
}

/// `str.title`: each letter after what is no letter is large.
fn title(text: &str) -> Outcome<String> {
    if !text.is_ascii() {
        return Err(refused("`title` of text that is not ASCII"));
    }
    let mut inside = false;
    let letter = |c: char| {
        let large = !inside;
        inside = c.is_ascii_alphabetic();
        if large { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
    };
    Ok(text.chars().map(letter).collect())
}

fn split(text: &str, separator: Option<&str>, most: usize, from_end: bool) -> Outcome<Vec<String>> {
    let owned = |parts: Vec<&str>| parts.into_iter().map(str::to_string).collect::<Vec<_>>();
    let limit = most.saturating_add(1);
    match (separator, from_end) {
        (Some(""), _) => Err(failed("an empty separator")),
        (Some(separator), false) => Ok(owned(text.splitn(limit, separator).collect())),
        (Some(separator), true) => {
            let mut parts: Vec<&str> = text.rsplitn(limit, separator).collect();
            parts.reverse();
            Ok(owned(parts))
        }
        (None, true) if most != usize::MAX => Err(refused("`rsplit` at spaces, a number of times")),
        (None, _) => {
            let mut parts = Vec::new();
            let mut rest = text.trim_start_matches(space);
            while !rest.is_empty() {
                if parts.len() == most {
                    parts.push(rest);
                    break;
                }
                let end = rest.find(space).unwrap_or(rest.len());
                parts.push(&rest[..end]);
                rest = rest[end..].trim_start_matches(space);
            }
            Ok(owned(parts))
        }
    }
}

/// `str.splitlines`
pub fn lines(text: &str, keep: bool) -> Vec<String> {
    let ends = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(ends).unwrap_or(rest.len());
        let after = match &rest[end..] {
            newline if newline.starts_with("\r\n") => end + 2,
            newline => end + newline.chars().next().map_or(0, char::len_utf8),
        };
        lines.push(rest[..if keep { after } else { end }].to_string());
        rest = &rest[after..];
    }
    lines
}

/// Texts with another between them.
pub fn join<T: AsRef<str>>(between: &str, values: impl Iterator<Item = Outcome<T>>, purse: &Purse) -> Outcome<String> {
    let mut out = String::new();
    for (at, value) in values.enumerate() {
        let value = value?;
        purse.pay(2 * (value.as_ref().len() + between.len()))?;
        out.push_str(if at > 0 { between } else { "" });
        out.push_str(value.as_ref());
    }
    Ok(out)
}

/// `str.replace`, at most so many times; without a limit if negative.
pub fn replace(text: &str, old: &str, new: &str, most: i64, purse: &Purse) -> Outcome<String> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    purse.pay(text.len() + old.len())?;
    let count = text.matches(old).count().min(most);
    purse.pay(2 * (text.len() + count.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, most))
}

/// `str.format` with plain fields: `{}`, `{0}`, `{name}`.
fn format(form: &str, passed: Passed, purse: &Purse) -> Outcome<String> {
    let mut out = String::new();
    let mut characters = form.chars().peekable();
    let (mut next, mut numbered) = (0, false);
    while let Some(c) = characters.next() {
        if (c == '{' || c == '}') && characters.peek() == Some(&c) {
            characters.next();
            out.push(c);
            continue;
        }
        match c {
            '{' => {
                let mut field = String::new();
                loop {
                    match characters.next() {
                        Some('}') => break,
                        Some(c) => field.push(c),
                        None => return Err(failed("a field of `format` without an end")),
                    }
                }
                let value = if field.is_empty() {
                    next += 1;
                    passed.positional.get(next - 1)
                } else if field.bytes().all(|byte| byte.is_ascii_digit()) {
                    numbered = true;
                    field.parse::<usize>().ok().and_then(|place| passed.positional.get(place))
                } else if field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    passed.keyword.iter().find(|(name, _)| *name == field).map(|(_, value)| value)
                } else {
                    return Err(refused(format!("the field {{{field}}} of `format`")));
                };
                if numbered && next > 0 {
                    return Err(failed("fields of `format` with and without numbers"));
                }
                let value = value.ok_or_else(|| failed(format!("the field {{{field}}} of `format` has no value")))?;
                out.push_str(&match value {
                    Value::Undefined(_) | Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                        print::text(value, purse)?
                    }
                    Value::Text(text) => text.to_string(),
                    other => return Err(refused(format!("a {} in `format`", other.kind()))),
                });
                purse.pay(2 * out.len().min(1 << 10) + value.as_text().map_or(0, |text| 2 * text.len()))?;
            }
            '}' => return Err(failed("a single } in `format`")),
            c => out.push(c),
        }
    }
    Ok(out)
}
