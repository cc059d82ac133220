//! Decides how small integers are stored: all of a vector in the narrowest width that holds them.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

/// Evaluates `$body` with `$x` bound to the slice or vector inside an [`Ints`] or [`Integers`] (`$type`) of any width.
#[macro_export]
macro_rules! each_width {
    ($type:ident, $ints:expr, $x:ident => $body:expr) => {
        match $ints {
            $type::U8($x) => $body,
            $type::I16($x) => $body,
            $type::U16($x) => $body,
            $type::I32($x) => $body,
            $type::I64($x) => $body,
        }
    };
}

/// Integers that a thread is worth its start for.
const GRAIN: usize = 1 << 16;

/// How many of the first `place` entries of squares, one after the other of `side` rows and columns, are not above a
/// diagonal: where an entry is stored among those.
pub fn below(side: usize, place: usize) -> usize {
    let (line, column) = (place / side.max(1), place % side.max(1));
    let (square, row) = (line / side.max(1), line % side.max(1));
    square * triangle(side) + triangle(row) + column.min(row + 1)
}

/// Entries of a square of `side` rows and columns that are not above its diagonal.
fn triangle(side: usize) -> usize {
    side * (side + 1) / 2
}

/// By row, where such entries are in the square, and among themselves.
fn lines(side: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    (0..side).map(move |row| (row * side..row * side + row + 1, triangle(row)..triangle(row + 1)))
}

