//! Decides how a CPU holds the nodes of a layer of the fraction tree above one block, and sums over them.
//!
//! The summand is `p0 q1 + q0 s` with `s = p1 + lambda q1`; and `lambda t0 t1 - p0 p1 / lambda` with
//! `t = q + p / lambda`, which needs one product where all numerators are 1: there `p0` and `p1` are constant along a
//! row but for its end.

use std::ops::Range;

use ark_bls12_381::Fr;
use ark_ff::{One, Zero};

use super::axes::{Axes, by_runs, fold_values, pad_rows};
use super::runs::{add_scaled, fold_run, pair_sums};
use super::tree::{Dense, Fractions, Shifted, node_axes};
use crate::Denominators;
use crate::layer::{self, Quad, padding};

/// Nodes read at a time from the level below.
const RUN: usize = 512;
/// Denominators held beside them.
const STEP: usize = 64;

/// A value along every row: `inner`, but `end` at its last entry.
#[derive(Clone, Copy)]
struct Row {
    inner: Fr,
    end: Fr,
}

/// The nodes above one block.
pub struct Part {
    axes: Axes,
    offset: u64,
    lambda: Fr,
    /// 0 where lambda is.
    inverse: Fr,
    state: State,
}

enum State {
    /// Nothing bound: the level below, rows of `length`.
    Below {
        fractions: Fractions,
        length: usize,
        dropped: bool,
    },
    /// The same, numerators all 1; the denominators are `t`.
    InversesBelow {
        fractions: Fractions,
        length: usize,
        dropped: bool,
    },
    Quads([Vec<Fr>; 4]),
    Inverses {
        t: [Vec<Fr>; 2],
        p: [Row; 2],
    },
}

/// Every other child of a run of nodes, to `out`: the first (`odd = 0`) or second ones; `missing` where there is none.
fn children(
    read: impl Fn(usize, usize, &mut [Fr]),
    (length, dropped, row_nodes): (usize, bool, usize),
    (row, nodes, odd): (usize, Range<usize>, usize),
    missing: Fr,
    out: &mut [Fr],
) {
    if dropped {
        // The last axis of the level below is one node: a node is a row there.
        if odd < length {
            read((row * row_nodes + nodes.start) * length + odd, length, out);
        } else {
            out.fill(missing);
        }
        return;
    }
    let there = ((length + 1 - odd) / 2).min(nodes.end) - nodes.start;
    if there > 0 {
        read(row * length + 2 * nodes.start + odd, 2, &mut out[..there]);
    }
    out[there..].fill(missing);
}

impl Row {
    /// Bind the variable between neighbours in rows of `length`, 0 beyond.
    fn fold(&mut self, length: usize, r: Fr) {
        let (low, high) = if length.is_multiple_of(2) { (self.inner, self.end) } else { (self.end, Fr::zero()) };
        self.end = low + r * (high - low);
    }

    /// The last pair.
    fn last(&self, length: usize) -> [Fr; 2] {
        if length.is_multiple_of(2) { [self.inner, self.end] } else { [self.end, Fr::zero()] }
    }
}

impl Part {
    /// Nothing is bound; `inverse` is that of `lambda`, or 0, and added to `tables`.
    pub fn new(block: Dense, rho: &[Fr], [lambda, inverse]: [Fr; 2], tables: &Shifted) -> Part {
        let (axes, offset) = node_axes(&block, rho);
        let length = *block.lengths.last().expect("a variable");
        let dropped = *block.bits.last().expect("a variable") == 1;
        let mut fractions = block.fractions;
        let state = if !inverse.is_zero() && fractions.are_inverses() {
            if let Fractions::Leaves { denominators, .. } = &mut fractions {
                match denominators {
                    Denominators::Rows { table, .. } => *table = tables.of(table),
                    Denominators::Values(values) => values.iter_mut().for_each(|q| *q += inverse),
                }
            }
            State::InversesBelow { fractions, length, dropped }
        } else {
            State::Below { fractions, length, dropped }
        };
        Part { axes, offset, lambda, inverse, state }
    }

