//! Decides tensors of integers on a device: see [`crate::tensors`].

use std::ops::Range;

use super::array::{Array, Plain, launch};
use super::machine::{BLOCK, Device, raise};
use super::runs::Packed;
use super::{Argument, OnDevice};
use crate::ints::below;
use crate::random::Weights;
use crate::tensors::{Batches, Each, Far, Layout, Pairs, QUAD, Reading, Tensors};
use crate::{Integers, Ints};

/// Threads that look for ends, and then among what these found.
const LOOKERS: [usize; 2] = [1 << 16, 1 << 9];
/// Threads that count.
const COUNTERS: usize = 1 << 16;

/// See `tensors.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Part {
    cells: u64,
    kind: u64,
    coefficient: i64,
    steps: u64,
}
// SAFETY: integers, without padding between them.
unsafe impl Plain for Part {}

/// The integers of a tensor of this device.
fn packed<D: Device>(far: &Far) -> &Packed<D> {
    far.cells.downcast_ref().expect("a tensor of this device")
}

/// New ones of 64 bits, of any value.
fn wide<D: Device>(device: &D, length: usize) -> (Far, Argument) {
    let packed = Packed::new(device, length, Ints::I64(&[]));
    let [address, _] = packed.arguments();
    (Far::new(packed, length), address)
}

/// Of 64 bits.
fn address<D: Device>(far: &Far) -> Argument {
    let [address, kind] = packed::<D>(far).arguments();
    assert!(matches!(kind, Argument::Word(8)), "integers of 64 bits");
    address
}

/// Lengths of axes and the steps of their indices, as the kernels go along them: the last axis first.
fn steps<D: Device>(device: &D, steps: &[Vec<usize>]) -> Array<D, u64> {
    let all: Vec<u64> = steps.iter().rev().flatten().map(|step| *step as u64).collect();
    Array::of(device, &all)
}

/// What a kernel reads a sum by, and what has to live as long.
struct Read<D: Device> {
    arguments: [Argument; 5],
    _held: (Array<D, Part>, Array<D, u64>, Vec<Array<D, u64>>),
}

impl<D: Device> Read<D> {
    fn new(device: &D, reading: &Reading) -> Self {
        assert!(reading.count() < 1 << 32, "places have 32 bits");
        let all: Vec<_> = reading.parts.iter().map(|part| steps(device, &part.steps)).collect();
        let parts = reading.parts.iter().zip(&all).map(|(part, steps)| {
            assert!(part.steps.iter().map(Vec::len).eq(reading.lengths.iter().copied()), "a step for each index");
            let farthest: usize = part.steps.iter().map(|steps| steps.iter().max().copied().unwrap_or(0)).sum();
            assert!(reading.count() == 0 || farthest < part.cells.len(), "steps stay in the cells");
            let [Argument::Word(cells), Argument::Word(kind)] = packed::<D>(&part.cells).arguments() else {
                unreachable!("words")
            };
            Part { cells, kind, coefficient: part.coefficient, steps: steps.address() }
        });
        let parts = Array::of(device, &parts.collect::<Vec<_>>());
        let lengths: Vec<u64> = reading.lengths.iter().map(|length| *length as u64).collect();
        let lengths = Array::of(device, &lengths);
        let constant = Argument::Word(reading.constant as u64);
        let arguments =
            [(&parts).into(), reading.parts.len().into(), (&lengths).into(), reading.lengths.len().into(), constant];
        Read { arguments, _held: (parts, lengths, all) }
    }
}

fn of_pairs(pairs: Pairs) -> [Argument; 3] {
    [pairs.length, pairs.rows.max(1), pairs.shift].map(Argument::from)
}

impl<D: Device> Tensors for OnDevice<D> {
    fn least(&self) -> usize {
        self.device.least_tensor()
    }

    fn room(&self) -> usize {
        self.device.free_bytes().unwrap_or_else(raise) + self.device.keeper().idle_bytes()
    }

    fn far(&self, ints: Ints) -> Far {
        Far::new(Packed::of(&*self.device, ints), ints.len())
    }

    fn random(&self, weights: &Weights, gains: &[f64], scale: f64, count: usize) -> Far {
        let device = &*self.device;
        let (far, out) = wide(device, count);
        let numbers = [&[weights.centre.into(), weights.spread.into(), 2.0 * scale], gains].concat();
        let numbers = Array::of(device, &numbers);
        let arguments =
            [out, Argument::Word(weights.stream), (&numbers).into(), gains.len().max(1).into(), count.into()];
        assert!(count == 0 || !gains.is_empty(), "a gain for every weight");
        // SAFETY: as asserted.
        unsafe { launch(device, "random_weights", count, &arguments) };
        far
    }

