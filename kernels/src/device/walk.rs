//! Decides how a sumcheck walks a compact tensor on a device: its axes, their weights, its rounds.

use std::sync::Arc;

use ark_bls12_381::Fr;
use ark_ff::{One, Zero};

use super::Argument;
use super::array::{Array, launch};
use super::machine::{BLOCK, Device};
use super::sums::{sum_groups, sum_groups_to};
use crate::cpu::axes::Axes;
use crate::field::eq_table;

/// log2 of the pairs that share a weight of the high table; as in `rounds.cuh`.
const LOG_CHUNK: usize = 10;
/// Pairs that one thread takes of a chunk; as in `rounds.cuh`.
const TAKEN: usize = 8;
/// Threads that keep a device busy.
const THREADS: usize = 1 << 17;
/// Sums that are read together.
const SUMS: usize = 1 << 10;

/// Sums of many tensors of a round, which are launched one after the other and read together; and the weights of pairs that
/// they share.
pub struct Round<D: Device> {
    device: Option<Arc<D>>,
    /// Of points and lengths: weights of chunks of pairs, and of pairs in a chunk.
    weights: Vec<(Vec<Fr>, usize, Arc<[Array<D, Fr>; 2]>)>,
    /// Pairs of sums, [`SUMS`] in each but the last.
    sums: Vec<Array<D, Fr>>,
    count: usize,
}

impl<D: Device> Default for Round<D> {
    fn default() -> Self {
        Round { device: None, weights: Vec::new(), sums: Vec::new(), count: 0 }
    }
}

impl<D: Device> Round<D> {
    /// Adds the sum over `rows` rows of `length` entries by a kernel that ends in weights, rows and length. `weights` are of
    /// rows, of chunks of pairs, and of pairs in a chunk.
    pub fn add(
        &mut self,
        device: &Arc<D>,
        (kernel, arguments): (&'static str, &[Argument]),
        weights: [Option<&Array<D, Fr>>; 3],
        (rows, length): (usize, usize),
    ) {
        let half = length.div_ceil(2);
        let tasks = rows * half.div_ceil(1 << LOG_CHUNK) * half.min(1 << LOG_CHUNK).div_ceil(TAKEN);
        if tasks == 0 {
            return;
        }
        let threads = tasks.min(THREADS).next_multiple_of(BLOCK);
        let out = Array::<D, Fr>::new(device, 2 * threads);
        let mut all = vec![Argument::from(&out)];
        all.extend(arguments);
        all.extend(weights.map(Argument::from));
        all.extend([Argument::from(rows), Argument::from(length)]);
        // SAFETY: the callers give tables of `rows x length` entries; every thread has its place in `out`.
        unsafe { launch(&**device, kernel, threads, &all) };
        let place = self.count % SUMS;
        if place == 0 {
            self.sums.push(Array::new(device, 2 * SUMS));
        }
        sum_groups_to(&**device, out, 1, threads, 2, self.sums[self.count / SUMS].at(2 * place));
        self.count += 1;
        self.device.get_or_insert_with(|| device.clone());
    }

    /// The weights of pairs of rows of `length` entries, but for the last variable's.
    fn weights(&mut self, device: &D, point: &[Fr], length: usize) -> Arc<[Array<D, Fr>; 2]> {
        let rest = &point[..point.len() - 1];
        if let Some((.., known)) = self.weights.iter().find(|(of, long, _)| of == rest && *long == length) {
            return known.clone();
        }
        let (high, low) = rest.split_at(rest.len().saturating_sub(LOG_CHUNK));
        let half = length.div_ceil(2);
        let tables = Arc::new([
            Array::of(device, &eq_table(high, half.div_ceil(1 << LOG_CHUNK))),
            Array::of(device, &eq_table(low, half.min(1 << LOG_CHUNK))),
        ]);
        self.weights.push((rest.to_vec(), length, tables.clone()));
        tables
    }

    /// The sums of all that was added.
    pub fn total(self) -> [Fr; 2] {
        let mut total = [Fr::zero(); 2];
        let Some(device) = self.device else { return total };
        for (number, sums) in self.sums.into_iter().enumerate() {
            let sums = sum_groups(&*device, sums, 1, (self.count - number * SUMS).min(SUMS), 2);
            total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        }
        total
    }
}

/// A compact tensor's unbound variables, and the weights of its rows on the device.
pub struct Walk<D: Device> {
    pub axes: Axes,
    /// With the count of changes they belong to.
    row_weights: Option<(usize, Array<D, Fr>)>,
}

impl<D: Device> Walk<D> {
    /// Over `axes`.
    pub fn new(axes: Axes) -> Self {
        Walk { axes, row_weights: None }
    }

