//! Decides how rows of small integers are committed: signed digits, one bucket a digit value, batched affine additions.

use std::sync::OnceLock;

use ark_bls12_381::{G1Affine, G1Projective};
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Zero};
use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::lanes::Lanes;
use super::points::{Adder, Scalar, sum_lists};
use crate::Piece;
#[cfg(target_arch = "x86_64")]
use crate::path::Path;

/// Nonzero digits one task gathers before it adds.
const TASK: usize = 1 << 15;
/// Shifts up to 64: a signed 64-bit value may carry into one digit more.
const SHIFTS: usize = 65;
/// Digit widths in use, in bits.
const WIDTHS: std::ops::RangeInclusive<u32> = 2..=14;
/// An entry of a bucket packs column, shift and sign.
const LOG_COLUMNS: u32 = 24;

/// Fixed bases in the form this machine adds fastest.
pub struct Bases(Form);

enum Form {
    Scalar(Multiples<Scalar>),
    #[cfg(target_arch = "x86_64")]
    Lanes(Multiples<Lanes>),
}

/// Bases with their multiples by powers of two, made when first needed.
struct Multiples<A: Adder> {
    shifted: Vec<OnceLock<Vec<A::Point>>>,
}

impl Bases {
    /// See [`crate::Backend::prepare_bases`].
    pub fn new(bases: &[G1Affine]) -> Bases {
        #[cfg(target_arch = "x86_64")]
        if Path::used() == Path::Ifma {
            return Bases(Form::Lanes(Multiples::new(bases)));
        }
        Bases(Form::Scalar(Multiples::new(bases)))
    }

    /// The same on any machine.
    pub fn scalar(bases: &[G1Affine]) -> Bases {
        Bases(Form::Scalar(Multiples::new(bases)))
    }
}

impl<A: Adder> Multiples<A> {
    fn new(bases: &[G1Affine]) -> Multiples<A> {
        assert!(bases.len() <= 1 << LOG_COLUMNS, "too many bases");
        let shifted: Vec<_> = (0..SHIFTS).map(|_| OnceLock::new()).collect();
        let _ = shifted[0].set(bases.iter().map(A::load).collect());
        Multiples { shifted }
    }

    /// `2^shift` times each base.
    fn shifted(&self, shift: usize) -> &[A::Point] {
        let kept = &self.shifted[shift];
        if kept.get().is_none() {
            // Not while others wait for it: who waits for other threads runs other tasks, which may come here too.
            let below = (shift - 1) / 8 * 8;
            let mut points = self.shifted(below).to_vec();
            points.par_chunks_mut(2048).for_each(|chunk| (below..shift).for_each(|_| A::double_all(chunk)));
            let _ = kept.set(points);
        }
        kept.get().expect("made before")
    }
}

/// Call `f(index of the digit, digit)` for the nonzero signed digits of `value`, `width` bits each.
#[inline(always)]
fn digits(value: i64, width: u32, mut f: impl FnMut(u32, i64)) {
    let (mut rest, mut index) = (i128::from(value), 0);
    while rest != 0 {
        // In -2^(width-1) .. 2^(width-1).
        let digit = ((rest as i64) << (64 - width)) >> (64 - width);
        if digit != 0 {
            f(index, digit);
        }
        rest = (rest - i128::from(digit)) >> width;
        index += 1;
    }
}

/// The digit width that needs the fewest additions, and about how many.
fn choose_width(pieces: &[Piece]) -> (u32, usize) {
    let mut sizes = [0usize; 66];
    for piece in pieces {
        for i in 0..piece.values.len() {
            let value = piece.values.at(i);
            // Bits of a signed digit that holds the value: -2^(b-1) <= value < 2^(b-1).
            sizes[if value == 0 { 0 } else { 65 - (value ^ value >> 63).leading_zeros() as usize }] += 1;
        }
    }
    let cost = |width: u32| {
        let additions: usize = (1..66).map(|bits| sizes[bits] * bits.div_ceil(width as usize)).sum();
        // A bucket takes part in about three additions.
        (additions, additions + (3 << (width - 1)))
    };
    let (_, width, additions) = WIDTHS.map(|width| (cost(width).1, width, cost(width).0)).min().expect("a width");
    (width, additions)
}

