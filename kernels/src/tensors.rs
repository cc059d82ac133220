//! What an inference asks of a device: tensors of integers that stay on it, read, rounded, multiplied, looked up there.
//!
//! Values are of 64 bits unless they are [`Tensors::stored`] in fewer; who calls makes sure that no sum needs more. A tensor has
//! fewer than 2^32 places.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use crate::random::Weights;
use crate::{Integers, Ints};

/// Integers on a device. Whose they are, only it knows.
#[derive(Clone)]
pub struct Far {
    pub(crate) cells: Arc<dyn Any + Send + Sync>,
    length: usize,
}

impl Far {
    pub(crate) fn new(cells: impl Any + Send + Sync, length: usize) -> Self {
        Far { cells: Arc::new(cells), length }
    }

    /// Number of integers.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl std::fmt::Debug for Far {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} integers on a device", self.length)
    }
}

/// Which entries of a tensor exist, whose last two axes are a later and an earlier index: rows of `length`, squares of `rows`
/// rows, one after the other; in row `r` the first `r + shift + 1`. All exist if `length` is 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pairs {
    pub length: usize,
    pub rows: usize,
    pub shift: usize,
}

/// A term of a sum: `coefficient` times the cell whose place is the sum of the steps of each axis' index.
#[derive(Clone, Debug)]
pub struct Part {
    pub coefficient: i64,
    pub cells: Far,
    pub steps: Vec<Vec<usize>>,
}

/// A sum over a box of axes of these lengths, row major; below 2^62, as are the sums of some of its terms.
#[derive(Clone, Debug)]
pub struct Reading {
    pub constant: i64,
    pub lengths: Vec<usize>,
    pub parts: Vec<Part>,
}

impl Reading {
    /// Number of places.
    pub fn count(&self) -> usize {
        self.lengths.iter().product()
    }
}

/// What becomes of the entries of two tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// Their product.
    Multiply,
    /// Their quotient, to the nearest integer, halves upwards; the divisor is positive, and twice both fit.
    Divide,
    /// The entry of the first that the second one numbers.
    Take,
}

/// How a tensor is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// All of it.
    Whole,
    /// Of squares of so many rows and columns only what is not above a diagonal.
    Triangles(usize),
    /// Rows of so many, filled up with zeros to a multiple of [`QUAD`].
    Quads(usize),
}

/// Some rows of each batch of a product of matrices, with the first columns: those alone have results, the others are 0.
/// Beyond `depth` the left factor is 0 in these rows.
#[derive(Clone, Debug)]
pub struct Block {
    pub rows: Range<usize>,
    pub columns: usize,
    pub depth: usize,
}

/// Products of matrices, `batches` of them.
#[derive(Clone, Debug)]
pub struct Batches {
    pub batches: usize,
    pub rows: usize,
    pub columns: usize,
    pub depth: usize,
    pub blocks: Vec<Block>,
}

/// Entries of rows that are multiplied, and rows and columns of results, come in so many.
pub const QUAD: usize = 4;

/// The verbs. All results are exact.
pub trait Tensors: Sync {
    /// Places that make a tensor worth a device.
    fn least(&self) -> usize;
    /// Bytes that tensors could take.
    fn room(&self) -> usize;
    /// The first `count` weights, weight `i` times `gains[i % gains.len()]` and `scale`, to the nearest integer, halves away from 0;
    /// below 2^62.
    fn random(&self, weights: &Weights, gains: &[f64], scale: f64, count: usize) -> Far;
    /// A copy on the device, or the part of one that is kept there.
    fn far(&self, ints: Ints) -> Far;
    /// Copies to `to` from place `start` on, which is of the same width.
    fn near(&self, far: &Far, to: &mut Integers, start: usize);
    /// Zeros as wide as the integers are.
    fn zeros(&self, far: &Far) -> Integers;
    /// `(sum + half) >> shift` at every place of `pairs`, 0 at the others; with `tops`, one for every row of the last axis, what
    /// they are above that. `shift` is below 63.
    fn read(&self, reading: &Reading, half: i64, shift: u32, tops: Option<&Far>, pairs: Pairs) -> Far;
    /// The greatest `sum >> shift` of each row of `pairs`; 0 of none.
    fn tops(&self, reading: &Reading, shift: u32, pairs: Pairs) -> Far;
    /// For every place of a box with these steps, the sum of the cells that are `offsets` from it.
    fn sums(&self, cells: &Far, steps: &[Vec<usize>], offsets: &[usize]) -> Far;
    /// Of two tensors of 64 bits, as long as the second; 0 where there is no pair.
    fn each(&self, what: Each, left: &Far, right: &Far, pairs: Pairs) -> Far;
    /// Turns the halves of rows of `2 pairs`: row `r` by `turns[first + r / inner % times]`, (cos, sin) of each pair.
    fn turn(&self, values: &Far, turns: &Far, pairs: usize, inner: usize, times: Range<usize>) -> Far;
    /// Least and greatest of integers of 64 bits; `(0, 0)` of none.
    fn ends(&self, values: &Far) -> (i64, i64);
    /// Integers of 64 bits in the least width with room for `ends`.
    fn stored(&self, values: &Far, ends: (i64, i64), layout: Layout) -> Far;
    /// How often each of `size` rows is numbered at the places of `pairs`; all are below `size`.
    fn count(&self, rows: &Far, pairs: Pairs, size: usize) -> Vec<u32>;
    /// `left * right^T` for every batch, of rows of `depth` stored as [`Layout::Quads`]: 32 bits on the left, 16 or 32 on the
    /// right. Rows and columns of the results are filled up to multiples of [`QUAD`]. The caller knows that no result exceeds 63
    /// bits.
    fn multiply(&self, left: &Far, right: &Far, sizes: &Batches) -> Far;
}
