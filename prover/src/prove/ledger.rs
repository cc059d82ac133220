//! Decides the ledger's messages: secret slots, their commitments, and the closing proof.

use super::blinding::Blinding;
use ark_bls12_381::{Fr, G1Projective};
use ark_ec::{CurveGroup, VariableBaseMSM};
use ark_ff::{AdditiveGroup, Field};
use std::iter::zip;
use zeroize::{Zeroize, ZeroizeOnDrop};
use zkllm_verifier::channel::Ask;
use zkllm_verifier::dory::LedgerGenerators;
use zkllm_verifier::groups::G1;
use zkllm_verifier::ledger::{Form, Gate, Row, WIDTH, lagrange};

/// The secret side of the ledger.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secrets {
    #[zeroize(skip)]
    generators: LedgerGenerators,
    slots: Vec<Row>,
    blindings: Vec<Fr>,
    /// Values of the gates' polynomials at `0..=N`.
    gates: [Vec<Fr>; 2],
    /// Blindings of the last round's two cross terms, and of the value so far.
    cross: [Fr; 2],
    value_blinding: Fr,
    /// Nonces of the Schnorr proof: slots, blinding, value's blinding.
    nonces: (Row, Fr, Fr),
    #[zeroize(skip)]
    folded: Option<Fr>,
}

impl Secrets {
    /// No entries.
    pub fn new(generators: LedgerGenerators) -> Self {
        let zero = Fr::ZERO;
        Self {
            generators,
            slots: Vec::new(),
            blindings: Vec::new(),
            gates: [Vec::new(), Vec::new()],
            cross: [zero; 2],
            value_blinding: zero,
            nonces: ([zero; WIDTH], zero, zero),
            folded: None,
        }
    }

    /// New entries with `values` in their slots.
    pub fn commit(&mut self, values: &[Fr], blinding: &mut Blinding) -> Vec<G1> {
        let mut points = Vec::new();
        for chunk in values.chunks(WIDTH) {
            let mut row = [Fr::ZERO; WIDTH];
            row[..chunk.len()].copy_from_slice(chunk);
            let s = blinding.scalar();
            points.push(self.commitment(&row, s));
            self.slots.push(row);
            self.blindings.push(s);
        }
        points
    }

    /// The blinding of the last entry.
    pub fn last_blinding(&self) -> Fr {
        self.blindings.last().copied().unwrap_or(Fr::ZERO)
    }

    /// The value of a form.
    pub fn value(&self, form: &Form) -> Fr {
        form.terms.iter().fold(form.constant, |sum, (slot, c)| sum + *c * self.slots[slot / WIDTH][slot % WIDTH])
    }

    /// `f(0), g(0), h(0), h(N+1), .., h(2N)`.
    pub fn gate_masks(&mut self, gates: &[Gate], blinding: &mut Blinding) -> Vec<Fr> {
        let n = gates.len();
        let mut values = |side: fn(&Gate) -> &Form| {
            std::iter::once(blinding.scalar())
                .chain(gates.iter().map(|gate| self.value(side(gate))))
                .collect::<Vec<_>>()
        };
        self.gates = [values(|gate| &gate.a), values(|gate| &gate.b)];
        let (f0, g0) = (self.gates[0][0], self.gates[1][0]);
        let mut masks = vec![f0, g0, f0 * g0];
        masks.extend(
            (n + 1..=2 * n).map(|k| self.gate_value(0, Fr::from(k as u64)) * self.gate_value(1, Fr::from(k as u64))),
        );
        masks
    }

    /// The scalar asked for, if it is one of the ledger's.
    pub fn scalar(&self, ask: Ask<'_>) -> Option<Fr> {
        Some(match ask {
            Ask::GateLeft { z, .. } => self.gate_value(0, z),
            Ask::GateRight { z, .. } => self.gate_value(1, z),
            Ask::SchnorrResponse { slot, challenge } => self.schnorr_response(slot, challenge),
            Ask::SchnorrBlinding { challenge } => self.schnorr_blinding(challenge),
            Ask::SchnorrValueBlinding { challenge } => self.schnorr_value_blinding(challenge),
            _ => return None,
        })
    }

