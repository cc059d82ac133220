//! Decides what a receipt holds: the card's fingerprint, the statement, the proof. Spec: receipt.

use crate::bytes::Cursor;
use crate::card::Card;
use crate::statement::Statement;
use crate::{Refusal, limits};
use alloc::vec::Vec;

const MAGIC: &[u8; 8] = b"ZKLLMRCP";
const VERSION: u16 = 1;

/// A receipt that was read and not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The fingerprint of the card it was made for.
    pub fingerprint: [u8; 32],
    /// All tokens.
    pub tokens: Vec<u32>,
    /// How many of them are the prompt.
    pub prompt_length: usize,
    /// The proof.
    pub proof: &'a [u8],
}

impl<'a> Receipt<'a> {
    /// Reads a receipt. Spec: receipt.layout.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let mut cursor = Cursor::new(bytes);
        if cursor.array()? != *MAGIC {
            return Err(Refusal::WrongMagic);
        }
        if cursor.u16()? != VERSION {
            return Err(Refusal::UnknownVersion);
        }
        let fingerprint = cursor.array()?;
        let (count, prompt_length) = (cursor.u32()? as usize, cursor.u32()? as usize);
        if count > limits::TOKENS {
            return Err(Refusal::OverLimit);
        }
        let mut tokens = Vec::new();
        for _ in 0..count {
            tokens.push(cursor.u32()?);
        }
        Ok(Self { fingerprint, tokens, prompt_length, proof: cursor.rest() })
    }

    /// The bytes of a receipt; `parse` gives it back.
    pub fn to_bytes(card: &Card, statement: &Statement, proof: &[u8]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        out.extend(card.fingerprint());
        out.extend(statement.to_bytes());
        out.extend(proof);
        out
    }
}
