//! Decides how small integers are multiplied with field elements and summed.

use ark_bls12_381::Fr;
use ark_ff::Zero;
use rayon::prelude::*;

use crate::{Ints, Piece};

/// See [`crate::Backend::contract`].
pub fn contract(x: Ints, outer: usize, inner: usize, weights: &[Fr]) -> Vec<Fr> {
    let middle = weights.len();
    assert_eq!(x.len(), outer * middle * inner, "x has shape outer x middle x inner");
    (0..outer * inner)
        .into_par_iter()
        .map(|index| {
            let (o, i) = (index / inner, index % inner);
            weights.iter().enumerate().map(|(m, w)| *w * Fr::from(x.at((o * middle + m) * inner + i))).sum()
        })
        .collect()
}

/// See [`crate::Backend::contract_field`].
pub fn contract_field(x: &[Fr], outer: usize, inner: usize, weights: &[Fr]) -> Vec<Fr> {
    let middle = weights.len();
    assert_eq!(x.len(), outer * middle * inner, "x has shape outer x middle x inner");
    (0..outer * inner)
        .into_par_iter()
        .map(|index| {
            let (o, i) = (index / inner, index % inner);
            weights.iter().enumerate().map(|(m, w)| *w * x[(o * middle + m) * inner + i]).sum()
        })
        .collect()
}

/// See [`crate::Backend::contract_left`].
pub fn contract_left(pieces: &[Piece], row_weights: &[Fr], columns: usize) -> Vec<Fr> {
    let mut out = vec![Fr::zero(); columns];
    for piece in pieces {
        let weight = row_weights[piece.row];
        if !weight.is_zero() {
            out[piece.column..piece.column + piece.values.len()]
                .par_iter_mut()
                .enumerate()
                .with_min_len(64)
                .for_each(|(i, sum)| *sum += weight * Fr::from(piece.values.at(i)));
        }
    }
    out
}

/// See [`crate::Backend::contract_right`].
pub fn contract_right(pieces: &[Piece], column_weights: &[Fr], rows: usize) -> Vec<Fr> {
    let mut out = vec![Fr::zero(); rows];
    let sums: Vec<Fr> = pieces
        .par_iter()
        .map(|piece| (0..piece.values.len()).map(|i| column_weights[piece.column + i] * Fr::from(piece.values.at(i))).sum())
        .collect();
    for (piece, sum) in pieces.iter().zip(sums) {
        out[piece.row] += sum;
    }
    out
}
