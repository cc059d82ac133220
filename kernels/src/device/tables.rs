//! Decides tables on a device: contractions of tensors, entries of others put together, products with integers.

use ark_bls12_381::Fr;
use ark_ff::One;

use super::Argument;
use super::array::{Array, Plain, launch};
use super::machine::Device;
use super::runs::{Packed, room};
use super::sums::sum_groups_to;
use crate::{Addend, Entries, Ints, table_shape};

/// Threads that keep a device busy.
const THREADS: usize = 1 << 18;
/// Loaded that make a thread worth its start.
const TAKEN: usize = 16;

/// See `gather.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Axis {
    length: u64,
    start: u64,
}
// SAFETY: integers, without padding between them.
unsafe impl Plain for Axis {}

/// Loaded on a device: field elements, or integers as they are.
pub enum Loaded<D: Device> {
    Field(Array<D, Fr>),
    Ints(Packed<D>),
}

impl<D: Device> Loaded<D> {
    /// How the kernels are told of them: field elements, integers, the kind of those.
    pub fn arguments(&self) -> [Argument; 3] {
        match self {
            Loaded::Field(values) => of_field(values),
            Loaded::Ints(packed) => of_ints(packed),
        }
    }

    /// Makes them field elements, if they are not.
    pub fn field(&mut self, device: &D) -> &mut Array<D, Fr> {
        if let Loaded::Ints(packed) = self {
            let (out, one) = (Array::new(device, packed.length()), Array::of(device, &[Fr::one()]));
            contract_ints(device, (packed, [0; 3]), (1, packed.length()), &one, out.at(0));
            *self = Loaded::Field(out);
        }
        match self {
            Loaded::Field(values) => values,
            Loaded::Ints(_) => unreachable!("they are field elements now"),
        }
    }
}

/// How the kernels are told of a table where entries may be integers.
pub fn of_field<D: Device>(values: &Array<D, Fr>) -> [Argument; 3] {
    [values.into(), Argument::Word(0), Argument::Word(0)]
}

fn of_ints<D: Device>(packed: &Packed<D>) -> [Argument; 3] {
    let [values, kind] = packed.arguments();
    [Argument::Word(0), values, kind]
}

/// See [`crate::Backend::contract`].
pub fn contract<D: Device>(
    device: &D,
    x: Entries<Array<D, Fr>>,
    outer: usize,
    inner: usize,
    weights: &[Fr],
) -> Array<D, Fr> {
    let block = weights.len() * inner;
    let out = Array::zeroed(device, outer * inner);
    let on_device = Array::of(device, weights);
    match x {
        Entries::Table(x) => {
            assert_eq!(x.length(), outer * block, "x has shape outer x middle x inner");
            in_lanes(device, "contract_field", &[x.into()], (outer, inner), &on_device, out.at(0));
        }
        Entries::Ints(x) => {
            assert_eq!(x.len(), outer * block, "x has shape outer x middle x inner");
            if x.is_empty() {
                return out;
            }
            // As much as there is room for: some outer indices, or parts of one.
            let room = room(device) / (x.stored().bytes().div_ceil(x.len())).max(1);
            if room >= block {
                let group = room / block;
                for first in (0..outer).step_by(group) {
                    let count = group.min(outer - first);
                    let part = x.slice(first * block..(first + count) * block);
                    let packed = Packed::of(device, part.stored());
                    contract_ints(device, (&packed, part.shape()), (count, inner), &on_device, out.at(first * inner));
                }
                return out;
            }
            let group = (room / inner).max(1);
            let groups = weights.len().div_ceil(group);
            for o in 0..outer {
                let parts = Array::<D, Fr>::new(device, groups * inner);
                for (number, weights) in weights.chunks(group).enumerate() {
                    let start = o * block + number * group * inner;
                    let part = x.slice(start..start + weights.len() * inner);
                    let packed = Packed::of(device, part.stored());
                    let weights = Array::of(device, weights);
                    contract_ints(device, (&packed, part.shape()), (1, inner), &weights, parts.at(number * inner));
                }
                sum_groups_to(device, parts, 1, groups, inner, out.at(o * inner));
            }
        }
    }
    out
}

/// Contracts integers of squares of some shape to `outer x inner` sums.
fn contract_ints<D: Device>(
    device: &D,
    (packed, shape): (&Packed<D>, [usize; 3]),
    sizes: (usize, usize),
    weights: &Array<D, Fr>,
    out: Argument,
) {
    let x = [&packed.arguments()[..], &shape.map(Argument::from)].concat();
    in_lanes(device, "contract_ints", &x, sizes, weights, out);
}

