//! Decides how rows of small integers are committed and rows of points combined.

use std::sync::{Arc, Mutex, PoisonError};

use ark_bls12_381::{Fq, Fr, G1Affine, G1Projective};
use ark_ec::CurveGroup;
use ark_ff::{BigInteger, PrimeField};
use rayon::prelude::*;

use super::Argument;
use super::array::{Affine, Array, Point, affine, launch};
use super::machine::{Device, raise};
use super::runs::{Runs, portions, room};
use super::sums::sum_uneven;
use crate::Piece;

/// Widest digit: tables of 128 multiples a base.
const WIDEST: u32 = 8;
/// Bytes that making one multiple takes on the side: a point and a product.
const ASIDE: usize = size_of::<Point>() + size_of::<Fq>();
/// Slices of a scalar, 16 bits each.
const SLICES: usize = 16;
/// Vectors that one thread combines at most: it must end before a desktop's watchdog thinks it hangs.
const TOGETHER: usize = 128;

/// Fixed bases: the multiples of `2^(width k)` times each by `1 ..= 2^(width - 1)`, made when digit `k` first occurs.
pub struct Bases<D: Device> {
    points: Array<D, Affine>,
    width: u32,
    tables: Mutex<Vec<Arc<Array<D, Affine>>>>,
}

impl<D: Device> Bases<D> {
    /// See [`crate::Backend::prepare_bases`].
    pub fn new(device: &D, bases: &[G1Affine]) -> Self {
        let points = Array::of(device, &bases.par_iter().map(Affine::from).collect::<Vec<_>>());
        let room = device.free_bytes().unwrap_or_else(raise) / 4;
        // With tables for all digits that an integer of 64 bits may have.
        let fits = |width: &u32| (64 / width + 1) as usize * (bases.len() << (width - 1)) * size_of::<Affine>() <= room;
        let width = (2..=WIDEST).rev().find(fits).unwrap_or(2);
        Bases { points, width, tables: Mutex::new(Vec::new()) }
    }

    /// The tables of the lowest `digits` digits.
    fn tables(&self, device: &D, digits: usize) -> Vec<Arc<Array<D, Affine>>> {
        let tables = || self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut known = tables().clone();
            if known.len() >= digits {
                known.truncate(digits);
                return known;
            }
            // Not while it is locked: who waits for other threads runs other tasks, which may come here too.
            let table = Arc::new(self.multiply(device, known.last().map(Arc::as_ref)));
            let mut tables = tables();
            if tables.len() == known.len() {
                tables.push(table);
            }
        }
    }

    /// The table after `below`, or the first one.
    fn multiply(&self, device: &D, below: Option<&Array<D, Affine>>) -> Array<D, Affine> {
        let (bases, multiples) = (self.points.length(), 1usize << (self.width - 1));
        let table = Array::new(device, bases * multiples);
        let at_once = (room(device) / (multiples * ASIDE)).clamp(1, 1 << 14).min(bases.max(1));
        let points = Array::<D, Point>::new(device, at_once * multiples);
        let products = Array::<D, [u64; 6]>::new(device, at_once * multiples);
        for first in (0..bases).step_by(at_once) {
            let count = at_once.min(bases - first);
            let (from, stride, doubled) = match below {
                None => (self.points.at(first), 1, 0),
                // Twice 2^(width - 1) times the base.
                Some(below) => (below.at((first + 1) * multiples - 1), multiples, 1),
            };
            let arguments = [
                table.at(first * multiples),
                from,
                stride.into(),
                Argument::Word(doubled),
                count.into(),
                multiples.into(),
                (&points).into(),
                (&products).into(),
            ];
            // SAFETY: the bases from `first` on, `stride` apart, are in their array, and their multiples in `table`.
            unsafe { launch(device, "multiply_bases", count, &arguments) };
        }
        table
    }
}

/// Signed digits that the integers between these two need at most.
fn digits(extremes: (i64, i64), width: u32) -> usize {
    let count = |value: i64| {
        let (mut rest, mut digits) = (i128::from(value), 0);
        while rest != 0 {
            rest = (rest + (1 << (width - 1))) >> width;
            digits += 1;
        }
        digits
    };
    count(extremes.0).max(count(extremes.1))
}

