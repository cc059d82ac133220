//! Decides how SentencePiece's BPE (`tokenizer.ggml.model = llama`) splits a text: of all neighbouring pieces that join
//! to a piece of the vocabulary, the pair with the highest score joins first, the leftmost among equals; what is left
//! outside the vocabulary becomes byte tokens.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use super::error::ModelError;
use super::tokenizer::{BYTE, NORMAL, UNKNOWN, USER_DEFINED};

/// SentencePiece writes a space as this character.
const SPACE: &str = "\u{2581}";

/// A SentencePiece vocabulary.
pub struct Pieces {
    pieces: HashMap<String, u32>,
    scores: Vec<f32>,
    /// Token of each byte, where the vocabulary has one.
    byte_tokens: Vec<Option<u32>>,
    unknown: Option<u32>,
    bytes: Vec<Vec<u8>>,
    /// Whether a space is put before a text.
    pub space_prefix: bool,
}

/// A stretch of the text that is one symbol so far; merged symbols have length 0.
struct Symbol {
    start: usize,
    length: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

/// Two neighbouring symbols that would join to a piece.
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    length: usize,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}
impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Pair {}

impl Pieces {
    /// A vocabulary from the file's tokens, their kinds and scores (natural logarithms, one a token).
    ///
    /// # Errors
    /// `Tokenizer` if a byte token is not written `<0xHH>`.
    pub fn new(tokens: &[&str], kinds: &[u8], scores: Vec<f32>, space_prefix: bool) -> Result<Pieces, ModelError> {
        let mut pieces = HashMap::new();
        let mut byte_tokens = vec![None; 256];
        let (mut unknown, mut bytes) = (None, Vec::with_capacity(tokens.len()));
        for (id, (text, kind)) in (0u32..).zip(tokens.iter().zip(kinds)) {
            bytes.push(match *kind {
                NORMAL | USER_DEFINED => {
                    // Of two with one text the later one is written, as llama.cpp's table has it.
                    pieces.insert(text.to_string(), id);
                    text.replace(SPACE, " ").into_bytes()
                }
                BYTE => {
                    let digits = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
                    let digits = digits.filter(|digits| digits.len() == 2 && !digits.starts_with('+'));
                    let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                    let byte = byte
                        .ok_or_else(|| ModelError::Tokenizer { reason: format!("token {id} is not a byte token") })?;
                    byte_tokens[usize::from(byte)] = Some(id);
                    vec![byte]
                }
                kind => {
                    unknown = if kind == UNKNOWN { Some(id) } else { unknown };
                    Vec::new()
                }
            });
        }
        Ok(Pieces { pieces, scores, byte_tokens, unknown, bytes, space_prefix })
    }

    /// The bytes each token stands for.
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        self.bytes.clone()
    }

    fn pair(&self, text: &str, symbols: &[Symbol], left: usize, right: usize) -> Option<Pair> {
        let length = symbols[left].length + symbols[right].length;
        let id = *self.pieces.get(&text[symbols[left].start..][..length])?;
        Some(Pair { score: *self.scores.get(id as usize)?, left, right, length })
    }

    /// Appends the tokens of a text that stands at the beginning or after a control token.
    pub fn encode(&self, text: &str, out: &mut Vec<u32>) {
        let prefix = if self.space_prefix { SPACE } else { "" };
        let text = format!("{prefix}{}", text.replace(' ', SPACE));
        let count = text.chars().count();
        let mut symbols: Vec<Symbol> = text
            .char_indices()
            .enumerate()
            .map(|(i, (start, c))| Symbol {
                start,
                length: c.len_utf8(),
                previous: i.checked_sub(1),
                next: Some(i + 1).filter(|next| *next < count),
            })
            .collect();
        let mut queue: BinaryHeap<Pair> =
            (1..count).filter_map(|right| self.pair(&text, &symbols, right - 1, right)).collect();
        while let Some(Pair { left, right, length, .. }) = queue.pop() {
            // Stale if either side was merged since.
            if symbols[left].length == 0
                || symbols[right].length == 0
                || symbols[left].length + symbols[right].length != length
            {
                continue;
            }
            symbols[left].length = length;
            symbols[right].length = 0;
            let next = symbols[right].next;
            symbols[left].next = next;
            if let Some(next) = next {
                symbols[next].previous = Some(left);
                queue.extend(self.pair(&text, &symbols, left, next));
            }
            if let Some(previous) = symbols[left].previous {
                queue.extend(self.pair(&text, &symbols, previous, left));
            }
        }
        for symbol in symbols.iter().filter(|symbol| symbol.length > 0) {
            let piece = &text[symbol.start..][..symbol.length];
            match self.pieces.get(piece) {
                Some(id) => out.push(*id),
                None => {
                    out.extend(piece.bytes().filter_map(|byte| self.byte_tokens[usize::from(byte)].or(self.unknown)))
                }
            }
        }
    }
}
