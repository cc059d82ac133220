//! Decides how the bytes of a proof are told apart for a drawing: the verifier's own driver over a channel that
//! listens. The verdict is never taken from here.

use crate::outcome::refused;
use serde_json::{Value, json};
use zkllm_verifier::card::Card;
use zkllm_verifier::channel::{Ask, Channel, Reader, Sumcheck};
use zkllm_verifier::dory::Setup;
use zkllm_verifier::drive::{drive, transcript};
use zkllm_verifier::groups::{G1, G2, Gt};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::Program;
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::{Fr, Refusal};

/// The steps, in the order in which they first occur.
pub const STEPS: [&str; 6] = ["commitments", "lookups", "products", "columns", "opening", "ledger"];

/// A step: its place in [`STEPS`].
fn step(ask: &Ask<'_>) -> usize {
    match ask {
        Ask::Chunk(_) => 0,
        Ask::Root { .. }
        | Ask::Round { of: Sumcheck::Tree { .. }, .. }
        | Ask::End { of: Sumcheck::Tree { .. }, .. } => 1,
        Ask::Products(_) | Ask::Round { of: Sumcheck::Product(_), .. } | Ask::End { of: Sumcheck::Product(_), .. } => 2,
        Ask::Round { of: Sumcheck::Opening { .. }, .. }
        | Ask::End { of: Sumcheck::Opening { .. }, .. }
        | Ask::Opened { .. } => 3,
        Ask::Dory(_) => 4,
        _ => 5,
    }
}

/// A reader that counts what it reads.
struct Listener<'a> {
    reader: Reader<'a>,
    on_step: &'a mut dyn FnMut(&'static str),
    current: Option<usize>,
    bytes: [usize; STEPS.len()],
    messages: [usize; STEPS.len()],
}

impl Listener<'_> {
    fn hear(&mut self, ask: &Ask<'_>, messages: usize, bytes: usize) {
        let step = step(ask);
        if self.current != Some(step) {
            self.current = Some(step);
            (self.on_step)(STEPS.get(step).copied().unwrap_or("ledger"));
        }
        for (total, more) in self
            .bytes
            .get_mut(step)
            .into_iter()
            .zip([messages * bytes])
            .chain(self.messages.get_mut(step).into_iter().zip([messages]))
        {
            *total += more;
        }
    }
}

impl Channel for Listener<'_> {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.reader.absorb(label, bytes);
    }
    fn challenge(&mut self, label: &'static str) -> Fr {
        self.reader.challenge(label)
    }
    fn scalar(&mut self, ask: Ask<'_>) -> Result<Fr, Refusal> {
        self.hear(&ask, 1, 32);
        self.reader.scalar(ask)
    }
    fn g1(&mut self, ask: Ask<'_>) -> Result<G1, Refusal> {
        self.hear(&ask, 1, 48);
        self.reader.g1(ask)
    }
    fn g2(&mut self, ask: Ask<'_>) -> Result<G2, Refusal> {
        self.hear(&ask, 1, 96);
        self.reader.g2(ask)
    }
    fn gt(&mut self, ask: Ask<'_>) -> Result<Gt, Refusal> {
        self.hear(&ask, 1, 288);
        self.reader.gt(ask)
    }
    fn entries(&mut self, ask: Ask<'_>, slots: usize) -> Result<Vec<G1>, Refusal> {
        self.hear(&ask, slots.div_ceil(zkllm_verifier::ledger::WIDTH), 48);
        self.reader.entries(ask, slots)
    }
}

/// Where the bytes of the proof lie, and how far the drive went. `on_step` hears of every change of step.
pub fn trace(card: &[u8], receipt: &[u8], on_step: &mut dyn FnMut(&'static str)) -> Value {
    listen(card, receipt, on_step).unwrap_or_else(|refusal| {
        let mut value = refused(refusal);
        if let Some(object) = value.as_object_mut() {
            object.insert("steps".into(), json!([]));
        }
        value
    })
}

fn listen(card: &[u8], receipt: &[u8], on_step: &mut dyn FnMut(&'static str)) -> Result<Value, Refusal> {
    let card = Card::parse(card)?;
    let receipt = Receipt::parse(receipt)?;
    if receipt.fingerprint != card.fingerprint() {
        return Err(Refusal::OtherCard);
    }
    let statement = Statement::new(&card, receipt.tokens, receipt.prompt_length)?;
    let plan = Plan::new(Program::new(&card, &statement)?, card.chunk_log as usize)?;
    let setup = Setup::shipped(plan.chunk_log)?;
    let reader = Reader::new(receipt.proof, transcript(&card, &statement));
    let mut listener = Listener { reader, on_step, current: None, bytes: [0; STEPS.len()], messages: [0; STEPS.len()] };
    let driven = drive(&plan, &card, &setup, &mut listener);
    let steps: Value = STEPS
        .iter()
        .zip(listener.bytes)
        .zip(listener.messages)
        .map(|((name, bytes), messages)| json!({ "name": name, "bytes": bytes, "messages": messages }))
        .collect();
    let last = listener.current.and_then(|step| STEPS.get(step));
    let refused_with = driven.and_then(|()| listener.reader.finish()).err();
    Ok(
        json!({ "verdict": "read", "kind": "trace", "steps": steps, "reached": last, "refusedWith": refused_with.map(Refusal::code) }),
    )
}