    fn near(&self, far: &Far, to: &mut Integers, start: usize) {
        packed::<D>(far).read(&self.device, to, start);
    }

    fn zeros(&self, far: &Far) -> Integers {
        Integers::zeros_for(far.len(), packed::<D>(far).room())
    }

    fn read(&self, reading: &Reading, half: i64, shift: u32, tops: Option<&Far>, pairs: Pairs) -> Far {
        let device = &*self.device;
        let (count, last) = (reading.count(), reading.lengths.last().copied().unwrap_or(1).max(1));
        assert!(shift < 63 && tops.is_none_or(|tops| tops.len() == count / last), "a top for every row");
        let (far, out) = wide(device, count);
        let read = Read::new(device, reading);
        let tops = tops.map_or(Argument::Word(0), address::<D>);
        let rest = [Argument::Word(half as u64), (shift as usize).into(), tops, last.into()];
        let arguments = [&[out], &read.arguments[..], &rest, &of_pairs(pairs), &[count.into()]].concat();
        // SAFETY: steps stay in the cells, a top for every row, a place for every value.
        unsafe { launch(device, "read_ints", count, &arguments) };
        far
    }

    fn tops(&self, reading: &Reading, shift: u32, pairs: Pairs) -> Far {
        let device = &*self.device;
        assert!(shift < 63 && reading.lengths.last() == Some(&pairs.length), "rows of pairs");
        let rows = reading.count() / pairs.length.max(1);
        let (far, out) = wide(device, rows);
        let read = Read::new(device, reading);
        let shift = (shift as usize).into();
        let arguments = [&[out], &read.arguments[..], &[shift], &of_pairs(pairs), &[rows.into()]].concat();
        // SAFETY: steps stay in the cells, a place for every row.
        unsafe { launch(device, "top_ints", rows, &arguments) };
        far
    }

    fn sums(&self, cells: &Far, steps: &[Vec<usize>], offsets: &[usize]) -> Far {
        let device = &*self.device;
        let lengths: Vec<u64> = steps.iter().map(|steps| steps.len() as u64).collect();
        let count = lengths.iter().product::<u64>() as usize;
        let most = |steps: &[usize]| steps.iter().max().copied().unwrap_or(0);
        let farthest: usize = steps.iter().map(|steps| most(steps)).sum::<usize>() + most(offsets);
        assert!(count < 1 << 32 && (count * offsets.len() == 0 || farthest < cells.len()), "steps stay in the cells");
        let (far, out) = wide(device, count);
        let [values, kind] = packed::<D>(cells).arguments();
        let offsets: Vec<u64> = offsets.iter().map(|offset| *offset as u64).collect();
        let lists = (Array::of(device, &lengths), self::steps(device, steps), Array::of(device, &offsets));
        let arguments = [
            out,
            values,
            kind,
            (&lists.0).into(),
            lengths.len().into(),
            (&lists.1).into(),
            (&lists.2).into(),
            offsets.len().into(),
            count.into(),
        ];
        // SAFETY: as asserted.
        unsafe { launch(device, "sum_ints", count, &arguments) };
        far
    }

    fn each(&self, what: Each, left: &Far, right: &Far, pairs: Pairs) -> Far {
        let (far, out) = wide(&*self.device, right.len());
        let kernel = match what {
            Each::Multiply => "multiply_each",
            Each::Divide => "divide_each",
            Each::Take => "take_each",
        };
        assert!(what == Each::Take || left.len() == right.len(), "tensors of one size");
        let values = [out, address::<D>(left), address::<D>(right)];
        let arguments = [&values[..], &of_pairs(pairs), &[right.len().into()]].concat();
        // SAFETY: of one size, or all numbers are of entries: the caller knows.
        unsafe { launch(&*self.device, kernel, right.len(), &arguments) };
        far
    }

    fn turn(&self, values: &Far, turns: &Far, pairs: usize, inner: usize, times: Range<usize>) -> Far {
        let count = values.len() / 2;
        assert!(count.is_multiple_of(pairs) && 2 * times.end * pairs <= turns.len(), "turns of whole rows");
        let (far, out) = wide(&*self.device, values.len());
        let sizes = [pairs, inner, times.len(), times.start, count].map(Argument::from);
        let arguments = [&[out, address::<D>(values), address::<D>(turns)], &sizes[..]].concat();
        // SAFETY: as asserted.
        unsafe { launch(&*self.device, "turn_ints", count, &arguments) };
        far
    }

