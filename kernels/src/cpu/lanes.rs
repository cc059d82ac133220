//! Decides how eight G1 additions are made at once: Fq in 52-bit limbs, one addition a lane, AVX-512 IFMA.
//!
//! A coordinate is 8 limbs of 52 bits, `x 2^416 mod p`, kept below `1.01 p` and not always below `p`. Products accept
//! factors up to `2^17 p` and give less than `1.01 p`.

use std::{arch::x86_64::*, sync::LazyLock};

use ark_bls12_381::{Fq, G1Affine};
use ark_ff::{BigInt, BigInteger, Field, One, PrimeField};

use super::points::{Adder, BATCH, Point, Scalar, add_one};

const LIMBS: usize = 8;
const MASK: u64 = (1 << 52) - 1;
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

/// One field element a lane.
type Eight = [__m512i; LIMBS];

/// `factor p` in limbs.
const fn multiple(factor: u64) -> [u64; LIMBS] {
    let p = to_limbs(&Fq::MODULUS.0);
    let (mut limbs, mut carry, mut k) = ([0; LIMBS], 0, 0);
    while k < LIMBS {
        let sum = p[k] * factor + carry;
        limbs[k] = sum & MASK;
        carry = sum >> 52;
        k += 1;
    }
    limbs
}

const fn to_limbs(words: &[u64; 6]) -> [u64; LIMBS] {
    let (mut limbs, mut k) = ([0; LIMBS], 0);
    while k < LIMBS {
        let (word, bit) = (52 * k / 64, 52 * k % 64);
        let mut limb = words[word] >> bit;
        if bit > 12 && word < 5 {
            limb |= words[word + 1] << (64 - bit);
        }
        limbs[k] = limb & MASK;
        k += 1;
    }
    limbs
}

const P: [[u64; LIMBS]; 5] = [multiple(0), multiple(1), multiple(2), multiple(3), multiple(4)];

/// `-1 / p mod 2^52`.
const INVERSE: u64 = {
    let p = P[1][0];
    let (mut inverse, mut k) = (1u64, 0);
    while k < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(p.wrapping_mul(inverse)));
        k += 1;
    }
    inverse.wrapping_neg() & MASK
};

/// `2^32`, between the Montgomery forms of 384 and 416 bits, and its inverse.
static SHIFT: LazyLock<(Fq, Fq)> = LazyLock::new(|| {
    let shift = Fq::from(1u64 << 32);
    (shift, shift.inverse().expect("not 0"))
});

fn load_fq(x: &Fq) -> [u64; LIMBS] {
    to_limbs(&(*x * SHIFT.0).0.0)
}

fn store_fq(limbs: &[u64; LIMBS]) -> Fq {
    let mut words = [0u64; 6];
    for (k, limb) in limbs.iter().enumerate() {
        let (word, bit) = (52 * k / 64, 52 * k % 64);
        words[word] |= limb << bit;
        if bit > 12 && word < 5 {
            words[word + 1] |= limb >> (64 - bit);
        }
    }
    let mut value = BigInt::new(words);
    while value >= Fq::MODULUS {
        value.sub_with_borrow(&Fq::MODULUS);
    }
    Fq::new_unchecked(value) * SHIFT.1
}

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

impl Lanes {
    /// Whether this machine can.
    pub fn available() -> bool {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma")
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn spread(limbs: &[u64; LIMBS]) -> Eight {
    std::array::from_fn(|k| _mm512_set1_epi64(limbs[k] as i64))
}

/// Limbs back to 52 bits; the value must not be negative.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn carry(t: &mut Eight) {
    let mask = _mm512_set1_epi64(MASK as i64);
    for k in 0..LIMBS - 1 {
        t[k + 1] = _mm512_add_epi64(t[k + 1], _mm512_srai_epi64(t[k], 52));
        t[k] = _mm512_and_si512(t[k], mask);
    }
}

/// `a b / 2^416`, below 1.01 p.
#[target_feature(enable = "avx512f,avx512ifma")]
fn mul(a: &Eight, b: &Eight) -> Eight {
    let zero = _mm512_setzero_si512();
    let inverse = _mm512_set1_epi64(INVERSE as i64);
    let p = spread(&P[1]);
    let mut t = [zero; LIMBS];
    for i in 0..LIMBS {
        for j in 0..LIMBS {
            t[j] = _mm512_madd52lo_epu64(t[j], a[i], b[j]);
        }
        let m = _mm512_madd52lo_epu64(zero, t[0], inverse);
        for j in 0..LIMBS {
            t[j] = _mm512_madd52lo_epu64(t[j], m, p[j]);
        }
        let over = _mm512_srli_epi64(t[0], 52);
        for j in 0..LIMBS - 1 {
            t[j] = t[j + 1];
        }
        t[LIMBS - 1] = zero;
        t[0] = _mm512_add_epi64(t[0], over);
        for j in 0..LIMBS {
            t[j] = _mm512_madd52hi_epu64(t[j], a[i], b[j]);
            t[j] = _mm512_madd52hi_epu64(t[j], m, p[j]);
        }
    }
    carry(&mut t);
    t
}

/// From `0 ..= 4.1 p`, limbs not carried, to below 1.01 p: the top limb tells when to subtract.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn settle(mut t: Eight) -> Eight {
    for factor in [2, 1, 1] {
        // 16 covers what the lower limbs may still carry, and is 0.0002 p.
        let enough = _mm512_cmpgt_epi64_mask(t[7], _mm512_set1_epi64(P[factor][7] as i64 + 16));
        for (t, limb) in t.iter_mut().zip(P[factor]) {
            *t = _mm512_mask_sub_epi64(*t, enough, *t, _mm512_set1_epi64(limb as i64));
        }
    }
    carry(&mut t);
    t
}

