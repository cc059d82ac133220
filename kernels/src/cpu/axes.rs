//! Decides how a compact tensor is walked: which variables are left, their eq weights, and the parallel weighted sum.

use std::ops::Range;

use ark_bls12_381::Fr;
use ark_ff::Zero;
use rayon::prelude::*;

use crate::field::{eq_at, eq_table};

/// Pairs summed under one table of weights; the weights of the last axis are `high x low` around it.
const LOG_CHUNK: usize = 10;
/// Pairs one task takes at least.
const TASK: usize = 2048;

/// One axis: `length` of `2^bits` indices are real; `point` has its unbound eq coordinates, `None` for weight 1.
#[derive(Clone, Debug)]
struct Axis {
    length: usize,
    bits: usize,
    point: Option<Vec<Fr>>,
}

/// The unbound variables of a compact tensor, first axis most significant.
#[derive(Clone, Debug)]
pub struct Axes {
    axes: Vec<Axis>,
    scale: Fr,
    /// Weight of each row, a row being one index of all axes but the last.
    row_weights: Vec<Fr>,
}

impl Axes {
    /// Of a tensor with these true `lengths`; all weights are multiplied by `scale`.
    pub fn new(lengths: &[usize], bits: &[usize], eq: Vec<Option<Vec<Fr>>>, scale: Fr) -> Axes {
        assert!(lengths.len() == bits.len() && eq.len() == bits.len(), "one length, bit count and point an axis");
        let mut axes = Vec::new();
        if lengths.contains(&0) {
            // Nothing is real: only the number of variables counts.
            axes.push(Axis { length: 0, bits: bits.iter().sum(), point: None });
            return Axes { axes, scale, row_weights: Vec::new() };
        }
        for ((length, bits), point) in lengths.iter().zip(bits).zip(eq) {
            assert!(*length <= 1 << bits, "axis longer than its bits allow");
            assert!(point.as_ref().is_none_or(|point| point.len() == *bits), "one coordinate a bit");
            if *bits > 0 {
                axes.push(Axis { length: *length, bits: *bits, point });
                merge_last(&mut axes);
            }
        }
        let mut result = Axes { axes, scale, row_weights: Vec::new() };
        result.weigh_rows();
        result
    }

    /// Number of real entries.
    pub fn size(&self) -> usize {
        self.axes.iter().map(|axis| axis.length).product()
    }

    /// Whether every variable is bound.
    pub fn is_bound(&self) -> bool {
        self.axes.is_empty()
    }

    /// Number of unbound variables.
    pub fn variables(&self) -> usize {
        self.axes.iter().map(|axis| axis.bits).sum()
    }

    /// True length of the last axis; 1 when none is left.
    pub fn last_length(&self) -> usize {
        self.axes.last().map_or(1, |axis| axis.length)
    }

