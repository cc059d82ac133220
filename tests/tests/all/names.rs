//! A name on a card shows what it is: whatever Unicode knows to be invisible, or to move what stands beside it, is in no name.

use regex::Regex;
use zkllm_prover::quantise::{Tiny, tiny};
use zkllm_tests::SHAPE;
use zkllm_verifier::Refusal;
use zkllm_verifier::card::Card;
use zkllm_verifier::name::{Fault, fault, is_hidden, visible};

/// What has no glyph of its own by its properties, or is nobody's.
const HIDDEN: &str = r"^[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Zs}\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\p{Bidi_Control}\p{Join_Control}\p{Noncharacter_Code_Point}]$";
/// Blanks that are symbols or letters by theirs, and what stands in one block with formats.
const BLANK: &str = "\u{2800}\u{16fe4}\u{1d159}";

fn characters() -> impl Iterator<Item = char> {
    (0..=0x10ffff).filter_map(char::from_u32)
}

#[test]
fn every_invisible_character_is_hidden_and_no_letter_is() {
    let (hidden, assigned) = (Regex::new(HIDDEN).expect("a pattern"), Regex::new(r"^\P{Cn}$").expect("a pattern"));
    for c in characters() {
        let text = c.to_string();
        let expected = c != ' ' && (hidden.is_match(&text) || BLANK.contains(c));
        let block = matches!(c, '\u{13430}'..='\u{1345f}') || c >= '\u{3fffe}';
        assert!(is_hidden(c) || !expected, "U+{:04X} is shown", u32::from(c));
        assert!(!is_hidden(c) || expected || block || !assigned.is_match(&text), "U+{:04X} is hidden", u32::from(c));
        assert!(is_hidden(c) || c == ' ' || !(c.is_control() || c.is_whitespace()), "U+{:04X}", u32::from(c));
    }
}

#[test]
fn cards_with_a_name_that_hides_something_are_refused() {
    let (card, _) = tiny(1, Tiny { layers: 1, ..SHAPE }).expect("a card");
    let parse = |name: &str| Card::parse(&Card { name: name.into(), ..card.clone() }.to_bytes());
    let first = characters().filter(|&c| is_hidden(c)).scan(None, |last, c| {
        let begins = last.is_none_or(|last| u32::from(c) != u32::from(last) + 1);
        *last = Some(c);
        Some((begins, c))
    });
    for (_, c) in first.filter(|(begins, _)| *begins) {
        assert_eq!(parse(&format!("a{c}b")), Err(Refusal::BadCard), "U+{:04X}", u32::from(c));
    }
    for name in [" a", "a ", "a  b", " ", "\u{3164}", "gpt\u{fe0f}", "gpt\u{e0034}", "\u{202e}tpg"] {
        assert_eq!(parse(name), Err(Refusal::BadCard), "{name:?}");
    }
    for name in ["", "a", "a b c", "模型 ☃ Größe", "דגם 2", "नमूना", "👩"] {
        assert_eq!(parse(name).map(|card| card.name), Ok(name.into()));
    }
}

#[test]
fn hidden_characters_are_shown_by_their_numbers() {
    assert_eq!(visible("a\u{202e}b\u{1b}[31m\n\tc\u{e0041} "), "a⟨U+202E⟩b⟨U+001B⟩[31m\n\tc⟨U+E0041⟩ ");
    assert!(visible(&characters().collect::<String>()).chars().all(|c| !is_hidden(c) || matches!(c, '\n' | '\t')));
    assert_eq!(fault("a\u{ad} "), Some(Fault::Hidden('\u{ad}')));
    assert_eq!(fault("a "), Some(Fault::Space));
}
