//! Decides how what stands at causal pairs is stored: of every square of (later, earlier) only what is not above its diagonal,
//! where nothing is. Cheating provers have columns with something there; those are stored whole.

use zkllm_kernels::ints::below;
use zkllm_kernels::{Integers, Ints, Tensor};
use zkllm_verifier::program::{AxisId, Column, Program};

/// The side of the squares that a tensor over `axes` consists of if it is `causal`, else 0.
pub fn side(program: &Program, axes: &[AxisId], causal: bool) -> usize {
    axes.last().filter(|_| causal).map_or(0, |&axis| program.axes[axis].length)
}

/// How many of the first `place` entries of a tensor are stored, in squares of `side` unless that is 0.
pub fn stored(side: usize, place: usize) -> usize {
    if side == 0 { place } else { below(side, place) }
}

/// The side of the squares of which `values`, all of `column`, are the entries that are not above the diagonals; 0 where they
/// are all entries.
pub fn side_of(program: &Program, column: &Column, values: Ints<'_>) -> usize {
    let whole: usize = program.lengths(&column.axes).iter().product();
    if values.len() == whole { 0 } else { side(program, &column.axes, column.causal) }
}

/// A column, given the entries that are stored.
pub fn tensor<'a>(program: &Program, column: &Column, values: Ints<'a>) -> Tensor<'a> {
    Tensor::squares(values, side_of(program, column, values))
}

/// All entries of a column, given those that are stored.
pub fn whole(program: &Program, column: &Column, values: &Integers) -> Integers {
    tensor(program, column, values.view()).whole()
}
