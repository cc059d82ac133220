//! Decides how many G1 points are added: affine additions in batches that share one inversion.

use ark_bls12_381::{Fq, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, Field, One, Zero};

/// Additions that share one inversion, at most.
const BATCH: usize = 4096;

/// An affine point; infinity is (0, 0), which is not on the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub x: Fq,
    pub y: Fq,
}

impl Point {
    pub const INFINITY: Point = Point { x: Fq::ZERO, y: Fq::ZERO };

    #[inline(always)]
    pub fn is_infinity(&self) -> bool {
        self.x.is_zero() && self.y.is_zero()
    }

    #[inline(always)]
    pub fn negated_if(self, negative: bool) -> Point {
        if negative { Point { x: self.x, y: -self.y } } else { self }
    }
}

impl From<&G1Affine> for Point {
    fn from(point: &G1Affine) -> Point {
        if point.is_zero() { Point::INFINITY } else { Point { x: point.x, y: point.y } }
    }
}

impl From<Point> for G1Affine {
    fn from(point: Point) -> G1Affine {
        if point.is_infinity() { G1Affine::zero() } else { G1Affine::new_unchecked(point.x, point.y) }
    }
}

/// What the chord or tangent divides by; 1 where there is nothing to divide.
#[inline(always)]
fn denominator(a: &Point, b: &Point) -> Fq {
    let difference = b.x - a.x;
    if !difference.is_zero() && !a.is_infinity() && !b.is_infinity() {
        return difference;
    }
    // No point of the curve has order 2, so y is not 0 at a doubling.
    if !a.is_infinity() && a == b { a.y.double() } else { Fq::one() }
}

/// `a + b` given the inverse of their denominator.
#[inline(always)]
fn add(a: &Point, b: &Point, inverse: Fq) -> Point {
    if a.is_infinity() {
        return *b;
    }
    if b.is_infinity() {
        return *a;
    }
    let slope = if a.x != b.x {
        (b.y - a.y) * inverse
    } else if a.y == b.y {
        let square = a.x.square();
        (square.double() + square) * inverse
    } else {
        return Point::INFINITY;
    };
    let x = slope.square() - a.x - b.x;
    Point { x, y: slope * (a.x - x) - a.y }
}

/// `out(i, left(i) + right(i))` for `i < count`, whatever the points are.
pub fn add_all(count: usize, pair: impl Fn(usize) -> (Point, Point), mut out: impl FnMut(usize, Point)) {
    let mut products = Vec::with_capacity(BATCH.min(count));
    for start in (0..count).step_by(BATCH) {
        let batch = start..(start + BATCH).min(count);
        products.clear();
        let mut product = Fq::one();
        for i in batch.clone() {
            let (a, b) = pair(i);
            products.push(product);
            product *= denominator(&a, &b);
        }
        let mut inverse = product.inverse().expect("no denominator is 0");
        for i in batch.rev() {
            let (a, b) = pair(i);
            let this = inverse * products[i - start];
            inverse *= denominator(&a, &b);
            out(i, add(&a, &b, this));
        }
    }
}

/// Sum consecutive lists: list `k` is the next `lengths[k]` of the points `source(0), source(1), ..`.
/// An empty list sums to infinity.
pub fn sum_lists(source: impl Fn(usize) -> Point, lengths: &[u32]) -> Vec<Point> {
    let mut lengths = lengths.to_vec();
    let mut points = halve_lists(source, &mut lengths);
    while lengths.iter().any(|length| *length > 1) {
        points = halve_lists(|i| points[i], &mut lengths);
    }
    let mut next = 0;
    lengths
        .iter()
        .map(|length| {
            next += *length as usize;
            if *length == 0 { Point::INFINITY } else { points[next - 1] }
        })
        .collect()
}

/// Add neighbours inside each list; `lengths` become those of the halved lists.
fn halve_lists(source: impl Fn(usize) -> Point, lengths: &mut [u32]) -> Vec<Point> {
    let total: usize = lengths.iter().map(|length| length.div_ceil(2) as usize).sum();
    let mut out = vec![Point::INFINITY; total];
    // (first of the pair, place of the sum)
    let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(total);
    let (mut read, mut write) = (0u32, 0u32);
    for length in lengths {
        for k in 0..*length / 2 {
            pairs.push((read + 2 * k, write + k));
        }
        read += *length;
        let half = length.div_ceil(2);
        write += half;
        if *length % 2 == 1 {
            out[write as usize - 1] = source(read as usize - 1);
        }
        *length = half;
    }
    add_all(
        pairs.len(),
        |i| (source(pairs[i].0 as usize), source(pairs[i].0 as usize + 1)),
        |i, point| out[pairs[i].1 as usize] = point,
    );
    out
}
