//! Decides how the fraction tree is built and kept: every level compact, leaf denominators as rows of a table.

use std::sync::Arc;

use ark_bls12_381::Fr;
use ark_ff::{Field, One, Zero};
use rayon::prelude::*;

use super::axes::{Axes, eq_axes, pad_rows};
use super::layer::Part;
use super::runs::merge_run;
use crate::field::zeros;
use crate::layer::{self, Fraction, Late, Layer, Singles};
use crate::leaves::{Size, Stored};
use crate::{Block, Denominators, FractionTree, Numerators};

/// The fractions of one block at one level.
#[derive(Clone)]
pub enum Fractions {
    Leaves { numerators: Numerators, denominators: Denominators },
    Nodes { p: Vec<Fr>, q: Vec<Fr> },
}

impl Fractions {
    /// The fraction at a flat index.
    pub fn at(&self, index: usize) -> (Fr, Fr) {
        let (mut p, mut q) = ([Fr::zero()], [Fr::zero()]);
        self.numerators(index, &mut p);
        self.denominators(index, &mut q);
        (p[0], q[0])
    }

    /// Whether all numerators are 1.
    pub fn are_inverses(&self) -> bool {
        let Fractions::Leaves { numerators: Numerators::One, denominators } = self else { return false };
        !matches!(denominators, Denominators::Rows { rows, .. } if rows.is_causal())
    }

    /// The table that leaves are rows of.
    fn table(&self) -> Option<&Arc<Vec<Fr>>> {
        match self {
            Fractions::Leaves { denominators: Denominators::Rows { table, .. }, .. } => Some(table),
            _ => None,
        }
    }

    /// The numerators from a flat index on.
    pub fn numerators(&self, from: usize, out: &mut [Fr]) {
        self.numerators_by(from, 1, out);
    }

    /// The denominators from a flat index on.
    pub fn denominators(&self, from: usize, out: &mut [Fr]) {
        self.denominators_by(from, 1, out);
    }

    /// Every `step`-th numerator from a flat index on.
    pub fn numerators_by(&self, from: usize, step: usize, out: &mut [Fr]) {
        match self {
            Fractions::Leaves { denominators: Denominators::Rows { rows, .. }, .. } if rows.is_causal() => {
                rows.each(from, step, out.len(), |k, row| out[k] = Fr::from(row.is_some()));
            }
            Fractions::Leaves { numerators: Numerators::One, .. } => out.fill(Fr::one()),
            Fractions::Nodes { p: values, .. } | Fractions::Leaves { numerators: Numerators::Values(values), .. } => {
                copy_by(&values[from..], step, out)
            }
        }
    }

    /// Every `step`-th denominator from a flat index on.
    pub fn denominators_by(&self, from: usize, step: usize, out: &mut [Fr]) {
        match self {
            Fractions::Leaves { denominators: Denominators::Rows { rows, table }, .. } => {
                rows.each(from, step, out.len(), |k, row| out[k] = row.map_or(Fr::one(), |row| table[row]));
            }
            Fractions::Nodes { q: values, .. }
            | Fractions::Leaves { denominators: Denominators::Values(values), .. } => {
                copy_by(&values[from..], step, out)
            }
        }
    }
}

fn copy_by(values: &[Fr], step: usize, out: &mut [Fr]) {
    out.iter_mut().zip(values.iter().step_by(step)).for_each(|(out, value)| *out = *value);
}

/// A block at one level: at `offset`, with at least one variable inside.
#[derive(Clone)]
pub struct Dense {
    pub offset: u64,
    pub lengths: Vec<usize>,
    pub bits: Vec<usize>,
    pub fractions: Fractions,
}

impl Dense {
    /// A block of leaves.
    fn leaves(block: Block) -> Dense {
        let Block { offset, lengths, bits, numerators, denominators } = block;
        // Joined axes make long rows; the points are of no account here.
        let points = bits.iter().map(|_| None).collect();
        let axes = Axes::new(&lengths, &bits, points, Fr::one());
        let fractions = Fractions::Leaves { numerators, denominators };
        Dense { offset, lengths: axes.lengths(), bits: axes.bits(), fractions }
    }

    /// This block, `levels` above.
    pub fn merged(&self, levels: usize) -> Dense {
        match levels {
            0 => self.clone(),
            _ => (1..levels).fold(self.above(), |dense, _| dense.above()),
        }
    }

