//! Decides how a matrix of small integers goes to the device: its pieces as runs, as many rows at once as there is room.

use std::ops::Range;

use ark_bls12_381::Fr;
use ark_ff::Zero;

use super::Argument;
use super::array::{Array, Plain, bytes_of, bytes_of_mut, launch};
use super::keep::{Copied, Finder};
use super::machine::{BLOCK, Device, raise};
use super::sums::sum_uneven;
use crate::{Integers, Ints, Piece, each_width};

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
    /// The address on the device.
    values: u64,
    row: u32,
    column: u32,
    length: u32,
    kind: u32,
}
// SAFETY: integers, without padding between them.
unsafe impl Plain for Run {}

/// See `contract.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Task {
    first: u32,
    end: u32,
    tile: u32,
    unused: u32,
}
// SAFETY: integers, without padding between them.
unsafe impl Plain for Task {}

/// Runs of a matrix on the device.
pub struct Runs<D: Device> {
    list: Vec<Run>,
    runs: Array<D, Run>,
    /// What the runs' addresses are of.
    _values: (Array<D, u8>, Vec<Copied<D>>),
    units: usize,
}

/// The bytes of integers.
pub fn bytes(ints: Ints<'_>) -> &[u8] {
    each_width!(Ints, ints, values => bytes_of(values))
}

/// How the kernels are told the width of integers: bytes of one, and 16 more without a sign; 256 times how many integers there
/// are between the beginning of memory and the first of them would be more.
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
    copied: Copied<D>,
    kind: u32,
    length: usize,
}

impl<D: Device> Packed<D> {
    /// A copy.
    pub fn of(device: &D, ints: Ints<'_>) -> Self {
        Packed { copied: Copied::of(device, bytes(ints)), kind: kind(ints), length: ints.len() }
    }

    /// `length` integers of any value, of the width of `like`.
    pub fn new(device: &D, length: usize, like: Ints<'_>) -> Self {
        let kind = kind(like);
        let bytes = length * (kind & 15) as usize;
        Packed { copied: Copied::new(device, bytes), kind, length }
    }

    /// Number of integers.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Least and greatest that the width holds.
    pub fn room(&self) -> (i64, i64) {
        match self.kind {
            17 => Ints::U8(&[]).room(),
            2 => Ints::I16(&[]).room(),
            18 => Ints::U16(&[]).room(),
            4 => Ints::I32(&[]).room(),
            _ => Ints::I64(&[]).room(),
        }
    }

    /// Makes all of them 0.
    pub fn clear(&self, device: &D) {
        self.copied.clear(device);
    }

    /// Copies them to `to`, of the same width, from place `start` on.
    pub fn read(&self, device: &D, to: &mut Integers, start: usize) {
        assert_eq!(kind(to.view()), self.kind, "integers of one width");
        each_width!(Integers, to, to => self.copied.read(device, bytes_of_mut(&mut to[start..start + self.length])));
    }

    /// Where they are, and their kind.
    pub fn arguments(&self) -> [Argument; 2] {
        let (address, kind) = located(&self.copied, self.kind);
        [address, kind.into()].map(Argument::Word)
    }
}

/// Where copied integers are, and their kind with how many are before them in their first word.
fn located<D: Device>(copied: &Copied<D>, kind: u32) -> (u64, u32) {
    let (address, before) = (copied.address() / 8 * 8, (copied.address() % 8) as u32);
    (address, kind | (before / (kind & 15)) << 8)
}

/// For the integers of one step: a quarter of what is free.
pub fn room<D: Device>(device: &D) -> usize {
    (device.free_bytes().unwrap_or_else(raise) / 4).min(STEP)
}

