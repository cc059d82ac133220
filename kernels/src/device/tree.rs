//! Decides the fraction tree on a device: every level compact, leaf denominators made on the fly from rows of a table.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ark_bls12_381::Fr;
use ark_ff::{One, Zero};

use super::Argument;
use super::array::{Array, launch};
use super::machine::Device;
use super::runs::Packed;
use super::walk::{Round, Walk, pad_rows};
use crate::cpu::axes::{Axes, eq_axes};
use crate::layer::{self, Fraction, Late, Layer, Quad, Singles, padding, quad};
use crate::leaves::{Size, Stored};
use crate::{Block, Denominators, FractionTree, Numbers, Numerators};

/// Places of squares that kernels tell apart: 32 bits.
const PLACES: u64 = 1 << 32;

const PADDING: fn() -> Fraction = || (Fr::zero(), Fr::one());

/// What has been copied to the device, so that it is copied once: tables, which many blocks share, by address; numbers of
/// late leaves, which many rounds read, by part.
struct Copies<D: Device> {
    tables: Mutex<HashMap<*const Vec<Fr>, Arc<Array<D, Fr>>>>,
    rows: Vec<OnceLock<Arc<Packed<D>>>>,
}

// Nothing is copied while it is locked: a device's copies may be made by all threads, and who waits for other threads runs
// other tasks, which may come here too.
impl<D: Device> Copies<D> {
    fn table(&self, device: &D, table: &Arc<Vec<Fr>>) -> Arc<Array<D, Fr>> {
        let tables = || self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tables().get(&Arc::as_ptr(table)).cloned();
        known.unwrap_or_else(|| {
            let copy = Arc::new(Array::of(device, table));
            tables().entry(Arc::as_ptr(table)).or_insert(copy).clone()
        })
    }

    /// Of the late leaves with that number, if they have one.
    fn rows(&self, device: &D, rows: &Numbers, number: Option<usize>) -> Arc<Packed<D>> {
        let kept = number.and_then(|number| self.rows.get(number));
        kept.and_then(OnceLock::get).cloned().unwrap_or_else(|| {
            let copy = Arc::new(Packed::of(device, rows.tensor().stored()));
            let _ = kept.map(|kept| kept.set(copy.clone()));
            copy
        })
    }
}

/// The fractions of one block at one level.
struct Fractions<D: Device> {
    /// All are 1 where there is none.
    p: Option<Array<D, Fr>>,
    /// The denominators, or the table that `rows` number.
    q: Arc<Array<D, Fr>>,
    rows: Option<Rows<D>>,
}

/// Numbers of rows on the device, and what they are on the host.
struct Rows<D: Device> {
    packed: Arc<Packed<D>>,
    numbers: Numbers,
}

impl<D: Device> Fractions<D> {
    /// The first arguments of the kernels that read a level.
    fn arguments(&self, length: usize) -> Vec<Argument> {
        let mut arguments = vec![self.p.as_ref().into(), (&*self.q).into()];
        match &self.rows {
            None => arguments.extend([Argument::Word(0); 6]),
            Some(Rows { packed, numbers }) => {
                let plus = u32::try_from(numbers.plus()).expect("numbers begin between 0 and 2^32");
                arguments.extend(packed.arguments());
                arguments.push(Argument::Word(plus.into()));
                // A part of the leaves is of whole squares or lies in one, of at most 2^16 rows.
                let shape = numbers.tensor().shape();
                assert!(shape[0] == 0 || (shape[1] + numbers.len()) as u64 <= PLACES, "places of squares have 32 bits");
                arguments.extend(shape.map(Argument::from));
            }
        }
        arguments.push(length.into());
        arguments
    }

    /// All of them.
    fn all(&self, device: &D) -> Vec<Fraction> {
        let (p, q) = (self.p.as_ref().map(|p| p.all(device)), self.q.all(device));
        let p = |at: usize| p.as_ref().map_or_else(Fr::one, |p| p[at]);
        match &self.rows {
            None => q.into_iter().enumerate().map(|(at, q)| (p(at), q)).collect(),
            Some(Rows { numbers, .. }) => {
                let fraction = |at| numbers.at(at).map_or_else(PADDING, |row| (p(at), q[row]));
                (0..numbers.len()).map(fraction).collect()
            }
        }
    }
}

/// A block at one level: at `offset`, with at least one variable inside.
struct Dense<D: Device> {
    offset: u64,
    lengths: Vec<usize>,
    bits: Vec<usize>,
    fractions: Fractions<D>,
}

impl<D: Device> Dense<D> {
    /// A block of leaves; late ones have a number in `copies`.
    fn leaves(device: &D, block: &Block, copies: &Copies<D>, number: Option<usize>) -> Self {
        let p = match &block.numerators {
            Numerators::One => None,
            Numerators::Values(values) => Some(Array::of(device, values)),
        };
        let (q, rows) = match &block.denominators {
            Denominators::Rows { rows, table } => {
                let packed = copies.rows(device, rows, number);
                (copies.table(device, table), Some(Rows { packed, numbers: rows.clone() }))
            }
            Denominators::Values(values) => (Arc::new(Array::of(device, values)), None),
        };
        let axes = plain_axes(&block.lengths, &block.bits);
        let fractions = Fractions { p, q, rows };
        Dense { offset: block.offset, lengths: axes.lengths(), bits: axes.bits(), fractions }
    }

