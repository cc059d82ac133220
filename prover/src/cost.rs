//! Decides what a proof will cost, from its plan alone, and the floor under its time from measured unit costs.

use crate::causal;
use crate::infer::{direct, held};
use crate::prove::{most_bytes, piece_count, square_bytes};
use ark_bls12_381::{Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::UniformRand;
use std::collections::BTreeSet;
use std::iter::successors;
use std::time::{Duration, Instant};
use zkllm_kernels::cpu::pairing::miller_loops;
use zkllm_kernels::leaves::tree_bytes;
use zkllm_kernels::{Backend, Integers, Ints, Piece};
use zkllm_verifier::Work;
use zkllm_verifier::einsum::{operands, shared_axes};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{Operand, Origin, Product, ProductId, ProductKind, Program, Source, Sum};

/// Counts of the dominating operations of a proof.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// True lookups and table rows: leaves of the tree.
    pub leaves: u64,
    /// Committed integers of the witness.
    pub committed: u64,
    /// Integers of the model.
    pub weights: u64,
    /// Field products: 12 a leaf, and those of the products' sumchecks.
    pub products: u64,
    /// Products of a small integer and a field element, in the contractions of products and of the opening.
    pub small_products: u64,
    /// Small-scalar point additions: one for every committed integer, the least there can be.
    pub additions: u64,
    /// Miller loops: a row of every witness chunk, and Dory's.
    pub miller_loops: u64,
    /// Bytes of the proof.
    pub proof_bytes: u64,
    /// What the host holds.
    pub on_host: OnHost,
    /// What a GPU holds.
    pub on_gpu: OnGpu,
}

/// Bytes of the host's memory: all the time, and, one after the other, in each phase of a proof. Tests compare them with what is
/// allocated.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnHost {
    /// All the time: model, witness, commitments and their bases.
    pub held: u64,
    /// Of a layer in the making, beside a part of the witness.
    pub inference: u64,
    /// Of the work of all threads on rows of commitments, and of the pieces of a chunk once more, in their order.
    pub commit: u64,
    /// Of row numbers of lookups that no column holds, until the tree is done.
    pub rows: u64,
    /// Of lookup tables as leaves of the tree, and of a level's last messages.
    pub leaves: u64,
    /// Of the tree's levels where there is memory, and at least, slower; on the GPU where there is one.
    pub tree: [u64; 2],
    /// Of the tables of products whose sumchecks run side by side, after the tree; on the GPU where there is one.
    pub tables: u64,
    /// Of the tables of the opening.
    pub opening: u64,
}

/// Bytes of the program itself: code, threads, what is too small to be forecast.
const PROGRAM: u64 = 1 << 28;

impl OnHost {
    /// The most bytes at one time, roughly; with the least of the tree.
    pub fn least(&self, gpu: bool) -> u64 {
        let lookups = self.rows + self.leaves + if gpu { 0 } else { self.tree[1] };
        let phases =
            [self.inference, self.rows + self.commit, lookups, if gpu { 0 } else { self.tables }, self.opening];
        PROGRAM + self.held + phases.into_iter().fold(0, u64::max)
    }
}

/// What a GPU holds where there is room for it, one thing after the other but for the columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnGpu {
    /// Bytes of all columns: copied once if there is room, else by every verb.
    pub columns: u64,
    /// Leaves of the tree, places above diagonals too, and bytes of all row numbers.
    pub leaves: u64,
    /// See `leaves`.
    pub rows: u64,
    /// Bytes of the tables of products: columns as they are become tables when half of them is folded.
    pub tables: u64,
}

/// Seconds of one operation on one core.
#[derive(Clone, Copy, Debug)]
pub struct UnitCosts {
    /// A field product.
    pub product: f64,
    /// A small-scalar point addition in a row commitment.
    pub addition: f64,
    /// A Miller loop of a large product of pairings.
    pub miller_loop: f64,
}

/// Bytes of a field element.
const FIELD: u64 = size_of::<Fr>() as u64;

/// Vectors of multiples of the bases that integers of all widths need.
const MULTIPLES: u64 = 24;

/// Bytes that a thread works on in commitments.
const WORK: u64 = 4 << 20;

/// Weights on a column, rarely more of them, that differ in their rows: of lookups, of products, of its padding.
const CLAIMS: u64 = 2;

/// A product of a small integer and a field element takes 4 word products of the 32 and more of a field product.
const SMALL_SHARE: f64 = 0.125;

