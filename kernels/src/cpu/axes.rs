//! Decides how a compact tensor is walked: which variables are left, their eq weights, and the parallel weighted sum.

use std::ops::Range;

use ark_bls12_381::Fr;
use ark_ff::Zero;
use rayon::prelude::*;

use super::runs::fold_run;
use crate::field::{eq_at, eq_table, zeros};

/// Pairs summed under one table of weights; the weights of the last axis are `high x low` around it.
const LOG_CHUNK: usize = 10;
/// Pairs one task takes at least.
const TASK: usize = 2048;
/// Rows up to this length are padded to be joined.
const SHORT: usize = 64;

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
    /// How often they changed.
    changes: usize,
    /// Whether axes whose entries lie side by side are joined.
    joins: bool,
}

impl Axes {
    /// Of a tensor with these true `lengths`; all weights are multiplied by `scale`.
    pub fn new(lengths: &[usize], bits: &[usize], eq: Vec<Option<Vec<Fr>>>, scale: Fr) -> Axes {
        Axes::with(lengths, bits, eq, scale, true)
    }

    fn with(lengths: &[usize], bits: &[usize], eq: Vec<Option<Vec<Fr>>>, scale: Fr, joins: bool) -> Axes {
        assert!(lengths.len() == bits.len() && eq.len() == bits.len(), "one length, bit count and point an axis");
        let mut axes = Vec::new();
        if lengths.contains(&0) {
            // Nothing is real: only the number of variables counts.
            axes.push(Axis { length: 0, bits: bits.iter().sum(), point: None });
            return Axes { axes, scale, row_weights: Vec::new(), changes: 0, joins };
        }
        for ((length, bits), point) in lengths.iter().zip(bits).zip(eq) {
            assert!(*length <= 1 << bits, "axis longer than its bits allow");
            assert!(point.as_ref().is_none_or(|point| point.len() == *bits), "one coordinate a bit");
            if *bits > 0 {
                axes.push(Axis { length: *length, bits: *bits, point });
                if joins {
                    merge_last(&mut axes);
                }
            }
        }
        let mut result = Axes { axes, scale, row_weights: Vec::new(), changes: 0, joins };
        result.weigh_rows();
        result
    }

    /// The address of every real entry among the variables.
    pub fn addresses(&self) -> Vec<usize> {
        self.axes.iter().fold(vec![0], |addresses, axis| {
            addresses.iter().flat_map(|high| (0..axis.length).map(move |low| high << axis.bits | low)).collect()
        })
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

    /// The weight of every row, and how often they changed before.
    pub fn row_weights(&self) -> (usize, &[Fr]) {
        (self.changes, &self.row_weights)
    }

    /// Unbound eq coordinates of the last axis, if it has any weights.
    pub fn last_point(&self) -> Option<&[Fr]> {
        self.axes.last()?.point.as_deref()
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
        } else if self.joins {
            changed = merge_last(&mut self.axes);
        }
        if changed {
            self.weigh_rows();
        }
    }

    /// From now on join axes whose entries lie side by side.
    pub fn join(&mut self) {
        self.joins = true;
    }

    /// Whether the rows are so short that their padding costs less than they do: then their length and the full one.
    /// Full rows join the axis before.
    pub fn short_rows(&self) -> Option<(usize, usize)> {
        let [.., first, last] = self.axes.as_slice() else {
            return None;
        };
        let full = 1usize << last.bits.min(usize::BITS as usize - 1);
        let joins = first.point.is_some() == last.point.is_some();
        (joins && last.length < full && full <= SHORT && full < 2 * last.length).then_some((last.length, full))
    }

    /// Make the rows full: their entries were padded.
    pub fn fill_rows(&mut self) {
        let last = self.axes.last_mut().expect("a variable is left");
        last.length = 1 << last.bits;
        if self.joins && merge_last(&mut self.axes) {
            self.weigh_rows();
        }
    }

    /// The sum of the weights of all rows, times that of the last pair of a row: what the last pairs weigh together.
    pub fn weight_of_last_pairs(&self) -> Fr {
        let last = self.axes.last().expect("a variable is left");
        let rows: Fr = self.row_weights.iter().sum();
        let pair = (last.length.div_ceil(2) - 1) as u64;
        last.point.as_ref().map_or(rows, |point| rows * eq_at(&point[..point.len() - 1], pair))
    }