    /// The level above, of this block alone.
    fn above(&self, device: &D) -> Self {
        let (length, nodes) = self.nodes();
        let (mut p, mut q) = (Array::new(device, nodes), Array::new(device, nodes));
        let mut arguments = vec![Argument::from(&p), Argument::from(&q)];
        arguments.extend(self.fractions.arguments(length));
        arguments.push(nodes.into());
        // SAFETY: rows of `length` fractions, `nodes` pairs of neighbours in them.
        unsafe { launch(device, "level_above", nodes, &arguments) };
        let mut walk = Walk::<D>::new(plain_axes(&self.lengths, &self.bits));
        walk.axes.fold();
        walk.fill_short_rows(|length, full| {
            p = pad_rows(device, &p, &[Fr::zero()], (length, full));
            q = pad_rows(device, &q, &[Fr::one()], (length, full));
        });
        let fractions = Fractions { p: Some(p), q: Arc::new(q), rows: None };
        Dense { offset: self.offset / 2, lengths: walk.axes.lengths(), bits: walk.axes.bits(), fractions }
    }

    /// Length of its last axis, and how many nodes stand above its entries.
    fn nodes(&self) -> (usize, usize) {
        let length = *self.lengths.last().expect("a variable");
        (length, self.lengths.iter().rev().skip(1).product::<usize>() * length.div_ceil(2))
    }
}

/// One level: blocks, and single nodes by address; all else is 0/1.
struct Level<D: Device> {
    blocks: Vec<Dense<D>>,
    singles: Singles,
}

fn merge((p0, q0): Fraction, (p1, q1): Fraction) -> Fraction {
    (p0 * q1 + p1 * q0, q0 * q1)
}

/// The axes of a block, neighbours joined; their weights are of no account.
fn plain_axes(lengths: &[usize], bits: &[usize]) -> Axes {
    Axes::new(lengths, bits, bits.iter().map(|_| None).collect(), Fr::one())
}

impl<D: Device> Level<D> {
    fn leaves(device: &D, blocks: Vec<Block>, copies: &Copies<D>) -> Self {
        let mut level = Level { blocks: Vec::new(), singles: Singles::new() };
        blocks.iter().for_each(|block| level.place(device, Dense::leaves(device, block, copies, None)));
        level
    }

    /// Add a block, as a single node when it has no variable left, not at all when it is empty.
    fn place(&mut self, device: &D, block: Dense<D>) {
        if block.lengths.contains(&0) {
            return;
        }
        if block.bits.iter().all(|bits| *bits == 0) {
            self.singles.insert(block.offset, block.fractions.all(device)[0]);
        } else {
            self.blocks.push(block);
        }
    }

    fn above(&self, device: &D) -> Self {
        let child = |address| layer::child(&self.singles, address);
        let node = |address| (address, merge(child(2 * address), child(2 * address + 1)));
        let singles = layer::above(&self.singles).into_iter().map(node).collect();
        let mut level = Level { blocks: Vec::new(), singles };
        self.blocks.iter().for_each(|block| level.place(device, block.above(device)));
        level
    }
}

/// Leaves whose levels are made when they are read: on the host, in parts.
struct Leaves<D: Device> {
    parts: Vec<Block>,
    copies: Copies<D>,
}

impl<D: Device> Leaves<D> {
    /// A part, `levels` above the leaves.
    fn merged(&self, device: &D, part: usize, levels: usize) -> Dense<D> {
        let leaves = Dense::leaves(device, &self.parts[part], &self.copies, Some(part));
        (0..levels).fold(leaves, |dense, _| dense.above(device))
    }
}

/// See [`crate::Backend::tree`].
pub struct Tree<D: Device> {
    device: Arc<D>,
    root: Fraction,
    /// Level `d` at index `d`, emptied by its layer.
    levels: Vec<Option<Level<D>>>,
    /// Leaves that are in no level below `n - lowest`.
    late: Arc<Leaves<D>>,
    lowest: usize,
}

impl<D: Device> Tree<D> {
    /// See [`crate::Backend::tree`]; as much is stored as `bytes` of the device's memory hold.
    pub fn build(device: Arc<D>, n: usize, blocks: Vec<Block>, bytes: usize) -> Self {
        assert!(n < 64, "addresses are 64 bits");
        blocks.iter().for_each(|block| block.check(n));
        let (stored, keep) = Stored::on_device(bytes as u64, Size::of(&blocks));
        let (parts, blocks) = stored.split(blocks);
        let rows = (0..if keep { parts.len() } else { 0 }).map(|_| OnceLock::new()).collect();
        let late = Leaves { parts, copies: Copies { tables: Mutex::default(), rows } };
        let mut levels = vec![Level::leaves(&*device, blocks, &late.copies)];
        for number in 1..=n {
            let mut level = levels[number - 1].above(&device);
            if number == stored.lowest {
                (0..late.parts.len()).for_each(|part| level.place(&device, late.merged(&device, part, number)));
            }
            levels.push(level);
        }
        levels.reverse();
        let root = layer::child(&levels[0].singles, 0);
        Tree {
            device,
            root,
            levels: levels.into_iter().map(Some).collect(),
            late: Arc::new(late),
            lowest: stored.lowest,
        }
    }
}

