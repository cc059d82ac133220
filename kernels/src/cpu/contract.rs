//! Decides how contractions are cut into tasks: dot products along the middle axis, or tiles of columns over it.

use ark_bls12_381::Fr;
use ark_ff::Zero;
use rayon::prelude::*;

use super::limbs::{LIMBS, Planes, TILE, axpy, dot, gather, limbs_of};
use super::wide::Wide;
use crate::{Ints, Piece, Tensor};

/// Weights whose limbs one task holds.
const BLOCK: usize = 4096;
/// Columns of a task over columns.
const COLUMNS: usize = 256;
/// Rows added to a tile at a time.
const ROWS: usize = 16;
/// From this many columns on, tiles of columns beat dot products.
const FEW: usize = 6;
/// Values one task takes, about.
const TASK: usize = 1 << 17;
/// Entries of squares that are made whole at once, about.
const WHOLE: usize = 1 << 26;

/// `values = sum_d planes[d] 2^(16 d)`, only the planes that are not 0, each with its exponent `16 d`.
pub fn planes(values: Ints) -> Vec<(u32, Vec<i16>)> {
    fn split<T: Copy + Sync>(values: &[T], digit: impl Fn(T, u32, i128) -> (i16, bool) + Sync) -> Vec<(u32, Vec<i16>)> {
        let (mut planes, mut rounding) = (Vec::new(), 0);
        for shift in (0..).step_by(16) {
            let plane: Vec<i16> = values.par_iter().with_min_len(4096).map(|x| digit(*x, shift, rounding).0).collect();
            let rest = values.par_iter().with_min_len(4096).any(|x| digit(*x, shift, rounding).1);
            planes.push((shift, plane));
            if !rest {
                break;
            }
            rounding += 0x8000 << shift;
        }
        planes
    }
    // Digits in -2^15 .. 2^15, and whether anything lies above: a rest of -1 .. 0 after the digit's sign.
    let short = |x: i64, shift: u32, rounding: i128| {
        let rest = (x + rounding as i64) >> shift;
        (rest as i16, rest != i64::from(rest as i16))
    };
    match values {
        Ints::U8(x) => vec![(0, x.iter().map(|x| i16::from(*x)).collect())],
        Ints::I16(x) => vec![(0, x.to_vec())],
        Ints::U16(x) => split(x, |x, shift, rounding| short(x.into(), shift, rounding)),
        Ints::I32(x) => split(x, |x, shift, rounding| short(x.into(), shift, rounding)),
        Ints::I64(x) => split(x, |x, shift, rounding| {
            let rest = (i128::from(x) + rounding) >> shift;
            (rest as i16, rest != i128::from(rest as i16))
        }),
    }
}

/// `2^exponent`.
pub fn power_of_two(exponent: u32) -> Fr {
    Fr::from(1u128 << exponent)
}

/// See [`crate::Backend::contract`].
pub fn contract(x: Tensor, outer: usize, inner: usize, weights: &[Fr]) -> Vec<Fr> {
    let block = weights.len() * inner;
    assert_eq!(x.len(), outer * block, "x has shape outer x middle x inner");
    if let Some(x) = x.plain() {
        return contract_ints(x, outer, inner, weights);
    }
    // Some squares at a time.
    let group = (WHOLE / block.max(1)).max(1);
    let part = |first: usize| {
        let end = outer.min(first + group);
        let whole = x.slice(first * block..end * block).whole();
        contract_ints(whole.view(), end - first, inner, weights)
    };
    (0..outer).step_by(group).flat_map(part).collect()
}

fn contract_ints(x: Ints, outer: usize, inner: usize, weights: &[Fr]) -> Vec<Fr> {
    let Ints::I16(x) = x else {
        let mut out = vec![Fr::zero(); outer * inner];
        for (shift, plane) in planes(x) {
            let scale = power_of_two(shift);
            let part = contract_ints(Ints::I16(&plane), outer, inner, weights);
            out.par_iter_mut().zip(part).for_each(|(out, part)| *out += scale * part);
        }
        return out;
    };
    let mut out = vec![Fr::zero(); outer * inner];
    if outer * inner == 0 {
        return out;
    }
    let middle = weights.len();
    let parts: Vec<Vec<Fr>> = weights
        .par_chunks(BLOCK)
        .enumerate()
        .map(|(b, weights)| {
            let row = |o: usize, m: usize| &x[(o * middle + b * BLOCK + m) * inner..][..inner];
            if inner < FEW {
                dots(outer, inner, weights, |o| &x[(o * middle + b * BLOCK) * inner..][..weights.len() * inner])
            } else {
                tiles(outer, inner, weights, row)
            }
        })
        .collect();
    for part in parts {
        out.par_iter_mut().zip(part).with_min_len(4096).for_each(|(out, part)| *out += part);
    }
    out
}

