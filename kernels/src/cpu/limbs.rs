//! Decides how field elements meet 16-bit integers: 8 signed 32-bit limbs, products gathered in 64-bit lanes.
//!
//! `w = sum_k limb_k 2^(32k)` with limbs in `-2^31 .. 2^31`, taken of the Montgomery form (the map is linear). A lane
//! gathers `limb * x`, at most `2^46`, so [`TERMS`] terms stay below `2^62`.

use ark_bls12_381::Fr;
use ark_ff::{BigInt, BigInteger, PrimeField};

#[cfg(target_arch = "x86_64")]
use crate::path::Path;

/// Limbs of an element.
pub const LIMBS: usize = 8;
/// Products one lane may gather.
pub const TERMS: usize = 1 << 16;
/// Columns of one tile of [`axpy`].
pub const TILE: usize = 16;

/// The signed limbs of the Montgomery form.
#[inline(always)]
pub fn limbs_of(w: &Fr) -> [i64; LIMBS] {
    let words = w.0.0;
    let mut limbs = [0; LIMBS];
    let mut carry = 0i64;
    for (k, limb) in limbs.iter_mut().enumerate() {
        let word = (words[k / 2] >> (32 * (k % 2)) & 0xffff_ffff) as i64 + carry;
        // The top word is below 2^31: no carry leaves it.
        *limb = i64::from(word as i32);
        carry = (word - *limb) >> 32;
    }
    limbs
}

/// The element whose Montgomery form is `sum_k lanes[k] 2^(32k)` reduced.
#[inline]
pub fn gather(lanes: &[i64; LIMBS]) -> Fr {
    let mut words = [0u64; 4];
    let mut carry = 0i128;
    for k in 0..4 {
        let sum = i128::from(lanes[2 * k]) + (i128::from(lanes[2 * k + 1]) << 32) + carry;
        words[k] = sum as u64;
        carry = sum >> 64;
    }
    // The quotient by p, at most one off: it has fewer than 36 bits, and floats hold 53.
    let top = (carry as i64) as f64 * 18_446_744_073_709_551_616.0 + words[3] as f64;
    let quotient = (top * (1.0 / Fr::MODULUS.0[3] as f64)).floor() as i64;
    let mut borrow = 0i128;
    for (word, p) in words.iter_mut().zip(Fr::MODULUS.0) {
        let difference = i128::from(*word) - i128::from(quotient) * i128::from(p) + borrow;
        *word = difference as u64;
        borrow = difference >> 64;
    }
    let mut above = carry + borrow;
    let mut rest = BigInt::new(words);
    while above < 0 {
        above += i128::from(rest.add_with_carry(&Fr::MODULUS));
    }
    while above > 0 || rest >= Fr::MODULUS {
        above -= i128::from(rest.sub_with_borrow(&Fr::MODULUS));
    }
    Fr::new_unchecked(rest)
}

/// The limbs of a run of weights, one plane a limb, padded so that whole vectors can be read to the end.
pub struct Planes {
    stride: usize,
    limbs: Vec<i64>,
}

impl Planes {
    pub fn new(weights: &[Fr]) -> Planes {
        // The 8 more keep the planes off the same cache sets.
        let stride = weights.len().next_multiple_of(8) + 8;
        let mut limbs = vec![0; LIMBS * stride];
        for (m, w) in weights.iter().enumerate() {
            for (k, limb) in limbs_of(w).into_iter().enumerate() {
                limbs[k * stride + m] = limb;
            }
        }
        Planes { stride, limbs }
    }

    fn len(&self) -> usize {
        self.stride - 8
    }
}

/// `sum_m weights[start + m] x[m]`; at most [`TERMS`] terms.
#[inline]
pub fn dot(x: &[i16], weights: &Planes, start: usize) -> [i64; LIMBS] {
    assert!(x.len() <= TERMS && start + x.len() <= weights.len(), "a run of the weights");
    #[cfg(target_arch = "x86_64")]
    match Path::used() {
        // SAFETY: the features are there, and x lies in the weights, which are padded by a vector.
        Path::Ifma | Path::Avx512 => return unsafe { wide::dot(x, weights, start) },
        // SAFETY: the feature is there.
        Path::Avx2 => return unsafe { dot_avx2(x, weights, start) },
        Path::Plain => {}
    }
    dot_lanes(x, weights, start)
}

/// Lanes `[limb][column]` of one tile of columns.
pub type Tile = [[i64; TILE]; LIMBS];

/// `tiles[t][k][i] += sum_m limbs[m][k] rows[m][TILE t + i]`, all rows of one length, the last tile maybe cut short.
/// At most [`TERMS`] rows may be added to a tile in all.
#[inline]
pub fn axpy(rows: &[&[i16]], limbs: &[[i64; LIMBS]], tiles: &mut [Tile]) {
    assert!(rows.len() == limbs.len(), "one weight a row");
    #[cfg(target_arch = "x86_64")]
    match Path::used() {
        // SAFETY: the features are there.
        Path::Ifma | Path::Avx512 => return unsafe { wide::axpy(rows, limbs, tiles) },
        // SAFETY: the feature is there.
        Path::Avx2 => return unsafe { axpy_avx2(rows, limbs, tiles) },
        Path::Plain => {}
    }
    axpy_lanes(rows, limbs, tiles)
}