/// A borrowed run of small integers.
#[derive(Clone, Copy, Debug)]
pub enum Ints<'a> {
    U8(&'a [u8]),
    I16(&'a [i16]),
    U16(&'a [u16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
}

impl<'a> Ints<'a> {
    /// Number of integers.
    pub fn len(&self) -> usize {
        each_width!(Ints, self, x => x.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        each_width!(Ints, self, x => size_of_val(*x))
    }

    /// The integer at `index`; panics beyond the end.
    pub fn at(&self, index: usize) -> i64 {
        #[allow(clippy::unnecessary_cast)] // One of the widths is that of the result.
        let value = each_width!(Ints, self, x => x[index] as i64);
        value
    }

    /// The integers of `range`; panics beyond the end.
    pub fn slice(&self, range: Range<usize>) -> Ints<'a> {
        match self {
            Ints::U8(x) => Ints::U8(&x[range]),
            Ints::I16(x) => Ints::I16(&x[range]),
            Ints::U16(x) => Ints::U16(&x[range]),
            Ints::I32(x) => Ints::I32(&x[range]),
            Ints::I64(x) => Ints::I64(&x[range]),
        }
    }

    /// Least and greatest that the width holds.
    pub fn room(&self) -> (i64, i64) {
        match self {
            Ints::U8(_) => (0, u8::MAX.into()),
            Ints::I16(_) => (i16::MIN.into(), i16::MAX.into()),
            Ints::U16(_) => (0, u16::MAX.into()),
            Ints::I32(_) => (i32::MIN.into(), i32::MAX.into()),
            Ints::I64(_) => (i64::MIN, i64::MAX),
        }
    }

    /// Least and greatest of them; `(0, 0)` of none.
    pub fn range(&self) -> (i64, i64) {
        fn of<T: Copy + Ord + Into<i64> + Sync>(values: &[T]) -> (i64, i64) {
            let ends = |values: &[T]| {
                let first = values[0];
                let (least, greatest) =
                    values.iter().fold((first, first), |(a, b), value| (a.min(*value), b.max(*value)));
                (least.into(), greatest.into())
            };
            let join = |a: (i64, i64), b: (i64, i64)| (a.0.min(b.0), a.1.max(b.1));
            values.par_chunks(GRAIN).map(ends).reduce_with(join).unwrap_or((0, 0))
        }
        each_width!(Ints, self, x => of(x))
    }
}

/// A vector of small integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integers {
    U8(Vec<u8>),
    I16(Vec<i16>),
    U16(Vec<u16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
}

impl Integers {
    /// `count` zeros.
    pub fn zeros(count: usize) -> Self {
        Integers::zeros_for(count, (0, 0))
    }

    /// `count` zeros with room for values from `least` to `greatest`.
    pub fn zeros_for(count: usize, (least, greatest): (i64, i64)) -> Self {
        let within = |low: i64, high: i64| low <= least && greatest <= high;
        if within(0, 0xff) {
            Integers::U8(vec![0; count])
        } else if within(-0x8000, 0x7fff) {
            Integers::I16(vec![0; count])
        } else if within(0, 0xffff) {
            Integers::U16(vec![0; count])
        } else if within(i32::MIN.into(), i32::MAX.into()) {
            Integers::I32(vec![0; count])
        } else {
            Integers::I64(vec![0; count])
        }
    }

    /// The values, in the narrowest width.
    pub fn narrowed(values: Vec<i64>) -> Self {
        let ends = Ints::I64(&values).range();
        let mut narrow = Integers::zeros_for(values.len(), ends);
        if let Integers::I64(_) = narrow {
            return Integers::I64(values);
        }
        narrow.copy(0, &values, ends);
        narrow
    }

    /// A borrowed view.
    pub fn view(&self) -> Ints<'_> {
        match self {
            Integers::U8(x) => Ints::U8(x),
            Integers::I16(x) => Ints::I16(x),
            Integers::U16(x) => Ints::U16(x),
            Integers::I32(x) => Ints::I32(x),
            Integers::I64(x) => Ints::I64(x),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Value `index`; panics beyond the end.
    pub fn get(&self, index: usize) -> i64 {
        self.view().at(index)
    }

    /// Sets value `index`, widening all if it does not fit.
    pub fn set(&mut self, index: usize, value: i64) {
        self.copy(index, &[value], (value, value));
    }

    /// Least and greatest of the values; `(0, 0)` of none.
    pub fn range(&self) -> (i64, i64) {
        self.view().range()
    }

    /// All values.
    pub fn to_vec(&self) -> Vec<i64> {
        #[allow(clippy::unnecessary_cast)] // One of the widths is that of the result.
        let values = each_width!(Integers, self, x => x.iter().map(|&x| x as i64).collect());
        values
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.view().bytes()
    }

    /// Least and greatest value that this width holds.
    pub fn room(&self) -> (i64, i64) {
        self.view().room()
    }

    /// Makes the width hold the values from `least` to `greatest` too.
    pub fn widen(&mut self, (least, greatest): (i64, i64)) {
        let room = self.room();
        if least < room.0 || room.1 < greatest {
            let own = self.range();
            let wider = Integers::zeros_for(self.len(), (least.min(own.0), greatest.max(own.1)));
            let narrow = std::mem::replace(self, wider);
            each_width!(Integers, &narrow, narrow => self.fill(0, narrow));
        }
    }

    /// Copies of squares of `side` rows and columns what is not above their diagonals to the places from `start` on, widening
    /// all to their width.
    #[allow(clippy::unnecessary_cast)] // One of the widths is that of the others.
    pub fn copy_triangles(&mut self, start: usize, squares: Ints<'_>, side: usize) {
        self.widen(squares.room());
        let end = start + below(side, squares.len());
        each_width!(Integers, self, own => each_width!(Ints, squares, squares => {
            let stored = own[start..end].par_chunks_mut(triangle(side).max(1));
            stored.zip(squares.par_chunks((side * side).max(1))).for_each(|(stored, square)| {
                for (own, there) in lines(side) {
                    stored[there].iter_mut().zip(&square[own]).for_each(|(entry, value)| *entry = *value as _);
                }
            });
        }));
    }

    /// Copies `values`, of which `range` bounds all, to the places from `start` on, widening all if they do not fit.
    pub fn copy(&mut self, start: usize, values: &[i64], range: (i64, i64)) {
        self.widen(range);
        self.fill(start, values);
    }

    /// Copies values that fit.
    #[allow(clippy::unnecessary_cast)] // One of the widths is that of the values.
    fn fill<T: Copy + Into<i64> + Sync>(&mut self, start: usize, values: &[T]) {
        each_width!(Integers, self, own => {
            let places = own[start..start + values.len()].par_chunks_mut(GRAIN).zip(values.par_chunks(GRAIN));
            places.for_each(|(places, values)| {
                places.iter_mut().zip(values).for_each(|(place, value)| *place = (*value).into() as _);
            });
        });
    }
}

/// The integers of a tensor, row major: all of them, or, of squares one after the other, those that are not above a diagonal;
/// above it they are 0.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    stored: Ints<'a>,
    /// Rows of a square; 0 if all are stored.
    side: usize,
    /// The first place, in its square.
    first: usize,
    length: usize,
}

impl<'a> From<Ints<'a>> for Tensor<'a> {
    fn from(stored: Ints<'a>) -> Self {
        Tensor { stored, side: 0, first: 0, length: stored.len() }
    }
}

impl<'a> Tensor<'a> {
    /// Whole squares of `side` rows and columns, of which `stored` are those not above a diagonal; all of them if `side` is 0.
    pub fn squares(stored: Ints<'a>, side: usize) -> Self {
        if side == 0 {
            return stored.into();
        }
        let count = stored.len() / triangle(side);
        assert_eq!(count * triangle(side), stored.len(), "whole squares");
        Tensor { stored, side, first: 0, length: count * side * side }
    }

    /// Number of places.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The integers as they are stored.
    pub fn stored(&self) -> Ints<'a> {
        self.stored
    }

    /// All of them, if all are stored.
    pub fn plain(&self) -> Option<Ints<'a>> {
        (self.side == 0).then_some(self.stored)
    }

    /// Rows of a square, the first place in it, and how many are stored of it before; zeros if all are stored.
    pub fn shape(&self) -> [usize; 3] {
        [self.side, self.first, below(self.side, self.first)]
    }

    /// Those of a range of the places.
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.length, "places of the tensor");
        if self.side == 0 {
            return self.stored.slice(range).into();
        }
        let [_, first, before] = self.shape();
        let square = self.side * self.side;
        let stored = [range.start, range.end].map(|place| below(self.side, first + place) - before);
        Tensor {
            stored: self.stored.slice(stored[0]..stored[1]),
            side: self.side,
            first: (first + range.start) % square,
            length: range.len(),
        }
    }

    /// The integer at a place.
    pub fn at(&self, place: usize) -> i64 {
        let [side, first, before] = self.shape();
        let place = first + place;
        match side {
            0 => self.stored.at(place),
            _ if place % side > place / side % side => 0,
            _ => self.stored.at(below(side, place) - before),
        }
    }

    /// All of them, in the same width.
    #[allow(clippy::unnecessary_cast)] // One of the widths is that of the others.
    pub fn whole(&self) -> Integers {
        let [side, first, before] = self.shape();
        // How far the row goes from a place on, and how much of it is stored, from where on.
        let row = |place: usize, most: usize| match side {
            0 => (most, most, place),
            _ => {
                let (row, column) = (place / side % side, place % side);
                let run = most.min(side - column);
                (run, run.min((row + 1).saturating_sub(column)), below(side, place) - before)
            }
        };
        let mut whole = Integers::zeros_for(self.length, self.stored.room());
        each_width!(Integers, &mut whole, whole => each_width!(Ints, self.stored, stored => {
            whole.par_chunks_mut(GRAIN).enumerate().for_each(|(part, mut rest)| {
                let mut place = first + part * GRAIN;
                while !rest.is_empty() {
                    let (run, there, start) = row(place, rest.len());
                    let stored = &stored[start..start + there];
                    rest.iter_mut().zip(stored).for_each(|(entry, value)| *entry = *value as _);
                    (place, rest) = (place + run, &mut rest[run..]);
                }
            });
        }));
        whole
    }
}