impl<D: Device> FractionTree for Tree<D> {
    type Layer = Layer<Part<D>>;

    fn root(&self) -> Fraction {
        self.root
    }

    fn layer(&mut self, depth: usize, rho: &[Fr], lambda: Fr) -> Layer<Part<D>> {
        assert_eq!(rho.len(), depth, "one coordinate a level");
        let below = self.levels[depth + 1].take().expect("a layer is asked for once");
        let merges = self.levels.len() - 2 - depth;
        let late = (merges < self.lowest && !self.late.parts.is_empty()).then(|| {
            let (device, leaves, rho) = (self.device.clone(), self.late.clone(), rho.to_vec());
            let make = move |number| Part::new(device.clone(), leaves.merged(&device, number, merges), &rho, lambda);
            Late::new(self.late.parts.len(), self.lowest - merges, make)
        });
        let parts = below.blocks.into_iter().map(|block| Part::new(self.device.clone(), block, rho, lambda)).collect();
        Layer::new(parts, late, &below.singles, rho, lambda)
    }
}

/// The nodes above one block.
pub struct Part<D: Device> {
    device: Arc<D>,
    lambda: Fr,
    walk: Walk<D>,
    offset: u64,
    state: State<D>,
}

enum State<D: Device> {
    /// Nothing bound: the level below, rows of `length`.
    Below { fractions: Fractions<D>, length: usize },
    /// The four tables of quads, one after the other.
    Quads(Array<D, Fr>),
}

impl<D: Device> Part<D> {
    fn new(device: Arc<D>, block: Dense<D>, rho: &[Fr], lambda: Fr) -> Self {
        let (length, _) = block.nodes();
        let Dense { offset, mut lengths, mut bits, fractions } = block;
        let last = lengths.len() - 1;
        lengths[last] = length.div_ceil(2);
        bits[last] -= 1;
        if bits[last] == 0 {
            lengths.pop();
            bits.pop();
        }
        let offset = offset / 2;
        let mut axes = eq_axes(&lengths, &bits, offset, rho);
        axes.join();
        Part { device, lambda, walk: Walk::new(axes), offset, state: State::Below { fractions, length } }
    }
}

impl<D: Device> layer::Part for Part<D> {
    type Round = Round<D>;

    fn axes(&self) -> &Axes {
        &self.walk.axes
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn round(&mut self, round: &mut Round<D>) {
        let (device, lambda) = (&self.device, self.lambda);
        match &self.state {
            State::Below { fractions, length } => {
                let mut arguments = fractions.arguments(*length);
                arguments.push(lambda.into());
                self.walk.add_to(round, device, "leaf_round", &arguments);
            }
            State::Quads(tables) => {
                let arguments = [tables.into(), (tables.length() / 4).into(), lambda.into()];
                self.walk.add_to(round, device, "node_round", &arguments);
            }
        }
    }

    fn total(round: Round<D>) -> [Fr; 2] {
        round.total()
    }

    fn bind(&mut self, r: Fr) {
        let (device, lambda) = (&*self.device, self.lambda);
        let (rows, length) = self.walk.shape();
        let out = Array::new(device, 4 * rows * length.div_ceil(2));
        let mut arguments = vec![Argument::from(&out)];
        let kernel = match &self.state {
            State::Below { fractions, length } => {
                arguments.extend(fractions.arguments(*length));
                "leaf_fold"
            }
            State::Quads(tables) => {
                arguments.extend::<[Argument; 2]>([tables.into(), (tables.length() / 4).into()]);
                "node_fold"
            }
        };
        arguments.extend::<[Argument; 4]>([lambda.into(), rows.into(), length.into(), r.into()]);
        // SAFETY: `rows x length` nodes, in four tables or as pairs of the level below; four tables of half as many.
        unsafe { launch(device, kernel, out.length() / 4, &arguments) };
        let mut tables = out;
        self.walk.axes.fold();
        self.offset /= 2;
        self.walk.fill_short_rows(|length, full| {
            tables = pad_rows(device, &tables, &padding(lambda), (length, full));
        });
        self.state = State::Quads(tables);
    }

    fn quads(self) -> Vec<Quad> {
        let (device, lambda) = (&*self.device, self.lambda);
        match &self.state {
            State::Below { fractions, length } => {
                let below = fractions.all(device);
                let pairs = below.chunks(*length).flat_map(|row| row.chunks(2));
                pairs.map(|pair| quad(pair[0], pair.get(1).copied().unwrap_or_else(PADDING), lambda)).collect()
            }
            State::Quads(tables) => {
                let values = tables.all(device);
                let nodes = values.len() / 4;
                (0..nodes).map(|at| [0, 1, 2, 3].map(|k| values[k * nodes + at])).collect()
            }
        }
    }
}
