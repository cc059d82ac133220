//! Decides products of integer matrices on a device: as many rows of both as there is room, rows filled up to whole quads.

use rayon::prelude::*;

use super::Argument;
use super::array::{Array, Plain, bytes_of, launch};
use super::keep::Copied;
use super::machine::{BLOCK, Device};
use super::runs::room;
use crate::integer::{Overflow, Rows, shape};
use crate::tensors::QUAD;

/// Integers of a quad, and rows and columns of a thread's results; as in `gemm.cu`.
const TILE: usize = QUAD;
/// Rows and columns of a block's results; as in `gemm.cu`.
const TILES: (usize, usize) = (64, 32);

/// See [`crate::Backend::multiply`].
pub fn multiply<D: Device>(device: &D, left: &[i32], right: Rows, depth: usize) -> Result<Vec<i64>, Overflow> {
    let (m, n) = shape(left, right, depth)?;
    if m == 0 || n == 0 {
        return Ok(Vec::new());
    }
    Ok(match right {
        Rows::I16(right) => in_portions(device, "multiply_i16", left, right, depth),
        Rows::I32(right) => in_portions(device, "multiply_i32", left, right, depth),
    })
}

/// Neither matrix is empty.
fn in_portions<D: Device, T: Plain + Default>(
    device: &D,
    kernel: &'static str,
    left: &[i32],
    right: &[T],
    depth: usize,
) -> Vec<i64> {
    let (m, n, full, room) = (left.len() / depth, right.len() / depth, depth.next_multiple_of(TILE), room(device));
    // Room for the rows on the right, a tile's results for each; and as much for those on the left and their results.
    let tiles = |bytes: usize| (room / bytes / TILE * TILE).max(TILE);
    let columns = tiles(size_of::<T>() * full + 8 * TILE).min(n);
    let rows = tiles(4 * full + 8 * columns.next_multiple_of(TILE)).min(m);
    let mut result = vec![0i64; m * n];
    for (right, first_column) in right.chunks(columns * depth).zip((0..).step_by(columns)) {
        let (right, columns) = (padded(device, right, depth), right.len() / depth);
        let stride = columns.next_multiple_of(TILE);
        for (left, result) in left.chunks(rows * depth).zip(result.chunks_mut(rows * n)) {
            let (left, rows) = (padded(device, left, depth), left.len() / depth);
            let out = Array::<D, i64>::new(device, rows.next_multiple_of(TILE) * stride);
            let sizes = [rows, columns, full / TILE, full / TILE, stride, 1, 0, 0, 0].map(Into::into);
            let arguments = [&[(&out).into(), (&left).into(), (&right).into()], &sizes[..]].concat();
            // SAFETY: rows of whole quads on both sides, and `out` has whole tiles.
            unsafe { launch(device, kernel, threads(rows, columns), &arguments) };
            let values = out.read(device, 0, rows * stride);
            if (rows, columns, stride) == (m, n, n) {
                return values;
            }
            result.par_chunks_mut(n).zip(values.par_chunks(stride)).for_each(|(to, from)| {
                to[first_column..first_column + columns].copy_from_slice(&from[..columns]);
            });
        }
    }
    result
}

/// Threads of the kernels for so many rows and columns of results.
pub fn threads(rows: usize, columns: usize) -> usize {
    rows.div_ceil(TILES.0) * columns.div_ceil(TILES.1) * BLOCK
}

/// Rows on the device.
enum Padded<D: Device, T> {
    Kept(Copied<D>),
    Own(Array<D, T>),
}

impl<D: Device, T: Plain> From<&Padded<D, T>> for Argument {
    fn from(rows: &Padded<D, T>) -> Argument {
        match rows {
            Padded::Kept(copied) => Argument::Word(copied.address()),
            Padded::Own(array) => array.into(),
        }
    }
}

/// Rows of `depth` integers on the device, zeroes after each up to whole quads.
fn padded<D: Device, T: Plain + Default>(device: &D, rows: &[T], depth: usize) -> Padded<D, T> {
    let full = depth.next_multiple_of(TILE);
    if full == depth {
        let copied = Copied::of(device, bytes_of(rows));
        if copied.address().is_multiple_of((TILE * size_of::<T>()) as u64) {
            return Padded::Kept(copied);
        }
    }
    let entry = |at: usize| if at % full < depth { rows[at / full * depth + at % full] } else { T::default() };
    Padded::Own(Array::filled(device, rows.len() / depth * full, |start, part| {
        part.iter_mut().zip(start..).for_each(|(to, at)| *to = entry(at));
    }))
}