    /// Rows, and entries of each.
    pub fn shape(&self) -> (usize, usize) {
        let length = self.axes.last_length();
        (self.axes.size() / length.max(1), length)
    }

    /// See [`Round::add`].
    pub fn add_to(&mut self, round: &mut Round<D>, device: &Arc<D>, kernel: &'static str, arguments: &[Argument]) {
        let (rows, length) = self.shape();
        let (changes, weights) = self.axes.row_weights();
        if self.row_weights.as_ref().is_none_or(|(of, _)| *of != changes) {
            self.row_weights = Some((changes, Array::of(device, weights)));
        }
        let pairs = self.axes.last_point().map(|point| round.weights(device, point, length));
        let [high, low] = [0, 1].map(|k: usize| pairs.as_ref().map(|pairs| &pairs[k]));
        let of_rows = self.row_weights.as_ref().map(|(_, weights)| weights);
        round.add(device, (kernel, arguments), [of_rows, high, low], (rows, length));
    }

    /// After a fold: makes rows full that are so short that padding costs less than they do, by `pad(length, full)`.
    pub fn fill_short_rows(&mut self, mut pad: impl FnMut(usize, usize)) {
        while let Some((length, full)) = self.axes.short_rows() {
            pad(length, full);
            self.axes.fill_rows();
        }
    }
}

/// `tables` tables, one after the other, of rows of `length` entries, each row filled up to `full` with its table's
/// padding.
pub fn pad_rows<D: Device>(
    device: &D,
    values: &Array<D, Fr>,
    paddings: &[Fr],
    (length, full): (usize, usize),
) -> Array<D, Fr> {
    let rows = values.length() / length / paddings.len();
    let out = Array::new(device, values.length() / length * full);
    for (k, padding) in paddings.iter().enumerate() {
        let arguments = [
            out.at(k * rows * full),
            values.at(k * rows * length),
            rows.into(),
            length.into(),
            full.into(),
            (*padding).into(),
        ];
        // SAFETY: a table of `rows x length` values to one of `rows x full`.
        unsafe { launch(device, "pad_rows", rows * full, &arguments) };
    }
    out
}

/// `x -> eq(point, x)` for `x < length`, from the tables of both halves of the point.
pub fn eq_values<D: Device>(device: &D, point: &[Fr], length: usize) -> Vec<Fr> {
    assert!(point.len() < usize::BITS as usize && length <= 1 << point.len(), "eq table longer than its point allows");
    let (high, low) = point.split_at(point.len() / 2);
    let low_length = 1 << low.len();
    let high = if high.is_empty() { vec![Fr::one()] } else { eq_table(high, length.div_ceil(low_length)) };
    let (high, low) = (Array::of(device, &high), Array::of(device, &eq_table(low, low_length)));
    let out = Array::new(device, length);
    let arguments = [(&out).into(), (&high).into(), (&low).into(), low_length.into(), length.into()];
    // SAFETY: `high` has as many values as `length` has parts of `low_length`.
    unsafe { launch(device, "outer_product", length, &arguments) };
    out.all(device)
}
