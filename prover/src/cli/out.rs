//! Decides what a terminal gets to see: results on stdout, all else on stderr, and no character of a model, a card or a
//! text that could move the cursor or turn the writing around.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::Mutex;

/// Why stdout took no more, if so. What is written after that is dropped: a proof goes on when nobody reads along.
static BROKEN: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line on stdout.
macro_rules! say {
    ($($argument:tt)*) => { $crate::cli::out::print(format_args!("{}\n", format_args!($($argument)*))) };
}

/// Prints a line on stderr.
macro_rules! tell {
    ($($argument:tt)*) => { $crate::cli::out::line(format_args!($($argument)*)) };
}

pub(crate) use {say, tell};

/// Prints on stdout.
pub fn print(text: fmt::Arguments<'_>) {
    raw(plain(&text.to_string()).as_bytes());
}

/// Prints a JSON value on stdout, in ASCII where a character is not to be shown.
pub fn json(value: &serde_json::Value) {
    raw(format!("{}\n", ascii(&value.to_string())).as_bytes());
}

/// Prints a line on stderr. Who closed it does not want to know.
pub fn line(text: fmt::Arguments<'_>) {
    stream(&format!("{text}\n"));
}

/// Prints on stderr.
pub fn stream(text: &str) {
    let _ = io::stderr().write_all(plain(text).as_bytes());
}

/// Why stdout did not take all that was printed, if so.
pub fn broken() -> Option<io::Error> {
    let flushed = io::stdout().flush().err();
    BROKEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take().or(flushed)
}

fn raw(bytes: &[u8]) {
    let mut broken = BROKEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if broken.is_none() {
        let mut out = io::stdout().lock();
        *broken = out.write_all(bytes).and_then(|()| out.flush()).err();
    }
}

/// Whether a terminal would do something else than to show it: controls but the end of a line and the tabulator, and what
/// changes the direction of writing.
fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && c != '\n' && c != '\t')
}

/// The text with such characters as `\u{1b}`.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return text.into();
    }
    text.chars()
        .fold(String::new(), |mut out, c| {
            if acts(c) {
                out.extend(c.escape_unicode())
            } else {
                out.push(c)
            }
            out
        })
        .into()
}

/// The JSON text with such characters, which stand in strings only, as `\u009b`.
fn ascii(json: &str) -> String {
    json.chars().fold(String::new(), |mut out, c| {
        // All of them have four digits.
        if acts(c) {
            _ = write!(out, "\\u{:04x}", u32::from(c))
        } else {
            out.push(c)
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_written_out() {
        assert_eq!(
            plain("a\u{1b}]0;x\u{7} b\r\u{9b}2J\n\tc\u{202e}"),
            "a\\u{1b}]0;x\\u{7} b\\u{d}\\u{9b}2J\n\tc\\u{202e}"
        );
        assert!(matches!(plain("Übung, 東京\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_is_the_same_value_without_what_acts() {
        let value = serde_json::json!({ "text": "\u{1b}[2J\u{9b}\u{202e}\u{7f}\"é\n" });
        let text = ascii(&value.to_string());
        assert!(!text.contains(acts) && !text.contains('\n'), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
    }
}
