//! Decides how a matrix of small integers goes to the device: its pieces as runs, as many rows at once as there is room.

use std::ops::Range;

use ark_bls12_381::Fr;
use ark_ff::{One, Zero};

use super::array::{Array, Plain, Point, bytes_of, launch};
use super::machine::{BLOCK, Device, raise};
use super::sums::{sum_groups, sum_uneven};
use crate::{Factor, Ints, Piece, each_width};

/// Entries of a unit, on average; as in `runs.cuh`.
const UNIT: usize = 64;
/// Bytes of the integers of one step at most.
const STEP: usize = 1 << 31;
/// Bytes of the integers and units of one launch at most.
const LAUNCHED: usize = 1 << 28;
/// Runs of a task of `contract_left`.
const LISTED: usize = 64;

/// See `runs.cuh`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Run {
    first_unit: u64,
    values: u64,
    row: u32,
    column: u32,
    length: u32,
    kind: u32,
}
// SAFETY: integers, without padding between them.
unsafe impl Plain for Run {}

/// Runs of a matrix on the device.
pub struct Runs<D: Device> {
    list: Vec<Run>,
    runs: Array<D, Run>,
    values: Array<D, u8>,
    units: usize,
}

/// The bytes of integers.
fn bytes(ints: Ints<'_>) -> &[u8] {
    each_width!(Ints, ints, values => bytes_of(values))
}

/// How the kernels are told the width of integers: bytes of one, and 16 more without a sign.
fn kind(ints: Ints<'_>) -> u32 {
    match ints {
        Ints::U8(_) => 17,
        Ints::I16(_) => 2,
        Ints::U16(_) => 18,
        Ints::I32(_) => 4,
        Ints::I64(_) => 8,
    }
}

/// Integers on the device, as `load_int` reads them.
pub struct Packed<D: Device> {
    values: Array<D, u8>,
    kind: u32,
}

impl<D: Device> Packed<D> {
    /// A copy.
    pub fn of(device: &D, ints: Ints<'_>) -> Self {
        Packed { values: Array::in_words(device, bytes(ints)), kind: kind(ints) }
    }

    /// Where they are, and their kind.
    pub fn arguments(&self) -> [super::Argument; 2] {
        [(&self.values).into(), super::Argument::Word(self.kind.into())]
    }
}

/// For the integers of one step: a quarter of what is free.
pub fn room<D: Device>(device: &D) -> usize {
    (device.free_bytes().unwrap_or_else(raise) / 4).min(STEP)
}

/// The pieces that are not empty by rows, in ranges that fit the device with a point for each unit; no row is in two of
/// them. A launch for one is short, so a desktop's watchdog lets it be, and goes on while the host gathers the next.
pub fn portions<'a, D: Device>(device: &D, pieces: &[Piece<'a>]) -> (Vec<Piece<'a>>, Vec<Range<usize>>) {
    let mut pieces: Vec<Piece> = pieces.iter().filter(|piece| !piece.values.is_empty()).copied().collect();
    pieces.sort_by_key(|piece| piece.row);
    let (room, mut ranges, mut start, mut size) = (room(device).min(LAUNCHED), Vec::new(), 0, 0);
    let bytes_on_device = |piece: &Piece| {
        let units = piece.values.len().div_ceil(UNIT);
        bytes(piece.values).len() + 8 + size_of::<Run>() + units * size_of::<Point>()
    };
    for (at, row) in pieces.chunk_by(|a, b| a.row == b.row).scan(0, |at, row| {
        *at += row.len();
        Some((*at - row.len(), row))
    }) {
        let more: usize = row.iter().map(bytes_on_device).sum();
        if size > 0 && size + more > room {
            ranges.push(start..at);
            (start, size) = (at, 0);
        }
        size += more;
    }
    if start < pieces.len() {
        ranges.push(start..pieces.len());
    }
    (pieces, ranges)
}

