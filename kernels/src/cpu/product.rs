//! Decides the product sumchecks: over compact tensors under eq weights, and over pairs of full tables.

use ark_bls12_381::Fr;
use ark_ff::{One, Zero};
use rayon::prelude::*;

use super::axes::{Axes, fold_values};
use crate::Sumcheck;

/// `sum_x w(x) a(x) b(x)` over compact tensors.
pub struct Product {
    axes: Axes,
    a: Vec<Fr>,
    /// `None`: the same as `a`.
    b: Option<Vec<Fr>>,
}

impl Product {
    /// See [`crate::Backend::product`].
    pub fn new(
        lengths: &[usize],
        bits: &[usize],
        a: Vec<Fr>,
        b: Option<Vec<Fr>>,
        eq: Vec<Option<Vec<Fr>>>,
    ) -> Product {
        let axes = Axes::new(lengths, bits, eq, Fr::one());
        assert_eq!(a.len(), axes.size(), "a tensor has its shape");
        assert!(b.as_ref().is_none_or(|b| b.len() == a.len()), "a tensor has its shape");
        Product { axes, a, b }
    }
}

/// `(sum w g1 - g0, sum w dA dB)` over a run of pairs, `g = a b`.
fn pair_sums(a: &[Fr], b: &[Fr], weights: Option<&[Fr]>) -> [Fr; 2] {
    let mut sums = [Fr::zero(); 2];
    for (i, (a, b)) in a.chunks(2).zip(b.chunks(2)).enumerate() {
        let (a0, b0) = (a[0], b[0]);
        let (a1, b1) = if a.len() == 2 { (a[1], b[1]) } else { (Fr::zero(), Fr::zero()) };
        let difference = a1 * b1 - a0 * b0;
        let square = (a1 - a0) * (b1 - b0);
        match weights {
            Some(weights) => {
                sums[0] += weights[i] * difference;
                sums[1] += weights[i] * square;
            }
            None => {
                sums[0] += difference;
                sums[1] += square;
            }
        }
    }
    sums
}

impl Sumcheck for Product {
    type End = (Fr, Fr);

    fn round(&mut self) -> (Fr, Fr) {
        let length = self.axes.last_length();
        let (a, b) = (&self.a, self.b.as_ref().unwrap_or(&self.a));
        let [difference, c2] = self.axes.sum(|row, pairs, weights| {
            let run = row * length + 2 * pairs.start..row * length + (2 * pairs.end).min(length);
            pair_sums(&a[run.clone()], &b[run], weights)
        });
        (difference - c2, c2)
    }

    fn bind(&mut self, r: Fr) {
        let length = self.axes.last_length();
        self.a = fold_values(&self.a, length, r, Fr::zero());
        if let Some(b) = &mut self.b {
            *b = fold_values(b, length, r, Fr::zero());
        }
        self.axes.fold();
    }

    fn finish(self) -> (Fr, Fr) {
        assert!(self.axes.variables() == 0, "variables left");
        let first = |values: &[Fr]| values.first().copied().unwrap_or_else(Fr::zero);
        let a = first(&self.a);
        (a, self.b.map_or(a, |b| first(&b)))
    }
}

/// `sum_k sum_x a_k(x) b_k(x)` over full tables.
pub struct Pairs {
    log_length: usize,
    tables: Vec<(Vec<Fr>, Vec<Fr>)>,
}

impl Pairs {
    /// See [`crate::Backend::pairs`].
    pub fn new(log_length: usize, tables: Vec<(Vec<Fr>, Vec<Fr>)>) -> Pairs {
        let full = |table: &Vec<Fr>| table.len() == 1 << log_length;
        assert!(tables.iter().all(|(a, b)| full(a) && full(b)), "tables have 2^log_length values");
        Pairs { log_length, tables }
    }
}

impl Sumcheck for Pairs {
    type End = Vec<(Fr, Fr)>;

    fn round(&mut self) -> (Fr, Fr) {
        assert!(self.log_length > 0, "a variable is left");
        let [difference, c2] = self
            .tables
            .par_iter()
            .flat_map(|(a, b)| a.par_chunks(2048).zip(b.par_chunks(2048)))
            .map(|(a, b)| pair_sums(a, b, None))
            .reduce(|| [Fr::zero(); 2], |a, b| [a[0] + b[0], a[1] + b[1]]);
        (difference - c2, c2)
    }

    fn bind(&mut self, r: Fr) {
        assert!(self.log_length > 0, "a variable is left");
        let length = 1 << self.log_length;
        self.tables.par_iter_mut().for_each(|(a, b)| {
            *a = fold_values(a, length, r, Fr::zero());
            *b = fold_values(b, length, r, Fr::zero());
        });
        self.log_length -= 1;
    }

    fn finish(self) -> Vec<(Fr, Fr)> {
        assert!(self.log_length == 0, "variables left");
        self.tables.into_iter().map(|(a, b)| (a[0], b[0])).collect()
    }
}