/// One row on its way: its digits sorted by bucket.
struct Row {
    width: u32,
    entries: Vec<u32>,
    /// Number of entries of the buckets of magnitudes `1..=2^(width-1)`.
    counts: Vec<u32>,
}

fn sort_row(pieces: &[Piece], width: u32, additions: usize) -> Row {
    let buckets = 1usize << (width - 1);
    let mut counts = vec![0u32; buckets];
    let mut unsorted = Vec::with_capacity(additions);
    for piece in pieces {
        for i in 0..piece.values.len() {
            digits(piece.values.at(i), width, |index, digit| {
                let bucket = digit.unsigned_abs() as u32 - 1;
                counts[bucket as usize] += 1;
                let entry = (index << (LOG_COLUMNS + 1)) | ((piece.column + i) as u32) << 1 | u32::from(digit < 0);
                unsorted.push((bucket, entry));
            });
        }
    }
    let mut next: Vec<u32> = Vec::with_capacity(buckets);
    let mut total = 0;
    for count in &counts {
        next.push(total);
        total += count;
    }
    let mut entries = vec![0; unsorted.len()];
    for (bucket, entry) in unsorted {
        entries[next[bucket as usize] as usize] = entry;
        next[bucket as usize] += 1;
    }
    Row { width, entries, counts }
}

/// Sum one group of rows.
fn commit_group<A: Adder>(bases: &Multiples<A>, rows: &[Row]) -> Vec<G1Projective> {
    let entries: Vec<u32> = rows.iter().flat_map(|row| row.entries.iter().copied()).collect();
    let counts: Vec<u32> = rows.iter().flat_map(|row| row.counts.iter().copied()).collect();
    let mut widths = Vec::with_capacity(entries.len());
    rows.iter().for_each(|row| widths.extend(std::iter::repeat_n(row.width as u8, row.entries.len())));
    let tables: Vec<&[A::Point]> =
        bases.shifted.iter().map(|table| table.get().map_or(&[][..], |table| table)).collect();
    let buckets = sum_lists::<A>(
        |i| {
            let entry = entries[i];
            let shift = (entry >> (LOG_COLUMNS + 1)) as usize * usize::from(widths[i]);
            let column = (entry >> 1) as usize & ((1 << LOG_COLUMNS) - 1);
            (&tables[shift][column], entry & 1 == 1)
        },
        &counts,
    );
    // sum_k k B_k with k = high 2^half + low: first the sums over low and over high, then sums by bits of either.
    let (mut lists, mut lengths) = (Vec::new(), Vec::new());
    let mut start = 0u32;
    for row in rows {
        let half = row.width / 2;
        let top = 1u32 << (row.width - 1);
        let mut list = |members: &mut dyn Iterator<Item = u32>| {
            let before = lists.len();
            lists.extend(
                members
                    .filter(|k| (1..=top).contains(k) && counts[(start + k - 1) as usize] > 0)
                    .map(|k| start + k - 1),
            );
            lengths.push((lists.len() - before) as u32);
        };
        for low in 1..1u32 << half {
            list(&mut (0..=top >> half).map(|high| (high << half) + low));
        }
        for high in 1..=top >> half {
            list(&mut (0..1u32 << half).map(|low| (high << half) + low));
        }
        start += top;
    }
    let sums = sum_lists::<A>(|i| (&buckets[lists[i] as usize], false), &lengths);
    let filled: Vec<bool> = lengths.iter().map(|length| *length > 0).collect();
    lists.clear();
    lengths.clear();
    let mut start = 0u32;
    for row in rows {
        let half = row.width / 2;
        let (lows, highs) = ((1u32 << half) - 1, 1u32 << (row.width - 1 - half));
        for bit in 0..row.width {
            let before = lists.len();
            if bit < half {
                let members = (1..=lows).filter(|low| low >> bit & 1 == 1).map(|low| start + low - 1);
                lists.extend(members.filter(|k| filled[*k as usize]));
            } else {
                let members = (1..=highs).filter(|high| high >> (bit - half) & 1 == 1);
                lists.extend(members.map(|high| start + lows + high - 1).filter(|k| filled[*k as usize]));
            }
            lengths.push((lists.len() - before) as u32);
        }
        start += lows + highs;
    }
    let bits = sum_lists::<A>(|i| (&sums[lists[i] as usize], false), &lengths);
    let mut next = 0;
    rows.iter()
        .map(|row| {
            let bits_of_row = &bits[next..next + row.width as usize];
            next += row.width as usize;
            let mut total = G1Projective::zero();
            for point in bits_of_row.iter().rev() {
                total.double_in_place();
                total += A::store(point);
            }
            total
        })
        .collect()
}

