//! Decides how the fraction tree is built and kept: every level compact, leaf denominators as rows of a table.

use std::collections::BTreeMap;

use ark_bls12_381::Fr;
use ark_ff::{Field, One, Zero};
use rayon::prelude::*;

use super::axes::{Axes, eq_axes};
use super::layer::Layer;
use crate::{Block, Denominators, FractionTree, Numerators};

/// The fractions of one block at one level.
pub enum Fractions {
    Leaves { numerators: Numerators, denominators: Denominators },
    Nodes { p: Vec<Fr>, q: Vec<Fr> },
}

impl Fractions {
    /// The fraction at a flat index.
    #[inline(always)]
    pub fn at(&self, index: usize) -> (Fr, Fr) {
        match self {
            Fractions::Nodes { p, q } => (p[index], q[index]),
            Fractions::Leaves { numerators, denominators } => {
                let p = match numerators {
                    Numerators::One => Fr::one(),
                    Numerators::Values(values) => values[index],
                };
                let q = match denominators {
                    Denominators::Rows { rows, table } => table[rows[index] as usize],
                    Denominators::Values(values) => values[index],
                };
                (p, q)
            }
        }
    }
}

/// A block at one level: at `offset`, with at least one variable inside.
pub struct Dense {
    pub offset: u64,
    pub lengths: Vec<usize>,
    pub bits: Vec<usize>,
    pub fractions: Fractions,
}

/// One level: blocks, and single nodes by address; all else is 0/1.
#[derive(Default)]
pub struct Level {
    pub blocks: Vec<Dense>,
    pub singles: BTreeMap<u64, (Fr, Fr)>,
}

/// See [`crate::Backend::tree`].
pub struct Tree {
    root: (Fr, Fr),
    /// Level `d` at index `d`, emptied by its layer.
    levels: Vec<Option<Level>>,
}

fn merge((p0, q0): (Fr, Fr), (p1, q1): (Fr, Fr)) -> (Fr, Fr) {
    (Fr::sum_of_products(&[p0, p1], &[q1, q0]), q0 * q1)
}

impl Level {
    fn leaves(n: usize, blocks: Vec<Block>) -> Level {
        let mut level = Level::default();
        for block in blocks {
            let size: usize = block.lengths.iter().product();
            let Block { offset, lengths, bits, numerators, denominators } = block;
            let values = match &denominators {
                Denominators::Rows { rows, .. } => rows.len(),
                Denominators::Values(values) => values.len(),
            };
            assert_eq!(values, size, "one denominator a leaf");
            if let Numerators::Values(values) = &numerators {
                assert_eq!(values.len(), size, "one numerator a leaf");
            }
            let total: usize = bits.iter().sum();
            assert!(total <= n && offset % (1 << total) == 0, "a block is aligned and lies in the tree");
            assert!(offset >> total < 1 << (n - total), "a block is aligned and lies in the tree");
            // Joined axes make long rows; the points are of no account here.
            let points = bits.iter().map(|_| None).collect();
            let axes = Axes::new(&lengths, &bits, points, Fr::one());
            level.place(Dense {
                offset,
                lengths: axes.lengths(),
                bits: axes.bits(),
                fractions: Fractions::Leaves { numerators, denominators },
            });
        }
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
        for (address, fraction) in &self.singles {
            if address % 2 == 0 {
                let other = self.singles.get(&(address + 1)).copied().unwrap_or((Fr::zero(), Fr::one()));
                level.singles.insert(address / 2, merge(*fraction, other));
            } else if !self.singles.contains_key(&(address - 1)) {
                level.singles.insert(address / 2, *fraction);
            }
        }
        for block in &self.blocks {
            let length = *block.lengths.last().expect("a variable");
            let half = length.div_ceil(2);
            let rows = block.lengths.iter().rev().skip(1).product::<usize>();
            let mut p = vec![Fr::zero(); rows * half];
            let mut q = vec![Fr::zero(); rows * half];
            // Runs of nodes of one row.
            let run = half.min(4096);
            let runs = half.div_ceil(run);
            let node = |row: usize, i: usize| {
                let left = block.fractions.at(row * length + 2 * i);
                if 2 * i + 1 < length { merge(left, block.fractions.at(row * length + 2 * i + 1)) } else { left }
            };
            if runs == 1 {
                p.par_chunks_mut(half).zip(q.par_chunks_mut(half)).enumerate().with_min_len((2048 / half).max(1)).for_each(
                    |(row, (p, q))| (0..half).for_each(|i| (p[i], q[i]) = node(row, i)),
                );
            } else {
                for (row, (p, q)) in p.chunks_mut(half).zip(q.chunks_mut(half)).enumerate() {
                    p.par_chunks_mut(run).zip(q.par_chunks_mut(run)).enumerate().for_each(|(c, (p, q))| {
                        (0..p.len()).for_each(|i| (p[i], q[i]) = node(row, c * run + i))
                    });
                }
            }
            let points = block.bits.iter().map(|_| None).collect();
            let mut axes = Axes::new(&block.lengths, &block.bits, points, Fr::one());
            axes.fold();
            level.place(Dense {
                offset: block.offset / 2,
                lengths: axes.lengths(),
                bits: axes.bits(),
                fractions: Fractions::Nodes { p, q },
            });
        }
        level
    }
}

impl Tree {
    /// See [`crate::Backend::tree`].
    pub fn build(n: usize, blocks: Vec<Block>) -> Tree {
        assert!(n < 64, "addresses are 64 bits");
        let mut levels = vec![Level::leaves(n, blocks)];
        for _ in 0..n {
            levels.push(levels[levels.len() - 1].above());
        }
        levels.reverse();
        let root = levels[0].singles.get(&0).copied().unwrap_or((Fr::zero(), Fr::one()));
        Tree { root, levels: levels.into_iter().map(Some).collect() }
    }
}

impl FractionTree for Tree {
    type Layer = Layer;

    fn root(&self) -> (Fr, Fr) {
        self.root
    }

    fn layer(&mut self, depth: usize, rho: &[Fr], lambda: Fr) -> Layer {
        assert_eq!(rho.len(), depth, "one coordinate a level");
        let children = self.levels[depth + 1].take().expect("a layer is asked for once");
        Layer::new(children, rho, lambda)
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