/// Numbers of table rows, shared and packed: number `i` is `values[start + i] + plus`, unless the places are those of squares
/// of which there are numbers only where a place is not above the diagonal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    values: Arc<Integers>,
    plus: i64,
    /// Of the places.
    range: Range<usize>,
    /// Of the squares; 0 if there is a number everywhere.
    side: usize,
}

impl Numbers {
    /// All of `values`, each with `plus` added.
    pub fn new(values: Arc<Integers>, plus: i64) -> Self {
        let range = 0..values.len();
        Numbers { values, plus, range, side: 0 }
    }

    /// All of `values`, each with `plus` added, at the places of squares of `side` rows and columns, one after the other, that
    /// are not above the diagonals; at the others there is no number.
    pub fn causal(values: Arc<Integers>, plus: i64, side: usize) -> Self {
        let squares = values.len() / triangle(side).max(1);
        assert_eq!(squares * triangle(side), values.len(), "numbers of whole squares");
        Numbers { values, plus, range: 0..squares * side * side, side }
    }

    /// Whether there may be places without a number.
    pub fn is_causal(&self) -> bool {
        self.side > 0
    }

    /// The numbers of a range of the places.
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.end <= self.len(), "places of the numbers");
        let first = self.range.start;
        Numbers { range: first + range.start..first + range.end, ..self.clone() }
    }

    /// How many places there are.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// What is added to each of the values.
    pub fn plus(&self) -> i64 {
        self.plus
    }

    /// The values, without what is added; above a diagonal there is no number.
    pub fn tensor(&self) -> Tensor<'_> {
        Tensor::squares(self.values.view(), self.side).slice(self.range.clone())
    }

    /// The number at a place: `None` if there is none.
    pub fn at(&self, place: usize) -> Option<usize> {
        let mut number = None;
        self.each(place, 1, 1, |_, found| number = found);
        number
    }

    /// Calls `f(k, number)` for `count` places from `from` on, every `step`-th.
    #[allow(clippy::unnecessary_cast)] // One of the widths is that of the sum.
    pub fn each(&self, from: usize, step: usize, count: usize, mut f: impl FnMut(usize, Option<usize>)) {
        if count == 0 {
            return;
        }
        let number = |value: i64| usize::try_from(value + self.plus).unwrap_or(usize::MAX);
        let place = self.range.start + from;
        if !self.is_causal() {
            each_width!(Ints, self.values.view().slice(place..self.range.end), x => {
                x.iter().step_by(step).take(count).enumerate().for_each(|(k, x)| f(k, Some(number(*x as i64))));
            });
            return;
        }
        let side = self.side;
        let (mut row, mut column) = (place / side % side, place % side);
        // Where the row begins among the numbers.
        let mut first = below(side, place - column);
        each_width!(Ints, self.values.view(), x => {
            for k in 0..count {
                f(k, (column <= row).then(|| number(x[first + column] as i64)));
                column += step;
                while column >= side {
                    column -= side;
                    first += row + 1;
                    row = if row + 1 == side { 0 } else { row + 1 };
                }
            }
        });
    }

    /// Whether all numbers are below `size`.
    pub fn all_below(&self, size: usize) -> bool {
        let stored = self.tensor().stored();
        let (least, greatest) = stored.range();
        stored.is_empty() || (least + self.plus >= 0 && ((greatest + self.plus) as u64) < size as u64)
    }
}

