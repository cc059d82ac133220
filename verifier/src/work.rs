//! Decides how much work and memory a verification may take, from its plan alone, before it begins. Spec: verify.work.

use crate::channel::Sumcheck;
use crate::einsum::{operands, shared_axes};
use crate::ledger::WIDTH;
use crate::plan::Plan;
use crate::program::{AxisId, Index, ProductId, ProductKind, Program, Source, Sum, Table, Term};
use crate::sumcheck::at_once;
use crate::{Refusal, dory, limits};
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use ark_bls12_381::Fr;
use ark_ff::AdditiveGroup;
use core::iter::{successors, zip};

/// What a verification takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Time: a unit is about that of a multiplication in the scalar field, 30 ns on one core of a processor of 2020.
    pub units: u64,
    /// Memory: bytes that it has at most at once, beside card and receipt.
    pub bytes: u64,
    /// Bytes of the proof.
    pub proof_bytes: u64,
}

/// The most that a caller lets a verification take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Units of work, as [`Work::units`].
    pub work: u64,
    /// Bytes of memory, as [`Work::bytes`].
    pub memory: u64,
}

impl Default for Limits {
    /// What the specification allows, and any memory.
    fn default() -> Self {
        Self { work: limits::WORK, memory: u64::MAX }
    }
}

impl Limits {
    /// Refuses more work than this, and in any case more than the specification allows. Spec: verify.work.
    ///
    /// # Errors
    /// `OverWork`.
    pub fn allow(&self, work: &Work) -> Result<(), Refusal> {
        let within = work.units <= self.work.min(limits::WORK) && work.bytes <= self.memory;
        if within { Ok(()) } else { Err(Refusal::OverWork) }
    }
}

impl Work {
    /// The work of a plan; what 64 bits do not hold is the most that they do. Spec: verify.work.
    pub fn of(plan: &Plan) -> Self {
        let mut count = Count { plan, program: &plan.program, units: 0, entries: 0, gates: 0, weights: 0, longest: 0 };
        count.lookups();
        let mut wave = count.statements();
        while wave.iter().any(|claims| *claims > 0) {
            wave = count.wave(&wave);
        }
        count.total()
    }
}

/// Claims on products, by what makes them one: the product, and where its points are cut from that of the reader.
type Claims = BTreeSet<(ProductId, Vec<(usize, usize)>)>;

struct Count<'a> {
    plan: &'a Plan,
    program: &'a Program,
    units: u64,
    /// Of the ledger.
    entries: u64,
    gates: u64,
    /// Numbers of weights that are kept until the opening, and of the longest.
    weights: u64,
    longest: u64,
}