/// See [`crate::Backend::commit_rows`].
pub fn commit_rows(bases: &Bases, rows: usize, pieces: &[Piece]) -> Vec<G1Affine> {
    match &bases.0 {
        Form::Scalar(bases) => commit_with(bases, rows, pieces),
        #[cfg(target_arch = "x86_64")]
        Form::Lanes(bases) => commit_with(bases, rows, pieces),
    }
}

fn commit_with<A: Adder>(bases: &Multiples<A>, rows: usize, pieces: &[Piece]) -> Vec<G1Affine> {
    let columns = bases.shifted(0).len();
    let mut sorted: Vec<Piece> = pieces.to_vec();
    sorted.sort_by_key(|piece| (piece.row, piece.column));
    assert!(
        sorted.iter().all(|piece| piece.row < rows && piece.column + piece.values.len() <= columns),
        "pieces lie in the matrix"
    );
    let by_row: Vec<&[Piece]> = sorted.chunk_by(|a, b| a.row == b.row).collect();
    let planned: Vec<(u32, usize)> = by_row.par_iter().map(|pieces| choose_width(pieces)).collect();
    // Groups of rows of about TASK digits.
    let mut groups = Vec::new();
    let (mut first, mut digits) = (0, 0);
    for (k, (_, additions)) in planned.iter().enumerate() {
        digits += additions;
        if digits >= TASK || k + 1 == planned.len() {
            groups.push(first..k + 1);
            (first, digits) = (k + 1, 0);
        }
    }
    // Shifted bases are made before the tasks need them, by all cores.
    for width in WIDTHS {
        let digits =
            planned.iter().zip(&by_row).filter(|((w, _), _)| *w == width).map(|(_, pieces)| most_digits(pieces, width));
        for index in 1..digits.max().unwrap_or(0) {
            bases.shifted((index * width) as usize);
        }
    }
    let sums: Vec<Vec<G1Projective>> = groups
        .into_par_iter()
        .map(|group| {
            let rows: Vec<Row> = group.map(|k| sort_row(by_row[k], planned[k].0, planned[k].1)).collect();
            commit_group(bases, &rows)
        })
        .collect();
    let sums = G1Projective::normalize_batch(&sums.concat());
    let mut out = vec![G1Affine::identity(); rows];
    for (pieces, sum) in by_row.iter().zip(sums) {
        out[pieces[0].row] = sum;
    }
    out
}

/// The most digits a value of the pieces has.
fn most_digits(pieces: &[Piece], width: u32) -> u32 {
    let values = pieces.iter().flat_map(|piece| (0..piece.values.len()).map(|i| piece.values.at(i)));
    let mut most = 0;
    for value in values {
        digits(value, width, |index, _| most = most.max(index + 1));
    }
    most
}
