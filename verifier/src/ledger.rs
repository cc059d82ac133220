//! Decides whether secret scalars satisfy linear constraints and products, without seeing them. All of the proof's
//! zero knowledge is here. Spec: ledger.
//!
//! An entry commits to eight slots: `C = sum_j w_j g_j + s h`. Everything the arguments derive is a [`Form`] over
//! slots; at the end, in [`Ledger::close`], all constraints and gates are proved at once.

use crate::channel::{Ask, Channel};
use crate::groups::G1;
use crate::{Refusal, dory};
use alloc::vec;
use alloc::vec::Vec;
use ark_bls12_381::{Fr, G1Projective};
use ark_ec::{AffineRepr, VariableBaseMSM};
use ark_ff::{AdditiveGroup, Field, Zero as _};
use core::iter::zip;

/// Slots of an entry.
pub const WIDTH: usize = 8;

/// A constant plus a linear combination of slots.
#[derive(Clone, Debug)]
pub struct Form {
    /// Slot and coefficient; a slot may occur more than once.
    pub terms: Vec<(usize, Fr)>,
    /// The constant.
    pub constant: Fr,
}

impl Form {
    /// A public number.
    pub fn constant(constant: Fr) -> Self {
        Self { terms: Vec::new(), constant }
    }

    /// One slot.
    pub fn slot(slot: usize) -> Self {
        Self { terms: vec![(slot, Fr::ONE)], constant: Fr::ZERO }
    }

    /// `self + factor * other`.
    pub fn plus(mut self, factor: Fr, other: &Form) -> Self {
        self.constant += factor * other.constant;
        self.terms.extend(other.terms.iter().map(|(slot, c)| (*slot, factor * c)));
        self
    }

    /// `factor * self`.
    pub fn times(mut self, factor: Fr) -> Self {
        self.constant *= factor;
        for (_, coefficient) in &mut self.terms {
            *coefficient *= factor;
        }
        self
    }
}

/// `form = 0`.
#[derive(Clone, Debug)]
pub struct Zero {
    /// Which check it comes from, for a prover that made a mistake.
    pub name: &'static str,
    /// What is zero.
    pub form: Form,
}

/// `a * b = c`.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Which check it comes from.
    pub name: &'static str,
    /// Left factor.
    pub a: Form,
    /// Right factor.
    pub b: Form,
    /// Product.
    pub c: Form,
}

/// Coefficients of the slots of an entry.
pub type Row = [Fr; WIDTH];

/// The entries so far and all that is claimed of them.
#[derive(Default)]
pub struct Ledger {
    entries: Vec<G1>,
    zeros: Vec<Zero>,
    gates: Vec<Gate>,
}

impl Ledger {
    /// `count` new slots, in as many entries as they need.
    pub fn slots(&mut self, channel: &mut impl Channel, ask: Ask<'_>, count: usize) -> Result<Vec<Form>, Refusal> {
        let first = self.entries.len() * WIDTH;
        self.entries.extend(channel.entries(ask, count)?);
        Ok((first..first + count).map(Form::slot).collect())
    }

    /// The last entry.
    pub fn last(&self) -> Option<G1> {
        self.entries.last().copied()
    }

    /// Claims `form = 0`.
    pub fn zero(&mut self, name: &'static str, form: Form) {
        self.zeros.push(Zero { name, form });
    }

    /// Claims `a * b = c`.
    pub fn gate(&mut self, name: &'static str, a: Form, b: Form, c: Form) {
        self.gates.push(Gate { name, a, b, c });
    }

    /// Proves every claim. `generators` are `g_1..g_8`, `g_v`, `h`. The order of messages is part of the soundness.
    /// Spec: ledger.close.
    pub fn close(mut self, channel: &mut impl Channel, generators: &dory::LedgerGenerators) -> Result<(), Refusal> {
        self.prove_gates(channel)?;
        // All constraints become one, sum_i <l_i, w_i> = t.
        let rho = channel.challenge("ledger.constraints");
        let mut l = vec![[Fr::ZERO; WIDTH]; self.entries.len().next_power_of_two()];
        let (mut t, mut power) = (Fr::ZERO, Fr::ONE);
        for Zero { form, .. } in &self.zeros {
            t -= power * form.constant;
            for (slot, coefficient) in &form.terms {
                l[slot / WIDTH][slot % WIDTH] += power * coefficient;
            }
            power *= rho;
        }
        self.prove_scalar_product(channel, generators, l, t)
    }

    /// `f(k) = a_k`, `g(k) = b_k`, `h = f g` through `h(k) = c_k`; `f(0)`, `g(0)` random; `f(z)`, `g(z)` revealed.
    /// Spec: ledger.gates.
    fn prove_gates(&mut self, channel: &mut impl Channel) -> Result<(), Refusal> {
        let gates = core::mem::take(&mut self.gates);
        let n = gates.len();
        // f(0), g(0), h(0), h(N+1), .., h(2N)
        let zeros = core::mem::take(&mut self.zeros);
        let masks = self.slots(channel, Ask::Gates { gates: &gates, zeros: &zeros }, n + 3)?;
        self.zeros = zeros;
        let (f, g, h, high) = match masks.as_slice() {
            [f, g, h, high @ ..] => (f, g, h, high),
            _ => return Err(Refusal::LedgerValue),
        };
        let z = channel.challenge("ledger.gates");
        if (0..=2 * n as u64).any(|k| z == Fr::from(k)) {
            return Err(Refusal::DegenerateChallenge);
        }
        // Absorbed before anything else is drawn: otherwise all gates can be false.
        let f_z = channel.scalar(Ask::GateLeft { gates: &gates, z })?;
        let g_z = channel.scalar(Ask::GateRight { gates: &gates, z })?;
        let short = lagrange(n, z)?;
        let long = lagrange(2 * n, z)?;
        let sum = |weights: &[Fr], forms: &mut dyn Iterator<Item = &Form>, value: Fr| {
            zip(weights, forms).fold(Form::constant(-value), |sum, (weight, form)| sum.plus(*weight, form))
        };
        self.zero("ledger.left", sum(&short, &mut core::iter::once(f).chain(gates.iter().map(|gate| &gate.a)), f_z));
        self.zero("ledger.right", sum(&short, &mut core::iter::once(g).chain(gates.iter().map(|gate| &gate.b)), g_z));
        self.zero(
            "ledger.product",
            sum(&long, &mut core::iter::once(h).chain(gates.iter().map(|gate| &gate.c)).chain(high), f_z * g_z),
        );
        Ok(())
    }