/// Runs a kernel that contracts `x` to `outer x lanes x inner` sums, and adds the lanes.
fn in_lanes<D: Device>(
    device: &D,
    kernel: &'static str,
    x: &[Argument],
    (outer, inner): (usize, usize),
    weights: &Array<D, Fr>,
    out: Argument,
) {
    let middle = weights.length();
    let lanes = (THREADS / (outer * inner).max(1)).min(middle.div_ceil(TAKEN)).max(1);
    let launch = |out| {
        let sizes = [outer, middle, inner, lanes].map(Argument::from);
        let arguments = [&[out], x, &[weights.into()], &sizes].concat();
        // SAFETY: the tensor has its shape and the kernel its type; every lane has its place in `out`.
        unsafe { launch(device, kernel, outer * lanes * inner, &arguments) };
    };
    if lanes == 1 {
        return launch(out);
    }
    let sums = Array::<D, Fr>::new(device, outer * lanes * inner);
    launch(sums.at(0));
    sum_groups_to(device, sums, outer, lanes, inner, out);
}

/// See [`crate::Backend::gather`].
pub fn gather<D: Device>(device: &D, lengths: &[usize], addends: &[Addend<Array<D, Fr>>]) -> Array<D, Fr> {
    let out = Array::zeroed(device, lengths.iter().product());
    if out.length() == 0 {
        return out;
    }
    for Addend { coefficient, source, steps, scan } in addends {
        assert!(steps.iter().map(Vec::len).eq(lengths.iter().copied()), "a step for each index");
        let length = match source {
            Entries::Ints(tensor) => tensor.len(),
            Entries::Table(table) => table.length(),
        };
        let farthest: usize = steps.iter().map(|steps| steps.iter().max().copied().unwrap_or(0)).sum();
        assert!(farthest < length, "steps stay in the source");
        // Without a scan the axis that a thread goes along is one of one index.
        let at = scan.as_ref().map_or(lengths.len(), |scan| scan.axis);
        let mut axes: Vec<&[usize]> = steps.iter().map(Vec::as_slice).collect();
        if scan.is_none() {
            axes.push(&[0]);
        }
        let size = |axes: &[&[usize]]| axes.iter().map(|steps| steps.len()).product::<usize>();
        let (outer, inner) = (size(&axes[..at]), size(&axes[at + 1..]));
        let mut start = 0;
        let mut axis = |steps: &&[usize]| {
            start += steps.len() as u64;
            Axis { length: steps.len() as u64, start: start - steps.len() as u64 }
        };
        let shape: Vec<Axis> = axes.iter().map(&mut axis).collect();
        let all: Vec<u64> = axes.iter().flat_map(|steps| steps.iter().map(|step| *step as u64)).collect();
        let (shape, all) = (Array::of(device, &shape), Array::of(device, &all));
        let weights = scan.as_ref().map(|scan| {
            assert_eq!(scan.weights.len(), lengths[scan.axis], "a weight for each index");
            Array::of(device, &scan.weights.iter().map(|weight| *coefficient * weight).collect::<Vec<_>>())
        });
        let before = scan.as_ref().is_some_and(|scan| scan.before);
        let packed;
        let entries = match source {
            Entries::Table(table) => of_field(table),
            Entries::Ints(tensor) => {
                packed = Packed::of(device, tensor.plain().expect("all entries are stored"));
                of_ints(&packed)
            }
        };
        let sizes = [at, axes.len() - at - 1, outer, inner].map(Argument::from);
        let rest = [weights.as_ref().into(), usize::from(before).into(), (*coefficient).into()];
        let arguments = [&[(&out).into()], &entries[..], &[(&shape).into(), (&all).into()], &sizes, &rest].concat();
        // SAFETY: steps for all indices, which stay in the source; `out` has a place for each index.
        unsafe { launch(device, "gather_add", outer * inner, &arguments) };
    }
    out
}

/// See [`crate::Backend::multiply_table`].
pub fn multiply_table<D: Device>(device: &D, x: Ints, y: &Array<D, Fr>, weights: &[Fr], depth: usize) -> Array<D, Fr> {
    let (rows, columns) = table_shape(x, y.length(), weights, depth);
    let out = Array::zeroed(device, rows * columns);
    let (packed, batches) = (Packed::of(device, x), weights.len());
    let weights = Array::of(device, weights);
    let lanes = (THREADS / out.length().max(1)).clamp(1, batches.max(1));
    let launch = |out| {
        let [x, kind] = packed.arguments();
        let sizes = [rows, columns, depth, batches, lanes].map(Argument::from);
        let arguments = [&[out, x, kind, y.into(), (&weights).into()], &sizes[..]].concat();
        // SAFETY: batches of rows of `depth` on both sides; every lane has its place in `out`.
        unsafe { launch(device, "multiply_table", lanes * rows * columns, &arguments) };
    };
    if lanes == 1 {
        launch(out.at(0));
        return out;
    }
    let sums = Array::<D, Fr>::new(device, lanes * out.length());
    launch(sums.at(0));
    sum_groups_to(device, sums, 1, lanes, out.length(), out.at(0));
    out
}
