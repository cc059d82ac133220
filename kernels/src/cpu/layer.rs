//! Decides the sumcheck of one layer of the fraction tree: compact blocks and single nodes, the padding 0/1 for free.

use std::collections::BTreeMap;

use ark_bls12_381::Fr;
use ark_ff::{Field, One, Zero};
use rayon::prelude::*;

use super::axes::{Axes, fold_values};
use super::tree::{Dense, Level, node_axes};
use crate::{Sumcheck, field::eq_at};

/// `[p0, s, q0, q1]` with `s = p1 + lambda q1`, so that the summand is `p0 q1 + q0 s`.
type Quad = [Fr; 4];

/// The nodes above one block.
struct Part {
    axes: Axes,
    offset: u64,
    values: [Vec<Fr>; 4],
}

/// See [`crate::FractionTree::layer`].
pub struct Layer {
    rho: Vec<Fr>,
    lambda: Fr,
    parts: Vec<Part>,
    singles: BTreeMap<u64, Quad>,
}

impl Part {
    fn new(block: &Dense, rho: &[Fr], lambda: Fr) -> Part {
        let (axes, offset) = node_axes(block, rho);
        let length = *block.lengths.last().expect("a variable");
        let half = length.div_ceil(2);
        let size = block.lengths.iter().rev().skip(1).product::<usize>() * half;
        let value = |k: usize| {
            (0..size)
                .into_par_iter()
                .map(|j| {
                    let (row, i) = (j / half, j % half);
                    let child = row * length + 2 * i;
                    let (p1, q1) =
                        if 2 * i + 1 < length { block.fractions.at(child + 1) } else { (Fr::zero(), Fr::one()) };
                    match k {
                        0 => block.fractions.at(child).0,
                        1 => p1 + lambda * q1,
                        2 => block.fractions.at(child).1,
                        _ => q1,
                    }
                })
                .collect()
        };
        Part { axes, offset, values: [0, 1, 2, 3].map(value) }
    }
}

/// Contributions of one pair of nodes: `g(1) - g(0)` and the square coefficient.
#[inline(always)]
fn pair(low: Quad, high: Quad) -> [Fr; 2] {
    let [p0, s, q0, q1] = low;
    let g0 = Fr::sum_of_products(&[p0, q0], &[q1, s]);
    let g1 = Fr::sum_of_products(&[high[0], high[2]], &[high[3], high[1]]);
    let square = Fr::sum_of_products(&[high[0] - p0, high[2] - q0], &[high[3] - q1, high[1] - s]);
    [g1 - g0, square]
}

fn padding(lambda: Fr) -> Quad {
    [Fr::zero(), lambda, Fr::one(), Fr::one()]
}

impl Layer {
    pub fn new(children: Level, rho: &[Fr], lambda: Fr) -> Layer {
        let mut layer = Layer { rho: rho.to_vec(), lambda, parts: Vec::new(), singles: BTreeMap::new() };
        for address in children.singles.keys().map(|address| address / 2).collect::<std::collections::BTreeSet<_>>() {
            let child = |k: u64| children.singles.get(&(2 * address + k)).copied().unwrap_or((Fr::zero(), Fr::one()));
            let ((p0, q0), (p1, q1)) = (child(0), child(1));
            layer.singles.insert(address, [p0, p1 + lambda * q1, q0, q1]);
        }
        for block in children.blocks {
            layer.parts.push(Part::new(&block, rho, lambda));
        }
        layer.settle();
        layer
    }

    /// Parts without variables become single nodes.
    fn settle(&mut self) {
        let (bound, parts) = std::mem::take(&mut self.parts).into_iter().partition(|part| part.axes.is_bound());
        self.parts = parts;
        for part in bound as Vec<Part> {
            self.singles.insert(part.offset, part.values.map(|values| values[0]));
        }
    }

    /// The pairs of single nodes, by the address of the pair.
    fn single_pairs(&self) -> BTreeMap<u64, [Quad; 2]> {
        let mut pairs = BTreeMap::new();
        for (address, quad) in &self.singles {
            pairs.entry(address / 2).or_insert([padding(self.lambda); 2])[(address % 2) as usize] = *quad;
        }
        pairs
    }
}

impl Sumcheck for Layer {
    type End = [Fr; 4];

    fn round(&mut self) -> (Fr, Fr) {
        let rest = &self.rho[..self.rho.len() - 1];
        let mut sums = [Fr::zero(); 2];
        for (address, [low, high]) in self.single_pairs() {
            let weight = eq_at(rest, address);
            sums.iter_mut().zip(pair(low, high)).for_each(|(sum, part)| *sum += weight * part);
        }
        for part in &self.parts {
            let length = part.axes.last_length();
            let quad = |index: usize| [0, 1, 2, 3].map(|k: usize| part.values[k][index]);
            let partial = part.axes.sum(|row, pairs, weights| {
                let weights = weights.expect("eq weights on every axis");
                let mut sums = [Fr::zero(); 2];
                for (i, weight) in pairs.zip(weights) {
                    let low = row * length + 2 * i;
                    let high = if 2 * i + 1 < length { quad(low + 1) } else { padding(self.lambda) };
                    sums.iter_mut().zip(pair(quad(low), high)).for_each(|(sum, part)| *sum += *weight * part);
                }
                sums
            });
            sums.iter_mut().zip(partial).for_each(|(sum, part)| *sum += part);
        }
        (sums[0] - sums[1], sums[1])
    }

    fn bind(&mut self, r: Fr) {
        let fold = |[low, high]: [Quad; 2]| [0, 1, 2, 3].map(|k: usize| low[k] + r * (high[k] - low[k]));
        self.singles = self.single_pairs().into_iter().map(|(address, pair)| (address, fold(pair))).collect();
        self.rho.pop().expect("a variable is left");
        let padding = padding(self.lambda);
        for part in &mut self.parts {
            let length = part.axes.last_length();
            for (values, padding) in part.values.iter_mut().zip(padding) {
                *values = fold_values(values, length, r, padding);
            }
            part.axes.fold();
            part.offset /= 2;
        }
        self.settle();
    }

    fn finish(self) -> [Fr; 4] {
        assert!(self.rho.is_empty() && self.parts.is_empty(), "variables left");
        let [p0, s, q0, q1] = self.singles.get(&0).copied().unwrap_or(padding(self.lambda));
        [p0, s - self.lambda * q1, q0, q1]
    }
}
