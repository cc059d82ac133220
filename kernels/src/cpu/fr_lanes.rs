//! Decides how eight scalar-field products are made at once: 5 limbs of 52 bits, AVX-512 IFMA.
//!
//! Memory keeps the Montgomery form of 256 bits. A product here divides by `2^260`, so it is `2^-4` times the one of
//! memory's form: constants carry the missing `16`, or a sum is multiplied by it once. Factors may be up to `6 p`:
//! a product is below `a b / (36 p) + p`.

use std::arch::x86_64::*;

use ark_bls12_381::Fr;
use ark_ff::{BigInt, PrimeField};

use crate::path::Path;

const LIMBS: usize = 5;
const MASK: u64 = (1 << 52) - 1;

/// One element a lane.
type Eight = [__m512i; LIMBS];

/// `factor p` in limbs.
const fn multiple(factor: u64) -> [u64; LIMBS] {
    let w = Fr::MODULUS.0;
    let p = [
        w[0] & MASK,
        (w[0] >> 52 | w[1] << 12) & MASK,
        (w[1] >> 40 | w[2] << 24) & MASK,
        (w[2] >> 28 | w[3] << 36) & MASK,
        w[3] >> 16,
    ];
    let (mut limbs, mut carry, mut k) = ([0; LIMBS], 0, 0);
    while k < LIMBS {
        let sum = p[k] * factor + carry;
        limbs[k] = sum & MASK;
        carry = sum >> 52;
        k += 1;
    }
    limbs
}

const P: [[u64; LIMBS]; 3] = [multiple(0), multiple(1), multiple(2)];

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

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn constant(limb: u64) -> __m512i {
    _mm512_set1_epi64(limb as i64)
}

/// Limbs back to 52 bits; the value must not be negative.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn carry(t: &mut Eight) {
    for k in 0..LIMBS - 1 {
        t[k + 1] = _mm512_add_epi64(t[k + 1], _mm512_srai_epi64(t[k], 52));
        t[k] = _mm512_and_si512(t[k], constant(MASK));
    }
}

/// `a b / 2^260`, limbs not carried.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn mul(a: &Eight, b: &Eight) -> Eight {
    let zero = _mm512_setzero_si512();
    let mut t = [zero; LIMBS];
    for i in 0..LIMBS {
        for j in 0..LIMBS {
            t[j] = _mm512_madd52lo_epu64(t[j], a[i], b[j]);
        }
        let m = _mm512_madd52lo_epu64(zero, t[0], constant(INVERSE));
        for j in 0..LIMBS {
            t[j] = _mm512_madd52lo_epu64(t[j], m, constant(P[1][j]));
        }
        let over = _mm512_srli_epi64(t[0], 52);
        for j in 0..LIMBS - 1 {
            t[j] = t[j + 1];
        }
        t[LIMBS - 1] = zero;
        t[0] = _mm512_add_epi64(t[0], over);
        for j in 0..LIMBS {
            t[j] = _mm512_madd52hi_epu64(t[j], a[i], b[j]);
            t[j] = _mm512_madd52hi_epu64(t[j], m, constant(P[1][j]));
        }
    }
    t
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn add(a: &Eight, b: &Eight) -> Eight {
    std::array::from_fn(|k| _mm512_add_epi64(a[k], b[k]))
}

/// `a - b + factor p`, carried.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn sub(a: &Eight, b: &Eight, factor: usize) -> Eight {
    let mut t = std::array::from_fn(|k| _mm512_sub_epi64(_mm512_add_epi64(a[k], constant(P[factor][k])), b[k]));
    carry(&mut t);
    t
}

/// `16 a`, carried.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn times_16(a: &Eight) -> Eight {
    let mut t = a.map(|limb| _mm512_slli_epi64(limb, 4));
    carry(&mut t);
    t
}

/// From below `4 p` to below `p`, carried.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn settle(mut t: Eight) -> Eight {
    carry(&mut t);
    for factor in [2, 1] {
        let mut less: Eight = std::array::from_fn(|k| _mm512_sub_epi64(t[k], constant(P[factor][k])));
        carry(&mut less);
        let keep = _mm512_cmplt_epi64_mask(less[LIMBS - 1], _mm512_setzero_si512());
        for k in 0..LIMBS {
            t[k] = _mm512_mask_mov_epi64(less[k], keep, t[k]);
        }
    }
    t
}