/// One block of weights against `x(o)`, each `weights.len() x inner`.
fn dots<'a>(outer: usize, inner: usize, weights: &[Fr], x: impl Fn(usize) -> &'a [i16] + Sync) -> Vec<Fr> {
    let planes = Planes::new(weights);
    let mut out = vec![Fr::zero(); outer * inner];
    let group = (TASK / (weights.len() * inner)).max(1);
    out.par_chunks_mut(group * inner).enumerate().for_each(|(g, out)| {
        let mut column = Vec::with_capacity(weights.len());
        for (o, out) in out.chunks_mut(inner).enumerate() {
            let x = x(g * group + o);
            for (i, out) in out.iter_mut().enumerate() {
                let run = if inner == 1 {
                    x
                } else {
                    column.clear();
                    column.extend(x[i..].iter().step_by(inner));
                    &column
                };
                *out = gather(&dot(run, &planes, 0));
            }
        }
    });
    out
}

/// One block of weights against the rows `row(o, m)` of `inner` columns.
fn tiles<'a>(outer: usize, inner: usize, weights: &[Fr], row: impl Fn(usize, usize) -> &'a [i16] + Sync) -> Vec<Fr> {
    let limbs: Vec<[i64; LIMBS]> = weights.iter().map(limbs_of).collect();
    let mut out = vec![Fr::zero(); outer * inner];
    let group = (TASK / (weights.len() * inner)).max(1);
    out.par_chunks_mut(group * inner).enumerate().for_each(|(g, out)| {
        for (o, out) in out.chunks_mut(inner).enumerate() {
            let rows: Vec<&[i16]> = (0..weights.len()).map(|m| row(g * group + o, m)).collect();
            out.par_chunks_mut(COLUMNS).enumerate().for_each(|(c, out)| fill(out, &rows, &limbs, c * COLUMNS));
        }
    });
    out
}

/// `out[i] = sum_m limbs[m] rows[m][column + i]`; a few rows at a time, so that they are read in long runs.
fn fill(out: &mut [Fr], rows: &[&[i16]], limbs: &[[i64; LIMBS]], column: usize) {
    let mut tiles = [[[0; TILE]; LIMBS]; COLUMNS / TILE];
    let tiles = &mut tiles[..out.len().div_ceil(TILE)];
    let mut runs: [&[i16]; ROWS] = [&[]; ROWS];
    for (rows, limbs) in rows.chunks(ROWS).zip(limbs.chunks(ROWS)) {
        runs.iter_mut().zip(rows).for_each(|(run, row)| *run = &row[column..column + out.len()]);
        axpy(&runs[..rows.len()], limbs, tiles);
    }
    for (out, tile) in out.chunks_mut(TILE).zip(tiles) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = gather(&std::array::from_fn(|k| tile[k][i]));
        }
    }
}

/// The same for field elements.
pub fn contract_field(x: &[Fr], outer: usize, inner: usize, weights: &[Fr]) -> Vec<Fr> {
    let middle = weights.len();
    assert_eq!(x.len(), outer * middle * inner, "x has shape outer x middle x inner");
    let mut out = vec![Fr::zero(); outer * inner];
    if out.is_empty() {
        return out;
    }
    let task = (4096 / middle.max(1)).max(1);
    if inner == 1 {
        out.par_iter_mut().enumerate().with_min_len(task).for_each(|(o, out)| {
            let mut sum = Wide::default();
            weights.iter().zip(&x[o * middle..]).for_each(|(w, x)| sum.add_product(w, x));
            *out = sum.reduce();
        });
        return out;
    }
    let width = inner.min(64);
    out.par_chunks_mut(inner).enumerate().with_min_len((task / inner).max(1)).for_each(|(o, out)| {
        out.par_chunks_mut(width).enumerate().with_min_len((task / width).max(1)).for_each(|(c, out)| {
            let mut sums = [Wide::default(); 64];
            for (m, w) in weights.iter().enumerate() {
                let run = &x[(o * middle + m) * inner + c * width..];
                sums[..out.len()].iter_mut().zip(run).for_each(|(sum, x)| sum.add_product(w, x));
            }
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum.reduce());
        });
    });
    out
}

