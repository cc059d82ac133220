//! Decides how many G1 points are added: affine additions in batches that share one inversion, on a chosen [`Adder`].

use ark_bls12_381::{Fq, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, Field, One, Zero};

/// Additions that share one inversion, at most.
pub const BATCH: usize = 4096;

/// A way to hold affine points and to add many of them. Exact for all points of the curve, infinity included.
pub trait Adder: Send + Sync + 'static {
    type Point: Copy + Send + Sync + 'static;
    const INFINITY: Self::Point;
    fn load(point: &G1Affine) -> Self::Point;
    fn store(point: &Self::Point) -> G1Affine;
    /// `out(i, left(i) + right(i))` for `i < count`; a term is a point and whether it is negated.
    fn add_all<'a>(
        count: usize,
        left: impl Fn(usize) -> (&'a Self::Point, bool),
        right: impl Fn(usize) -> (&'a Self::Point, bool),
        out: impl FnMut(usize, Self::Point),
    );
    /// Double every point.
    fn double_all(points: &mut [Self::Point]);
    fn negate(point: &Self::Point) -> Self::Point;
}

/// An affine point; infinity is (0, 0), which is not on the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub x: Fq,
    pub y: Fq,
}

impl Point {
    #[inline(always)]
    fn is_infinity(&self) -> bool {
        self.x.is_zero() && self.y.is_zero()
    }

    #[inline(always)]
    pub fn negated_if(self, negative: bool) -> Point {
        if negative { Point { x: self.x, y: -self.y } } else { self }
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
        return Scalar::INFINITY;
    };
    let x = slope.square() - a.x - b.x;
    Point { x, y: slope * (a.x - x) - a.y }
}

/// `a + b` alone, with an inversion of its own.
pub fn add_one(a: &Point, b: &Point) -> Point {
    if a.is_infinity() || b.is_infinity() {
        return add(a, b, Fq::one());
    }
    add(a, b, denominator(a, b).inverse().expect("no denominator is 0"))
}

/// One addition after the other, on any machine.
pub struct Scalar;

impl Adder for Scalar {
    type Point = Point;
    const INFINITY: Point = Point { x: Fq::ZERO, y: Fq::ZERO };

    fn load(point: &G1Affine) -> Point {
        if point.is_zero() { Self::INFINITY } else { Point { x: point.x, y: point.y } }
    }

    fn store(point: &Point) -> G1Affine {
        if point.is_infinity() { G1Affine::zero() } else { G1Affine::new_unchecked(point.x, point.y) }
    }

    fn add_all<'a>(
        count: usize,
        left: impl Fn(usize) -> (&'a Point, bool),
        right: impl Fn(usize) -> (&'a Point, bool),
        mut out: impl FnMut(usize, Point),
    ) {
        let pair = |i: usize| {
            let ((a, minus_a), (b, minus_b)) = (left(i), right(i));
            (a.negated_if(minus_a), b.negated_if(minus_b))
        };
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

    fn double_all(points: &mut [Point]) {
        let old = points.to_vec();
        Self::add_all(old.len(), |i| (&old[i], false), |i| (&old[i], false), |i, point| points[i] = point);
    }

    fn negate(point: &Point) -> Point {
        point.negated_if(true)
    }
}

/// Sum consecutive lists: list `k` is the next `lengths[k]` of the terms `source(0), source(1), ..`.
/// An empty list sums to infinity.
pub fn sum_lists<'a, A: Adder>(source: impl Fn(usize) -> (&'a A::Point, bool), lengths: &[u32]) -> Vec<A::Point> {
    let mut lengths = lengths.to_vec();
    let mut points = halve_lists::<A>(source, &mut lengths);
    while lengths.iter().any(|length| *length > 1) {
        points = halve_lists::<A>(|i| (&points[i], false), &mut lengths);
    }
    let mut next = 0;
    lengths
        .iter()
        .map(|length| {
            next += *length as usize;
            if *length == 0 { A::INFINITY } else { points[next - 1] }
        })
        .collect()
}

/// Add neighbours inside each list; `lengths` become those of the halved lists.
fn halve_lists<'a, A: Adder>(source: impl Fn(usize) -> (&'a A::Point, bool), lengths: &mut [u32]) -> Vec<A::Point> {
    let total: usize = lengths.iter().map(|length| length.div_ceil(2) as usize).sum();
    let mut out = vec![A::INFINITY; total];
    // (first of the pair, place of the sum); an odd end moves alone.
    let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(total);
    let mut ends: Vec<(u32, u32)> = Vec::new();
    let (mut read, mut write) = (0u32, 0u32);
    for length in lengths {
        for k in 0..*length / 2 {
            pairs.push((read + 2 * k, write + k));
        }
        read += *length;
        let half = length.div_ceil(2);
        write += half;
        if *length % 2 == 1 {
            ends.push((read - 1, write - 1));
        }
        *length = half;
    }
    for (from, to) in ends {
        let (point, negative) = source(from as usize);
        out[to as usize] = if negative { A::negate(point) } else { *point };
    }
    A::add_all(
        pairs.len(),
        |i| source(pairs[i].0 as usize),
        |i| source(pairs[i].0 as usize + 1),
        |i, point| out[pairs[i].1 as usize] = point,
    );
    out
}
