//! Decides how tables are put together from entries of others, and multiplied with matrices of integers.

use std::ops::Range;

use ark_bls12_381::Fr;
use ark_ff::Zero;
use rayon::prelude::*;

use super::contract::{contract, planes, power_of_two};
use crate::field::zeros;
use crate::{Addend, Entries, Ints, Scan, each_width, table_shape};

/// Entries that a thread takes at a time.
const GRAIN: usize = 1 << 12;

/// Calls `f(offset)` for the indices of `range`, row major: `offset` is the sum of their steps.
fn offsets(steps: &[Vec<usize>], range: Range<usize>, mut f: impl FnMut(usize)) {
    let Some((last, outer)) = steps.split_last() else {
        return range.for_each(|_| f(0));
    };
    let mut at = range.start;
    while at < range.end {
        let (mut row, column) = (at / last.len(), at % last.len());
        let mut base = 0;
        for steps in outer.iter().rev() {
            base += steps[row % steps.len()];
            row /= steps.len();
        }
        let run = &last[column..last.len().min(column + range.end - at)];
        run.iter().for_each(|step| f(base + step));
        at += run.len();
    }
}

/// See [`crate::Backend::gather`].
pub fn gather(lengths: &[usize], addends: &[Addend<Vec<Fr>>]) -> Vec<Fr> {
    let mut out = zeros(lengths.iter().product());
    if out.is_empty() {
        return out;
    }
    for addend in addends {
        assert!(
            lengths.iter().eq(addend.steps.iter().map(Vec::len).collect::<Vec<_>>().iter()),
            "a step for each index"
        );
        match addend.source {
            Entries::Table(table) => add(&mut out, addend, |at| table[at]),
            Entries::Ints(tensor) => {
                let ints = tensor.plain().expect("all entries are stored");
                each_width!(Ints, ints, values => add(&mut out, addend, |at| Fr::from(values[at])));
            }
        }
    }
    out
}

fn add<T>(out: &mut [Fr], addend: &Addend<T>, entry: impl Fn(usize) -> Fr + Sync) {
    let (steps, coefficient) = (&addend.steps, addend.coefficient);
    let Some(Scan { axis, weights, before }) = &addend.scan else {
        out.par_chunks_mut(GRAIN).enumerate().for_each(|(part, out)| {
            let (start, mut places) = (part * GRAIN, out.iter_mut());
            offsets(steps, start..start + places.len(), |at| {
                places.next().into_iter().for_each(|place| *place += coefficient * entry(at));
            });
        });
        return;
    };
    let (outer, own, inner) = (&steps[..*axis], &steps[*axis], &steps[axis + 1..]);
    let size = inner.iter().map(Vec::len).product();
    out.par_chunks_mut(own.len() * size).enumerate().for_each(|(block, out)| {
        let (mut base, mut sums) = (0, vec![Fr::zero(); size]);
        offsets(outer, block..block + 1, |at| base = at);
        for ((out, step), weight) in out.chunks_mut(size).zip(own).zip(weights) {
            let (base, weight) = (base + step, coefficient * weight);
            out.par_chunks_mut(GRAIN).zip(sums.par_chunks_mut(GRAIN)).enumerate().for_each(|(part, (out, sums))| {
                let (start, mut places) = (part * GRAIN, out.iter_mut().zip(sums));
                offsets(inner, start..start + places.len(), |at| {
                    let Some((place, sum)) = places.next() else { return };
                    let more = *sum + weight * entry(base + at);
                    *place += if *before { *sum } else { more };
                    *sum = more;
                });
            });
        }
    });
}

/// See [`crate::Backend::multiply_table`].
pub fn multiply_table(x: Ints, y: &[Fr], weights: &[Fr], depth: usize) -> Vec<Fr> {
    let (rows, columns) = table_shape(x, y.len(), weights, depth);
    let planes: Vec<(Fr, Vec<i16>)> =
        planes(x).into_iter().map(|(shift, plane)| (power_of_two(shift), plane)).collect();
    let column = |n: usize| {
        let mut sums = vec![Fr::zero(); rows];
        for (b, weight) in weights.iter().enumerate() {
            for (scale, plane) in &planes {
                let x = Ints::I16(&plane[b * rows * depth..][..rows * depth]);
                let part = contract(x.into(), rows, 1, &y[(b * columns + n) * depth..][..depth]);
                let scale = *scale * weight;
                sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += scale * part);
            }
        }
        sums
    };
    let all: Vec<Vec<Fr>> = (0..columns).into_par_iter().map(column).collect();
    (0..rows * columns).into_par_iter().map(|at| all[at % columns][at / columns]).collect()
}