/// The least and the greatest integer, and 0.
fn extremes(pieces: &[Piece]) -> (i64, i64) {
    pieces.par_iter().map(|piece| piece.values.range()).reduce(|| (0, 0), |a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// See [`crate::Backend::commit_rows`].
pub fn commit_rows<D: Device>(device: &D, bases: &Bases<D>, rows: usize, pieces: &[Piece]) -> Vec<G1Affine> {
    let tables = bases.tables(device, digits(extremes(pieces), bases.width));
    let addresses = Array::of(device, &tables.iter().map(|table| table.address()).collect::<Vec<_>>());
    let (pieces, portions) = portions(device, pieces, size_of::<Point>());
    let mut parts = Vec::new();
    for portion in portions {
        let runs = Runs::new(device, &pieces[portion], rows, bases.points.length());
        let out = Array::<D, Point>::new(device, runs.units());
        let [list, count] = runs.arguments();
        let width = bases.width as usize;
        let arguments = [(&out).into(), list, count, (&addresses).into(), width.into(), runs.units().into()];
        // SAFETY: runs lie in the values and in columns that have bases; there is a table for every digit that occurs.
        unsafe { launch(device, "commit_rows", runs.units(), &arguments) };
        let (numbers, counts) = runs.rows();
        parts.push((numbers, sum_uneven(device, out, counts, 1)));
    }
    let mut commitments = vec![G1Affine::identity(); rows];
    for (numbers, part) in parts {
        let points = affine(&part.all(device));
        numbers.into_iter().zip(points).for_each(|(row, point)| commitments[row] = point);
    }
    commitments
}

/// The digits -1, 0 and 1 of a scalar, no two neighbours of them nonzero, lowest first.
fn sparse_digits(scalar: &Fr) -> [i8; 16 * SLICES] {
    let mut rest = scalar.into_bigint();
    std::array::from_fn(|_| {
        let digit = if rest.is_even() { 0 } else { 2 - (rest.0[0] & 3) as i8 };
        match digit {
            1 => _ = rest.sub_with_borrow(&1u64.into()),
            -1 => _ = rest.add_with_carry(&1u64.into()),
            _ => {}
        }
        rest.div2();
        digit
    })
}

/// See [`crate::Backend::combine_rows`].
pub fn combine_rows<D: Device>(device: &D, vectors: &[&[G1Affine]], scalars: &[Fr]) -> Vec<G1Affine> {
    assert_eq!(vectors.len(), scalars.len(), "one scalar a vector");
    let length = vectors.first().map_or(0, |vector| vector.len());
    assert!(vectors.iter().all(|vector| vector.len() == length), "vectors of one length");
    if vectors.len() > TOGETHER {
        let (low, high) = vectors.split_at(TOGETHER);
        let low = combine_rows(device, low, &scalars[..TOGETHER]);
        let high = combine_rows(device, high, &scalars[TOGETHER..]);
        let sums: Vec<G1Projective> = low.iter().zip(high).map(|(low, high)| *low + high).collect();
        return G1Projective::normalize_batch(&sums);
    }
    let digits: Vec<u8> = scalars.iter().flat_map(sparse_digits).map(|digit| digit as u8).collect();
    let digits = Array::of(device, &digits);
    let at_once = (room(device) / (size_of::<Affine>() * vectors.len() + size_of::<Point>() * SLICES)).max(1);
    let mut combined = Vec::with_capacity(length);
    for first in (0..length).step_by(at_once) {
        let count = at_once.min(length - first);
        let points = Array::<D, Affine>::filled(device, vectors.len() * count, |start, part| {
            part.iter_mut().zip(start..).for_each(|(to, at)| *to = (&vectors[at / count][first + at % count]).into());
        });
        let parts = Array::<D, Point>::new(device, SLICES * count);
        let arguments =
            [(&parts).into(), (&points).into(), (&digits).into(), vectors.len().into(), count.into(), SLICES.into()];
        // SAFETY: `vectors.len() x count` points, as many digits as slices have bits, a part for each slice and point.
        unsafe { launch(device, "combine_rows", parts.length(), &arguments) };
        let sums = Array::<D, Point>::new(device, count);
        let arguments = [(&sums).into(), (&parts).into(), count.into(), SLICES.into()];
        // SAFETY: `slices x count` parts, `count` sums.
        unsafe { launch(device, "combine_slices", count, &arguments) };
        combined.extend(affine(&sums.all(device)));
    }
    combined
}
