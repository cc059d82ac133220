//! Decides the product sumchecks on a device: over compact tensors under eq weights, and over pairs of full tables.

use std::sync::Arc;

use ark_bls12_381::Fr;
use ark_ff::Zero;

use super::array::{Array, launch};
use super::machine::Device;
use super::runs::elements;
use super::walk::{Walk, pad_rows, sum_round};
use crate::cpu::axes::Axes;
use crate::{Factor, ProductSumcheck, Sumcheck};

/// `rows` rows of `length` entries folded to half the length.
fn fold<D: Device>(device: &D, entries: &Array<D, Fr>, (rows, length): (usize, usize), r: Fr) -> Array<D, Fr> {
    let out = Array::new(device, rows * length.div_ceil(2));
    let arguments = [(&out).into(), entries.into(), rows.into(), length.into(), r.into()];
    // SAFETY: `rows x length` entries to `rows x half`.
    unsafe { launch(device, "product_fold", out.length(), &arguments) };
    out
}

/// `sum_x w(x) a(x) b(x)` over compact tensors.
pub struct Product<D: Device> {
    device: Arc<D>,
    walk: Walk<D>,
    a: Array<D, Fr>,
    /// `None`: the same as `a`.
    b: Option<Array<D, Fr>>,
}

impl<D: Device> Product<D> {
    /// See [`crate::Backend::product`].
    pub fn new(device: Arc<D>, axes: Axes, a: Factor, b: Option<Factor>) -> Self {
        let shaped = |values: &Factor| values.len() == axes.size();
        assert!(shaped(&a) && b.as_ref().is_none_or(shaped), "a tensor has its shape");
        let (a, b) = (elements(&*device, a), b.map(|b| elements(&*device, b)));
        let mut product = Product { device, walk: Walk::new(axes), a, b };
        product.fill_short_rows();
        product
    }

    fn fill_short_rows(&mut self) {
        let (device, a, b) = (&*self.device, &mut self.a, &mut self.b);
        self.walk.fill_short_rows(|length, full| {
            for values in std::iter::once(&mut *a).chain(&mut *b) {
                *values = pad_rows(device, values, &[Fr::zero()], (length, full));
            }
        });
    }

    /// The first entries.
    fn ends(&self) -> (Fr, Fr) {
        let first = |values: &Array<D, Fr>| match values.length() {
            0 => Fr::zero(),
            _ => values.read(&self.device, 0, 1)[0],
        };
        let a = first(&self.a);
        (a, self.b.as_ref().map_or(a, first))
    }
}

impl<D: Device> ProductSumcheck for Product<D> {
    fn value(&mut self) -> Fr {
        if self.walk.axes.is_bound() {
            let (a, b) = self.ends();
            return a * b;
        }
        let arguments = [(&self.a).into(), self.b.as_ref().unwrap_or(&self.a).into()];
        let sums = self.walk.sum_round(&self.device, "product_value", &arguments);
        self.walk.axes.value_of_pairs(sums)
    }
}

impl<D: Device> Sumcheck for Product<D> {
    type End = (Fr, Fr);

    fn round(&mut self) -> (Fr, Fr) {
        let arguments = [(&self.a).into(), self.b.as_ref().unwrap_or(&self.a).into()];
        let [difference, c2] = self.walk.sum_round(&self.device, "product_round", &arguments);
        (difference - c2, c2)
    }

    fn bind(&mut self, r: Fr) {
        let shape = self.walk.shape();
        self.a = fold(&*self.device, &self.a, shape, r);
        self.b = self.b.take().map(|b| fold(&*self.device, &b, shape, r));
        self.walk.axes.fold();
        self.fill_short_rows();
    }

    fn finish(self) -> (Fr, Fr) {
        assert!(self.walk.axes.variables() == 0, "variables left");
        self.ends()
    }
}

/// `sum_k sum_x a_k(x) b_k(x)` over full tables, one after the other.
pub struct Pairs<D: Device> {
    device: Arc<D>,
    count: usize,
    log_length: usize,
    a: Array<D, Fr>,
    b: Array<D, Fr>,
}

impl<D: Device> Pairs<D> {
    /// See [`crate::Backend::pairs`].
    pub fn new(device: Arc<D>, log_length: usize, tables: &[(Vec<Fr>, Vec<Fr>)]) -> Self {
        let full = |table: &Vec<Fr>| table.len() == 1 << log_length;
        assert!(tables.iter().all(|(a, b)| full(a) && full(b)), "tables have 2^log_length values");
        let a = Array::joined(&*device, tables.iter().map(|(a, _)| a.as_slice()));
        let b = Array::joined(&*device, tables.iter().map(|(_, b)| b.as_slice()));
        Pairs { device, count: tables.len(), log_length, a, b }
    }

    fn shape(&self) -> (usize, usize) {
        assert!(self.log_length > 0, "a variable is left");
        (self.count, 1 << self.log_length)
    }
}

impl<D: Device> Sumcheck for Pairs<D> {
    type End = Vec<(Fr, Fr)>;

    fn round(&mut self) -> (Fr, Fr) {
        let arguments = [(&self.a).into(), (&self.b).into()];
        let [difference, c2] = sum_round(&*self.device, ("product_round", &arguments), [None; 3], self.shape());
        (difference - c2, c2)
    }

    fn bind(&mut self, r: Fr) {
        let shape = self.shape();
        self.a = fold(&*self.device, &self.a, shape, r);
        self.b = fold(&*self.device, &self.b, shape, r);
        self.log_length -= 1;
    }

    fn finish(self) -> Vec<(Fr, Fr)> {
        assert!(self.log_length == 0, "variables left");
        self.a.all(&self.device).into_iter().zip(self.b.all(&self.device)).collect()
    }
}
