//! Decides how eight G1 additions are made at once: one addition a lane.

use std::arch::x86_64::*;

use ark_bls12_381::G1Affine;

use super::fq_lanes::*;
use super::points::{Adder, BATCH, Point, Scalar, add_one};
use crate::path::Path;

/// The top limb of the x of infinity; that of a coordinate is below 2^18.
const AT_INFINITY: u64 = MASK;

/// A point in limbs; each coordinate is one vector.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct LanePoint {
    x: [u64; LIMBS],
    y: [u64; LIMBS],
}

/// Eight additions at once.
pub struct Lanes;

impl LanePoint {
    fn is_infinity(&self) -> bool {
        self.x[7] == AT_INFINITY
    }

    fn to_point(self) -> Point {
        if self.is_infinity() { Scalar::INFINITY } else { Point { x: store_fq(&self.x), y: store_fq(&self.y) } }
    }

    fn from_point(point: &Point) -> LanePoint {
        if *point == Scalar::INFINITY {
            return Lanes::INFINITY;
        }
        LanePoint { x: load_fq(&point.x), y: load_fq(&point.y) }
    }
}

/// `2 p - y` in the lanes of `mask`, limbs not carried.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn negate(y: &Eight, mask: u8) -> Eight {
    std::array::from_fn(|k| _mm512_mask_sub_epi64(y[k], mask, _mm512_set1_epi64(P[2][k] as i64), y[k]))
}

/// Eight terms: their points, and the lanes that are negated.
struct Terms<'a> {
    points: [&'a LanePoint; 8],
    negated: u8,
}