/// See [`crate::Backend::contract_left`].
pub fn contract_left(pieces: &[Piece], row_weights: &[Fr], columns: usize) -> Vec<Fr> {
    assert!(pieces.iter().all(|piece| piece.column + piece.values.len() <= columns), "pieces lie in the matrix");
    let mut active: Vec<&Piece> =
        pieces.iter().filter(|piece| !piece.values.is_empty() && !row_weights[piece.row].is_zero()).collect();
    active.sort_by_key(|piece| (piece.row, piece.column));
    // Tasks of rows times column blocks; each gives a part of the sums of its columns.
    let blocks = columns.div_ceil(COLUMNS);
    let groups: Vec<&[&Piece]> = active.chunks(2048).collect();
    let parts: Vec<Vec<Fr>> = (0..groups.len() * blocks)
        .into_par_iter()
        .map(|task| {
            let start = task % blocks * COLUMNS;
            left_block(groups[task / blocks], row_weights, start..(start + COLUMNS).min(columns))
        })
        .collect();
    let mut out = vec![Fr::zero(); columns];
    for (task, part) in parts.into_iter().enumerate() {
        let start = task % blocks * COLUMNS;
        out[start..].iter_mut().zip(part).for_each(|(out, part)| *out += part);
    }
    out
}

/// What a row adds to a block of columns: borrowed where a piece spans the block, else written out with zeros.
enum Run<'a> {
    Borrowed(&'a [i16]),
    Written(usize),
}

fn left_block(pieces: &[&Piece], row_weights: &[Fr], columns: std::ops::Range<usize>) -> Vec<Fr> {
    let width = columns.len();
    let (mut runs, mut limbs, mut written): (Vec<Run>, Vec<_>, Vec<Vec<i16>>) = Default::default();
    for row in pieces.chunk_by(|a, b| a.row == b.row) {
        let weight = row_weights[row[0].row];
        // The written run of each plane of this row.
        let mut planes_of_row: Vec<Option<usize>> = Vec::new();
        for piece in row {
            let first = piece.column.max(columns.start);
            let end = (piece.column + piece.values.len()).min(columns.end);
            if first >= end {
                continue;
            }
            let values = piece.values.slice(first - piece.column..end - piece.column);
            if let (Ints::I16(values), true) = (values, end - first == width) {
                runs.push(Run::Borrowed(values));
                limbs.push(limbs_of(&weight));
                continue;
            }
            for (shift, plane) in planes(values) {
                let index = shift as usize / 16;
                planes_of_row.resize(planes_of_row.len().max(index + 1), None);
                let slot = *planes_of_row[index].get_or_insert_with(|| {
                    written.push(vec![0; width]);
                    runs.push(Run::Written(written.len() - 1));
                    limbs.push(limbs_of(&(weight * power_of_two(shift))));
                    written.len() - 1
                });
                written[slot][first - columns.start..end - columns.start].copy_from_slice(&plane);
            }
        }
    }
    let rows: Vec<&[i16]> = runs
        .iter()
        .map(|run| match run {
            Run::Borrowed(values) => *values,
            Run::Written(slot) => written[*slot].as_slice(),
        })
        .collect();
    let mut out = vec![Fr::zero(); width];
    // 2048 pieces have 5 planes each at most.
    fill(&mut out, &rows, &limbs, 0);
    out
}

/// See [`crate::Backend::contract_right`].
pub fn contract_right(pieces: &[Piece], column_weights: &[Fr], rows: usize) -> Vec<Fr> {
    let weights = Planes::new(column_weights);
    let run = |values: &[i16], column: usize| -> Fr {
        values.chunks(BLOCK).enumerate().map(|(c, run)| gather(&dot(run, &weights, column + c * BLOCK))).sum()
    };
    let sums: Vec<Fr> = pieces
        .par_iter()
        .map(|piece| match piece.values {
            Ints::I16(values) => run(values, piece.column),
            values => planes(values).iter().map(|(shift, plane)| power_of_two(*shift) * run(plane, piece.column)).sum(),
        })
        .collect();
    let mut out = vec![Fr::zero(); rows];
    for (piece, sum) in pieces.iter().zip(sums) {
        out[piece.row] += sum;
    }
    out
}
