//! With challenges known in advance the algebra holds and the binding does not; and a proof without a witness is possible.

use ark_bls12_381::G1Projective;
use ark_ec::{CurveGroup, PrimeGroup, VariableBaseMSM};
use ark_ff::{AdditiveGroup, Field};
use std::collections::HashSet;
use zkllm_kernels::Cpu;
use zkllm_prover::prove::blinding::{Blinding, Randomness};
use zkllm_prover::prove::{Prover, chunks};
use zkllm_prover::session;
use zkllm_tests::channels::{Frozen, Recorder};
use zkllm_tests::{Case, SHAPE};
use zkllm_verifier::channel::{Ask, Channel, Reader};
use zkllm_verifier::dory::{LedgerGenerators, Setup};
use zkllm_verifier::drive::{drive, transcript};
use zkllm_verifier::groups::{G1, G2, Gt};
use zkllm_verifier::ledger::{Ledger, Row};
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::{Fr, Refusal, verify};

fn lengths(case: &Case, proof: &[u8]) -> Vec<(usize, String)> {
    let setup = Setup::shipped(case.plan.chunk_log).expect("constants");
    let mut recorder = Recorder::new(Reader::new(proof, transcript(&case.card, &case.statement)));
    drive(&case.plan, &case.card, &setup, &mut recorder).expect("accepted");
    recorder.messages
}

#[test]
fn a_proof_under_frozen_challenges_is_refused() {
    let case = Case::new(SHAPE, 1, &[3, 1], 2);
    let setup = Setup::shipped(case.plan.chunk_log).expect("constants");
    let (backend, subject, witness) = (Cpu, case.subject(), case.witness());
    let parts = chunks(&case.plan, &witness.columns);
    let start = || transcript(&case.card, &case.statement);
    let blinding = Blinding::seeded(b"frozen");
    let prover = Prover::new(&backend, case.generators(), &subject, witness, &parts, start(), blinding, &|_| {});
    let mut prover = Frozen::new(prover);
    drive(&case.plan, &case.card, &setup, &mut prover).expect("the algebra holds");
    let (proof, mistakes) = prover.channel.finish();
    assert!(mistakes.is_empty());
    let mut reader = Frozen::new(Reader::new(&proof, start()));
    drive(&case.plan, &case.card, &setup, &mut reader).expect("the algebra holds");
    reader.channel.finish().expect("all is read");
    let receipt = Receipt::to_bytes(&case.card, &case.statement, &proof);
    assert!(verify(&case.card.to_bytes(), &receipt).is_err());
}

/// The messages of a receipt's proof.
fn messages(case: &Case, receipt: &[u8]) -> Vec<Vec<u8>> {
    let proof = Receipt::parse(receipt).expect("a receipt").proof;
    let mut rest = proof;
    let lengths = lengths(case, proof);
    let messages = lengths.iter().map(|(length, _)| rest.split_off(..*length).expect("a message").to_vec()).collect();
    assert!(rest.is_empty());
    messages
}

fn share_no_message(parts: &[Vec<Vec<u8>>; 2]) {
    for elements in parts {
        // The ledger's generators make no entry twice either.
        let different: HashSet<&Vec<u8>> = elements.iter().collect();
        assert_eq!(different.len(), elements.len(), "an element is said twice");
    }
    let first: HashSet<&Vec<u8>> = parts[0].iter().collect();
    assert_eq!(parts[1].iter().filter(|element| first.contains(element)).count(), 0);
}

#[test]
fn two_proofs_share_no_group_element_and_no_scalar() {
    let case = Case::new(SHAPE, 1, &[3, 1], 2);
    share_no_message(&["one", "two"].map(|blinding| messages(&case, &case.receipt(blinding))));
}

/// Two statements about one model.
fn statements() -> [Case; 2] {
    [[3, 1], [3, 2]].map(|prompt| Case::new(SHAPE, 1, &prompt, 2))
}

/// A virtual machine that was copied, or a generator that is broken, gives the same bytes twice. With one nonce under two
/// challenges the blindings, and with them the weights, could be computed.
#[test]
fn with_the_same_system_bytes_two_statements_share_no_message() {
    let cases = statements();
    assert_eq!(cases[0].card, cases[1].card);
    let receipts = cases.each_ref().map(|case| {
        let Case { card, columns, secret, statement, .. } = case;
        let receipt = session::receipt(&Cpu, card, columns, secret, statement, Randomness::known([7; 64]), &|_| {});
        messages(case, &receipt.expect("a receipt"))
    });
    share_no_message(&receipts);
    let committed: HashSet<&[u8]> = cases[0].card.commitments.iter().map(|bytes| &bytes[..]).collect();
    assert!(receipts.iter().flatten().all(|message| !committed.contains(&message[..])));
}

/// Even from one seed: every nonce answers what was said before it.
#[test]
fn from_the_same_seed_two_conversations_share_no_message() {
    share_no_message(&statements().each_ref().map(|case| messages(case, &case.receipt("same"))));
}

#[test]
fn other_weights_make_the_same_messages() {
    let cases = [1, 2].map(|seed| Case::new(SHAPE, seed, &[3, 1], 2));
    // The cards differ in ranges that calibration chose; what is compared is two models under one card's plan.
    let card = cases[0].card.clone();
    let other = Case::of(zkllm_verifier::card::Card { commitments: Vec::new(), ..card }, zeroed(&cases[0]), &[3, 1], 2);
    let messages = [&cases[0], &other].map(|case| {
        let receipt = case.receipt("same");
        lengths(case, Receipt::parse(&receipt).expect("a receipt").proof)
    });
    assert_eq!(messages[0], messages[1]);
}