    /// The point asked for, if it is one of those that close the ledger.
    pub fn point(&mut self, ask: Ask<'_>, blinding: &mut Blinding) -> Option<G1> {
        Some(match ask {
            Ask::CrossLeft { rows, previous } => {
                self.fold(previous);
                self.cross(0, rows, blinding)
            }
            Ask::CrossRight { rows, .. } => self.cross(1, rows, blinding),
            Ask::SchnorrSlots { previous } => {
                self.fold(previous);
                self.schnorr_slots(blinding)
            }
            Ask::SchnorrValue { row } => self.schnorr_value(row),
            _ => return None,
        })
    }

    /// `f(z)` or `g(z)`.
    fn gate_value(&self, side: usize, z: Fr) -> Fr {
        let values = &self.gates[side];
        lagrange(values.len() - 1, z)
            .map_or(Fr::ZERO, |weights| zip(weights, values).map(|(weight, value)| weight * value).sum())
    }

    /// Folds with the challenge of the last round, once.
    fn fold(&mut self, previous: Option<Fr>) {
        let Some(x) = previous else {
            let size = self.slots.len().next_power_of_two();
            self.slots.resize(size, [Fr::ZERO; WIDTH]);
            self.blindings.resize(size, Fr::ZERO);
            return;
        };
        if self.folded.replace(x) == Some(x) {
            return;
        }
        let half = self.slots.len() / 2;
        let upper = self.blindings.split_off(half);
        for (blinding, other) in zip(&mut self.blindings, upper) {
            *blinding += x * other;
        }
        let upper = self.slots.split_off(half);
        for (row, other) in zip(&mut self.slots, upper) {
            for (value, other) in zip(row, other) {
                *value += x * other;
            }
        }
        let inverse = x.inverse().unwrap_or(Fr::ZERO);
        self.value_blinding += x * self.cross[0] + inverse * self.cross[1];
    }

    /// The commitment to `sum <l_i, w_i'>` (side 0) or `sum <l_i', w_i>` (side 1).
    fn cross(&mut self, side: usize, rows: &[Row], blinding: &mut Blinding) -> G1 {
        let half = rows.len() / 2;
        let (rows, slots) =
            if side == 0 { (&rows[..half], &self.slots[half..]) } else { (&rows[half..], &self.slots[..half]) };
        let value: Fr = zip(rows, slots).flat_map(|(row, slot)| zip(row, slot)).map(|(l, w)| *l * w).sum();
        self.cross[side] = blinding.scalar();
        self.value_point(value, self.cross[side])
    }

    /// The Schnorr proof's first point.
    fn schnorr_slots(&mut self, blinding: &mut Blinding) -> G1 {
        self.nonces = (std::array::from_fn(|_| blinding.scalar()), blinding.scalar(), blinding.scalar());
        self.commitment(&self.nonces.0, self.nonces.1)
    }

    /// Its second point.
    fn schnorr_value(&self, row: &Row) -> G1 {
        let value: Fr = zip(row, &self.nonces.0).map(|(l, d)| *l * d).sum();
        self.value_point(value, self.nonces.2)
    }

    /// Its responses.
    fn schnorr_response(&self, slot: usize, challenge: Fr) -> Fr {
        self.nonces.0[slot] + challenge * self.slots[0][slot]
    }

    /// The response for the entry's blinding.
    fn schnorr_blinding(&self, challenge: Fr) -> Fr {
        self.nonces.1 + challenge * self.blindings[0]
    }

    /// The response for the value's blinding.
    fn schnorr_value_blinding(&self, challenge: Fr) -> Fr {
        self.nonces.2 + challenge * self.value_blinding
    }

    fn commitment(&self, row: &Row, s: Fr) -> G1 {
        let bases = [&self.generators.g[..], &[self.generators.h]].concat();
        let scalars = [&row[..], &[s]].concat();
        G1Projective::msm_unchecked(&bases, &scalars).into_affine()
    }

    fn value_point(&self, value: Fr, s: Fr) -> G1 {
        (self.generators.g_v * value + self.generators.h * s).into_affine()
    }
}
