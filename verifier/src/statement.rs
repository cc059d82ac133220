//! Decides what is claimed: with the model of a card, the tokens after the prompt are its greedy answer. Spec: statement.

use crate::card::Card;
use crate::{Refusal, limits};
use alloc::vec::Vec;

/// Tokens, the first `prompt_length` of which are the prompt; every other is the arg max of the logits before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    tokens: Vec<u32>,
    prompt_length: usize,
}

impl Statement {
    /// A statement about the model of `card`.
    ///
    /// # Errors
    /// `BadPromptLength` unless `1 <= prompt_length < tokens.len()`, `TokenOutOfRange`, `OverLimit`.
    pub fn new(card: &Card, tokens: Vec<u32>, prompt_length: usize) -> Result<Self, Refusal> {
        if tokens.len() > limits::TOKENS || tokens.len() > card.context as usize {
            return Err(Refusal::OverLimit);
        }
        if prompt_length == 0 || prompt_length >= tokens.len() {
            return Err(Refusal::BadPromptLength);
        }
        if tokens.iter().any(|&token| token >= card.vocabulary) {
            return Err(Refusal::TokenOutOfRange);
        }
        Ok(Self { tokens, prompt_length })
    }

    /// All tokens, prompt first.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many of them are the prompt.
    pub fn prompt_length(&self) -> usize {
        self.prompt_length
    }

    /// The bytes that the transcript and the receipt hold: `u32` number of tokens, `u32` prompt length, tokens.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend((self.tokens.len() as u32).to_le_bytes());
        out.extend((self.prompt_length as u32).to_le_bytes());
        for token in &self.tokens {
            out.extend(token.to_le_bytes());
        }
        out
    }
}
