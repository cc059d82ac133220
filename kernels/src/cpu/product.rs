//! Decides the product sumchecks: over compact tensors under eq weights, and over pairs of full tables.

use ark_bls12_381::Fr;
use ark_ff::{One, Zero};
use rayon::prelude::*;

use super::axes::{Axes, fold_values, pad_rows};
use super::runs::pair_sums;
use crate::{ProductSumcheck, Sumcheck};

/// `sum_x w(x) a(x) b(x)` over compact tensors.
pub struct Product {
    axes: Axes,
    a: Vec<Fr>,
    /// `None`: the same as `a`.
    b: Option<Vec<Fr>>,
}

impl Product {
    /// See [`crate::Backend::product`].
    pub fn new(lengths: &[usize], bits: &[usize], a: Vec<Fr>, b: Option<Vec<Fr>>, eq: Vec<Option<Vec<Fr>>>) -> Product {
        let axes = Axes::new(lengths, bits, eq, Fr::one());
        assert_eq!(a.len(), axes.size(), "a tensor has its shape");
        assert!(b.as_ref().is_none_or(|b| b.len() == a.len()), "a tensor has its shape");
        let mut product = Product { axes, a, b };
        product.fill_short_rows();
        product
    }

    fn fill_short_rows(&mut self) {
        while let Some((length, full)) = self.axes.short_rows() {
            for values in std::iter::once(&mut self.a).chain(&mut self.b) {
                *values = pad_rows(values, length, full, Fr::zero());
            }
            self.axes.fill_rows();
        }
    }

    /// The first entries.
    fn ends(&self) -> (Fr, Fr) {
        let first = |values: &[Fr]| values.first().copied().unwrap_or_else(Fr::zero);
        let a = first(&self.a);
        (a, self.b.as_ref().map_or(a, |b| first(b)))
    }
}

impl ProductSumcheck for Product {
    fn value(&mut self) -> Fr {
        if self.axes.is_bound() {
            let (a, b) = self.ends();
            return a * b;
        }
        let length = self.axes.last_length();
        let (a, b) = (&self.a, self.b.as_ref().unwrap_or(&self.a));
        let [even, odd] = self.axes.sum(|row, pairs, weights, _| {
            let run = row * length + 2 * pairs.start..row * length + (2 * pairs.end).min(length);
            let mut sums = [Fr::zero(); 2];
            for (pair, (a, b)) in a[run.clone()].chunks(2).zip(b[run].chunks(2)).enumerate() {
                for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                    *sum += weights.map_or(*a, |weights| weights[pair] * a) * b;
                }
            }
            sums
        });
        self.axes.value_of_pairs([even, odd])
    }
}

impl Sumcheck for Product {
    type End = (Fr, Fr);

    fn round(&mut self) -> (Fr, Fr) {
        let length = self.axes.last_length();
        let (a, b) = (&self.a, self.b.as_ref().unwrap_or(&self.a));
        let [difference, c2] = self.axes.sum(|row, pairs, weights, _| {
            let run = row * length + 2 * pairs.start..row * length + (2 * pairs.end).min(length);
            pair_sums(&a[run.clone()], &b[run], [Fr::zero(); 2], weights)
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
        self.fill_short_rows();
    }

    fn finish(self) -> (Fr, Fr) {
        assert!(self.axes.variables() == 0, "variables left");
        self.ends()
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
            .map(|(a, b)| pair_sums(a, b, [Fr::zero(); 2], None))
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