    /// The level above, of this block alone.
    fn above(&self) -> Dense {
        let length = *self.lengths.last().expect("a variable");
        let rows = self.lengths.iter().rev().skip(1).product::<usize>();
        let (mut p, mut q) = sum_pairs(&self.fractions, rows, length);
        let points = self.bits.iter().map(|_| None).collect();
        let mut axes = Axes::new(&self.lengths, &self.bits, points, Fr::one());
        axes.fold();
        while let Some((length, full)) = axes.short_rows() {
            p = pad_rows(&p, length, full, Fr::zero());
            q = pad_rows(&q, length, full, Fr::one());
            axes.fill_rows();
        }
        let fractions = Fractions::Nodes { p, q };
        Dense { offset: self.offset / 2, lengths: axes.lengths(), bits: axes.bits(), fractions }
    }
}

/// One level: blocks, and single nodes by address; all else is 0/1.
#[derive(Default)]
pub struct Level {
    pub blocks: Vec<Dense>,
    pub singles: Singles,
}

/// See [`crate::Backend::tree`].
pub struct Tree {
    root: (Fr, Fr),
    /// Level `d` at index `d`, emptied by its layer.
    levels: Vec<Option<Level>>,
    /// Leaves that are in no level below `n - lowest`.
    late: Arc<Vec<Dense>>,
    lowest: usize,
}

fn merge((p0, q0): Fraction, (p1, q1): Fraction) -> Fraction {
    (p0 * q1 + p1 * q0, q0 * q1)
}

impl Level {
    fn leaves(blocks: Vec<Block>) -> Level {
        let mut level = Level::default();
        blocks.into_iter().for_each(|block| level.place(Dense::leaves(block)));
        level
    }

    /// Add a block, as a single node when it has no variable left, not at all when it is empty.
    fn place(&mut self, block: Dense) {
        if block.lengths.contains(&0) {
            return;
        }
        if block.bits.iter().all(|bits| *bits == 0) {
            self.singles.insert(block.offset, block.fractions.at(0));
        } else {
            self.blocks.push(block);
        }
    }

    fn above(&self) -> Level {
        let mut level = Level::default();
        for address in layer::above(&self.singles) {
            let child = |k: u64| layer::child(&self.singles, 2 * address + k);
            level.singles.insert(address, merge(child(0), child(1)));
        }
        self.blocks.iter().for_each(|block| level.place(block.above()));
        level
    }
}

/// Add the neighbours of each row of `length` fractions.
fn sum_pairs(fractions: &Fractions, rows: usize, length: usize) -> (Vec<Fr>, Vec<Fr>) {
    const RUN: usize = 512;
    const TASK: usize = 4096;
    let half = length.div_ceil(2);
    let (mut p, mut q) = (zeros(rows * half), zeros(rows * half));
    let part = |row: usize, start: usize, p: &mut [Fr], q: &mut [Fr], children: &mut Vec<Fr>| {
        for (c, (p, q)) in p.chunks_mut(RUN).zip(q.chunks_mut(RUN)).enumerate() {
            let first = 2 * (start + c * RUN);
            let count = (2 * p.len()).min(length - first);
            let from = row * length + first;
            if let Fractions::Nodes { p: below_p, q: below_q } = fractions {
                merge_run(&below_p[from..from + count], &below_q[from..from + count], p, q);
                continue;
            }
            children.resize(4 * RUN, Fr::zero());
            let (below_p, below_q) = children.split_at_mut(2 * RUN);
            fractions.numerators(from, &mut below_p[..count]);
            fractions.denominators(from, &mut below_q[..count]);
            merge_run(&below_p[..count], &below_q[..count], p, q);
        }
    };
    if half >= TASK {
        for (row, (p, q)) in p.chunks_mut(half).zip(q.chunks_mut(half)).enumerate() {
            let parts = p.par_chunks_mut(TASK).zip(q.par_chunks_mut(TASK)).enumerate();
            parts.for_each_init(Vec::new, |children, (c, (p, q))| part(row, c * TASK, p, q, children));
        }
    } else {
        let rows = p.par_chunks_mut(half).zip(q.par_chunks_mut(half)).enumerate().with_min_len(TASK / half);
        rows.for_each_init(Vec::new, |children, (row, (p, q))| part(row, 0, p, q, children));
    }
    (p, q)
}