    /// The true lengths.
    pub fn lengths(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| axis.length).collect()
    }

    /// The unbound variables of each axis.
    pub fn bits(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| axis.bits).collect()
    }

    /// Bind the last variable: lengths halve, rounded up, and an axis without variables goes.
    pub fn fold(&mut self) {
        let last = self.axes.last_mut().expect("a variable is left");
        last.length = last.length.div_ceil(2);
        last.bits -= 1;
        if let Some(point) = &mut last.point {
            point.pop();
        }
        let mut changed = last.bits == 0;
        if changed {
            if last.length == 0 {
                return;
            }
            self.axes.pop();
        } else {
            changed = merge_last(&mut self.axes);
        }
        if changed {
            self.weigh_rows();
        }
    }

    fn weigh_rows(&mut self) {
        let mut weights = vec![self.scale];
        for axis in self.axes.iter().rev().skip(1).rev() {
            weights = match &axis.point {
                None => weights.iter().flat_map(|w| std::iter::repeat_n(*w, axis.length)).collect(),
                Some(point) => {
                    let table = eq_table(point, axis.length);
                    weights.par_iter().flat_map_iter(|w| table.iter().map(move |x| *w * x)).collect()
                }
            };
        }
        self.row_weights = weights;
    }

    /// `sum over rows and pairs i of weight(row, i) f(row, i)` where pair `i` of a row is its entries `2i`, `2i + 1`
    /// and the weight leaves out the variable between them. `f(row, pairs, weights)` sums a run of pairs of one row
    /// under the given weights (one a pair; all 1 when `None`).
    pub fn sum<const N: usize>(
        &self,
        f: impl Fn(usize, Range<usize>, Option<&[Fr]>) -> [Fr; N] + Sync,
    ) -> [Fr; N] {
        let last = self.axes.last().expect("a variable is left");
        let half = last.length.div_ceil(2);
        if self.size() == 0 {
            return [Fr::zero(); N];
        }
        let chunk = 1 << LOG_CHUNK;
        let chunks = half.div_ceil(chunk);
        let (high, low) = match &last.point {
            None => (None, None),
            Some(point) => {
                let rest = &point[..point.len() - 1];
                let (high, low) = rest.split_at(rest.len().saturating_sub(LOG_CHUNK));
                (Some(eq_table(high, chunks)), Some(eq_table(low, half.min(chunk))))
            }
        };
        let add = |mut a: [Fr; N], b: [Fr; N]| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        };
        (0..self.row_weights.len() * chunks)
            .into_par_iter()
            .with_min_len((TASK / half.min(chunk)).max(1))
            .fold(
                || [Fr::zero(); N],
                |mut total, task| {
                    let (row, c) = (task / chunks, task % chunks);
                    let pairs = c * chunk..((c + 1) * chunk).min(half);
                    let weights = low.as_ref().map(|low| &low[..pairs.len()]);
                    let mut weight = self.row_weights[row];
                    if let Some(high) = &high {
                        if chunks > 1 {
                            weight *= high[c];
                        }
                    }
                    for (total, part) in total.iter_mut().zip(f(row, pairs, weights)) {
                        *total += weight * part;
                    }
                    total
                },
            )
            .reduce(|| [Fr::zero(); N], add)
    }
}

/// Join the last two axes when their real entries lie side by side in the joint address. Returns whether it did.
fn merge_last(axes: &mut Vec<Axis>) -> bool {
    let [.., first, last] = axes.as_slice() else { return false };
    let adjacent = last.length == 1 << last.bits || first.length == 1;
    if !adjacent || first.point.is_some() != last.point.is_some() {
        return false;
    }
    let last = axes.pop().expect("two axes");
    let first = axes.last_mut().expect("two axes");
    first.length *= last.length;
    first.bits += last.bits;
    if let (Some(high), Some(low)) = (&mut first.point, last.point) {
        high.extend(low);
    }
    true
}

/// Fold a tensor along its last axis of true length `length`: `v0 + r (v1 - v0)` of neighbours, an odd end with
/// `padding`.
pub fn fold_values(values: &[Fr], length: usize, r: Fr, padding: Fr) -> Vec<Fr> {
    let half = length.div_ceil(2);
    if values.is_empty() {
        return Vec::new();
    }
    let rows = values.len() / length;
    let mut out = vec![Fr::zero(); rows * half];
    let fold_row = |out: &mut [Fr], row: &[Fr]| {
        for (out, pair) in out.iter_mut().zip(row.chunks(2)) {
            let high = if pair.len() == 2 { pair[1] } else { padding };
            *out = pair[0] + r * (high - pair[0]);
        }
    };
    if rows == 1 {
        out.par_chunks_mut(TASK).zip(values.par_chunks(2 * TASK)).for_each(|(out, row)| fold_row(out, row));
    } else {
        out.par_chunks_mut(half)
            .zip(values.par_chunks(length))
            .with_min_len((TASK / half).max(1))
            .for_each(|(out, row)| fold_row(out, row));
    }
    out
}

/// The weights of a block of `lengths` at an aligned address: `eq` of the address bits above the block as the scale.
pub fn eq_axes(lengths: &[usize], bits: &[usize], offset: u64, rho: &[Fr]) -> Axes {
    let inside: usize = bits.iter().sum();
    let (above, mut rest) = rho.split_at(rho.len() - inside);
    let mut points = Vec::new();
    for bits in bits {
        let (point, tail) = rest.split_at(*bits);
        points.push(Some(point.to_vec()));
        rest = tail;
    }
    let index = if inside < 64 { offset >> inside } else { 0 };
    Axes::new(lengths, bits, points, eq_at(above, index))
}