impl<D: Device> Runs<D> {
    /// Copies pieces, none empty, of a matrix of `rows x columns`.
    pub fn new(device: &D, pieces: &[Piece], rows: usize, columns: usize) -> Self {
        let (mut list, mut units, mut size) = (Vec::with_capacity(pieces.len()), 0, 0usize);
        for piece in pieces {
            let length = piece.values.len();
            assert!(piece.row < rows && piece.column + length <= columns, "a piece lies in the matrix");
            size = size.next_multiple_of(8);
            list.push(Run {
                first_unit: units as u64,
                values: size as u64,
                row: u32::try_from(piece.row).expect("fewer than 2^32 rows"),
                column: u32::try_from(piece.column).expect("fewer than 2^32 columns"),
                length: u32::try_from(length).expect("fewer than 2^32 columns"),
                kind: kind(piece.values),
            });
            units += length.div_ceil(UNIT);
            size += bytes(piece.values).len();
        }
        // What stands between two runs is of no account.
        let gather = |start: usize, part: &mut [u8]| {
            let first = list.partition_point(|run| run.values as usize <= start).saturating_sub(1);
            for (run, piece) in list.iter().zip(pieces).skip(first) {
                let (begin, bytes) = (run.values as usize, bytes(piece.values));
                if begin >= start + part.len() {
                    break;
                }
                let (from, to) = (begin.max(start), (begin + bytes.len()).min(start + part.len()));
                if from < to {
                    part[from - start..to - start].copy_from_slice(&bytes[from - begin..to - begin]);
                }
            }
        };
        let values = Array::filled(device, size.next_multiple_of(8), gather);
        Runs { runs: Array::of(device, &list), values, list, units }
    }

    /// Number of units: threads of the kernels that sum rows.
    pub fn units(&self) -> usize {
        self.units
    }

    /// The first arguments after the output of the kernels that sum rows.
    pub fn arguments(&self) -> [super::Argument; 3] {
        [(&self.runs).into(), self.list.len().into(), (&self.values).into()]
    }

    /// The rows that are not empty, and how many units each has.
    pub fn rows(&self) -> (Vec<usize>, Vec<usize>) {
        let units = |runs: &[Run]| runs.iter().map(|run| (run.length as usize).div_ceil(UNIT)).sum::<usize>();
        self.list.chunk_by(|a, b| a.row == b.row).map(|runs| (runs[0].row as usize, units(runs))).unzip()
    }

    /// `out[j] = sum of weights[row] entry` over the entries of column `j`.
    fn columns(&self, device: &D, weights: &Array<D, Fr>, columns: usize) -> Vec<Fr> {
        let mut touching = vec![Vec::new(); columns.div_ceil(BLOCK)];
        for (at, run) in self.list.iter().enumerate() {
            let (first, last) = (run.column as usize, (run.column + run.length - 1) as usize);
            touching[first / BLOCK..=last / BLOCK].iter_mut().for_each(|list| list.push(at as u32));
        }
        let (mut listed, mut starts, mut tiles) = (Vec::<u32>::new(), vec![0u64], Vec::<u32>::new());
        for (tile, list) in touching.iter().enumerate() {
            for part in list.chunks(LISTED) {
                listed.extend(part);
                starts.push(listed.len() as u64);
                tiles.push(tile as u32);
            }
        }
        let out = Array::<D, Fr>::new(device, tiles.len() * BLOCK);
        let arrays = (Array::of(device, &listed), Array::of(device, &starts), Array::of(device, &tiles));
        let arguments = [
            (&out).into(),
            (&self.runs).into(),
            (&arrays.0).into(),
            (&arrays.1).into(),
            (&arrays.2).into(),
            (&self.values).into(),
            weights.into(),
            tiles.len().into(),
        ];
        // SAFETY: tasks list runs by number, runs lie in the values and in rows that have weights.
        unsafe { launch(device, "contract_left", out.length(), &arguments) };
        let counts = touching.iter().map(|list| list.len().div_ceil(LISTED)).collect();
        let mut sums = sum_uneven(device, out, counts, BLOCK).all(device);
        sums.truncate(columns);
        sums
    }
}

