//! Decides how the one driver talks: a verifier's channel reads and checks the next message of a proof,
//! a prover's computes, commits, writes and absorbs it.

use crate::einsum::ProductClaim;
use crate::groups::{self, G1, G2, Gt};
use crate::ledger::{Gate, Row, WIDTH, Zero};
use crate::opening::PoolClaim;
use crate::transcript::Transcript;
use crate::{Refusal, dory};
use alloc::vec::Vec;
use ark_bls12_381::Fr;

/// What the driver wants next. A verifier ignores it; a prover computes the message from it. It carries
/// nothing that the verifier does not know.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // The fields are named in the text of their variants.
pub enum Ask<'a> {
    /// The commitment to witness chunk number `0`.
    Chunk(usize),
    /// Slots `Q`, `1/Q`: the denominator of the lookup tree's root, under these challenges.
    Root { alpha: Fr, beta: Fr },
    /// Slots: the coefficients but the constant of every sum that has variables left, the next message, with the
    /// challenges so far in the order drawn.
    Round { of: Sumcheck<'a>, challenges: &'a [Fr] },
    /// Slots: what the sums end in, at `point`.
    End { of: Sumcheck<'a>, point: &'a [Fr] },
    /// Slots: the values of products.
    Products(&'a [ProductClaim]),
    /// Slot: the value of the combination `sum mu^c P_c` at `point`.
    Opened { mu: Fr, point: &'a [Fr] },
    /// Slots `f(0), g(0), h(0), h(N+1), .., h(2N)`.
    Gates { gates: &'a [Gate], zeros: &'a [Zero] },
    /// Scalar `f(z)`.
    GateLeft { gates: &'a [Gate], z: Fr },
    /// Scalar `g(z)`.
    GateRight { gates: &'a [Gate], z: Fr },
    /// Point `A`, a commitment to `sum <l_i, w_i'>`, after folding with `previous`.
    CrossLeft { rows: &'a [Row], previous: Option<Fr> },
    /// Point `B`, a commitment to `sum <l_i', w_i>`.
    CrossRight { rows: &'a [Row], previous: Option<Fr> },
    /// Point `D` of the ledger's Schnorr proof, after folding with `previous`.
    SchnorrSlots { previous: Option<Fr> },
    /// Point `E` of it.
    SchnorrValue { row: &'a Row },
    /// Scalar: the response for a slot.
    SchnorrResponse { slot: usize, challenge: Fr },
    /// Scalar: the response for the entry's blinding.
    SchnorrBlinding { challenge: Fr },
    /// Scalar: the response for the value's blinding.
    SchnorrValueBlinding { challenge: Fr },
    /// A message of the polynomial commitment's opening.
    Dory(dory::Ask<'a>),
}

/// The sumchecks of a proof.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // The fields are named in the text of their variants.
pub enum Sumcheck<'a> {
    /// A level of the lookup tree: `sum eq(point, x) (p0 q1 + p1 q0 + lambda q0 q1)`; ends in `p0, p1, q0, q1, p0 q1`.
    Tree { level: usize, point: &'a [Fr], lambda: Fr },
    /// Products; each ends in the values of its operands.
    Products(&'a [ProductClaim]),
    /// The claims on columns, combined with powers of `gamma`; ends in the value of every chunk.
    Opening { claims: &'a [PoolClaim], gamma: Fr },
}

/// The messages of a proof, in order. Every element returned has been absorbed by the transcript and is a
/// canonical member of its prime-order group.
pub trait Channel {
    /// Binds public data that is not part of the proof.
    fn absorb(&mut self, label: &'static str, bytes: &[u8]);
    /// Draws a challenge that binds everything absorbed so far.
    fn challenge(&mut self, label: &'static str) -> Fr;
    /// The next scalar.
    fn scalar(&mut self, ask: Ask<'_>) -> Result<Fr, Refusal>;
    /// The next element of G1.
    fn g1(&mut self, ask: Ask<'_>) -> Result<G1, Refusal>;
    /// The next element of G2.
    fn g2(&mut self, ask: Ask<'_>) -> Result<G2, Refusal>;
    /// The next element of the target group.
    fn gt(&mut self, ask: Ask<'_>) -> Result<Gt, Refusal>;
    /// The next `ceil(slots / 8)` ledger entries, with that many slots in use.
    fn entries(&mut self, ask: Ask<'_>, slots: usize) -> Result<Vec<G1>, Refusal>;

    /// `count` challenges.
    fn challenges(&mut self, label: &'static str, count: usize) -> Vec<Fr> {
        (0..count).map(|_| self.challenge(label)).collect()
    }
}

/// Hears what is about to be read, and how many bytes of the proof are unread then. It is told, and never asked: what it does
/// decides nothing.
pub type Listener<'a> = &'a mut dyn FnMut(&Ask<'_>, usize);

/// The verifier's channel: reads a proof.
pub struct Reader<'a> {
    rest: &'a [u8],
    transcript: Transcript,
    listener: Option<Listener<'a>>,
}

impl<'a> Reader<'a> {
    /// A channel over `proof`, with what `transcript` has absorbed already.
    pub fn new(proof: &'a [u8], transcript: Transcript) -> Self {
        Self { rest: proof, transcript, listener: None }
    }

    /// The same channel, with a listener.
    pub fn heard_by(self, listener: Listener<'a>) -> Self {
        Self { listener: Some(listener), ..self }
    }

    /// Refuses a proof with bytes left over.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.rest.is_empty() { Ok(()) } else { Err(Refusal::TrailingBytes) }
    }

    fn take<const N: usize>(&mut self, label: &'static str, ask: &Ask<'_>) -> Result<[u8; N], Refusal> {
        if let Some(listener) = &mut self.listener {
            listener(ask, self.rest.len());
        }
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(Refusal::Truncated)?;
        self.rest = rest;
        self.transcript.absorb(label, bytes);
        Ok(*bytes)
    }
}

impl Channel for Reader<'_> {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.transcript.absorb(label, bytes);
    }
    fn challenge(&mut self, label: &'static str) -> Fr {
        self.transcript.challenge(label)
    }
    fn scalar(&mut self, ask: Ask<'_>) -> Result<Fr, Refusal> {
        groups::read_scalar(&self.take("scalar", &ask)?)
    }
    fn g1(&mut self, ask: Ask<'_>) -> Result<G1, Refusal> {
        groups::read_g1(&self.take("g1", &ask)?)
    }
    fn g2(&mut self, ask: Ask<'_>) -> Result<G2, Refusal> {
        groups::read_g2(&self.take("g2", &ask)?)
    }
    fn gt(&mut self, ask: Ask<'_>) -> Result<Gt, Refusal> {
        groups::read_gt(&self.take("gt", &ask)?)
    }
    fn entries(&mut self, ask: Ask<'_>, slots: usize) -> Result<Vec<G1>, Refusal> {
        (0..slots.div_ceil(WIDTH)).map(|_| self.g1(ask)).collect()
    }
}
