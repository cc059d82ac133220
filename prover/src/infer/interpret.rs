//! Decides the value of any sum, product, lookup or zero statement at one index, by the definitions alone: slow,
//! without a cache, and without assuming that the columns agree with each other. Spec: program.

use ark_ff::{AdditiveGroup, Field};
use std::sync::Arc;
use zkllm_kernels::Integers;
use zkllm_verifier::Fr;
use zkllm_verifier::arith::tables;
use zkllm_verifier::program::{
    AxisId, ColumnId, Index, Lookup, Operand, Product, ProductKind, Program, Source, Sum, Term, Zero,
};

/// Columns, by the position of a value: dense, row major over the true lengths of the column's axes.
pub trait Cells {
    /// Value `offset` of `column`.
    fn cell(&self, column: ColumnId, offset: usize) -> Fr;
}

impl Cells for [Arc<Integers>] {
    fn cell(&self, column: ColumnId, offset: usize) -> Fr {
        Fr::from(self[column].get(offset))
    }
}

impl Cells for [Integers] {
    fn cell(&self, column: ColumnId, offset: usize) -> Fr {
        Fr::from(self[column].get(offset))
    }
}

impl Cells for [Vec<Fr>] {
    fn cell(&self, column: ColumnId, offset: usize) -> Fr {
        self[column][offset]
    }
}

/// The values of `lookup` at the position `index` of its dense tensor: the row's number, then the outputs.
pub fn lookup_values<C: Cells + ?Sized>(program: &Program, columns: &C, lookup: &Lookup, index: usize) -> Vec<Fr> {
    let at = Reader::new(program, &lookup.axes, index);
    lookup.values.iter().map(|sum| sum_value(program, columns, sum, &at)).collect()
}

/// The value of `zero` at the position `index` of its dense tensor.
pub fn zero_value<C: Cells + ?Sized>(program: &Program, columns: &C, zero: &Zero, index: usize) -> Fr {
    sum_value(program, columns, &zero.sum, &Reader::new(program, &zero.axes, index))
}

/// Whether the position `index` of the dense tensor over `axes` exists: `u <= t` where `causal`.
pub fn exists(program: &Program, axes: &[AxisId], causal: bool, index: usize) -> bool {
    match axes[..] {
        [.., t, u] if causal => {
            let at = Reader::new(program, axes, index);
            at.index(u) <= at.index(t)
        }
        _ => true,
    }
}

/// An index for each axis of whoever reads.
#[derive(Clone)]
struct Reader(Vec<(AxisId, usize)>);

impl Reader {
    fn new(program: &Program, axes: &[AxisId], index: usize) -> Self {
        let mut rest = index;
        let mut indices = Vec::new();
        for &axis in axes.iter().rev() {
            let length = program.axes[axis].length;
            indices.push((axis, rest % length));
            rest /= length;
        }
        Self(indices)
    }

    fn index(&self, axis: AxisId) -> usize {
        self.0
            .iter()
            .find(|(own, _)| *own == axis)
            .map(|(_, index)| *index)
            .expect("a term reads only axes of its reader")
    }

    fn with(&self, axis: AxisId, index: usize) -> Self {
        let mut indices: Vec<_> = self.0.iter().filter(|(own, _)| *own != axis).copied().collect();
        indices.push((axis, index));
        Self(indices)
    }
}

fn integer(value: i128) -> Fr {
    Fr::from(value)
}

fn sum_value<C: Cells + ?Sized>(program: &Program, columns: &C, sum: &Sum, at: &Reader) -> Fr {
    sum.terms.iter().fold(integer(sum.constant), |total, term| {
        total + integer(term.coefficient) * term_value(program, columns, term, at)
    })
}

/// The source summed over every combination of indices that the term allows.
fn term_value<C: Cells + ?Sized>(program: &Program, columns: &C, term: &Term, at: &Reader) -> Fr {
    let lengths: Vec<usize> = match term.source {
        Source::Column(column) => program.lengths(&program.columns[column].axes),
        Source::Product(product) => program.lengths(&program.products[product].axes),
        Source::Below(_) => vec![usize::MAX; 2],
    };
    let mut places: Vec<Vec<usize>> = vec![Vec::new()];
    for (slot, index) in term.index.iter().enumerate() {
        let choices: Vec<usize> = match *index {
            Index::At(axis) => vec![at.index(axis)],
            Index::All => (0..lengths[slot]).collect(),
            Index::Before(axis) => (0..at.index(axis)).collect(),
            Index::Pick(axis, list) => vec![program.lists[list][at.index(axis)]],
        };
        let inside = choices.into_iter().filter(|&choice| choice < lengths[slot]).collect::<Vec<_>>();
        places =
            places.iter().flat_map(|place| inside.iter().map(|&choice| [&place[..], &[choice]].concat())).collect();
    }
    places.iter().map(|place| source_value(program, columns, term.source, &lengths, place)).sum()
}

fn source_value<C: Cells + ?Sized>(
    program: &Program,
    columns: &C,
    source: Source,
    lengths: &[usize],
    place: &[usize],
) -> Fr {
    match source {
        Source::Column(column) => {
            let offset = place.iter().zip(lengths).fold(0, |offset, (index, length)| offset * length + index);
            columns.cell(column, offset)
        }
        Source::Product(product) => {
            let product = &program.products[product];
            product_value(
                program,
                columns,
                product,
                &Reader(product.axes.iter().copied().zip(place.iter().copied()).collect()),
            )
        }
        Source::Below(list) => {
            if place[1] < program.lists[list][place[0]] {
                Fr::ONE
            } else {
                Fr::ZERO
            }
        }
    }
}

fn product_value<C: Cells + ?Sized>(program: &Program, columns: &C, product: &Product, at: &Reader) -> Fr {
    let left = &product.left;
    match &product.kind {
        ProductKind::Einsum(right) | ProductKind::Scores(right) => {
            let mut readers = vec![at.clone()];
            let mut summed: Vec<AxisId> = Vec::new();
            for &axis in left.axes.iter().chain(&right.axes) {
                if !product.axes.contains(&axis) && !summed.contains(&axis) {
                    summed.push(axis);
                    readers = readers
                        .iter()
                        .flat_map(|reader| (0..program.axes[axis].length).map(|index| reader.with(axis, index)))
                        .collect();
                }
            }
            readers
                .iter()
                .map(|reader| {
                    operand_value(program, columns, left, reader) * operand_value(program, columns, right, reader)
                })
                .sum()
        }
        ProductKind::Rotary(rotary) => {
            let pairs = program.axes[rotary.pair].length;
            let table = tables::rotary(at.index(rotary.time) + 1, pairs, rotary.base, rotary.fraction);
            let (cos, sin) = table[at.index(rotary.time)][at.index(rotary.pair)];
            let [first, second] = [0, 1].map(|half| operand_value(program, columns, left, &at.with(rotary.half, half)));
            let (cos, sin) = (Fr::from(cos), Fr::from(sin));
            if at.index(rotary.half) == 0 { cos * first - sin * second } else { sin * first + cos * second }
        }
    }
}

/// Zero where an index reaches the length of an axis of the operand.
fn operand_value<C: Cells + ?Sized>(program: &Program, columns: &C, operand: &Operand, at: &Reader) -> Fr {
    let inside = operand.axes.iter().all(|&axis| at.index(axis) < program.axes[axis].length);
    if inside { sum_value(program, columns, &operand.sum, at) } else { Fr::ZERO }
}
