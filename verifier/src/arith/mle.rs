//! Decides the values of multilinear extensions of public tensors. Bits are taken from the most significant.
//! Spec: multilinear.

use super::dot;
use crate::Refusal;
use alloc::vec;
use alloc::vec::Vec;
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};
use core::iter::zip;

/// Coordinate by coordinate. `BadCard` for points of different lengths: no part of one is left out.
fn pairs<'a>(p: &'a [Fr], q: &'a [Fr]) -> Result<impl Iterator<Item = (&'a Fr, &'a Fr)>, Refusal> {
    if p.len() == q.len() { Ok(zip(p, q)) } else { Err(Refusal::BadCard) }
}

/// `eq(p, x)` for the first `length` indices `x`, `length <= 2^p.len()`.
pub fn eq_table(point: &[Fr], length: usize) -> Vec<Fr> {
    let mut table = vec![Fr::ONE];
    for (bit, coordinate) in point.iter().enumerate() {
        // Prefixes beyond the last index are not needed.
        let below = point.len() - bit - 1;
        let needed = ((length.max(1) - 1) >> below) + 1;
        let mut next = Vec::with_capacity(2 * table.len());
        for value in table {
            let one = value * coordinate;
            next.push(value - one);
            next.push(one);
        }
        next.truncate(needed);
        table = next;
    }
    table.truncate(length);
    table
}

/// `eq(p, q)`.
///
/// # Errors
/// `BadCard` for points of different lengths.
pub fn eq(p: &[Fr], q: &[Fr]) -> Result<Fr, Refusal> {
    let factor = |(a, b): (&Fr, &Fr)| {
        let ab = *a * b;
        ab + ab + Fr::ONE - a - b
    };
    Ok(pairs(p, q)?.map(factor).product())
}

/// `eq(p, x)` for the index `x`.
pub fn eq_index(p: &[Fr], x: u64) -> Fr {
    let mut rest = x;
    p.iter().rev().fold(Fr::ONE, |product, a| {
        let factor = if rest & 1 == 1 { *a } else { Fr::ONE - a };
        rest >>= 1;
        product * factor
    })
}

/// `eq(p, x)` for many indices `x < 2^p.len()`: a product of two entries of small tables.
pub struct Indices {
    high: Vec<Fr>,
    low: Vec<Fr>,
}

impl Indices {
    /// The tables of `point`, each of half of its bits.
    pub fn new(point: &[Fr]) -> Self {
        let (high, low) = point.split_at(point.len() / 2);
        let table = |half: &[Fr]| eq_table(half, 1 << half.len());
        Self { high: table(high), low: table(low) }
    }

    /// `eq(p, x)`.
    pub fn at(&self, x: usize) -> Fr {
        self.high[x / self.low.len()] * self.low[x % self.low.len()]
    }
}

/// `sum_x values[x] eq(p,x)` for integers below `2^60`, as many as come, `2^p.len()` at most, and no table as long as they are.
pub fn extension(p: &[Fr], values: impl Iterator<Item = i64>) -> Fr {
    let Indices { high, low } = Indices::new(p);
    let low: Vec<_> = low.iter().map(dot::limbs).collect();
    let mut values = values.into_iter();
    high.iter().map(|high| *high * dot::dot(&low, values.by_ref())).sum()
}

/// `sum_{x<n} eq(p,x) eq(q,x)`, `n <= 2^p.len()`.
///
/// # Errors
/// `BadCard` for points of different lengths.
pub fn below(p: &[Fr], q: &[Fr], n: usize) -> Result<Fr, Refusal> {
    let pairs = pairs(p, q)?;
    if n == 0 {
        return Ok(Fr::ZERO);
    }
    let (mut tied, mut less) = (Fr::ONE, Fr::ZERO);
    for (bit, (a, b)) in pairs.enumerate() {
        let one = *a * b;
        let zero = (Fr::ONE - a) * (Fr::ONE - b);
        less *= zero + one;
        if bit_of(n - 1, p.len() - 1 - bit) {
            less += tied * zero;
            tied *= one;
        } else {
            tied *= zero;
        }
    }
    Ok(tied + less)
}

/// `sum_{x<n} eq(p,x)`, `n <= 2^p.len()`.
pub fn below_sum(p: &[Fr], n: usize) -> Fr {
    if n == 0 {
        return Fr::ZERO;
    }
    let (mut tied, mut less) = (Fr::ONE, Fr::ZERO);
    for (bit, a) in p.iter().enumerate() {
        if bit_of(n - 1, p.len() - 1 - bit) {
            less += tied * (Fr::ONE - a);
            tied *= a;
        } else {
            tied *= Fr::ONE - a;
        }
    }
    tied + less
}

/// `sum_{u<=t<n} eq(tp,t) eq(up,u) eq(tq,t) eq(uq,u)`: an automaton over the bits whose state is (`u` tied to `t`, `t` tied
/// to `n-1`).
///
/// # Errors
/// `BadCard` for points of different lengths.
pub fn causal(tp: &[Fr], up: &[Fr], tq: &[Fr], uq: &[Fr], n: usize) -> Result<Fr, Refusal> {
    drop(pairs(tp, up)?);
    let both = |(p, q): (&Fr, &Fr)| [(Fr::ONE - p) * (Fr::ONE - q), *p * q];
    Ok(automaton(zip(pairs(tp, tq)?.map(both), pairs(up, uq)?.map(both)), tp.len(), n))
}

/// `sum_{u<=t<n} eq(tp,t) eq(up,u)`.
///
/// # Errors
/// `BadCard` for points of different lengths.
pub fn causal_sum(tp: &[Fr], up: &[Fr], n: usize) -> Result<Fr, Refusal> {
    let both = |(t, u): (&Fr, &Fr)| ([Fr::ONE - t, *t], [Fr::ONE - u, *u]);
    Ok(automaton(pairs(tp, up)?.map(both), tp.len(), n))
}

fn automaton(weights: impl Iterator<Item = ([Fr; 2], [Fr; 2])>, bits: usize, n: usize) -> Fr {
    if n == 0 {
        return Fr::ZERO;
    }
    // states[p][q]: p = u tied to t, q = t tied to n - 1
    let mut states = [[Fr::ZERO; 2]; 2];
    states[1][1] = Fr::ONE;
    for (bit, (t, u)) in weights.enumerate() {
        let last = usize::from(bit_of(n - 1, bits - 1 - bit));
        let mut next = [[Fr::ZERO; 2]; 2];
        for (p, row) in states.iter().enumerate() {
            for (q, state) in row.iter().enumerate() {
                for x in 0..2 {
                    for y in 0..2 {
                        let dead = (p == 1 && y > x) || (q == 1 && x > last);
                        if !dead {
                            next[usize::from(p == 1 && x == y)][usize::from(q == 1 && x == last)] +=
                                *state * t[x] * u[y];
                        }
                    }
                }
            }
        }
        states = next;
    }
    states.iter().flatten().sum()
}

/// `sum_x x eq(q,x)`: the extension of the identity.
pub fn identity(q: &[Fr]) -> Fr {
    q.iter().fold(Fr::ZERO, |sum, bit| sum + sum + bit)
}

fn bit_of(x: usize, bit: usize) -> bool {
    (x >> bit) & 1 == 1
}
