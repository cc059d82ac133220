//! Decides the values of multilinear extensions of public tensors. Bits are taken from the most significant.
//! Spec: multilinear.

use alloc::vec;
use alloc::vec::Vec;
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};

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

/// `eq(p, q)`, over the shorter of both.
pub fn eq(p: &[Fr], q: &[Fr]) -> Fr {
    p.iter()
        .zip(q)
        .map(|(a, b)| {
            let ab = *a * b;
            ab + ab + Fr::ONE - a - b
        })
        .product()
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

/// `sum_{x<n} eq(p,x) eq(q,x)`, `n <= 2^p.len()`.
pub fn below(p: &[Fr], q: &[Fr], n: usize) -> Fr {
    if n == 0 {
        return Fr::ZERO;
    }
    let (mut tied, mut less) = (Fr::ONE, Fr::ZERO);
    for (bit, (a, b)) in p.iter().zip(q).enumerate() {
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
    tied + less
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
pub fn causal(tp: &[Fr], up: &[Fr], tq: &[Fr], uq: &[Fr], n: usize) -> Fr {
    automaton(
        tp.iter().zip(up).zip(tq.iter().zip(uq)).map(|((tp, up), (tq, uq))| {
            let t = [(Fr::ONE - tp) * (Fr::ONE - tq), *tp * tq];
            let u = [(Fr::ONE - up) * (Fr::ONE - uq), *up * uq];
            (t, u)
        }),
        tp.len(),
        n,
    )
}

/// `sum_{u<=t<n} eq(tp,t) eq(up,u)`.
pub fn causal_sum(tp: &[Fr], up: &[Fr], n: usize) -> Fr {
    automaton(tp.iter().zip(up).map(|(t, u)| ([Fr::ONE - t, *t], [Fr::ONE - u, *u])), tp.len(), n)
}

fn automaton(weights: impl Iterator<Item = ([Fr; 2], [Fr; 2])>, bits: usize, n: usize) -> Fr {
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

/// `sum_x vector[x] eq(q,x)`.
pub fn evaluate(vector: &[Fr], q: &[Fr]) -> Fr {
    vector.iter().zip(eq_table(q, vector.len())).map(|(v, e)| *v * e).sum()
}

/// `sum_x x eq(q,x)`: the extension of the identity.
pub fn identity(q: &[Fr]) -> Fr {
    q.iter().fold(Fr::ZERO, |sum, bit| sum + sum + bit)
}

fn bit_of(x: usize, bit: usize) -> bool {
    (x >> bit) & 1 == 1
}