    /// Component `k` (of a quad, or of `t`) of a run of nodes of the level below.
    fn read(&self, k: usize, row: usize, nodes: Range<usize>, out: &mut [Fr]) {
        let row_nodes = self.axes.last_length();
        match &self.state {
            State::Below { fractions, length, dropped } => {
                let shape = (*length, *dropped, row_nodes);
                let p = |from: usize, step: usize, out: &mut [Fr]| fractions.numerators_by(from, step, out);
                let q = |from: usize, step: usize, out: &mut [Fr]| fractions.denominators_by(from, step, out);
                match k {
                    0 => children(p, shape, (row, nodes, 0), Fr::zero(), out),
                    1 => {
                        children(p, shape, (row, nodes.clone(), 1), Fr::zero(), out);
                        let mut denominators = [Fr::zero(); STEP];
                        for (c, out) in out.chunks_mut(STEP).enumerate() {
                            let start = nodes.start + c * STEP;
                            let denominators = &mut denominators[..out.len()];
                            children(q, shape, (row, start..start + out.len(), 1), Fr::one(), denominators);
                            add_scaled(out, self.lambda, denominators);
                        }
                    }
                    _ => children(q, shape, (row, nodes, k - 2), Fr::one(), out),
                }
            }
            State::InversesBelow { fractions, length, dropped } => {
                let t = |from: usize, step: usize, out: &mut [Fr]| fractions.denominators_by(from, step, out);
                children(t, (*length, *dropped, row_nodes), (row, nodes, k), Fr::one(), out);
            }
            State::Quads(_) | State::Inverses { .. } => unreachable!("the level below is gone"),
        }
    }

    /// `p0` and `p1` along the rows, where numerators are 1.
    fn numerators(&self) -> [Row; 2] {
        match &self.state {
            State::InversesBelow { length, dropped, .. } => {
                let one = Row { inner: Fr::one(), end: Fr::one() };
                let zero = Fr::zero();
                let second = match (dropped, length % 2) {
                    (true, 1) => Row { inner: zero, end: zero },
                    (false, 1) => Row { inner: Fr::one(), end: zero },
                    _ => one,
                };
                [one, second]
            }
            State::Inverses { p, .. } => *p,
            State::Below { .. } | State::Quads(_) => unreachable!("numerators are stored"),
        }
    }

    /// `sum w (a1 b1 - a0 b0)` and `sum w (a1 - a0)(b1 - b0)` over the pairs of components `a` and `b`.
    fn sums(&self, a: usize, b: usize, paddings: [Fr; 2]) -> [Fr; 2] {
        let length = self.axes.last_length();
        let stored = match &self.state {
            State::Quads(values) => Some((&values[a], &values[b])),
            State::Inverses { t, .. } => Some((&t[a], &t[b])),
            State::Below { .. } | State::InversesBelow { .. } => None,
        };
        self.axes.sum(|row, pairs, weights, scratch| {
            let weights = weights.expect("eq weights on every axis");
            let nodes = 2 * pairs.start..(2 * pairs.end).min(length);
            if let Some((a, b)) = stored {
                let run = row * length + nodes.start..row * length + nodes.end;
                return pair_sums(&a[run.clone()], &b[run], paddings, Some(weights));
            }
            let mut sums = [Fr::zero(); 2];
            scratch.resize(2 * RUN, Fr::zero());
            let (first, second) = scratch.split_at_mut(RUN);
            for start in nodes.clone().step_by(RUN) {
                let run = start..(start + RUN).min(nodes.end);
                let (first, second) = (&mut first[..run.len()], &mut second[..run.len()]);
                self.read(a, row, run.clone(), first);
                self.read(b, row, run.clone(), second);
                let part = pair_sums(first, second, paddings, Some(&weights[(start - nodes.start) / 2..]));
                sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
            sums
        })
    }

    /// Write out numerators that were constant along rows.
    fn store_quads(&mut self) {
        let Part { lambda, inverse, .. } = *self;
        let State::Inverses { t, p } = &mut self.state else {
            return;
        };
        let length = self.axes.last_length();
        let p = p.map(|p| {
            let entry = |i: usize| if (i + 1).is_multiple_of(length) { p.end } else { p.inner };
            (0..t[0].len()).map(entry).collect::<Vec<_>>()
        });
        for (t, p) in t.iter_mut().zip(&p) {
            add_scaled(t, -inverse, p);
        }
        let [q0, q1] = std::mem::take(t);
        let [p0, mut s] = p;
        add_scaled(&mut s, lambda, &q1);
        self.state = State::Quads([p0, s, q0, q1]);
        self.axes.join();
    }
}

impl layer::Part for Part {
    type Round = [Fr; 2];