/// Limbs from four words.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn narrow(w: [__m512i; 4]) -> Eight {
    let mask = constant(MASK);
    [
        _mm512_and_si512(w[0], mask),
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w[0], 52), _mm512_slli_epi64(w[1], 12)), mask),
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w[1], 40), _mm512_slli_epi64(w[2], 24)), mask),
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w[2], 28), _mm512_slli_epi64(w[3], 36)), mask),
        _mm512_srli_epi64(w[3], 16),
    ]
}

/// An 8 x 8 transpose of words.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn transpose(r: [__m512i; 8]) -> [__m512i; 8] {
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

/// The even and the odd ones of 16 elements.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn load_pairs(values: &[Fr]) -> (Eight, Eight) {
    let values = &values[..16];
    // SAFETY: an element is four words (checked below), a vector two elements of the sixteen.
    let rows = std::array::from_fn(|k| unsafe { _mm512_loadu_si512(values.as_ptr().add(2 * k).cast()) });
    let [a, b, c, d, e, f, g, h] = transpose(rows);
    (narrow([a, b, c, d]), narrow([e, f, g, h]))
}

/// Eight elements.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn load(values: &[Fr]) -> Eight {
    let values = &values[..8];
    let places = _mm512_set_epi64(28, 24, 20, 16, 12, 8, 4, 0);
    // SAFETY: an element is four words (checked below): word k of element i is at 4 i + k.
    narrow(std::array::from_fn(|k| unsafe {
        _mm512_i64gather_epi64::<8>(places, values.as_ptr().cast::<i64>().add(k))
    }))
}

/// Store eight settled elements.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn store(l: &Eight, out: &mut [Fr]) {
    let out = &mut out[..8];
    let zero = _mm512_setzero_si512();
    let rows = transpose([
        _mm512_or_si512(l[0], _mm512_slli_epi64(l[1], 52)),
        _mm512_or_si512(_mm512_srli_epi64(l[1], 12), _mm512_slli_epi64(l[2], 40)),
        _mm512_or_si512(_mm512_srli_epi64(l[2], 24), _mm512_slli_epi64(l[3], 28)),
        _mm512_or_si512(_mm512_srli_epi64(l[3], 36), _mm512_slli_epi64(l[4], 16)),
        zero,
        zero,
        zero,
        zero,
    ]);
    for (out, row) in out.iter_mut().zip(rows) {
        // SAFETY: an element is four words (checked below), and any settled words are one.
        unsafe { _mm256_storeu_si256((out as *mut Fr).cast(), _mm512_castsi512_si256(row)) };
    }
}

const _: () = assert!(size_of::<Fr>() == 32 && size_of::<BigInt<4>>() == 32);

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn spread(value: Fr) -> Eight {
    load(&[value; 8])
}

/// The sum of all lanes, times `factor`; limbs may be any 63-bit values.
#[target_feature(enable = "avx512f,avx512ifma")]
fn total(sum: &Eight, factor: Fr) -> Fr {
    let mut lanes = [0i64; 8];
    for k in 0..LIMBS {
        let mut limbs = [0u64; 8];
        // SAFETY: a vector is eight words.
        unsafe { _mm512_storeu_si512(limbs.as_mut_ptr().cast(), sum[k]) };
        // To 32-bit lanes: limb k starts at bit 52 k.
        let limb: u128 = limbs.iter().map(|limb| u128::from(*limb)).sum();
        let (lane, bit) = (52 * k / 32, 52 * k % 32);
        let shifted = limb << bit;
        lanes[lane] += (shifted & 0xffff_ffff) as i64;
        lanes[lane + 1] += (shifted >> 32 & 0xffff_ffff) as i64;
        let above = (shifted >> 64) as i64;
        if lane + 2 < 8 {
            lanes[lane + 2] += above;
        } else {
            lanes[lane + 1] += above << 32;
        }
    }
    super::limbs::gather(&lanes) * factor
}

