//! Decides where a column's integers stand in the matrix of a chunk.

use crate::causal;
use zkllm_kernels::ints::below;
use zkllm_kernels::{Ints, Piece};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{Column, ColumnId, Program};

/// The pieces of one column in one chunk.
#[derive(Clone)]
pub struct Part<'a> {
    /// The column.
    pub column: ColumnId,
    /// Its runs of neighbouring entries.
    pub pieces: Vec<Piece<'a>>,
}

/// The columns of every chunk, the model's chunks first; `columns[id]` is as in a [`super::Witness`].
pub fn chunks<'a>(plan: &Plan, columns: &[Ints<'a>]) -> Vec<Vec<Part<'a>>> {
    let mut chunks: Vec<Vec<Part>> = (0..plan.chunks()).map(|_| Vec::new()).collect();
    for (column, values) in columns.iter().enumerate().filter(|(_, values)| !values.is_empty()) {
        for (chunk, row, start, values) in runs(plan, column, *values) {
            let parts = &mut chunks[chunk];
            if parts.last().is_none_or(|part| part.column != column) {
                parts.push(Part { column, pieces: Vec::new() });
            }
            if let Some(part) = parts.last_mut() {
                part.pieces.push(Piece { row, column: start, values });
            }
        }
    }
    chunks
}

/// How neighbouring entries of a column lie side by side in chunks too.
struct Shape {
    /// Lengths and bits of the axes outside runs.
    outer: Vec<(usize, usize)>,
    /// Runs.
    count: usize,
    /// Entries of a run, and its address bits.
    run: usize,
    run_bits: usize,
}

impl Shape {
    /// A run covers the last axes that are full and one more; a row of a square of `side` as far as it is stored.
    fn new(program: &Program, column: &Column, side: usize) -> Self {
        let axes = column.axes.iter().map(|&axis| (program.axes[axis].length, program.axes[axis].bits));
        let axes: Vec<(usize, usize)> = axes.collect();
        let full = axes.iter().rev().take_while(|(length, bits)| side == 0 && *length == 1 << bits).count();
        let (outer, inner) = axes.split_at(axes.len().saturating_sub(full + 1));
        Shape {
            count: outer.iter().map(|(length, _)| length).product(),
            run: inner.iter().map(|(length, _)| length).product(),
            run_bits: inner.iter().map(|(_, bits)| bits).sum(),
            outer: outer.to_vec(),
        }
    }
}

/// About how many pieces all chunks have together.
pub fn piece_count(plan: &Plan) -> u64 {
    let program = &plan.program;
    let pieces = |column: &Column| {
        let shape = Shape::new(program, column, causal::side(program, &column.axes, column.causal));
        (shape.count * shape.run.div_ceil(1 << plan.chunk_log)) as u64
    };
    program.columns.iter().map(pieces).sum()
}

/// The runs of a column within rows: (chunk, row, first column, values).
fn runs<'a>(plan: &Plan, column: ColumnId, values: Ints<'a>) -> impl Iterator<Item = (usize, usize, usize, Ints<'a>)> {
    let program = &plan.program;
    let side = causal::side_of(program, &program.columns[column], values);
    let Shape { outer: outer_axes, count, run, run_bits } = Shape::new(program, &program.columns[column], side);
    let place = plan.places[column];
    let width = 1u64 << plan.chunk_log;
    let chunk_size = width * width;
    (0..count).flat_map(move |number| {
        // The address of the run: its outer index in the padded axes.
        let (mut rest, mut address, mut shift) = (number, 0u64, run_bits);
        for (length, bits) in outer_axes.iter().rev() {
            address |= ((rest % length) as u64) << shift;
            rest /= length;
            shift += bits;
        }
        let (start, length) = match side {
            0 => (number * run, run),
            _ => (below(side, number * run), number % side + 1),
        };
        let first = place.offset + address;
        let end = first + length as u64;
        let mut at = first;
        core::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let stop = end.min((at / width + 1) * width);
            let offset = start + (at - first) as usize;
            let values = values.slice(offset..offset + (stop - at) as usize);
            let item = (
                place.chunk + (at / chunk_size) as usize,
                (at % chunk_size / width) as usize,
                (at % width) as usize,
                values,
            );
            at = stop;
            Some(item)
        })
    })
}
