//! Small things about the scalar field that every backend shares: integers into it, eq tables, batch inversion.

use ark_bls12_381::Fr;
use ark_ff::{One, Zero};
use std::mem::ManuallyDrop;

/// Zeros that no thread writes: the system clears each page for the thread that first uses it, so that clearing is spread over
/// the cores as the work is.
pub fn zeros(count: usize) -> Vec<Fr> {
    const { assert!(size_of::<Fr>() == size_of::<[u64; 4]>() && align_of::<Fr>() == align_of::<[u64; 4]>()) };
    let mut limbs = ManuallyDrop::new(vec![[0u64; 4]; count]);
    // SAFETY: memory of a vector of elements of the same layout, given up by it; limbs that are all 0 are the element 0.
    unsafe { Vec::from_raw_parts(limbs.as_mut_ptr().cast(), count, limbs.capacity()) }
}

/// `eq(point, index)`, the bits of `index` matched with `point`, most significant first.
pub fn eq_at(point: &[Fr], index: u64) -> Fr {
    let mut product = Fr::one();
    for (k, r) in point.iter().rev().enumerate() {
        product *= if k < 64 && index >> k & 1 == 1 { *r } else { Fr::one() - r };
    }
    product
}

/// The first `length` values of `x -> scale * eq(point, x)`, about `length` products.
pub fn scaled_eq_table(scale: Fr, point: &[Fr], length: usize) -> Vec<Fr> {
    assert!(point.len() < usize::BITS as usize && length <= 1 << point.len(), "eq table longer than its point allows");
    if length == 0 {
        return Vec::new();
    }
    let mut table = Vec::with_capacity(length);
    table.push(scale);
    for (k, r) in point.iter().enumerate() {
        // After this step the table holds the first values over k + 1 coordinates.
        let wanted = ((length - 1) >> (point.len() - 1 - k)) + 1;
        table.resize(wanted, Fr::zero());
        for i in (0..wanted.div_ceil(2)).rev() {
            let high = table[i] * r;
            let low = table[i] - high;
            table[2 * i] = low;
            if 2 * i + 1 < wanted {
                table[2 * i + 1] = high;
            }
        }
    }
    table
}

/// The first `length` values of `x -> eq(point, x)`.
pub fn eq_table(point: &[Fr], length: usize) -> Vec<Fr> {
    scaled_eq_table(Fr::one(), point, length)
}

/// Invert every nonzero value in place; zeros stay.
pub fn invert_all(values: &mut [Fr]) {
    ark_ff::batch_inversion(values);
}