    fn ends(&self, values: &Far) -> (i64, i64) {
        let device = &*self.device;
        let (mut values, mut count, mut ends) = (address::<D>(values), values.len(), Array::<D, i64>::new(device, 0));
        for threads in LOOKERS {
            let threads = threads.min(count.next_multiple_of(BLOCK));
            let found = Array::<D, i64>::new(device, 2 * threads);
            // SAFETY: two ends for each thread.
            unsafe { launch(device, "ends_ints", threads, &[(&found).into(), values, count.into()]) };
            count = 2 * threads.min(count);
            (values, ends) = ((&found).into(), found);
        }
        let ends = ends.read(device, 0, count);
        ends.iter().min().zip(ends.iter().max()).map_or((0, 0), |(least, greatest)| (*least, *greatest))
    }

    fn stored(&self, values: &Far, ends: (i64, i64), layout: Layout) -> Far {
        let device = &*self.device;
        // Rows, and what they are filled up to.
        let (side, row, full) = match layout {
            Layout::Whole => (0, 1, 1),
            Layout::Triangles(side) => (side, 1, 1),
            Layout::Quads(row) => (0, row.max(1), row.next_multiple_of(QUAD)),
        };
        let length = if side == 0 { values.len() / row * full } else { below(side, values.len()) };
        let packed = Packed::new(device, length, Integers::zeros_for(0, ends).view());
        if full > row {
            packed.clear(device);
        }
        let bytes = Integers::zeros_for(1, ends).bytes();
        let [out, _] = packed.arguments();
        let sizes = [side, row, full, values.len()].map(Argument::from);
        let arguments = [&[out, bytes.into(), address::<D>(values)], &sizes[..]].concat();
        // SAFETY: room for all, for what is not above a diagonal, or for filled rows.
        unsafe { launch(device, "store_ints", values.len(), &arguments) };
        Far::new(packed, length)
    }

    fn count(&self, rows: &Far, pairs: Pairs, size: usize) -> Vec<u32> {
        let device = &*self.device;
        let counts = Array::<D, u32>::zeroed(device, size);
        let arguments = [&[(&counts).into(), address::<D>(rows)], &of_pairs(pairs)[..], &[rows.len().into()]].concat();
        // SAFETY: all rows are below `size`: the caller knows.
        unsafe { launch(device, "count_ints", rows.len().min(COUNTERS), &arguments) };
        counts.all(device)
    }

    fn multiply(&self, left: &Far, right: &Far, sizes: &Batches) -> Far {
        let Batches { batches, rows, columns, depth, blocks } = sizes;
        let (full_rows, full_columns) = (rows.next_multiple_of(QUAD), columns.next_multiple_of(QUAD));
        let depth = depth.next_multiple_of(QUAD);
        assert!(left.len() == batches * rows * depth && right.len() == batches * columns * depth, "batches of rows");
        let ([left, left_kind], [right, right_kind]) = (packed::<D>(left).arguments(), packed::<D>(right).arguments());
        let aligned =
            |argument: Argument, bytes: u64| matches!(argument, Argument::Word(at) if at.is_multiple_of(bytes));
        let kernel = match (left_kind, right_kind) {
            (Argument::Word(4), Argument::Word(2)) if aligned(left, 16) && aligned(right, 8) => "multiply_i16",
            (Argument::Word(4), Argument::Word(4)) if aligned(left, 16) && aligned(right, 16) => "multiply_i32",
            _ => panic!("integers of 32 bits, and of 16 or 32, that begin at whole quads"),
        };
        let length = batches * full_rows * full_columns;
        let (far, out) = wide(&*self.device, length);
        if blocks.iter().any(|block| block.columns < *columns) {
            packed::<D>(&far).clear(&self.device);
        }
        let at = |argument: Argument, places: usize, bytes: usize| match argument {
            Argument::Word(address) => Argument::Word(address + (places * bytes) as u64),
            other => other,
        };
        for block in blocks {
            let places = [block.rows.start * full_columns, block.rows.start * depth];
            let steps = [full_rows * full_columns, rows * depth / QUAD, columns * depth / QUAD];
            let sizes =
                [block.rows.len(), block.columns, block.depth.div_ceil(QUAD), depth / QUAD, full_columns, *batches];
            let arguments = [
                &[at(out, places[0], 8), at(left, places[1], 4), right],
                &sizes.map(Argument::from)[..],
                &steps.map(Argument::from),
            ]
            .concat();
            let threads = batches * super::gemm::threads(block.rows.len(), block.columns);
            // SAFETY: rows of whole quads on both sides, and `out` has whole tiles: blocks begin at whole ones.
            unsafe { launch(&*self.device, kernel, threads, &arguments) };
        }
        far
    }
}
