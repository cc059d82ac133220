//! Decides whether a receipt proves its statement about the model of a card. Spec: verify.

use crate::Refusal;
use crate::card::Card;
use crate::channel::{Listener, Reader};
use crate::dory::Setup;
use crate::drive::{drive, transcript};
use crate::plan::Plan;
use crate::program::Program;
use crate::receipt::Receipt;
use crate::statement::Statement;
use crate::work::{Limits, Work};
use alloc::string::String;

/// What was proved: with the weights committed to in the card of this fingerprint, every token after the prompt is the
/// arg max of the integer inference. Only [`verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    fingerprint: [u8; 32],
    name: String,
    statement: Statement,
}

impl Verified {
    /// SHA3-256 of the card.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// The name on the card; nothing is proved about it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tokens and the length of the prompt.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }
}

/// Verifies `receipt` against `card`, both as bytes, within the limits of the specification.
///
/// # Errors
/// The first check that fails.
pub fn verify(card: &[u8], receipt: &[u8]) -> Result<Verified, Refusal> {
    verify_within(card, receipt, &Limits::default())
}

/// The same within other limits: `OverWork` for a receipt that takes more, before any of the proof is read.
///
/// # Errors
/// The first check that fails.
pub fn verify_within(card: &[u8], receipt: &[u8], limits: &Limits) -> Result<Verified, Refusal> {
    verify_with(card, receipt, limits, &mut |_, _| ())
}

/// The same, and `listener` hears how far it is.
///
/// # Errors
/// The first check that fails.
pub fn verify_with(card: &[u8], receipt: &[u8], limits: &Limits, listener: Listener<'_>) -> Result<Verified, Refusal> {
    let card = Card::parse(card)?;
    let receipt = Receipt::parse(receipt)?;
    let fingerprint = card.fingerprint();
    if receipt.fingerprint != fingerprint {
        return Err(Refusal::OtherCard);
    }
    let statement = Statement::new(&card, receipt.tokens, receipt.prompt_length)?;
    let plan = Plan::new(Program::new(&card, &statement)?, card.chunk_log as usize)?;
    limits.allow(&Work::of(&plan))?;
    let setup = Setup::shipped(plan.chunk_log)?;
    let mut channel = Reader::new(receipt.proof, transcript(&card, &statement)).heard_by(listener);
    drive(&plan, &card, &setup, &mut channel)?;
    channel.finish()?;
    Ok(Verified { fingerprint, name: card.name, statement })
}