    /// `sum_i <l_i, w_i> = t` by folding the entries in halves. Spec: ledger.fold.
    fn prove_scalar_product(
        self,
        channel: &mut impl Channel,
        generators: &dory::LedgerGenerators,
        mut l: Vec<Row>,
        t: Fr,
    ) -> Result<(), Refusal> {
        let dory::LedgerGenerators { g, g_v, h } = *generators;
        // T = t g_v + sum over rounds of x A + x^-1 B commits to the scalar product.
        let (mut bases, mut scalars) = (vec![g_v], vec![t]);
        let mut weights = vec![Fr::ONE];
        let mut previous = None;
        while l.len() > 1 {
            let a = channel.g1(Ask::CrossLeft { rows: &l, previous })?;
            let b = channel.g1(Ask::CrossRight { rows: &l, previous })?;
            let x = channel.challenge("ledger.fold");
            // w <- w + x w', l <- l + x^-1 l', C <- C + x C', T <- T + x A + x^-1 B
            let inverse = x.inverse().ok_or(Refusal::DegenerateChallenge)?;
            bases.extend([a, b]);
            scalars.extend([x, inverse]);
            let upper = l.split_off(l.len() / 2);
            for (row, other) in zip(&mut l, upper) {
                for (value, other) in zip(row, other) {
                    *value += inverse * other;
                }
            }
            weights = weights.iter().flat_map(|weight| [*weight, *weight * x]).collect();
            previous = Some(x);
        }
        let l = l.first().copied().unwrap_or([Fr::ZERO; WIDTH]);
        // A Schnorr proof of knowledge of w, s, tau: C = <w, g> + s h, T = <l, w> g_v + tau h.
        let d = channel.g1(Ask::SchnorrSlots { previous })?;
        let e = channel.g1(Ask::SchnorrValue { row: &l })?;
        let c = channel.challenge("ledger.schnorr");
        let mut z = [Fr::ZERO; WIDTH];
        for (slot, z) in z.iter_mut().enumerate() {
            *z = channel.scalar(Ask::SchnorrResponse { slot, challenge: c })?;
        }
        let z_s = channel.scalar(Ask::SchnorrBlinding { challenge: c })?;
        let z_tau = channel.scalar(Ask::SchnorrValueBlinding { challenge: c })?;

        // <z, g> + z_s h = D + c C, C = sum of the entries times their products of challenges
        let opened: Vec<Fr> = weights.iter().map(|weight| -c * weight).take(self.entries.len()).collect();
        let bases_c = [&self.entries[..], &g, &[h, d]].concat();
        let scalars_c = [&opened[..], &z, &[z_s, -Fr::ONE]].concat();
        if !msm(&bases_c, &scalars_c).is_zero() {
            return Err(Refusal::LedgerOpening);
        }
        // <l, z> g_v + z_tau h = E + c T
        let value: Fr = zip(&l, &z).map(|(l, z)| *l * z).sum();
        bases.extend([g_v, h, e]);
        let mut scalars: Vec<Fr> = scalars.into_iter().map(|scalar| -c * scalar).collect();
        scalars.extend([value, z_tau, -Fr::ONE]);
        if !msm(&bases, &scalars).is_zero() {
            return Err(Refusal::LedgerValue);
        }
        Ok(())
    }
}

/// `sum scalars * bases`.
fn msm(bases: &[G1], scalars: &[Fr]) -> G1Projective {
    match G1Projective::msm(bases, scalars) {
        Ok(sum) => sum,
        // Lengths are equal by construction; a sum that nothing expects refuses the proof.
        Err(_) => G1::generator().into(),
    }
}

/// The Lagrange polynomials of the points `0..=n` at `z`, which is none of them. Spec: ledger.lagrange.
pub fn lagrange(n: usize, z: Fr) -> Result<Vec<Fr>, Refusal> {
    // L_k(z) = prod_{i != k} (z - i) / (k - i): weights (-1)^(n-k) / (k! (n-k)!)
    let mut factorials = vec![Fr::ONE];
    for k in 1..=n as u64 {
        factorials.push(factorials[k as usize - 1] * Fr::from(k));
    }
    let differences: Vec<Fr> = (0..=n as u64).map(|k| z - Fr::from(k)).collect();
    let all: Fr = differences.iter().product();
    zip(0..=n, &differences)
        .map(|(k, difference)| {
            let denominator =
                (factorials[k] * factorials[n - k] * difference).inverse().ok_or(Refusal::DegenerateChallenge)?;
            Ok(if (n - k).is_multiple_of(2) { all * denominator } else { -all * denominator })
        })
        .collect()
}