impl Tree {
    /// See [`crate::Backend::tree`]; as much is stored as `bytes` of memory hold.
    pub fn build(n: usize, blocks: Vec<Block>, bytes: usize) -> Tree {
        assert!(n < 64, "addresses are 64 bits");
        blocks.iter().for_each(|block| block.check(n));
        let stored = Stored::within(bytes as u64, Size::of(&blocks).leaves);
        let (late, blocks) = stored.split(blocks);
        let late: Vec<Dense> = late.into_iter().map(Dense::leaves).collect();
        let mut levels = vec![Level::leaves(blocks)];
        for level in 1..=n {
            levels.push(levels[level - 1].above());
            if level == stored.lowest {
                late.iter().for_each(|leaves| levels[level].place(leaves.merged(level)));
            }
        }
        levels.reverse();
        let root = levels[0].singles.get(&0).copied().unwrap_or((Fr::zero(), Fr::one()));
        let levels = levels.into_iter().map(Some).collect();
        Tree { root, levels, late: Arc::new(late), lowest: stored.lowest }
    }
}

impl FractionTree for Tree {
    type Layer = Layer<Part>;

    fn root(&self) -> (Fr, Fr) {
        self.root
    }

    fn layer(&mut self, depth: usize, rho: &[Fr], lambda: Fr) -> Layer<Part> {
        assert_eq!(rho.len(), depth, "one coordinate a level");
        let children = self.levels[depth + 1].take().expect("a layer is asked for once");
        let merges = self.levels.len() - 2 - depth;
        let scales = [lambda, lambda.inverse().unwrap_or_else(Fr::zero)];
        let is_late = merges < self.lowest && !self.late.is_empty();
        // Only leaves have tables; whatever is merged has none.
        let leaves = if is_late && merges == 0 { &self.late[..] } else { &[] };
        let tables = Arc::new(Shifted::new(children.blocks.iter().chain(leaves), scales[1]));
        let late = is_late.then(|| {
            let (leaves, rho, tables) = (self.late.clone(), rho.to_vec(), tables.clone());
            let make = move |number: usize| Part::new(leaves[number].merged(merges), &rho, scales, &tables);
            Late::new(self.late.len(), self.lowest - merges, make)
        });
        let parts = children.blocks.into_iter().map(|block| Part::new(block, rho, scales, &tables)).collect();
        Layer::new(parts, late, &children.singles, rho, lambda)
    }
}

/// The tables of a level, and the same with something added to each entry: once for all blocks that share one.
pub struct Shifted(Vec<[Arc<Vec<Fr>>; 2]>);

impl Shifted {
    /// Of those blocks whose numerators are all 1; of none if nothing is added.
    fn new<'b>(blocks: impl Iterator<Item = &'b Dense>, by: Fr) -> Self {
        let mut tables: Vec<[Arc<Vec<Fr>>; 2]> = Vec::new();
        let inverses =
            blocks.map(|block| &block.fractions).filter(|fractions| !by.is_zero() && fractions.are_inverses());
        for table in inverses.filter_map(Fractions::table) {
            if !tables.iter().any(|[known, _]| Arc::ptr_eq(known, table)) {
                let shifted: Vec<Fr> = table.par_iter().map(|q| *q + by).collect();
                tables.push([table.clone(), shifted.into()]);
            }
        }
        Shifted(tables)
    }

    /// What is in the place of a table.
    pub fn of(&self, table: &Arc<Vec<Fr>>) -> Arc<Vec<Fr>> {
        let own = self.0.iter().find(|[known, _]| Arc::ptr_eq(known, table));
        own.expect("all tables of the level are shifted")[1].clone()
    }
}

/// The weights of the nodes above a block, and the block's address there.
pub fn node_axes(block: &Dense, rho: &[Fr]) -> (Axes, u64) {
    let (mut lengths, mut bits) = (block.lengths.clone(), block.bits.clone());
    let last = lengths.len() - 1;
    lengths[last] = lengths[last].div_ceil(2);
    bits[last] -= 1;
    if bits[last] == 0 {
        lengths.pop();
        bits.pop();
    }
    let offset = block.offset / 2;
    (eq_axes(&lengths, &bits, offset, rho), offset)
}
