//! Decides that every looked-up tuple is a row of its table: LogUp (eprint 2022/1530) summed by a GKR tree of fractions
//! (2023/1284). Spec: tlookup.
//!
//! With challenges `alpha`, `beta` drawn after all columns and multiplicities are committed, a lookup's leaf is the fraction
//! `1 / d`, `d = alpha + in + beta out + beta^2 out2 + beta^3 tag`; a table's leaf is `-m / d`; every other leaf is `0 / 1`.
//! The fractions sum to 0 iff, up to an error of leaves / r, every looked-up tuple is in its table.

use crate::Refusal;
use crate::arith::mle;
use crate::channel::{Ask, Channel, Sumcheck};
use crate::claim::{Driver, Parts, Reader};
use crate::ledger::Form;
use crate::opening::{Factor, PoolTerm};
use crate::plan::BlockKind;
use crate::program::Sum;
use crate::sumcheck::sumcheck;
use alloc::vec;
use alloc::vec::Vec;
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};

/// `alpha`, `beta` and the constant `alpha + beta^3 tag` they give a table.
#[derive(Clone, Copy, Debug)]
pub struct Challenges {
    /// Separates rows.
    pub alpha: Fr,
    /// Separates the components of a row.
    pub beta: Fr,
}

impl Challenges {
    /// `alpha + beta^3 (table + 1)`.
    pub fn base(&self, table: usize) -> Fr {
        self.alpha + self.beta * self.beta.square() * Fr::from(table as u64 + 1)
    }

    /// `1, beta, beta^2`.
    pub fn powers(&self) -> [Fr; 3] {
        [Fr::ONE, self.beta, self.beta.square()]
    }
}

impl<C: Channel> Driver<'_, C> {
    /// Proves all lookups, up to claims on columns and products.
    pub fn lookups(&mut self) -> Result<(), Refusal> {
        let challenges =
            Challenges { alpha: self.channel.challenge("tlookup"), beta: self.channel.challenge("tlookup") };
        let (point, p, q) = self.tree(challenges)?;
        self.numerators(&point, p)?;
        self.denominators(challenges, &point, q)
    }

    /// From the root, `P = 0` and `Q * Qinv = 1`, to claims `P~(point)`, `Q~(point)` on the leaves. Spec: tlookup.tree.
    fn tree(&mut self, Challenges { alpha, beta }: Challenges) -> Result<(Vec<Fr>, Form, Form), Refusal> {
        let root = self.ledger.slots(self.channel, Ask::Root { alpha, beta }, 2)?;
        let [q, inverse] = root.as_slice() else { return Err(Refusal::LedgerValue) };
        self.ledger.gate("tlookup.root", q.clone(), inverse.clone(), Form::constant(Fr::ONE));
        let (mut point, mut p, mut q) = (Vec::new(), Form::constant(Fr::ZERO), q.clone());
        for level in 0..self.plan.leaf_bits {
            // p + lambda q = sum_x eq(point, x) (p0 q1 + p1 q0 + lambda q0 q1)(x)
            let lambda = self.channel.challenge("tlookup.lambda");
            let of = Sumcheck::Tree { level, point: &point, lambda };
            let coordinates: Vec<_> = point.iter().copied().map(Some).collect();
            let (r, value) = sumcheck(self.channel, &mut self.ledger, of, p.plus(lambda, &q), coordinates)?;
            // p0 q1 = c, q0 (p1 + lambda q1) = value - c
            let end = self.ledger.slots(self.channel, Ask::End { of, point: &r }, 5)?;
            let [p0, p1, q0, q1, c] = end.as_slice() else { return Err(Refusal::LedgerValue) };
            self.ledger.gate("tlookup.left", p0.clone(), q1.clone(), c.clone());
            self.ledger.gate("tlookup.right", q0.clone(), p1.clone().plus(lambda, q1), value.plus(-Fr::ONE, c));
            // The two children become one claim at (r, mu).
            let mu = self.channel.challenge("tlookup.mu");
            let mix = |zero: &Form, one: &Form| zero.clone().times(Fr::ONE - mu).plus(mu, one);
            (p, q) = (mix(p0, p1), mix(q0, q1));
            point = r;
            point.push(mu);
        }
        Ok((point, p, q))
    }

    /// `P~ = sum over lookups eq(prefix) n~ - sum over tables eq(prefix) m~`: binds the multiplicities.
    /// Spec: tlookup.numerators.
    fn numerators(&mut self, point: &[Fr], p: Form) -> Result<(), Refusal> {
        let program = &self.plan.program;
        let mut parts = Parts::default();
        for block in &self.plan.blocks {
            let (prefix, suffix) = point.split_at(point.len() - block.bits);
            let weight = mle::eq_index(prefix, block.offset >> block.bits);
            match block.kind {
                BlockKind::Lookup(id) => {
                    let lookup = &program.lookups[id];
                    let reader = Reader::at(program, &lookup.axes, lookup.causal, suffix);
                    parts.add(program, weight, &Sum::constant(1), &reader)?;
                }
                BlockKind::Table(_, column) => {
                    parts.columns.push(PoolTerm {
                        coefficient: -weight,
                        column,
                        factors: vec![Factor::Eq(suffix.to_vec())],
                    });
                }
            }
        }
        self.split("tlookup.numerators", parts, p)
    }

    /// `Q~ = 1 + sum over blocks eq(prefix) ((alpha + beta^3 tag - 1) n~ + <in> + beta <out> + beta^2 <out2>)`.
    /// Spec: tlookup.denominators.
    fn denominators(&mut self, challenges: Challenges, point: &[Fr], q: Form) -> Result<(), Refusal> {
        let program = &self.plan.program;
        let mut parts = Parts { public: Fr::ONE, ..Parts::default() };
        for block in &self.plan.blocks {
            let (prefix, suffix) = point.split_at(point.len() - block.bits);
            let weight = mle::eq_index(prefix, block.offset >> block.bits);
            match block.kind {
                BlockKind::Lookup(id) => {
                    let lookup = &program.lookups[id];
                    let reader = Reader::at(program, &lookup.axes, lookup.causal, suffix);
                    let base = weight * (challenges.base(lookup.table) - Fr::ONE);
                    parts.add(program, base, &Sum::constant(1), &reader)?;
                    // A row has no entry that is not looked up, and none beside it.
                    if lookup.values.len() != program.tables[lookup.table].entries() {
                        return Err(Refusal::BadCard);
                    }
                    for (sum, power) in lookup.values.iter().zip(challenges.powers()) {
                        parts.add(program, weight * power, sum, &reader)?;
                    }
                }
                BlockKind::Table(table, _) => {
                    let mut value = challenges.base(table) - Fr::ONE + mle::identity(suffix);
                    let outputs = program.tables[table].extensions(suffix);
                    for (output, power) in outputs.into_iter().zip(challenges.powers().into_iter().skip(1)) {
                        value += power * output;
                    }
                    parts.public += weight * value;
                }
            }
        }
        self.split("tlookup.denominators", parts, q)
    }
}
