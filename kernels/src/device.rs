//! Decides what a backend on a device is: every verb by kernels, over any [`Device`].
//!
//! What a device is, is a trait: [`crate::cuda`] implements it with NVIDIA's driver, [`crate::wgpu`] with Vulkan, Metal
//! and DX12, and the tests with this machine's own processor: so all of the code here runs without a GPU too.

pub mod array;
mod gemm;
pub mod keep;
mod machine;
mod msm;
mod product;
mod runs;
mod sums;
mod tables;
mod tensors;
mod tree;
mod walk;

use std::sync::Arc;

use ark_bls12_381::{Fr, G1Affine};
use ark_ff::One;

use crate::cpu::axes::Axes;
use crate::leaves::Size;
use crate::tensors::Tensors;
use crate::{Addend, Backend, Block, Entries, Factor, Integers, Ints, Overflow, Piece, Rows};
use array::{Array, launch};
use keep::Kept;
use machine::raise;
pub use machine::{Argument, BLOCK, Device, Fault, PORTION, catch};
pub use msm::Bases;
pub use product::{Pairs, Product};
pub use tree::Tree;

/// The verbs on a device. A fault of the device leaves them by unwinding to [`catch`].
#[derive(Debug)]
pub struct OnDevice<D> {
    device: Arc<D>,
}

/// The same device.
impl<D> Clone for OnDevice<D> {
    fn clone(&self) -> Self {
        OnDevice { device: self.device.clone() }
    }
}

impl<D: Device> OnDevice<D> {
    /// On `device`.
    pub fn on(device: D) -> Self {
        OnDevice { device: Arc::new(device) }
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }
}

impl<D: Device> Backend for OnDevice<D> {
    type Bases = Bases<D>;
    type Table = Array<D, Fr>;
    type Kept = Kept<D>;
    type Tree = Tree<D>;
    type Product = Product<D>;
    type Pairs = Pairs<D>;

    fn keep(&self, columns: &[Arc<Integers>]) -> Kept<D> {
        Kept::new(self.device.clone(), columns)
    }

    fn prepare_bases(&self, bases: &[G1Affine]) -> Bases<D> {
        Bases::new(&self.device, bases)
    }

    fn commit_rows(&self, bases: &Bases<D>, rows: usize, pieces: &[Piece]) -> Vec<G1Affine> {
        msm::commit_rows(&*self.device, bases, rows, pieces)
    }

    fn table(&self, values: Vec<Fr>) -> Array<D, Fr> {
        Array::of(&*self.device, &values)
    }

    fn values(&self, table: &Array<D, Fr>) -> Vec<Fr> {
        table.all(&self.device)
    }

    fn contract(&self, x: Entries<Array<D, Fr>>, outer: usize, inner: usize, weights: &[Fr]) -> Array<D, Fr> {
        tables::contract(&*self.device, x, outer, inner, weights)
    }

    fn gather(&self, lengths: &[usize], addends: &[Addend<Array<D, Fr>>]) -> Array<D, Fr> {
        tables::gather(&*self.device, lengths, addends)
    }

    fn multiply_table(&self, x: Ints, y: &Array<D, Fr>, weights: &[Fr], depth: usize) -> Array<D, Fr> {
        tables::multiply_table(&*self.device, x, y, weights, depth)
    }

    fn contract_left(&self, pieces: &[Piece], row_weights: &[Fr], columns: usize) -> Vec<Fr> {
        runs::contract_left(&*self.device, pieces, row_weights, columns)
    }

    fn contract_right(&self, pieces: &[Piece], column_weights: &[Fr], rows: usize) -> Vec<Fr> {
        runs::contract_right(&*self.device, pieces, column_weights, rows)
    }

    fn combine_rows(&self, vectors: &[&[G1Affine]], scalars: &[Fr]) -> Vec<G1Affine> {
        msm::combine_rows(&*self.device, vectors, scalars)
    }

    fn tree(&self, n: usize, blocks: Vec<Block>) -> Tree<D> {
        let memory = || self.device.free_bytes().unwrap_or_else(raise) / 4 * 3;
        // The tree takes all that it can use; copies of columns are made again after it.
        if Size::of(&blocks).most() > memory() as u64 {
            self.device.keeper().release();
        }
        Tree::build(self.device.clone(), n, blocks, memory())
    }

    fn product(
        &self,
        lengths: &[usize],
        bits: &[usize],
        a: Factor<Array<D, Fr>>,
        b: Option<Factor<Array<D, Fr>>>,
        eq: Vec<Option<Vec<Fr>>>,
    ) -> Product<D> {
        Product::new(self.device.clone(), Axes::new(lengths, bits, eq, Fr::one()), a, b)
    }

    fn pairs(&self, log_length: usize, tables: Vec<(Vec<Fr>, Vec<Fr>)>) -> Pairs<D> {
        Pairs::new(self.device.clone(), log_length, &tables)
    }

    fn histogram(&self, rows: &[u32], size: usize) -> Vec<u32> {
        const THREADS: usize = 1 << 18;
        let device = &*self.device;
        let (counts, values) = (Array::<D, u32>::zeroed(device, size + 1), Array::of(device, rows));
        let arguments = [(&counts).into(), (&values).into(), rows.len().into(), size.into()];
        // SAFETY: a count for every row below `size`, and one for all others.
        unsafe { launch(device, "histogram", rows.len().min(THREADS), &arguments) };
        let mut counts = counts.all(device);
        assert_eq!(counts.pop(), Some(0), "rows below {size}");
        counts
    }

    fn multiply(&self, left: &[i32], right: Rows, depth: usize) -> Result<Vec<i64>, Overflow> {
        gemm::multiply(&*self.device, left, right, depth)
    }

    fn tensors(&self) -> Option<&dyn Tensors> {
        (self.device.least_tensor() < usize::MAX).then_some(self)
    }

    fn eq_table(&self, point: &[Fr], length: usize) -> Vec<Fr> {
        walk::eq_values(&*self.device, point, length)
    }
}