    fn axes(&self) -> &Axes {
        &self.axes
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn round(&mut self, round: &mut [Fr; 2]) {
        let Part { lambda, inverse, .. } = *self;
        let terms = match &self.state {
            State::Below { .. } | State::Quads(_) => {
                let one = self.sums(0, 3, [Fr::zero(), Fr::one()]);
                let two = self.sums(2, 1, [Fr::one(), lambda]);
                [one[0] + two[0], one[1] + two[1]]
            }
            State::InversesBelow { .. } | State::Inverses { .. } => {
                let sums = self.sums(0, 1, [Fr::one(); 2]);
                // p0 p1 changes at the last pair of a row only.
                let length = self.axes.last_length();
                let [[a0, a1], [b0, b1]] = self.numerators().map(|p| p.last(length));
                let weight = inverse * self.axes.weight_of_last_pairs();
                [lambda * sums[0] - weight * (a1 * b1 - a0 * b0), lambda * sums[1] - weight * (a1 - a0) * (b1 - b0)]
            }
        };
        round.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
    }

    fn total(round: [Fr; 2]) -> [Fr; 2] {
        round
    }

    fn bind(&mut self, r: Fr) {
        let length = self.axes.last_length();
        let half = length.div_ceil(2);
        let rows = self.axes.size() / length;
        // Component k of the level below, folded.
        let folded = |part: &Part, k: usize, padding: Fr| {
            by_runs(rows, half, |row, pairs, out, below| {
                below.resize(2 * RUN, Fr::zero());
                let nodes = 2 * pairs.start..(2 * pairs.end).min(length);
                let below = &mut below[..nodes.len()];
                for (c, below) in below.chunks_mut(RUN).enumerate() {
                    let start = nodes.start + c * RUN;
                    part.read(k, row, start..start + below.len(), below);
                }
                fold_run(below, r, padding, out);
            })
        };
        let paddings = padding(self.lambda);
        let state = match &mut self.state {
            State::Quads(values) => {
                for (values, padding) in values.iter_mut().zip(paddings) {
                    *values = fold_values(values, length, r, padding);
                }
                None
            }
            State::Inverses { t, p } => {
                t.iter_mut().for_each(|t| *t = fold_values(t, length, r, Fr::one()));
                p.iter_mut().for_each(|p| p.fold(length, r));
                None
            }
            State::Below { .. } => {
                self.axes.join();
                Some(State::Quads([0, 1, 2, 3].map(|k: usize| folded(self, k, paddings[k]))))
            }
            State::InversesBelow { .. } => {
                let mut p = self.numerators();
                p.iter_mut().for_each(|p| p.fold(length, r));
                Some(State::Inverses { t: [0, 1].map(|k: usize| folded(self, k, Fr::one())), p })
            }
        };
        if let Some(state) = state {
            self.state = state;
        }
        let axes = self.axes.bits().len();
        self.axes.fold();
        if self.axes.bits().len() < axes
            && let State::Inverses { p, .. } = &mut self.state
        {
            // Rows are now entries of the axis before, each with the value of its one entry.
            p.iter_mut().for_each(|p| p.inner = p.end);
        }
        self.offset /= 2;
        while let Some((length, full)) = self.axes.short_rows() {
            self.store_quads();
            if let State::Quads(values) = &mut self.state {
                for (values, padding) in values.iter_mut().zip(paddings) {
                    *values = pad_rows(values, length, full, padding);
                }
            }
            self.axes.fill_rows();
        }
    }

    fn quads(mut self) -> Vec<Quad> {
        let (size, length) = (self.axes.size(), self.axes.last_length());
        let all =
            |part: &Part, k: usize| by_runs(size / length, length, |row, nodes, out, _| part.read(k, row, nodes, out));
        match &self.state {
            State::Below { .. } => self.state = State::Quads([0, 1, 2, 3].map(|k| all(&self, k))),
            State::InversesBelow { .. } => {
                let (t, p) = ([0, 1].map(|k| all(&self, k)), self.numerators());
                self.state = State::Inverses { t, p };
            }
            State::Quads(_) | State::Inverses { .. } => {}
        }
        self.store_quads();
        let State::Quads(tables) = &self.state else { unreachable!("quads are stored") };
        (0..size).map(|at| [0, 1, 2, 3].map(|k: usize| tables[k][at])).collect()
    }
}