    /// The sum, given that over even and that over odd entries, the weights of the variable between them left out.
    pub fn value_of_pairs(&self, [even, odd]: [Fr; 2]) -> Fr {
        self.last_point().and_then(<[Fr]>::last).map_or(even + odd, |r| even + *r * (odd - even))
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
        self.changes += 1;
    }

    /// `sum over rows and pairs i of weight(row, i) f(row, i)` where pair `i` of a row is its entries `2i`, `2i + 1`
    /// and the weight leaves out the variable between them. `f(row, pairs, weights)` sums a run of pairs of one row
    /// under the given weights (one a pair; all 1 when `None`), with a vector for its own use.
    pub fn sum<const N: usize>(
        &self,
        f: impl Fn(usize, Range<usize>, Option<&[Fr]>, &mut Vec<Fr>) -> [Fr; N] + Sync,
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
                ((!high.is_empty()).then(|| eq_table(high, chunks)), Some(eq_table(low, half.min(chunk))))
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
                || ([Fr::zero(); N], Vec::new()),
                |(mut total, mut scratch), task| {
                    let (row, c) = (task / chunks, task % chunks);
                    let pairs = c * chunk..((c + 1) * chunk).min(half);
                    let weights = low.as_ref().map(|low| &low[..pairs.len()]);
                    let mut weight = self.row_weights[row];
                    if let Some(high) = &high {
                        weight *= high[c];
                    }
                    for (total, part) in total.iter_mut().zip(f(row, pairs, weights, &mut scratch)) {
                        *total += weight * part;
                    }
                    (total, scratch)
                },
            )
            .map(|(total, _)| total)
            .reduce(|| [Fr::zero(); N], add)
    }
}

/// Join the last two axes when their real entries lie side by side in the joint address. Returns whether it did.
fn merge_last(axes: &mut Vec<Axis>) -> bool {
    let [.., first, last] = axes.as_slice() else {
        return false;
    };
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
    if values.is_empty() {
        return Vec::new();
    }
    by_runs(values.len() / length, length.div_ceil(2), |row, pairs, out, _| {
        let run = row * length + 2 * pairs.start..row * length + (2 * pairs.end).min(length);
        fold_run(&values[run], r, padding, out);
    })
}

/// A tensor of `rows x length` entries, written in runs: `fill(row, entries of the row, out, vector for its own use)`.
pub fn by_runs(
    rows: usize,
    length: usize,
    fill: impl Fn(usize, Range<usize>, &mut [Fr], &mut Vec<Fr>) + Sync,
) -> Vec<Fr> {
    const RUN: usize = 512;
    let mut out = zeros(rows * length);
    let fill_part = |row: usize, start: usize, out: &mut [Fr], scratch: &mut Vec<Fr>| {
        for (c, out) in out.chunks_mut(RUN).enumerate() {
            let first = start + c * RUN;
            fill(row, first..first + out.len(), out, scratch);
        }
    };
    if length >= TASK {
        out.par_chunks_mut(length).enumerate().for_each(|(row, out)| {
            let parts = out.par_chunks_mut(TASK).enumerate();
            parts.for_each_init(Vec::new, |scratch, (c, out)| fill_part(row, c * TASK, out, scratch));
        });
    } else {
        let rows = out.par_chunks_mut(length.max(1)).enumerate().with_min_len(TASK / length.max(1));
        rows.for_each_init(Vec::new, |scratch, (row, out)| fill_part(row, 0, out, scratch));
    }
    out
}

/// Rows of `length`, each filled up to `full` with `padding`.
pub fn pad_rows(values: &[Fr], length: usize, full: usize, padding: Fr) -> Vec<Fr> {
    let mut out = zeros(values.len() / length * full);
    let rows = out.par_chunks_mut(full).zip(values.par_chunks(length)).with_min_len(TASK / full);
    rows.for_each(|(out, row)| {
        out[..length].copy_from_slice(row);
        out[length..].fill(padding);
    });
    out
}

/// The weights of a block of `lengths` at an aligned address: `eq` of the address bits above the block as the scale.
/// Axes are not joined.
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
    Axes::with(lengths, bits, points, eq_at(above, index), false)
}