/// The model with every other weight of every column 0.
fn zeroed(case: &Case) -> zkllm_prover::infer::Columns {
    let mut columns = zkllm_prover::infer::Columns::new();
    for (name, values) in case.columns.iter() {
        let mut values = (**values).clone();
        (0..values.len()).step_by(2).for_each(|at| values.set(at, 0));
        columns.insert(name, values);
    }
    columns
}

/// A prover that knows all challenges in advance and no witness: its entries are random points.
struct Simulator {
    generators: LedgerGenerators,
    drawn: u64,
    random: Blinding,
    entries: Vec<G1Projective>,
    revealed: Vec<Fr>,
    zeros: usize,
    /// `T - t g_v` so far.
    cross: G1Projective,
    pending: Vec<G1Projective>,
    row: Row,
    responses: Vec<Fr>,
    said: usize,
}

impl Simulator {
    fn new(generators: LedgerGenerators) -> Self {
        let random = Blinding::seeded(b"simulator");
        let (entries, revealed, pending, responses) = Default::default();
        let (cross, row) = (G1Projective::ZERO, [Fr::ZERO; 8]);
        Self { generators, drawn: 0, random, entries, revealed, zeros: 0, cross, pending, row, responses, said: 0 }
    }

    fn point(&mut self) -> G1 {
        (G1Projective::generator() * self.random.scalar()).into_affine()
    }

    fn fold(&mut self, previous: Option<Fr>) {
        let Some(x) = previous else {
            let size = self.entries.len().next_power_of_two();
            return self.entries.resize(size, G1Projective::ZERO);
        };
        if let [a, b] = self.pending[..] {
            let upper = self.entries.split_off(self.entries.len() / 2);
            self.entries.iter_mut().zip(upper).for_each(|(entry, other)| *entry += other * x);
            self.cross += a * x + b * x.inverse().expect("not zero");
            self.pending.clear();
        }
    }
}

impl Channel for Simulator {
    fn absorb(&mut self, _: &'static str, _: &[u8]) {}
    fn challenge(&mut self, _: &'static str) -> Fr {
        self.drawn += 1;
        zkllm_tests::channels::frozen(self.drawn - 1)
    }
    fn scalar(&mut self, ask: Ask<'_>) -> Result<Fr, Refusal> {
        Ok(match ask {
            Ask::GateLeft { .. } | Ask::GateRight { .. } => {
                let value = self.random.scalar();
                self.revealed.push(value);
                value
            }
            _ => {
                self.said += 1;
                self.responses[self.said - 1]
            }
        })
    }
    fn g1(&mut self, ask: Ask<'_>) -> Result<G1, Refusal> {
        let LedgerGenerators { g, g_v, h } = self.generators;
        let challenge = zkllm_tests::channels::frozen(self.drawn);
        Ok(match ask {
            Ask::CrossLeft { previous, .. } | Ask::CrossRight { previous, .. } => {
                self.fold(previous.filter(|_| self.pending.len() == 2));
                let point = self.point();
                self.pending.push(point.into());
                point
            }
            Ask::SchnorrSlots { previous } => {
                self.fold(previous);
                self.responses = (0..10).map(|_| self.random.scalar()).collect();
                let sum = G1Projective::msm(&g, &self.responses[..8]).expect("eight");
                (sum + h * self.responses[8] - self.entries[0] * challenge).into_affine()
            }
            Ask::SchnorrValue { row } => {
                self.row = *row;
                // t = rho^k f(z) + rho^(k+1) g(z) + rho^(k+2) f(z) g(z): no other constraint has a constant here.
                let rho = zkllm_tests::channels::frozen(1);
                let [f, g_z] = self.revealed[..] else { panic!("two values are revealed") };
                let t = rho.pow([self.zeros as u64]) * (f + rho * g_z + rho * rho * f * g_z);
                let value: Fr = row.iter().zip(&self.responses).map(|(l, z)| *l * z).sum();
                (g_v * value + h * self.responses[9] - (g_v * t + self.cross) * challenge).into_affine()
            }
            _ => self.point(),
        })
    }
    fn g2(&mut self, _: Ask<'_>) -> Result<G2, Refusal> {
        Ok(G2::default())
    }
    fn gt(&mut self, _: Ask<'_>) -> Result<Gt, Refusal> {
        Ok(Gt::default())
    }
    fn entries(&mut self, ask: Ask<'_>, slots: usize) -> Result<Vec<G1>, Refusal> {
        if let Ask::Gates { zeros, .. } = ask {
            self.zeros = zeros.len();
        }
        let points: Vec<G1> = (0..slots.div_ceil(8)).map(|_| self.point()).collect();
        self.entries.extend(points.iter().map(|point| G1Projective::from(*point)));
        Ok(points)
    }
}

#[test]
fn a_simulator_that_knows_the_challenges_closes_a_ledger_without_a_witness() {
    let setup = Setup::shipped(1).expect("constants");
    let mut channel = Simulator::new(*setup.ledger_generators());
    let mut ledger = Ledger::default();
    let slots = ledger.slots(&mut channel, Ask::Products(&[]), 19).expect("slots");
    for at in 0..6 {
        ledger.zero("test", slots[at].clone().plus(-Fr::from(3u64), &slots[at + 1]));
        ledger.gate("test", slots[at].clone(), slots[at + 5].clone(), slots[at + 12].clone());
    }
    assert_eq!(ledger.close(&mut channel, setup.ledger_generators()), Ok(()));
}