impl FromIterator<u32> for Numbers {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        Numbers::new(Arc::new(Integers::narrowed(numbers.into_iter().map(i64::from).collect())), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_as_wide_as_they_must_be() {
        let ends = [0, 1, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, i64::MAX];
        let signed = [-1, -0x8000, -0x8001, -0x8000_0000, -0x8000_0001, i64::MIN];
        for a in ends.into_iter().chain(signed) {
            for b in ends.into_iter().chain(signed) {
                let narrow = Integers::narrowed(vec![a, 0, b]);
                assert_eq!(narrow.to_vec(), [a, 0, b]);
                assert_eq!(narrow.range(), (a.min(b).min(0), a.max(b).max(0)));
                assert_eq!(Ints::I64(&[a, b]).range(), (a.min(b), a.max(b)));
                let mut set = Integers::narrowed(vec![a, 5, 0]);
                set.set(1, b);
                assert!(set.bytes() <= Integers::zeros_for(3, (a.min(b).min(0), a.max(b).max(5))).bytes());
                assert_eq!([set.get(0), set.get(1), set.get(2)], [a, b, 0]);
            }
        }
        let width = |values: Vec<i64>| Integers::narrowed(values).bytes();
        assert_eq!([vec![255], vec![-1], vec![65535], vec![-1, 65535], vec![1 << 40]].map(width), [1, 2, 2, 8, 8]);
    }

    #[test]
    fn numbers_are_where_they_exist() {
        let squares = Integers::narrowed((0..75).map(|at| at - 7).collect());
        let mut triangles = Integers::zeros(45);
        triangles.copy_triangles(0, squares.view().slice(0..25), 5);
        triangles.copy_triangles(15, squares.view().slice(25..75), 5);
        let above = |place: usize| place % 5 > place / 5 % 5;
        let there: Vec<i64> = (0..75).filter(|place| !above(*place)).map(|place| place as i64 - 7).collect();
        assert_eq!(triangles.to_vec(), there);
        assert!((0..=75).all(|end| below(5, end) == (0..end).filter(|place| !above(*place)).count()));
        let entry = |place: usize| if above(place) { 0 } else { place as i64 - 7 };
        let tensor = Tensor::squares(triangles.view(), 5);
        for (start, end) in [(0, 75), (1, 74), (37, 60), (24, 26), (13, 13), (75, 75)] {
            let expected: Vec<i64> = (start..end).map(entry).collect();
            // A part of a part.
            let part = tensor.slice(start / 2..75).slice(start - start / 2..end - start / 2);
            assert_eq!(part.whole().to_vec(), expected);
            assert_eq!((0..part.len()).map(|at| part.at(at)).collect::<Vec<_>>(), expected);
        }
        assert!(Tensor::squares(Ints::U8(&[]), 0).is_empty() && below(0, 0) == 0);

        let all = Numbers::new(Arc::new(squares), 7);
        let causal = Numbers::causal(Arc::new(triangles), 7, 5);
        for (start, end, step) in [(0, 75, 1), (0, 75, 2), (3, 59, 3), (21, 75, 7), (19, 60, 11), (33, 33, 1)] {
            let (all, causal) = (all.slice(start..end), causal.slice(start..end));
            assert_eq!(causal.tensor().stored().len(), (start..end).filter(|place| !above(*place)).count());
            assert!(all.all_below(75) && (start == end || !all.all_below(end - 1)));
            for from in 0..end - start {
                let count = (end - start - from).div_ceil(step);
                all.each(from, step, count, |k, row| assert_eq!(row, Some(start + from + k * step)));
                causal.each(from, step, count, |k, row| {
                    let place = start + from + k * step;
                    assert_eq!(row, (!above(place)).then_some(place));
                });
            }
        }
        assert_eq!(causal.slice(37..60).tensor().shape(), [5, 12, 5]);
        assert_eq!(all.tensor().shape(), [0; 3]);
    }
}