/// The pieces that are not empty by rows, in ranges that fit the device with `each` bytes for each unit; no row is in two of
/// them. A launch for one is short, so a desktop's watchdog lets it be, and goes on while the host gathers the next.
pub fn portions<'a, D: Device>(device: &D, pieces: &[Piece<'a>], each: usize) -> (Vec<Piece<'a>>, Vec<Range<usize>>) {
    let mut pieces: Vec<Piece> = pieces.iter().filter(|piece| !piece.values.is_empty()).copied().collect();
    pieces.sort_by_key(|piece| piece.row);
    let (room, mut ranges, mut start, mut size) = (room(device).min(LAUNCHED), Vec::new(), 0, 0);
    // Columns are copied whole where there is room, else what is read of them.
    let mut finder = Finder::new(device, true);
    let mut bytes_on_device = |piece: &Piece| {
        let (units, bytes) = (piece.values.len().div_ceil(UNIT), bytes(piece.values));
        size_of::<Run>() + units * each + if finder.find(bytes).is_some() { 0 } else { bytes.len() + 8 }
    };
    for (at, row) in pieces.chunk_by(|a, b| a.row == b.row).scan(0, |at, row| {
        *at += row.len();
        Some((*at - row.len(), row))
    }) {
        let more: usize = row.iter().map(&mut bytes_on_device).sum();
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
        // What is not kept is gathered in one array, with room for whole words: its bytes, and where they begin.
        let (mut kept, mut gathered, mut finder) = (Vec::new(), Vec::new(), Finder::new(device, false));
        for piece in pieces {
            let (length, bytes) = (piece.values.len(), bytes(piece.values));
            assert!(piece.row < rows && piece.column + length <= columns, "a piece lies in the matrix");
            let mut run = Run {
                first_unit: units as u64,
                values: 0,
                row: u32::try_from(piece.row).expect("fewer than 2^32 rows"),
                column: u32::try_from(piece.column).expect("fewer than 2^32 columns"),
                length: u32::try_from(length).expect("fewer than 2^32 columns"),
                kind: kind(piece.values),
            };
            match finder.find(bytes) {
                Some(copied) => {
                    (run.values, run.kind) = located(&copied, run.kind);
                    if kept.last().is_none_or(|last| !copied.shares(last)) {
                        kept.push(copied);
                    }
                }
                None => {
                    gathered.push((list.len(), size, bytes));
                    size = (size + bytes.len()).next_multiple_of(8);
                }
            }
            list.push(run);
            units += length.div_ceil(UNIT);
        }
        let gather = |start: usize, part: &mut [u8]| {
            let first = gathered.partition_point(|(_, begin, _)| *begin <= start).saturating_sub(1);
            for (_, begin, bytes) in &gathered[first..] {
                if *begin >= start + part.len() {
                    break;
                }
                let (from, to) = ((*begin).max(start), (begin + bytes.len()).min(start + part.len()));
                if from < to {
                    part[from - start..to - start].copy_from_slice(&bytes[from - begin..to - begin]);
                }
            }
        };
        let values = Array::filled(device, size, gather);
        gathered.iter().for_each(|(at, begin, _)| list[*at].values = values.address() + *begin as u64);
        Runs { runs: Array::of(device, &list), _values: (values, kept), list, units }
    }

    /// Number of units: threads of the kernels that sum rows.
    pub fn units(&self) -> usize {
        self.units
    }

    /// The first arguments after the output of the kernels that sum rows.
    pub fn arguments(&self) -> [Argument; 2] {
        [(&self.runs).into(), self.list.len().into()]
    }

    /// The rows that are not empty, and how many units each has.
    pub fn rows(&self) -> (Vec<usize>, Vec<usize>) {
        let units = |runs: &[Run]| runs.iter().map(|run| (run.length as usize).div_ceil(UNIT)).sum::<usize>();
        self.list.chunk_by(|a, b| a.row == b.row).map(|runs| (runs[0].row as usize, units(runs))).unzip()
    }

    /// `out[j] = sum of weights[row] entry` over the entries of column `j`. The runs have to be in the order of their columns.
    fn columns(&self, device: &D, weights: &Array<D, Fr>, columns: usize) -> Vec<Fr> {
        // Some runs that begin at one column, for every tile that one of them reaches.
        let (mut tasks, mut first) = (Vec::new(), 0);
        for runs in self.list.chunk_by(|a, b| a.column == b.column).flat_map(|runs| runs.chunks(LISTED)) {
            let longest = runs.iter().map(|run| run.length).max().unwrap_or(0);
            let tiles = runs[0].column / BLOCK as u32..(runs[0].column + longest).div_ceil(BLOCK as u32);
            tasks.extend(tiles.map(|tile| Task { first, end: first + runs.len() as u32, tile, unused: 0 }));
            first += runs.len() as u32;
        }
        tasks.sort_by_key(|task| task.tile);
        let mut counts = vec![0; columns.div_ceil(BLOCK)];
        tasks.iter().for_each(|task| counts[task.tile as usize] += 1);
        let (out, on_device) = (Array::<D, Fr>::new(device, tasks.len() * BLOCK), Array::of(device, &tasks));
        let arguments = [(&out).into(), (&self.runs).into(), (&on_device).into(), weights.into(), tasks.len().into()];
        // SAFETY: tasks are of runs that there are, which lie in the values and in rows that have weights.
        unsafe { launch(device, "contract_left", out.length(), &arguments) };
        let mut sums = sum_uneven(device, out, counts, BLOCK).all(device);
        sums.truncate(columns);
        sums
    }
}

/// See [`crate::Backend::contract_left`].
pub fn contract_left<D: Device>(device: &D, pieces: &[Piece], row_weights: &[Fr], columns: usize) -> Vec<Fr> {
    let weighty: Vec<Piece> = pieces.iter().filter(|piece| !row_weights[piece.row].is_zero()).copied().collect();
    let weights = Array::of(device, row_weights);
    let (pieces, portions) = portions(device, &weighty, size_of::<Fr>());
    let mut sums = vec![Fr::zero(); columns];
    for portion in portions {
        let mut pieces = pieces[portion].to_vec();
        pieces.sort_by_key(|piece| (piece.column, piece.row));
        let runs = Runs::new(device, &pieces, row_weights.len(), columns);
        let part = runs.columns(device, &weights, columns);
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    sums
}

/// See [`crate::Backend::contract_right`].
pub fn contract_right<D: Device>(device: &D, pieces: &[Piece], column_weights: &[Fr], rows: usize) -> Vec<Fr> {
    let weights = Array::of(device, column_weights);
    let (pieces, portions) = portions(device, pieces, size_of::<Fr>());
    let mut parts = Vec::new();
    for portion in portions {
        let runs = Runs::new(device, &pieces[portion], rows, column_weights.len());
        let out = Array::<D, Fr>::new(device, runs.units());
        let [list, count] = runs.arguments();
        let arguments = [(&out).into(), list, count, (&weights).into(), runs.units().into()];
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