/// See [`super::runs::pair_sums`]; a multiple of 16 elements, and at most 2^12 pairs.
pub fn pair_sums(a: &[Fr], b: &[Fr], weights: Option<&[Fr]>) -> [Fr; 2] {
    assert!(Path::Ifma.is_there(), "chosen only where the machine can");
    // Runs short enough that limbs of 52 bits do not outgrow their words.
    let mut sums = [Fr::from(0u64); 2];
    for (i, (a, b)) in a.chunks(2048).zip(b.chunks(2048)).enumerate() {
        let weights = weights.map(|weights| &weights[1024 * i..][..a.len() / 2]);
        // SAFETY: the features are there.
        let part = unsafe { pair_sums_of(a, b, weights) };
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    sums
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn pair_sums_of(a: &[Fr], b: &[Fr], weights: Option<&[Fr]>) -> [Fr; 2] {
    let mut sums = [[_mm512_setzero_si512(); LIMBS]; 2];
    for (i, (a, b)) in a.chunks_exact(16).zip(b.chunks_exact(16)).enumerate() {
        let ((a0, a1), (b0, b1)) = (load_pairs(a), load_pairs(b));
        // Products of values below p are below 1.03 p, of differences below 2 p below 1.12 p.
        let difference = sub(&mul(&a1, &b1), &mul(&a0, &b0), 2);
        let mut square = mul(&sub(&a1, &a0, 1), &sub(&b1, &b0, 1));
        match weights {
            Some(weights) => {
                let w = load(&weights[8 * i..]);
                carry(&mut square);
                sums[0] = add(&sums[0], &mul(&w, &difference));
                sums[1] = add(&sums[1], &mul(&w, &square));
            }
            None => {
                sums[0] = add(&sums[0], &difference);
                sums[1] = add(&sums[1], &square);
            }
        }
    }
    // 16 for each product in a term.
    let factor = Fr::from(if weights.is_some() { 256u64 } else { 16 });
    [total(&sums[0], factor), total(&sums[1], factor)]
}

/// See [`super::runs::fold_run`]; a multiple of 16 elements.
pub fn fold_run(values: &[Fr], r: Fr, out: &mut [Fr]) {
    assert!(Path::Ifma.is_there(), "chosen only where the machine can");
    // SAFETY: the features are there.
    unsafe { fold_run_of(values, r * Fr::from(16u64), out) }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn fold_run_of(values: &[Fr], r: Fr, out: &mut [Fr]) {
    let r = spread(r);
    for (values, out) in values.chunks_exact(16).zip(out.chunks_exact_mut(8)) {
        let (low, high) = load_pairs(values);
        store(&settle(add(&low, &mul(&r, &sub(&high, &low, 1)))), out);
    }
}

/// See [`super::runs::add_scaled`]; a multiple of 8 elements.
pub fn add_scaled(out: &mut [Fr], c: Fr, b: &[Fr]) {
    assert!(Path::Ifma.is_there(), "chosen only where the machine can");
    // SAFETY: the features are there.
    unsafe { add_scaled_of(out, c * Fr::from(16u64), b) }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn add_scaled_of(out: &mut [Fr], c: Fr, b: &[Fr]) {
    let c = spread(c);
    for (out, b) in out.chunks_exact_mut(8).zip(b.chunks_exact(8)) {
        store(&settle(add(&load(out), &mul(&c, &load(b)))), out);
    }
}

/// See [`super::runs::merge_run`]; a multiple of 16 elements.
pub fn merge_run(p: &[Fr], q: &[Fr], out_p: &mut [Fr], out_q: &mut [Fr]) {
    assert!(Path::Ifma.is_there(), "chosen only where the machine can");
    // SAFETY: the features are there.
    unsafe { merge_run_of(p, q, out_p, out_q) }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn merge_run_of(p: &[Fr], q: &[Fr], out_p: &mut [Fr], out_q: &mut [Fr]) {
    let outs = out_p.chunks_exact_mut(8).zip(out_q.chunks_exact_mut(8));
    for ((p, q), (out_p, out_q)) in p.chunks_exact(16).zip(q.chunks_exact(16)).zip(outs) {
        let ((p0, p1), (q0, q1)) = (load_pairs(p), load_pairs(q));
        // Factors below 16 p: products below 1.5 p.
        let (r0, r1) = (times_16(&q0), times_16(&q1));
        store(&settle(add(&mul(&p0, &r1), &mul(&p1, &r0))), out_p);
        store(&settle(mul(&q0, &r1)), out_q);
    }
}