#[inline(always)]
pub fn dot_lanes(x: &[i16], weights: &Planes, start: usize) -> [i64; LIMBS] {
    std::array::from_fn(|k| {
        let plane = &weights.limbs[k * weights.stride + start..][..x.len()];
        // Limbs fit 32 bits; saying so lets the compiler use 32-bit products.
        plane.iter().zip(x).map(|(limb, x)| i64::from(*limb as i32) * i64::from(*x)).sum()
    })
}

#[inline(always)]
pub fn axpy_lanes(rows: &[&[i16]], limbs: &[[i64; LIMBS]], tiles: &mut [Tile]) {
    for (t, tile) in tiles.iter_mut().enumerate() {
        for (row, limbs) in rows.iter().zip(limbs) {
            let run = &row[t * TILE..((t + 1) * TILE).min(row.len())];
            let mut x = [0i16; TILE];
            x[..run.len()].copy_from_slice(run);
            for (lane, limb) in tile.iter_mut().zip(limbs) {
                let limb = i64::from(*limb as i32);
                lane.iter_mut().zip(x).for_each(|(lane, x)| *lane += limb * i64::from(x));
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dot_avx2(x: &[i16], weights: &Planes, start: usize) -> [i64; LIMBS] {
    dot_lanes(x, weights, start)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn axpy_avx2(rows: &[&[i16]], limbs: &[[i64; LIMBS]], tiles: &mut [Tile]) {
    axpy_lanes(rows, limbs, tiles)
}

/// The same in 512-bit vectors, with masked loads at the ends.
#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;

    use super::{LIMBS, Planes, TILE, Tile};

    /// # Safety
    /// `start + x.len()` is at most the padded number of weights.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub unsafe fn dot(x: &[i16], weights: &Planes, start: usize) -> [i64; LIMBS] {
        let mut lanes = [_mm512_setzero_si512(); LIMBS];
        let planes = weights.limbs.as_ptr();
        let mut m = 0;
        while m < x.len() {
            let count = (x.len() - m).min(8);
            let mask = (0xffu32 >> (8 - count)) as u8;
            // SAFETY: the mask keeps the load inside x; a plane has 8 more limbs than start + x.len() rounded up.
            unsafe {
                let values = _mm512_cvtepi16_epi64(_mm_maskz_loadu_epi16(mask, x.as_ptr().add(m)));
                for (k, lane) in lanes.iter_mut().enumerate() {
                    let limbs = _mm512_loadu_si512(planes.add(k * weights.stride + start + m).cast());
                    *lane = _mm512_add_epi64(*lane, _mm512_mul_epi32(limbs, values));
                }
            }
            m += 8;
        }
        lanes.map(|lane| _mm512_reduce_add_epi64(lane))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub fn axpy(rows: &[&[i16]], limbs: &[[i64; LIMBS]], tiles: &mut [Tile]) {
        for (t, tile) in tiles.iter_mut().enumerate() {
            let mut low = [_mm512_setzero_si512(); LIMBS];
            let mut high = [_mm512_setzero_si512(); LIMBS];
            for k in 0..LIMBS {
                // SAFETY: two vectors of 8 lanes fill a row of the tile.
                unsafe {
                    low[k] = _mm512_loadu_si512(tile[k].as_ptr().cast());
                    high[k] = _mm512_loadu_si512(tile[k].as_ptr().add(8).cast());
                }
            }
            for (row, limbs) in rows.iter().zip(limbs) {
                let run = &row[t * TILE..((t + 1) * TILE).min(row.len())];
                let mask = (0xffffu32 >> (16 - run.len())) as u16;
                // SAFETY: the mask keeps the load inside the run.
                let values = unsafe { _mm256_maskz_loadu_epi16(mask, run.as_ptr()) };
                let first = _mm512_cvtepi16_epi64(_mm256_castsi256_si128(values));
                let second = _mm512_cvtepi16_epi64(_mm256_extracti128_si256(values, 1));
                for k in 0..LIMBS {
                    let limb = _mm512_set1_epi64(limbs[k]);
                    low[k] = _mm512_add_epi64(low[k], _mm512_mul_epi32(limb, first));
                    high[k] = _mm512_add_epi64(high[k], _mm512_mul_epi32(limb, second));
                }
            }
            for k in 0..LIMBS {
                // SAFETY: as above.
                unsafe {
                    _mm512_storeu_si512(tile[k].as_mut_ptr().cast(), low[k]);
                    _mm512_storeu_si512(tile[k].as_mut_ptr().add(8).cast(), high[k]);
                }
            }
        }
    }
}
