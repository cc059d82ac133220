//! Decides the order of a proof. Prover and verifier run this one function; only their channels differ. Spec: proof.

use crate::card::Card;
use crate::channel::{Ask, Channel};
use crate::claim::{Driver, Reader};
use crate::groups;
use crate::ledger::{Form, Ledger};
use crate::plan::Plan;
use crate::statement::Statement;
use crate::transcript::Transcript;
use crate::{Refusal, dory};
use alloc::vec::Vec;
use ark_bls12_381::Fr;
use ark_ff::AdditiveGroup;

/// The protocol's name and version, the first thing every challenge depends on.
pub const PROTOCOL: &str = "zkLLM proof 1";

/// SHA3-256 over programs and plans of cards of many kinds, as `tests/tests/all/protocol.rs` computes it: with others the name above is
/// another. Spec: versions.rules.
pub const PROGRAMS: &str = "1f69bcfd2deebad3f98eaf374788f805115c6822e03dbd844687eaf3817712c2";

/// The transcript before the first message: protocol, card, statement. Program and plan are functions of these.
pub fn transcript(card: &Card, statement: &Statement) -> Transcript {
    let mut transcript = Transcript::new(PROTOCOL);
    transcript.absorb("card", &card.to_bytes());
    transcript.absorb("statement", &statement.to_bytes());
    transcript
}

/// Proves `plan` over `channel`, whose transcript has absorbed [`transcript`]. Returns an error at the first check
/// that fails.
pub fn drive(plan: &Plan, card: &Card, setup: &dory::Setup, channel: &mut impl Channel) -> Result<(), Refusal> {
    if card.commitments.len() != plan.model_chunks {
        return Err(Refusal::BadCard);
    }
    // All columns, multiplicities too, are committed before anything is drawn.
    let mut commitments = card.commitments.iter().map(groups::read_gt).collect::<Result<Vec<_>, _>>()?;
    for chunk in 0..plan.witness_chunks {
        commitments.push(channel.gt(Ask::Chunk(chunk))?);
    }
    let mut driver = Driver { plan, channel, ledger: Ledger::default(), pool: Vec::new(), queue: Vec::new() };
    driver.lookups()?;
    let point = driver.channel.challenges("columns", plan.column_bits);
    for zero in &plan.program.zeros {
        let reader = Reader::at(&plan.program, &zero.axes, false, &point);
        driver.claim("zero", &zero.sum, &reader, Form::constant(Fr::ZERO))?;
    }
    // Operands of products may be products.
    while !driver.queue.is_empty() {
        driver.products()?;
    }
    driver.supports(&point);
    driver.open(&commitments, setup)?;
    driver.ledger.close(driver.channel, setup.ledger_generators())
}