/// `a - b + factor p`, limbs not carried.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn sub(a: &Eight, b: &Eight, factor: usize) -> Eight {
    std::array::from_fn(|k| _mm512_sub_epi64(_mm512_add_epi64(a[k], _mm512_set1_epi64(P[factor][k] as i64)), b[k]))
}

/// `2 p - y` in the lanes of `mask`, limbs not carried.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn negate(y: &Eight, mask: u8) -> Eight {
    std::array::from_fn(|k| _mm512_mask_sub_epi64(y[k], mask, _mm512_set1_epi64(P[2][k] as i64), y[k]))
}

/// Rows to columns: limbs of eight elements to one vector a limb, and back.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn transpose(r: Eight) -> Eight {
    let mut out = r;
    for odd in 0..2 {
        let pair = |k: usize| {
            if odd == 0 { _mm512_unpacklo_epi64(r[k], r[k + 1]) } else { _mm512_unpackhi_epi64(r[k], r[k + 1]) }
        };
        let t = [pair(0), pair(2), pair(4), pair(6)];
        let a = _mm512_shuffle_i64x2(t[0], t[1], 0x88);
        let b = _mm512_shuffle_i64x2(t[0], t[1], 0xdd);
        let c = _mm512_shuffle_i64x2(t[2], t[3], 0x88);
        let d = _mm512_shuffle_i64x2(t[2], t[3], 0xdd);
        out[odd] = _mm512_shuffle_i64x2(a, c, 0x88);
        out[odd + 4] = _mm512_shuffle_i64x2(a, c, 0xdd);
        out[odd + 2] = _mm512_shuffle_i64x2(b, d, 0x88);
        out[odd + 6] = _mm512_shuffle_i64x2(b, d, 0xdd);
    }
    out
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn load_eight(rows: [&[u64; LIMBS]; 8]) -> Eight {
    // SAFETY: a row is one vector.
    transpose(rows.map(|row| unsafe { _mm512_loadu_si512(row.as_ptr().cast()) }))
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn store_eight(values: Eight) -> [[u64; LIMBS]; 8] {
    let rows = transpose(values);
    let mut out = [[0; LIMBS]; 8];
    for (out, row) in out.iter_mut().zip(rows) {
        // SAFETY: a row is one vector.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), row) };
    }
    out
}

/// The lanes' inverses; no lane is 0.
#[target_feature(enable = "avx512f,avx512ifma")]
fn invert(values: Eight) -> Eight {
    let mut elements: Vec<Fq> = store_eight(values).iter().map(store_fq).collect();
    ark_ff::batch_inversion(&mut elements);
    let rows: Vec<[u64; LIMBS]> = elements.iter().map(load_fq).collect();
    load_eight(std::array::from_fn(|k| &rows[k]))
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

#[target_feature(enable = "avx512f,avx512ifma")]
fn one() -> Eight {
    spread(&load_fq(&Fq::one()))
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
        assert!(Lanes::available(), "chosen only where the machine can");
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
        assert!(Lanes::available(), "chosen only where the machine can");
        // SAFETY: the features are there.
        points.chunks_mut(BATCH).for_each(|points| unsafe { double_batch(points) });
    }

    fn negate(point: &LanePoint) -> LanePoint {
        LanePoint::from_point(&point.to_point().negated_if(true))
    }
}