impl<'a> Terms<'a> {
    /// Terms `start..start + 8`, the last one again beyond the end.
    #[inline(always)]
    fn read(start: usize, count: usize, term: &impl Fn(usize) -> (&'a LanePoint, bool)) -> Terms<'a> {
        let mut negated = 0;
        let points = std::array::from_fn(|lane| {
            let (point, negative) = term((start + lane).min(count - 1));
            negated |= u8::from(negative) << lane;
            point
        });
        Terms { points, negated }
    }

    fn term(&self, lane: usize) -> Point {
        self.points[lane].to_point().negated_if(self.negated >> lane & 1 == 1)
    }
}

/// `x2 - x1`, 1 in the lanes where it is 0 or a point is infinity; and these lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn denominators(x1: &Eight, x2: &Eight, one: &Eight) -> (Eight, u8) {
    let mut difference = sub(x2, x1, 2);
    carry(&mut difference);
    let bound = _mm512_set1_epi64(AT_INFINITY as i64);
    let mut special = _mm512_cmpeq_epi64_mask(x1[7], bound) | _mm512_cmpeq_epi64_mask(x2[7], bound);
    // Both are below 1.01 p: equal means p, 2 p or 3 p here. The low limb decides; a false alarm costs only time.
    for factor in 1..4 {
        special |= _mm512_cmpeq_epi64_mask(difference[0], _mm512_set1_epi64(P[factor][0] as i64));
    }
    if special != 0 {
        for k in 0..LIMBS {
            difference[k] = _mm512_mask_mov_epi64(difference[k], special, one[k]);
        }
    }
    (difference, special)
}

/// The third point of the line of slope `slope` through `(x1, y1)` and a point at `x2`, mirrored.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn third(slope: &Eight, x1: &Eight, y1: &Eight, x2: &Eight) -> (Eight, Eight) {
    let square = mul(slope, slope);
    let x = settle(sub(&sub(&square, x1, 2), x2, 1));
    let mut run = sub(x1, &x, 2);
    carry(&mut run);
    // y1 may be as large as 2 p.
    let y = settle(sub(&mul(slope, &run), y1, 2));
    (x, y)
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn add_batch<'a>(
    count: usize,
    left: &impl Fn(usize) -> (&'a LanePoint, bool),
    right: &impl Fn(usize) -> (&'a LanePoint, bool),
    out: &mut impl FnMut(usize, LanePoint),
) {
    let one = one();
    let groups = count.div_ceil(8);
    let mut kept: Vec<(Eight, Eight, u8)> = Vec::with_capacity(groups);
    let mut product = one;
    for g in 0..groups {
        let (a, b) = (Terms::read(8 * g, count, left), Terms::read(8 * g, count, right));
        let (x1, x2) = (load_eight(a.points.map(|p| &p.x)), load_eight(b.points.map(|p| &p.x)));
        let (difference, special) = denominators(&x1, &x2, &one);
        kept.push((product, difference, special));
        product = mul(&product, &difference);
    }
    let mut inverse = invert(product);
    for g in (0..groups).rev() {
        let (before, difference, special) = &kept[g];
        let (a, b) = (Terms::read(8 * g, count, left), Terms::read(8 * g, count, right));
        let this = mul(&inverse, before);
        inverse = mul(&inverse, difference);
        let (x1, x2) = (load_eight(a.points.map(|p| &p.x)), load_eight(b.points.map(|p| &p.x)));
        let y1 = negate(&load_eight(a.points.map(|p| &p.y)), a.negated);
        let y2 = negate(&load_eight(b.points.map(|p| &p.y)), b.negated);
        let mut rise = sub(&y2, &y1, 3);
        carry(&mut rise);
        let slope = mul(&rise, &this);
        let (x, y) = third(&slope, &x1, &y1, &x2);
        let (x, y) = (store_eight(x), store_eight(y));
        for lane in 0..(count - 8 * g).min(8) {
            let point = if special >> lane & 1 == 1 {
                LanePoint::from_point(&add_one(&a.term(lane), &b.term(lane)))
            } else {
                LanePoint { x: x[lane], y: y[lane] }
            };
            out(8 * g + lane, point);
        }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn double_batch(points: &mut [LanePoint]) {
    let one = one();
    let count = points.len();
    let groups = count.div_ceil(8);
    let bound = _mm512_set1_epi64(AT_INFINITY as i64);
    let mut kept: Vec<(Eight, Eight)> = Vec::with_capacity(groups);
    let mut product = one;
    for g in 0..groups {
        let terms = Terms::read(8 * g, count, &|i| (&points[i], false));
        let (x, y) = (load_eight(terms.points.map(|p| &p.x)), load_eight(terms.points.map(|p| &p.y)));
        // No point of the curve has order 2: y is 0 nowhere, but at infinity, where 1 stands in.
        let infinite = _mm512_cmpeq_epi64_mask(x[7], bound);
        let mut twice: Eight =
            std::array::from_fn(|k| _mm512_mask_mov_epi64(_mm512_add_epi64(y[k], y[k]), infinite, one[k]));
        carry(&mut twice);
        kept.push((product, twice));
        product = mul(&product, &twice);
    }
    let mut inverse = invert(product);
    for g in (0..groups).rev() {
        let (before, twice) = &kept[g];
        let this = mul(&inverse, before);
        inverse = mul(&inverse, twice);
        let terms = Terms::read(8 * g, count, &|i| (&points[i], false));
        let (x, y) = (load_eight(terms.points.map(|p| &p.x)), load_eight(terms.points.map(|p| &p.y)));
        let square = mul(&x, &x);
        let mut rise: Eight =
            std::array::from_fn(|k| _mm512_add_epi64(square[k], _mm512_add_epi64(square[k], square[k])));
        carry(&mut rise);
        let slope = mul(&rise, &this);
        let (x, y) = third(&slope, &x, &y, &x);
        let (x, y) = (store_eight(x), store_eight(y));
        for (lane, point) in points[8 * g..].iter_mut().take(8).enumerate() {
            if !point.is_infinity() {
                *point = LanePoint { x: x[lane], y: y[lane] };
            }
        }
    }
}

impl Adder for Lanes {
    type Point = LanePoint;
    const INFINITY: LanePoint = LanePoint { x: [0, 0, 0, 0, 0, 0, 0, AT_INFINITY], y: [0; LIMBS] };

    fn load(point: &G1Affine) -> LanePoint {
        LanePoint::from_point(&Scalar::load(point))
    }

    fn store(point: &LanePoint) -> G1Affine {
        Scalar::store(&point.to_point())
    }

    fn add_all<'a>(
        count: usize,
        left: impl Fn(usize) -> (&'a LanePoint, bool),
        right: impl Fn(usize) -> (&'a LanePoint, bool),
        mut out: impl FnMut(usize, LanePoint),
    ) {
        assert!(Path::Ifma.is_there(), "chosen only where the machine can");
        for start in (0..count).step_by(BATCH) {
            // SAFETY: the features are there.
            unsafe {
                add_batch((count - start).min(BATCH), &|i| left(start + i), &|i| right(start + i), &mut |i, point| {
                    out(start + i, point)
                })
            };
        }
    }

    fn double_all(points: &mut [LanePoint]) {
        assert!(Path::Ifma.is_there(), "chosen only where the machine can");
        // SAFETY: the features are there.
        points.chunks_mut(BATCH).for_each(|points| unsafe { double_batch(points) });
    }

    fn negate(point: &LanePoint) -> LanePoint {
        LanePoint::from_point(&point.to_point().negated_if(true))
    }
}