impl Cost {
    /// The cost of a plan.
    pub fn of(plan: &Plan) -> Self {
        let program = &plan.program;
        let size = |axes: &[usize]| program.lengths(axes).iter().map(|&length| length as u64).product::<u64>();
        let mut cost = Self::default();
        let stored = |axes: &[usize], causal: bool| {
            causal::stored(causal::side(program, axes, causal), size(axes) as usize) as u64
        };
        // The tree has a place for what is above a diagonal. Columns are as wide as their lookups say, 4 bytes without one.
        let (mut rows, mut widths) = (0, vec![4; program.columns.len()]);
        for lookup in &program.lookups {
            let (stored, table) = (stored(&lookup.axes, lookup.causal), &program.tables[lookup.table]);
            rows += size(&lookup.axes);
            cost.leaves += stored;
            let numbers = (0, (1i64 << table.bits()) - 1);
            cost.on_gpu.rows += stored * width(numbers);
            if held(program, lookup).is_none() {
                cost.on_host.rows += stored * width(numbers);
            }
            let outputs = table.outputs().into_iter().map(|output| Ints::I64(&output).range());
            for (value, range) in lookup.values.iter().zip([numbers].into_iter().chain(outputs)) {
                if let Some((column, plus)) = direct(program, &lookup.axes, value) {
                    widths[column] = width((range.0 - plus, range.1 - plus));
                }
            }
        }
        let tables = program.tables.iter().map(|table| 1u64 << table.bits()).sum::<u64>();
        (rows, cost.leaves) = (rows + tables, cost.leaves + tables);
        // The tables, and numerators and denominators of their rows; nodes when they become what is bound by twos.
        cost.on_host.leaves = 3 * FIELD * tables + ((3 * 4 * FIELD) << 16);
        for (column, width) in program.columns.iter().zip(widths) {
            let entries = stored(&column.axes, column.causal);
            match column.origin {
                Origin::Model => {
                    cost.weights += entries;
                    cost.on_host.held += 2 * entries;
                    cost.on_gpu.columns += 2 * entries;
                    // The opening reads the model three times: two weights, and the rows.
                    cost.small_products += 4 * entries;
                }
                _ => {
                    // A layer of squares is whole while it is made.
                    let layer = if column.causal { size(&column.axes[1..]) } else { 0 };
                    cost.on_host.held += entries * width;
                    cost.on_host.inference += layer * width;
                    cost.on_gpu.columns += entries * width;
                    cost.committed += entries;
                    cost.small_products += 5 * entries;
                    cost.additions += entries;
                }
            }
        }
        // Values of a layer: a sum in the making, and what it is made of.
        let mut largest = 0;
        for product in &program.products {
            let shared = size(&shared_axes(product));
            cost.products += 6 * shared;
            cost.small_products += size(&product.left.axes);
            cost.small_products += right(product).map_or(0, |right| size(&right.axes));
            let of_layer = product.axes.iter().filter(|&&axis| program.axes[axis].name != "layer");
            largest = largest.max(size(&of_layer.copied().collect::<Vec<_>>()));
        }
        let tables = |product: &ProductId| {
            let product = &program.products[*product];
            32 * size(&shared_axes(product)) * operands(product) as u64
        };
        let on_gpu = |product: &ProductId| {
            let product = &program.products[*product];
            let sides = [Some(&product.left), right(product)].into_iter().flatten().take(operands(product));
            let plain = |side: &Operand| {
                let column = direct(program, &side.axes, &side.sum);
                let whole = column.is_some_and(|(id, plus)| plus == 0 && !program.columns[id].causal);
                whole && side.axes == shared_axes(product)
            };
            sides.map(|side| size(&shared_axes(product)) * if plain(side) { 16 } else { 32 }).sum::<u64>()
        };
        let most = |of: &dyn Fn(&ProductId) -> u64| waves(program).iter().map(|wave| wave.iter().map(of).sum()).max();
        (cost.on_host.tables, cost.on_gpu.tables) = (most(&tables).unwrap_or(0), most(&on_gpu).unwrap_or(0));
        cost.products += 12 * cost.leaves;
        let side = 1u64 << plan.chunk_log;
        cost.miller_loops = plan.witness_chunks as u64 * side + 6 * side;
        cost.proof_bytes = Work::of(plan).proof_bytes;
        // Rows of every chunk, those of the model once more in the secret; generators, and multiples of them by powers of two.
        let row_points = (2 * plan.model_chunks + plan.witness_chunks) as u64 * side;
        let points = row_points + side * (1 + MULTIPLES);
        cost.on_host.held += points * size_of::<G1Affine>() as u64 + side * size_of::<G2Affine>() as u64;
        let pieces = piece_count(plan) * size_of::<Piece>() as u64;
        cost.on_host.held += pieces;
        cost.on_host.inference += 2 * 8 * largest;
        cost.on_host.commit = WORK * rayon::current_num_threads() as u64 + pieces;
        cost.on_host.tree = tree_bytes(rows);
        cost.on_host.opening = opening_bytes(plan);
        cost.on_gpu.leaves = rows;
        cost
    }

