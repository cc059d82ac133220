//! Challenges for which the ledger's arguments are not defined are refused, before anything is concluded from them.

use ark_bls12_381::G1Affine;
use ark_ec::AffineRepr;
use zkllm_verifier::channel::{Ask, Channel};
use zkllm_verifier::dory::Setup;
use zkllm_verifier::groups::{G1, G2, Gt};
use zkllm_verifier::ledger::{Form, Ledger, lagrange};
use zkllm_verifier::{Fr, Refusal};

/// Gates of the ledger below.
const GATES: u64 = 3;

/// A channel that says the same to every question, with the challenges of one label chosen.
struct Chosen {
    label: &'static str,
    challenges: Vec<Fr>,
    drawn: u64,
    scalars: usize,
}

impl Channel for Chosen {
    fn absorb(&mut self, _: &'static str, _: &[u8]) {}
    fn challenge(&mut self, label: &'static str) -> Fr {
        self.drawn += 1;
        let chosen = if label == self.label { self.challenges.pop() } else { None };
        chosen.unwrap_or(Fr::from(1000 + self.drawn))
    }
    fn scalar(&mut self, _: Ask<'_>) -> Result<Fr, Refusal> {
        self.scalars += 1;
        Ok(Fr::from(7))
    }
    fn g1(&mut self, _: Ask<'_>) -> Result<G1, Refusal> {
        Ok(G1Affine::generator())
    }
    fn g2(&mut self, _: Ask<'_>) -> Result<G2, Refusal> {
        unreachable!("the ledger is in G1")
    }
    fn gt(&mut self, _: Ask<'_>) -> Result<Gt, Refusal> {
        unreachable!("the ledger is in G1")
    }
    fn entries(&mut self, _: Ask<'_>, slots: usize) -> Result<Vec<G1>, Refusal> {
        Ok(vec![G1Affine::generator(); slots.div_ceil(8)])
    }
}

/// What a ledger of some gates says, and how many scalars it read, when the challenges of a label come out like this.
fn close(label: &'static str, challenges: &[Fr]) -> (Refusal, usize) {
    let setup = Setup::shipped(1).expect("constants");
    let challenges = challenges.iter().rev().copied().collect();
    let mut channel = Chosen { label, challenges, drawn: 0, scalars: 0 };
    let mut ledger = Ledger::default();
    let slots = ledger.slots(&mut channel, Ask::Products(&[]), 30).expect("slots");
    for at in 0..GATES as usize {
        ledger.gate("test", slots[at].clone(), slots[at + 3].clone(), Form::constant(Fr::from(2)));
    }
    let refusal = ledger.close(&mut channel, setup.ledger_generators()).expect_err("nothing was proved");
    (refusal, channel.scalars)
}

#[test]
fn a_point_of_the_gates_is_refused_as_their_challenge() {
    for z in 0..=2 * GATES {
        // Before the values at z are read.
        assert_eq!(close("ledger.gates", &[Fr::from(z)]), (Refusal::DegenerateChallenge, 0), "{z}");
    }
    for z in [Fr::from(2 * GATES + 1), -Fr::from(1)] {
        assert_eq!(close("ledger.gates", &[z]).0, Refusal::LedgerOpening, "{z}");
    }
}

#[test]
fn polynomials_through_a_point_have_no_weights_there() {
    for n in 0..5 {
        for z in 0..=n {
            assert_eq!(lagrange(n, Fr::from(z as u64)), Err(Refusal::DegenerateChallenge));
        }
        assert_eq!(lagrange(n, Fr::from(n as u64 + 1)).map(|weights| weights.len()), Ok(n + 1));
    }
}

#[test]
fn a_fold_by_zero_is_refused() {
    // Four entries and one of the gates' own are folded three times.
    for round in 0..3 {
        let mut challenges = vec![Fr::from(5); 3];
        assert_eq!(close("ledger.fold", &challenges).0, Refusal::LedgerOpening);
        challenges[round] = Fr::from(0);
        assert_eq!(close("ledger.fold", &challenges).0, Refusal::DegenerateChallenge, "{round}");
    }
}