impl Count<'_> {
    fn add(&mut self, units: u64, times: u64) {
        self.units = self.units.saturating_add(units.saturating_mul(times));
    }

    fn entries(&mut self, slots: u64, times: u64) {
        self.entries = self.entries.saturating_add(slots.div_ceil(WIDTH as u64).saturating_mul(times));
    }

    /// The tree and its tables.
    fn lookups(&mut self) {
        let messages = |level: usize| {
            let of = Sumcheck::Tree { level, point: &[], lambda: Fr::ZERO };
            successors(Some(level), |left| left.checked_sub(at_once(of, *left))).take_while(|left| *left > 0).count()
        };
        self.entries += 1 + (0..self.plan.leaf_bits).map(|level| messages(level) as u64 + 1).sum::<u64>();
        self.gates += 1 + 2 * self.plan.leaf_bits as u64;
        for table in &self.program.tables {
            let rows = 1u64 << table.bits();
            match table {
                Table::Range { .. } => (),
                Table::Exp { .. } => self.add(1, rows),
                Table::Silu { .. } => {
                    self.add(1, rows);
                    self.longest = self.longest.max(rows / 16);
                }
            }
        }
    }

    /// Lookups and zero statements; the claims of the first wave.
    fn statements(&mut self) -> Vec<u64> {
        let (program, mut wave) = (self.program, vec![0; self.program.products.len()]);
        let mut claims = Claims::new();
        for lookup in &program.lookups {
            let pair = lookup.axes.last_chunk::<2>().filter(|_| lookup.causal);
            for term in lookup.values.iter().flat_map(|sum| &sum.terms) {
                // Where the later axis is not read, the sum over it stands at the earlier one.
                let vector = pair.filter(|[_, u]| term.index.iter().all(|index| index.reader() != Some(*u)));
                self.read(term, &lookup.axes, vector.map(|[t, _]| *t), 1, &mut claims);
            }
        }
        self.split(&claims, 1, &mut wave);
        for zero in &program.zeros {
            self.sum(&zero.sum, &zero.axes, None, 1, &mut wave);
        }
        wave
    }

    /// A sum under weights, read `times` times, each time in a split of its own.
    fn sum(&mut self, sum: &Sum, axes: &[AxisId], vector: Option<AxisId>, times: u64, wave: &mut [u64]) {
        let mut claims = Claims::new();
        sum.terms.iter().for_each(|term| self.read(term, axes, vector, times, &mut claims));
        self.split(&claims, times, wave);
    }

    /// Values of products in entries, and the products in the next wave.
    fn split(&mut self, claims: &Claims, times: u64, wave: &mut [u64]) {
        self.entries(claims.len() as u64, times);
        for (product, _) in claims {
            wave[*product] = wave[*product].saturating_add(times);
        }
    }

    /// A term of a reader with these axes, whose axis `vector` has a weight that is no eq.
    fn read(&mut self, term: &Term, axes: &[AxisId], vector: Option<AxisId>, times: u64, claims: &mut Claims) {
        let (program, length) = (self.program, |axis: AxisId| self.program.axes[axis].length as u64);
        let id = match term.source {
            Source::Column(id) => id,
            Source::Product(id) => {
                let place = |axis: AxisId| {
                    let at = axes.iter().position(|other| *other == axis).map_or(axes.len(), |at| at + 1);
                    match program.axes[axis].bits {
                        0 => (0, 0),
                        bits => (program.bits(axes.get(at..).unwrap_or_default()), bits),
                    }
                };
                claims.insert((id, term.index.iter().filter_map(|index| index.reader()).map(place).collect()));
                return;
            }
            Source::Below(list) => return self.add(80 * program.lists[list].len() as u64, times),
        };
        self.add(300, times);
        for (index, &source) in zip(&term.index, &program.columns[id].axes) {
            let (units, weights) = match *index {
                Index::At(axis) if vector != Some(axis) => continue,
                Index::At(axis) | Index::Before(axis) => (4 * length(axis), length(axis)),
                Index::All => (4 * length(source), length(source)),
                Index::Pick(axis, _) => (10 * length(axis), length(axis).min(length(source))),
            };
            self.add(units, times);
            self.weights = self.weights.saturating_add(weights.saturating_mul(times));
            self.longest = self.longest.max(weights);
        }
        // A column of several chunks has a weight for each.
        let bits = program.bits(&program.columns[id].axes).saturating_sub(2 * self.plan.chunk_log).min(32);
        if bits > 0 {
            self.add(8 << bits, times);
        }
    }

    /// The claims of a wave, `wave[..]` on each product, side by side; those of the next one.
    fn wave(&mut self, wave: &[u64]) -> Vec<u64> {
        let (program, mut next) = (self.program, vec![0; wave.len()]);
        let (mut rounds, mut ends) = (Vec::new(), 0u64);
        for (product, &times) in zip(&program.products, wave).filter(|(_, times)| **times > 0) {
            let bits = program.bits(&shared_axes(product));
            rounds.resize(rounds.len().max(bits), 0u64);
            rounds[..bits].iter_mut().for_each(|claims| *claims = claims.saturating_add(times));
            ends = ends.saturating_add(times.saturating_mul(operands(product) as u64));
            let mut vector = None;
            match &product.kind {
                ProductKind::Rotary(rotary) => {
                    let [positions, pairs] = [rotary.time, rotary.pair].map(|axis| program.axes[axis].length as u64);
                    self.add((positions + 64).saturating_mul(pairs), times);
                    self.longest = self.longest.max(pairs).max(positions);
                }
                ProductKind::Scores(_) => vector = product.axes.last().copied(),
                ProductKind::Einsum(_) => (),
            }
            if !matches!(product.kind, ProductKind::Rotary(_)) {
                self.gates = self.gates.saturating_add(times);
            }
            for operand in product.operands().take(operands(product)) {
                self.sum(&operand.sum, &operand.axes, vector, times, &mut next);
            }
        }
        rounds.into_iter().for_each(|claims| self.entries(claims.saturating_mul(2), 1));
        self.entries(ends, 1);
        next
    }

    /// The opening, the ledger's end, and what there is of everything.
    fn total(mut self) -> Work {
        let (plan, program) = (self.plan, self.program);
        let (chunks, s) = (plan.chunks() as u64, plan.chunk_log as u64);
        self.entries(chunks, 1);
        self.entries(self.gates.saturating_add(3), 1);
        self.entries = self.entries.saturating_add(2 * s + 1);
        let points = self
            .entries
            .saturating_add(2 * u64::from(self.entries.saturating_sub(1).checked_ilog2().map_or(0, |log| log + 1)) + 2);
        let statements = (program.lookups.len() + program.columns.len()) as u64;
        self.add(300_000, s + 1);
        self.add(18_000, chunks);
        self.add(6_000, points);
        self.add(1_000, statements);
        let tokens = program.lists.iter().map(|list| list.len() as u64).sum::<u64>();
        let bytes = [
            (1 << 20, 1),
            // Of the last products of an opening, two for each of its rounds and more; of the first one, one for each chunk.
            (80_000, s),
            (10_240, chunks),
            (4_096, statements),
            (512, points),
            (40, self.weights),
            (96, self.longest),
            (32, tokens),
        ];
        let proof = plan.witness_chunks as u64 * 192 + 12 * 32 + dory::proof_length(plan.chunk_log) as u64;
        Work {
            units: self.units,
            bytes: bytes.iter().fold(0, |sum: u64, (size, count)| sum.saturating_add(count.saturating_mul(*size))),
            proof_bytes: proof.saturating_add(points.saturating_mul(48)),
        }
    }
}
