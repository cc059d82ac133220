//! Small cards and receipts that make a verifier work: every size at its limit in turn, proofs of elements that are well formed.

use ark_bls12_381::{G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
use zkllm_prover::quantise::{Tiny, tiny};
use zkllm_verifier::card::Card;
use zkllm_verifier::channel::{Ask, Channel};
use zkllm_verifier::dory::Setup;
use zkllm_verifier::drive::{drive, transcript};
use zkllm_verifier::groups::{self, G1, G2, Gt};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::Program;
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::transcript::Transcript;
use zkllm_verifier::{Fr, Refusal, limits};

/// A card with a statement, and their plan.
pub struct Hostile {
    /// What is at its limit.
    pub name: &'static str,
    /// The card, with commitments.
    pub card: Card,
    /// The statement.
    pub statement: Statement,
    /// The plan.
    pub plan: Plan,
}

/// The least model that has everything, and what is changed of its card, and how many tokens there are.
type Shape = (&'static str, usize, fn(&mut Card));

/// Every size at its limit. What is multiplied with it is as small as it can be.
const SHAPES: [Shape; 13] = [
    ("nothing", 2, |_| ()),
    ("positions times pairs, by pairs", 32, |card| card.pairs = 1 << 17),
    ("positions times pairs, by positions", 1 << 16, |card| card.pairs = 64),
    ("vocabulary", 2, |card| card.vocabulary = 1 << 20),
    ("vocabulary and positions", 1 << 16, |card| card.vocabulary = 1 << 20),
    ("width", 2, |card| (card.width, card.hidden) = (1 << 17, 1 << 17)),
    ("heads", 2, |card| (card.kv_heads, card.group) = (1 << 10, 1 << 10)),
    ("layers", 2, |card| card.layers = 1 << 10),
    ("positions", 1 << 16, |_| ()),
    ("tables", 2, |card| (card.precision.gap_bits, card.precision.gate_bits) = (20, 20)),
    ("digits", 2, |card| card.precision.digit_bits = 1),
    ("chunks", 2, |card| {
        // 2^20 weights and more in chunks of 2^10.
        (card.chunk_log, card.layers, card.width, card.vocabulary) = (5, 4, 64, 1 << 11);
    }),
    ("everything together", 32, |card| {
        (card.width, card.kv_heads, card.pairs, card.hidden) = (30, 996, 1 << 17, 32_112);
        (card.vocabulary, card.chunk_log, card.precision.digit_bits) = (1 << 20, 14, 4);
        (card.precision.gap_bits, card.precision.gate_bits) = (20, 20);
    }),
];

/// The name of the one that is over the limit of work.
pub const TOGETHER: &str = "everything together";

/// The hostile cards that there is a program and a plan for.
pub fn all() -> Vec<Hostile> {
    SHAPES.iter().map(|(name, tokens, change)| hostile(name, *tokens, change)).collect()
}

/// A card with a change, and a statement of so many tokens, half of them the answer.
pub fn hostile(name: &'static str, tokens: usize, change: impl Fn(&mut Card)) -> Hostile {
    let shape = Tiny {
        layers: 1,
        width: 1,
        kv_heads: 1,
        group: 1,
        pairs: 1,
        hidden: 1,
        vocabulary: 2,
        tied: true,
        biases: true,
        digit_bits: 12,
    };
    let (mut card, _) = tiny(1, shape).expect("a card");
    (card.context, card.chunk_log) = (limits::TOKENS as u32, limits::CHUNK_LOG as u32);
    change(&mut card);
    let vocabulary = card.vocabulary as usize;
    let tokens: Vec<u32> = (0..tokens).map(|at| (at * 7919 % vocabulary) as u32).collect();
    let prompt = tokens.len() / 2;
    let statement = Statement::new(&card, tokens, prompt).expect("a statement");
    let program = Program::new(&card, &statement).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    let plan = Plan::new(program, card.chunk_log as usize).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    let mut elements = Elements::default();
    card.commitments = (0..plan.model_chunks).map(|_| groups::write_gt(&elements.gt())).collect();
    Hostile { name, card, statement, plan }
}

impl Hostile {
    /// A receipt that is refused where the opening begins: all claims are reduced by then. As a verifier does it, from the card
    /// on.
    pub fn receipt(&self) -> Vec<u8> {
        let program = Program::new(&self.card, &self.statement).expect("a program");
        let plan = Plan::new(program, self.plan.chunk_log).expect("a plan");
        let mut writer = Writer::new(transcript(&self.card, &self.statement));
        let setup = Setup::shipped(plan.chunk_log).expect("constants");
        let refusal = drive(&plan, &self.card, &setup, &mut writer).expect_err("nothing was proved");
        assert_eq!(refusal, Refusal::OpeningVmv, "{}", self.name);
        Receipt::to_bytes(&self.card, &self.statement, &writer.proof)
    }
}

/// Elements of the groups, each another one.
struct Elements {
    g1: G1Projective,
    gt: Gt,
    generator: Gt,
}

impl Default for Elements {
    fn default() -> Self {
        let generator = Gt::generator();
        Self { g1: G1Affine::generator().into(), gt: generator, generator }
    }
}

impl Elements {
    fn g1(&mut self) -> G1 {
        self.g1 += G1Affine::generator();
        self.g1.into_affine()
    }
    fn gt(&mut self) -> Gt {
        self.gt += self.generator;
        self.gt
    }
}

/// A channel that says elements, and writes them down.
pub struct Writer {
    elements: Elements,
    transcript: Transcript,
    proof: Vec<u8>,
}

impl Writer {
    /// A channel with a transcript.
    pub fn new(transcript: Transcript) -> Self {
        Self { elements: Elements::default(), transcript, proof: Vec::new() }
    }

    fn say(&mut self, label: &'static str, bytes: &[u8]) {
        self.transcript.absorb(label, bytes);
        self.proof.extend(bytes);
    }
}

impl Channel for Writer {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.transcript.absorb(label, bytes);
    }
    fn challenge(&mut self, label: &'static str) -> Fr {
        self.transcript.challenge(label)
    }
    fn scalar(&mut self, _: Ask<'_>) -> Result<Fr, Refusal> {
        self.say("scalar", &groups::write_scalar(&Fr::from(7)));
        Ok(Fr::from(7))
    }
    fn g1(&mut self, _: Ask<'_>) -> Result<G1, Refusal> {
        let point = self.elements.g1();
        self.say("g1", &groups::write_g1(&point));
        Ok(point)
    }
    fn g2(&mut self, _: Ask<'_>) -> Result<G2, Refusal> {
        let point = G2Affine::generator();
        self.say("g2", &groups::write_g2(&point));
        Ok(point)
    }
    fn gt(&mut self, _: Ask<'_>) -> Result<Gt, Refusal> {
        let element = self.elements.gt();
        self.say("gt", &groups::write_gt(&element));
        Ok(element)
    }
    fn entries(&mut self, ask: Ask<'_>, slots: usize) -> Result<Vec<G1>, Refusal> {
        (0..slots.div_ceil(8)).map(|_| self.g1(ask)).collect()
    }
}
