//! Decides the product sumchecks on a device: over compact tensors under eq weights, and over pairs of full tables.

use std::sync::Arc;

use ark_bls12_381::Fr;
use ark_ff::Zero;

use super::Argument;
use super::array::{Array, launch};
use super::machine::Device;
use super::runs::Packed;
use super::tables::{Loaded, of_field};
use super::walk::{Round, Walk, pad_rows};
use crate::cpu::axes::Axes;
use crate::{Factor, ProductSumcheck, Sumcheck};

/// `rows` rows of `length` entries folded to half the length.
fn fold<D: Device>(device: &D, entries: [Argument; 3], (rows, length): (usize, usize), r: Fr) -> Array<D, Fr> {
    let out = Array::new(device, rows * length.div_ceil(2));
    let arguments = [&[(&out).into()], &entries[..], &[rows.into(), length.into(), r.into()]].concat();
    // SAFETY: `rows x length` entries to `rows x half`.
    unsafe { launch(device, "product_fold", out.length(), &arguments) };
    out
}

/// `sum_x w(x) a(x) b(x)` over compact tensors. Integers stay so until a variable is bound.
pub struct Product<D: Device> {
    device: Arc<D>,
    walk: Walk<D>,
    a: Loaded<D>,
    /// `None`: the same as `a`.
    b: Option<Loaded<D>>,
}

impl<D: Device> Product<D> {
    /// See [`crate::Backend::product`].
    pub fn new(device: Arc<D>, axes: Axes, a: Factor<Array<D, Fr>>, b: Option<Factor<Array<D, Fr>>>) -> Self {
        let entries = |factor: Factor<Array<D, Fr>>| {
            let (length, entries) = match factor {
                Factor::Ints(ints) => (ints.len(), Loaded::Ints(Packed::of(&*device, ints))),
                Factor::Table(values) => (values.length(), Loaded::Field(values)),
            };
            assert_eq!(length, axes.size(), "a tensor has its shape");
            entries
        };
        let (a, b) = (entries(a), b.map(entries));
        let mut product = Product { device, walk: Walk::new(axes), a, b };
        product.fill_short_rows();
        product
    }

    fn fill_short_rows(&mut self) {
        let (device, a, b) = (&*self.device, &mut self.a, &mut self.b);
        self.walk.fill_short_rows(|length, full| {
            for entries in std::iter::once(&mut *a).chain(&mut *b) {
                let values = entries.field(device);
                *values = pad_rows(device, values, &[Fr::zero()], (length, full));
            }
        });
    }

    /// Both factors, as the kernels are told of them.
    fn arguments(&self) -> [Argument; 6] {
        let (a, b) = (self.a.arguments(), self.b.as_ref().unwrap_or(&self.a).arguments());
        [a[0], a[1], a[2], b[0], b[1], b[2]]
    }

    /// The first entries.
    fn ends(&mut self) -> (Fr, Fr) {
        let device = &*self.device;
        let first = |entries: &mut Loaded<D>| match entries.field(device) {
            values if values.length() == 0 => Fr::zero(),
            values => values.read(device, 0, 1)[0],
        };
        let a = first(&mut self.a);
        (a, self.b.as_mut().map_or(a, first))
    }
}

impl<D: Device> ProductSumcheck for Product<D> {
    fn value(&mut self) -> Fr {
        if self.walk.axes.is_bound() {
            let (a, b) = self.ends();
            return a * b;
        }
        let arguments = self.arguments();
        let mut sums = Round::default();
        self.walk.add_to(&mut sums, &self.device, "product_value", &arguments);
        self.walk.axes.value_of_pairs(sums.total())
    }
}

impl<D: Device> Sumcheck for Product<D> {
    type End = (Fr, Fr);

    fn round(&mut self) -> (Fr, Fr) {
        let arguments = self.arguments();
        let mut round = Round::default();
        self.walk.add_to(&mut round, &self.device, "product_round", &arguments);
        let [difference, c2] = round.total();
        (difference - c2, c2)
    }

    fn bind(&mut self, r: Fr) {
        let shape = self.walk.shape();
        let fold = |entries: &Loaded<D>| Loaded::Field(fold(&*self.device, entries.arguments(), shape, r));
        self.a = fold(&self.a);
        self.b = self.b.take().map(|b| fold(&b));
        self.walk.axes.fold();
        self.fill_short_rows();
    }

    fn finish(mut self) -> (Fr, Fr) {
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
        let arguments = [of_field(&self.a), of_field(&self.b)].concat();
        let mut round = Round::default();
        round.add(&self.device, ("product_round", &arguments), [None; 3], self.shape());
        let [difference, c2] = round.total();
        (difference - c2, c2)
    }

    fn bind(&mut self, r: Fr) {
        let shape = self.shape();
        self.a = fold(&*self.device, of_field(&self.a), shape, r);
        self.b = fold(&*self.device, of_field(&self.b), shape, r);
        self.log_length -= 1;
    }

    fn finish(self) -> Vec<(Fr, Fr)> {
        assert!(self.log_length == 0, "variables left");
        self.a.all(&self.device).into_iter().zip(self.b.all(&self.device)).collect()
    }
}