/// See [`crate::Backend::contract_left`].
pub fn contract_left<D: Device>(device: &D, pieces: &[Piece], row_weights: &[Fr], columns: usize) -> Vec<Fr> {
    let weighty: Vec<Piece> = pieces.iter().filter(|piece| !row_weights[piece.row].is_zero()).copied().collect();
    let weights = Array::of(device, row_weights);
    let (pieces, portions) = portions(device, &weighty);
    let mut sums = vec![Fr::zero(); columns];
    for portion in portions {
        let runs = Runs::new(device, &pieces[portion], row_weights.len(), columns);
        let part = runs.columns(device, &weights, columns);
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    sums
}

/// See [`crate::Backend::contract_right`].
pub fn contract_right<D: Device>(device: &D, pieces: &[Piece], column_weights: &[Fr], rows: usize) -> Vec<Fr> {
    let weights = Array::of(device, column_weights);
    let (pieces, portions) = portions(device, pieces);
    let mut parts = Vec::new();
    for portion in portions {
        let runs = Runs::new(device, &pieces[portion], rows, column_weights.len());
        let out = Array::<D, Fr>::new(device, runs.units());
        let [list, count, values] = runs.arguments();
        let arguments = [(&out).into(), list, count, values, (&weights).into(), runs.units().into()];
        // SAFETY: runs lie in the values and in columns that have weights; every unit has its place in `out`.
        unsafe { launch(device, "contract_right", runs.units(), &arguments) };
        let (numbers, counts) = runs.rows();
        parts.push((numbers, sum_uneven(device, out, counts, 1)));
    }
    let mut sums = vec![Fr::zero(); rows];
    for (numbers, part) in parts {
        numbers.into_iter().zip(part.all(device)).for_each(|(row, sum)| sums[row] = sum);
    }
    sums
}

/// The tensors of [`crate::Backend::contract`].
#[derive(Clone, Copy)]
pub enum Entries<'a> {
    Ints(Ints<'a>),
    Field(&'a [Fr]),
}

impl<'a> Entries<'a> {
    fn bytes(&self) -> &'a [u8] {
        match self {
            Entries::Ints(ints) => bytes(*ints),
            Entries::Field(values) => bytes_of(values),
        }
    }

    fn len(&self) -> usize {
        match self {
            Entries::Ints(ints) => ints.len(),
            Entries::Field(values) => values.len(),
        }
    }

    fn slice(&self, range: Range<usize>) -> Entries<'a> {
        match self {
            Entries::Ints(ints) => Entries::Ints(ints.slice(range)),
            Entries::Field(values) => Entries::Field(&values[range]),
        }
    }

    fn kernel(&self) -> &'static str {
        match self {
            Entries::Ints(Ints::U8(_)) => "contract_u8",
            Entries::Ints(Ints::I16(_)) => "contract_i16",
            Entries::Ints(Ints::U16(_)) => "contract_u16",
            Entries::Ints(Ints::I32(_)) => "contract_i32",
            Entries::Ints(Ints::I64(_)) => "contract_i64",
            Entries::Field(_) => "contract_field",
        }
    }
}

/// The values as field elements on the device.
pub fn elements<D: Device>(device: &D, values: Factor) -> Array<D, Fr> {
    let x = match values {
        Factor::Field(values) => return Array::of(device, &values),
        Factor::Ints(ints) => Entries::Ints(ints),
    };
    let (out, one) = (Array::new(device, x.len()), Array::of(device, &[Fr::one()]));
    let at_once = (room(device) / size_of::<i64>()).max(1);
    for start in (0..x.len()).step_by(at_once) {
        let part = x.slice(start..x.len().min(start + at_once));
        let values = Array::of(device, part.bytes());
        let [whole, single] = [part.len(), 1].map(super::Argument::from);
        let arguments = [out.at(start), (&values).into(), (&one).into(), single, single, whole, single];
        // SAFETY: a contraction of `1 x 1 x part` by one weight, which is 1.
        unsafe { launch(device, part.kernel(), part.len(), &arguments) };
    }
    out
}

/// See [`crate::Backend::contract`].
pub fn contract<D: Device>(device: &D, x: Entries, outer: usize, inner: usize, weights: &[Fr]) -> Vec<Fr> {
    /// Threads that keep a device busy, and entries that make one worth its start.
    const THREADS: usize = 1 << 18;
    const TAKEN: usize = 16;
    let middle = weights.len();
    assert_eq!(x.len(), outer * middle * inner, "x has shape outer x middle x inner");
    if x.len() == 0 {
        return vec![Fr::zero(); outer * inner];
    }
    // What does not fit goes in halves.
    if x.bytes().len() > room(device) && outer > 1 {
        let (low, high) = (x.slice(0..outer / 2 * middle * inner), x.slice(outer / 2 * middle * inner..x.len()));
        let mut sums = contract(device, low, outer / 2, inner, weights);
        sums.extend(contract(device, high, outer - outer / 2, inner, weights));
        return sums;
    }
    if x.bytes().len() > room(device) && middle > 1 {
        let (low, high) = weights.split_at(middle / 2);
        let mut sums = contract(device, x.slice(0..low.len() * inner), 1, inner, low);
        let rest = contract(device, x.slice(low.len() * inner..x.len()), 1, inner, high);
        sums.iter_mut().zip(rest).for_each(|(sum, part)| *sum += part);
        return sums;
    }
    let lanes = (THREADS / (outer * inner)).min(middle.div_ceil(TAKEN)).max(1);
    let out = Array::<D, Fr>::new(device, outer * lanes * inner);
    let (values, weights) = (Array::of(device, x.bytes()), Array::of(device, weights));
    let arguments =
        [(&out).into(), (&values).into(), (&weights).into(), outer.into(), middle.into(), inner.into(), lanes.into()];
    // SAFETY: the tensor has its shape and the kernel its type; every lane has its place in `out`.
    unsafe { launch(device, x.kernel(), out.length(), &arguments) };
    sum_groups(device, out, outer, lanes, inner)
}
