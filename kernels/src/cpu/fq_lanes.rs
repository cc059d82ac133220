//! Decides how eight products of the base field are made at once: 8 limbs of 52 bits, AVX-512 IFMA.
//!
//! An element is `x 2^416 mod p`, as a product kept below `1.01 p` and not always below `p`.

use std::{arch::x86_64::*, array::from_ref, sync::LazyLock};

use ark_bls12_381::Fq;
use ark_ff::{BigInt, BigInteger, Field, One, PrimeField};

pub const LIMBS: usize = 8;
pub const MASK: u64 = (1 << 52) - 1;

/// One field element a lane.
pub type Eight = [__m512i; LIMBS];

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

/// Multiples of `p` in limbs.
pub const P: [[u64; LIMBS]; 17] = {
    let (mut multiples, mut factor) = ([[0; LIMBS]; 17], 0);
    while factor < 17 {
        multiples[factor] = multiple(factor as u64);
        factor += 1;
    }
    multiples
};

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

pub fn load_fq(x: &Fq) -> [u64; LIMBS] {
    to_limbs(&(*x * SHIFT.0).0.0)
}

pub fn store_fq(limbs: &[u64; LIMBS]) -> Fq {
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

#[target_feature(enable = "avx512f,avx512ifma")]
pub fn spread(limbs: &[u64; LIMBS]) -> Eight {
    std::array::from_fn(|k| _mm512_set1_epi64(limbs[k] as i64))
}

/// Limbs back to 52 bits; the value must not be negative.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn carry(t: &mut Eight) {
    let mask = _mm512_set1_epi64(MASK as i64);
    for k in 0..LIMBS - 1 {
        t[k + 1] = _mm512_add_epi64(t[k + 1], _mm512_srai_epi64(t[k], 52));
        t[k] = _mm512_and_si512(t[k], mask);
    }
}

/// `sum_n sum_m a[n][m] b[n][m] / 2^416`, below `1.01 p` if the products of the factors' bounds, in multiples of `p`, are
/// below `2^28` in all. Limbs of factors are carried.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn dot<const M: usize, const N: usize>(a: [&[Eight; M]; N], b: [&[Eight; M]; N]) -> Eight {
    let zero = _mm512_setzero_si512();
    let inverse = _mm512_set1_epi64(INVERSE as i64);
    let p = spread(&P[1]);
    let mut t = [zero; LIMBS];
    for i in 0..LIMBS {
        for n in 0..N {
            for m in 0..M {
                for j in 0..LIMBS {
                    t[j] = _mm512_madd52lo_epu64(t[j], a[n][m][i], b[n][m][j]);
                }
            }
        }
        let quotient = _mm512_madd52lo_epu64(zero, t[0], inverse);
        for j in 0..LIMBS {
            t[j] = _mm512_madd52lo_epu64(t[j], quotient, p[j]);
        }
        let over = _mm512_srli_epi64(t[0], 52);
        for j in 0..LIMBS - 1 {
            t[j] = t[j + 1];
        }
        t[LIMBS - 1] = zero;
        t[0] = _mm512_add_epi64(t[0], over);
        for n in 0..N {
            for m in 0..M {
                for j in 0..LIMBS {
                    t[j] = _mm512_madd52hi_epu64(t[j], a[n][m][i], b[n][m][j]);
                }
            }
        }
        for j in 0..LIMBS {
            t[j] = _mm512_madd52hi_epu64(t[j], quotient, p[j]);
        }
    }
    carry(&mut t);
    t
}

/// [`dot`] of one product.
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn mul(a: &Eight, b: &Eight) -> Eight {
    dot([from_ref(a)], [from_ref(b)])
}

/// From `0 ..= 4.1 p`, limbs not carried, to below 1.01 p: the top limb tells when to subtract.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn settle(mut t: Eight) -> Eight {
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
pub fn sub(a: &Eight, b: &Eight, factor: usize) -> Eight {
    std::array::from_fn(|k| _mm512_sub_epi64(_mm512_add_epi64(a[k], _mm512_set1_epi64(P[factor][k] as i64)), b[k]))
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
pub fn load_eight(rows: [&[u64; LIMBS]; 8]) -> Eight {
    // SAFETY: a row is one vector.
    transpose(rows.map(|row| unsafe { _mm512_loadu_si512(row.as_ptr().cast()) }))
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn store_eight(values: Eight) -> [[u64; LIMBS]; 8] {
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
pub fn invert(values: Eight) -> Eight {
    let mut elements: Vec<Fq> = store_eight(values).iter().map(store_fq).collect();
    ark_ff::batch_inversion(&mut elements);
    let rows: Vec<[u64; LIMBS]> = elements.iter().map(load_fq).collect();
    load_eight(std::array::from_fn(|k| &rows[k]))
}

#[target_feature(enable = "avx512f,avx512ifma")]
pub fn one() -> Eight {
    spread(&load_fq(&Fq::one()))
}