    /// Bytes without which there is no proof: of the host's memory, and of a GPU's where one proves.
    pub fn least_bytes(&self, gpu: bool) -> (u64, u64) {
        (self.on_host.least(gpu), if gpu { self.on_host.tree[1].max(self.on_gpu.tables) } else { 0 })
    }

    /// Seconds on `cores` cores if nothing but the counted operations took time.
    pub fn floor(&self, unit: &UnitCosts, cores: usize) -> f64 {
        let products = self.products as f64 + SMALL_SHARE * self.small_products as f64;
        let total = products * unit.product
            + self.additions as f64 * unit.addition
            + self.miller_loops as f64 * unit.miller_loop;
        total / cores as f64
    }
}

/// Bytes of the opening's tables while the columns of chunks are bound, and while the rows are.
fn opening_bytes(plan: &Plan) -> u64 {
    let (program, log) = (&plan.program, plan.chunk_log);
    let squares = program.columns.iter().filter(|column| column.causal).filter_map(|column| column.axes.last());
    let squares: usize = squares.map(|&axis| square_bytes(log, program.axes[axis].length)).sum();
    let weights = CLAIMS * program.columns.len() as u64 * ((2 * FIELD) << log);
    (weights + most_bytes(log, squares) as u64).max(plan.chunks() as u64 * ((2 * FIELD) << log))
}

/// Bytes of an integer of a column with values in `range`.
fn width(range: (i64, i64)) -> u64 {
    Integers::zeros_for(1, range).bytes() as u64
}

/// The products that lookups and zero statements claim, those that their operands claim, and so on; each wave runs side by
/// side. A product that is claimed at two points counts once.
fn waves(program: &Program) -> Vec<BTreeSet<ProductId>> {
    let of = |sums: Vec<&Sum>| -> BTreeSet<ProductId> {
        let terms = sums.into_iter().flat_map(|sum| &sum.terms);
        terms.filter_map(|term| if let Source::Product(id) = term.source { Some(id) } else { None }).collect()
    };
    let zeros = program.zeros.iter().map(|zero| &zero.sum);
    let first = of(program.lookups.iter().flat_map(|lookup| &lookup.values).chain(zeros).collect());
    let operands = |wave: &BTreeSet<ProductId>| {
        let products = wave.iter().map(|&id| &program.products[id]);
        of(products.flat_map(|product| [Some(&product.left), right(product)]).flatten().map(|side| &side.sum).collect())
    };
    successors(Some(first), |wave| Some(operands(wave))).take_while(|wave| !wave.is_empty()).collect()
}

fn right(product: &Product) -> Option<&Operand> {
    match &product.kind {
        ProductKind::Einsum(right) | ProductKind::Scores(right) => Some(right),
        ProductKind::Rotary(_) => None,
    }
}

/// Measures the unit costs on this machine with `backend`, in about a second.
pub fn measure<B: Backend>(backend: &B) -> UnitCosts {
    let mut rng = ark_std::test_rng();
    let mut value = Fr::rand(&mut rng);
    let factor = Fr::rand(&mut rng);
    let product = seconds(Duration::from_millis(200), 100_000, || {
        for _ in 0..100_000 {
            value *= factor;
        }
        std::hint::black_box(value);
    });
    let generators = crate::commit::setup::Generators::new(10);
    let bases = backend.prepare_bases(&generators.g1);
    let side = 1 << 10;
    let rows: Vec<Vec<i16>> = (0..256)
        .map(|row: i64| (0..side).map(|column: i64| ((row * 7919 + column * 104729) % 32768) as i16).collect())
        .collect();
    let pieces: Vec<_> =
        rows.iter().enumerate().map(|(row, values)| Piece { row, column: 0, values: Ints::I16(values) }).collect();
    let cores = rayon::current_num_threads() as f64;
    let addition = cores
        * seconds(Duration::from_millis(400), 2 * 256 * side as usize, || {
            std::hint::black_box(backend.commit_rows(&bases, 256, &pieces));
        });
    let (p, q) = (vec![G1Affine::generator(); 1 << 10], vec![G2Affine::generator(); 1 << 10]);
    let miller_loop = cores
        * seconds(Duration::from_millis(200), p.len(), || {
            let _ = std::hint::black_box(miller_loops([&p], &q));
        });
    UnitCosts { product, addition, miller_loop }
}

/// Seconds of one of the `count` operations that `work` does, over at least `least`.
fn seconds(least: Duration, count: usize, mut work: impl FnMut()) -> f64 {
    let (start, mut runs) = (Instant::now(), 0);
    while runs == 0 || start.elapsed() < least {
        work();
        runs += 1;
    }
    start.elapsed().as_secs_f64() / (runs * count) as f64
}
