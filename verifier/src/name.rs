//! Decides which text shows what it is: a name has no character that is invisible or turns others around. Spec: card.name.

use alloc::format;
use alloc::string::String;

/// Whether a character shows nothing of itself, or changes where others stand: controls, formats, separators and spaces but
/// U+0020, fillers, blanks, variation selectors, tags, what fonts ignore, and what is nobody's or anybody's.
#[rustfmt::skip]
pub const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{890}' | '\u{891}' | '\u{8e2}' | '\u{115f}' | '\u{1160}' | '\u{1680}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{2800}'
        | '\u{3000}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1345f}' | '\u{16fe4}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{1fffe}' | '\u{1ffff}' | '\u{2fffe}' | '\u{2ffff}' | '\u{3fffe}'..='\u{10ffff}')
}

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A hidden character.
    Hidden(char),
    /// A space at an end, or beside another.
    Space,
}

/// What is wrong with a name, if anything is. Spec: card.name.
pub fn fault(name: &str) -> Option<Fault> {
    let hidden = name.chars().find(|c| is_hidden(*c)).map(Fault::Hidden);
    let spaced = name.starts_with(' ') || name.ends_with(' ') || name.contains("  ");
    hidden.or(spaced.then_some(Fault::Space))
}

/// The text with its hidden characters named, but for line breaks and tabs: what may be shown of anybody's text.
pub fn visible(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\t' => shown.push(c),
            c if is_hidden(c) => shown.push_str(&format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}
