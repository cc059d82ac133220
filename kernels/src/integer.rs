//! Decides exact products of integer matrices: every result is the integer it should be, or an error.
//!
//! Activations are cut into signed limbs of 8 bits, so that a product with a 16-bit weight has 23 bits and
//! 256 of them fit 32-bit lanes; lanes are widened to 64 bits before they could overflow. Products by 32-bit integers, and
//! those of many short rows, are made in 64-bit lanes.

use rayon::prelude::*;

use crate::path::Path;

/// The sum of products could exceed 63 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

impl core::fmt::Display for Overflow {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("an integer matrix product could exceed 63 bits; use fewer fractional bits")
    }
}

impl std::error::Error for Overflow {}

/// A matrix stored by rows.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// 16-bit entries: the fast path.
    I16(&'a [i16]),
    /// 32-bit entries.
    I32(&'a [i32]),
}

impl Rows<'_> {
    fn len(&self) -> usize {
        match self {
            Rows::I16(rows) => rows.len(),
            Rows::I32(rows) => rows.len(),
        }
    }

    fn magnitude(&self) -> u64 {
        match self {
            Rows::I16(_) => 1 << 15,
            Rows::I32(rows) => magnitude(rows),
        }
    }
}

/// The largest absolute value.
fn magnitude(values: &[i32]) -> u64 {
    values.par_iter().with_min_len(GRAIN).map(|value| u64::from(value.unsigned_abs())).max().unwrap_or(0)
}

/// Products of one weight row below which a thread is not worth its start.
const GRAIN: usize = 1 << 16;
/// Weight rows of a tile.
const TILE: usize = 4;
/// Results of a column that are put in their rows together.
const RUN: usize = 16;
/// Columns of the result that lanes sum side by side, and rows that share their loads.
const LANES: usize = 16;
/// As above.
const ROWS: usize = 4;
/// So many rows or more, of so many entries or fewer, are faster by lanes than by limbs: no lanes are summed at the end.
const MANY: (usize, usize) = (64, 512);
/// Vector steps after which 32-bit lanes are widened: `128 * 2 * 2^7 * 2^15 = 2^30`.
const STEPS: usize = 128;

/// The rows of both matrices, if every backend may multiply them: the bound is that of the magnitudes alone.
///
/// # Errors
/// [`Overflow`] if a result could need more than 63 bits and a sign.
///
/// # Panics
/// If the lengths are not multiples of `depth`, or `depth` is 0.
pub fn shape(left: &[i32], right: Rows<'_>, depth: usize) -> Result<(usize, usize), Overflow> {
    assert!(
        depth > 0 && left.len().is_multiple_of(depth) && right.len().is_multiple_of(depth),
        "matrices whose rows have `depth` entries"
    );
    let bound = u128::from(magnitude(left)) * u128::from(right.magnitude()) * depth as u128;
    if bound < 1 << 63 { Ok((left.len() / depth, right.len() / depth)) } else { Err(Overflow) }
}

/// `left * right^T`: `result[m][n] = sum over k < depth of left[m][k] * right[n][k]`, all row major.
///
/// # Errors, panics
/// As [`shape`].
pub fn multiply(left: &[i32], right: Rows<'_>, depth: usize) -> Result<Vec<i64>, Overflow> {
    let (m, n) = shape(left, right, depth)?;
    if m == 0 || n == 0 {
        return Ok(Vec::new());
    }
    let path = Path::used();
    Ok(match right {
        Rows::I16(right) if m >= MANY.0 && depth <= MANY.1 => by_lanes(path, left, right, depth, m, n),
        Rows::I16(right) => by_limbs(path, left, right, depth, m, n),
        Rows::I32(right) if m < ROWS => by_dots(path, left, right, depth, n),
        Rows::I32(right) => by_lanes(path, left, right, depth, m, n),
    })
}

/// [`multiply`] by 16-bit integers: neither matrix is empty.
fn by_limbs(path: Path, left: &[i32], right: &[i16], depth: usize, m: usize, n: usize) -> Vec<i64> {
    // Columns of the result first: threads share out the weight rows.
    let mut columns = vec![0i64; m * n];
    let rows = (GRAIN / (depth * m)).clamp(1, n).next_multiple_of(TILE);
    let limbs = Limbs::cut(left, depth, magnitude(left));
    if n <= rows {
        limbs.multiply(path, right, &mut columns);
    } else {
        let blocks = columns.par_chunks_mut(rows * m).zip(right.par_chunks(rows * depth));
        blocks.for_each(|(out, right)| limbs.multiply(path, right, out));
    }
    if m == 1 || n == 1 {
        return columns;
    }
    let mut result = vec![0i64; m * n];
    result.par_chunks_mut(RUN * n).enumerate().for_each(|(band, result)| {
        for (column, values) in columns.chunks_exact(m).enumerate() {
            let values = values[band * RUN..].iter().take(RUN);
            values.enumerate().for_each(|(row, value)| result[row * n + column] = *value);
        }
    });
    result
}

/// [`multiply`] by 32-bit integers, for few rows on the left: neither matrix is empty.
fn by_dots(path: Path, left: &[i32], right: &[i32], depth: usize, n: usize) -> Vec<i64> {
    let mut result = vec![0i64; left.len() / depth * n];
    let rows = GRAIN.div_ceil(depth);
    for (left, result) in left.chunks_exact(depth).zip(result.chunks_exact_mut(n)) {
        let blocks = result.par_chunks_mut(rows).zip(right.par_chunks(rows * depth));
        blocks.for_each(|(out, right)| dots(path, left, right, out));
    }
    result
}

/// [`multiply`], a column of the result in each lane: neither matrix is empty.
fn by_lanes<T: Copy + Into<i32> + Sync>(
    path: Path,
    left: &[i32],
    right: &[T],
    depth: usize,
    m: usize,
    n: usize,
) -> Vec<i64> {
    // `[column / LANES][k][column % LANES]`, zeroes beyond the last column.
    let mut lanes = vec![0i32; n.next_multiple_of(LANES) * depth];
    let blocks = lanes.par_chunks_mut(LANES * depth).zip(right.par_chunks(LANES * depth));
    blocks.with_min_len(GRAIN.div_ceil(LANES * depth)).for_each(|(block, columns)| {
        for (lane, column) in columns.chunks_exact(depth).enumerate() {
            block.iter_mut().skip(lane).step_by(LANES).zip(column).for_each(|(to, from)| *to = (*from).into());
        }
    });
    let mut result = vec![0i64; m * n];
    let rows = (GRAIN / (depth * n)).clamp(1, m).next_multiple_of(4 * ROWS);
    let bands = result.par_chunks_mut(rows * n).zip(left.par_chunks(rows * depth));
    bands.for_each(|(result, left)| wide(path, left, &lanes, depth, result));
    result
}

/// Signed limbs of 8 bits: `value = sum of limb[i] * 2^(8i)`; rows of `depth`, all limbs of a value's row together.
struct Limbs {
    values: Vec<i16>,
    each: usize,
    depth: usize,
}

impl Limbs {
    fn cut(left: &[i32], depth: usize, largest: u64) -> Self {
        let each = (1..4).find(|&limbs| largest <= 1 << (8 * limbs - 1)).unwrap_or(4);
        let mut values = vec![0i16; left.len() * each];
        let rows = left.par_chunks_exact(depth).zip(values.par_chunks_exact_mut(depth * each));
        rows.with_min_len(GRAIN.div_ceil(depth)).for_each(|(row, limbs)| {
            for (k, &value) in row.iter().enumerate() {
                let mut rest = i64::from(value);
                for limb in 0..each {
                    let low = if limb + 1 == each { rest } else { ((rest + 128) & 255) - 128 };
                    limbs[limb * depth + k] = low as i16;
                    rest = (rest - low) >> 8;
                }
            }
        });
        Self { values, each, depth }
    }

    /// `out[n][m]` for the weight rows `right`.
    fn multiply(&self, path: Path, right: &[i16], out: &mut [i64]) {
        let m = self.values.len() / (self.each * self.depth);
        for (right, out) in right.chunks(TILE * self.depth).zip(out.chunks_mut(TILE * m)) {
            let n = right.len() / self.depth;
            for (group, left) in self.values.chunks(4 * self.depth).enumerate() {
                let rows = left.len() / self.depth;
                let mut sums = [[0i64; TILE]; 4];
                tile(path, left, right, self.depth, &mut sums);
                for (row, sums) in sums[..rows].iter().enumerate() {
                    let limb_row = group * 4 + row;
                    let (row, limb) = (limb_row / self.each, limb_row % self.each);
                    for column in 0..n {
                        // Wrapping: the sum of the limbs is bounded, a single one need not be.
                        let place = &mut out[column * m + row];
                        *place = place.wrapping_add(sums[column].wrapping_shl(8 * limb as u32));
                    }
                }
            }
        }
    }
}

/// `sums[i][j] = left[i] . right[j]` for up to four rows each.
fn tile(path: Path, left: &[i16], right: &[i16], depth: usize, sums: &mut [[i64; TILE]; 4]) {
    #[cfg(target_arch = "x86_64")]
    match path {
        // SAFETY: who chooses a path has its instructions.
        Path::Ifma | Path::Avx512 => return unsafe { x86::avx512::tile(left, right, depth, sums) },
        // SAFETY: as above.
        Path::Avx2 => return unsafe { x86::avx2::tile(left, right, depth, sums) },
        Path::Plain => {}
    }
    let _ = path;
    plain_tile(left, right, depth, sums)
}

/// `out[n] = left . right[n]` for rows of 32 bits.
fn dots(path: Path, left: &[i32], right: &[i32], out: &mut [i64]) {
    #[cfg(target_arch = "x86_64")]
    match path {
        // SAFETY: who chooses a path has its instructions.
        Path::Ifma | Path::Avx512 => return unsafe { x86::avx512::dots(left, right, out) },
        // SAFETY: as above.
        Path::Avx2 => return unsafe { x86::avx2::dots(left, right, out) },
        Path::Plain => {}
    }
    let _ = path;
    plain_dots(left, right, out)
}

/// `out[m][n]` of 32-bit rows, those on the right in `lanes` as [`by_lanes`] makes them.
fn wide(path: Path, left: &[i32], lanes: &[i32], depth: usize, out: &mut [i64]) {
    #[cfg(target_arch = "x86_64")]
    match path {
        // SAFETY: who chooses a path has its instructions.
        Path::Ifma | Path::Avx512 => return unsafe { x86::avx512::wide(left, lanes, depth, out) },
        // SAFETY: as above.
        Path::Avx2 => return unsafe { x86::avx2::wide(left, lanes, depth, out) },
        Path::Plain => {}
    }
    let _ = path;
    plain_wide(left, lanes, depth, out)
}

fn plain_tile(left: &[i16], right: &[i16], depth: usize, sums: &mut [[i64; TILE]; 4]) {
    for (left, sums) in left.chunks_exact(depth).zip(sums) {
        for (right, sum) in right.chunks_exact(depth).zip(sums) {
            *sum = dot(left, right);
        }
    }
}

fn dot(left: &[i16], right: &[i16]) -> i64 {
    left.iter().zip(right).map(|(a, b)| i64::from(i32::from(*a) * i32::from(*b))).sum()
}

#[inline(always)]
fn plain_dots(left: &[i32], right: &[i32], out: &mut [i64]) {
    for (right, out) in right.chunks_exact(left.len()).zip(out) {
        *out = left.iter().zip(right).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum();
    }
}

#[inline(always)]
fn plain_wide(left: &[i32], lanes: &[i32], depth: usize, out: &mut [i64]) {
    let n = out.len() / (left.len() / depth);
    for (block, lanes) in lanes.chunks_exact(LANES * depth).enumerate() {
        let columns = block * LANES..n.min((block + 1) * LANES);
        for (left, out) in left.chunks(ROWS * depth).zip(out.chunks_mut(ROWS * n)) {
            // What is beyond the last row is that row once more.
            let last = left.len() / depth - 1;
            let rows: [&[i32]; ROWS] = core::array::from_fn(|row| &left[row.min(last) * depth..][..depth]);
            let mut sums = [[0i64; LANES]; ROWS];
            for (k, lanes) in lanes.chunks_exact(LANES).enumerate() {
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let value = i64::from(row[k]);
                    sums.iter_mut().zip(lanes).for_each(|(sum, lane)| *sum += value * i64::from(*lane));
                }
            }
            for (out, sums) in out.chunks_exact_mut(n).zip(&sums) {
                out[columns.clone()].copy_from_slice(&sums[..columns.len()]);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{STEPS, TILE, dot};

    macro_rules! machine {
        ($name:ident, $features:literal, $lanes:literal, $zero:ident, $load:ident, $add:ident, $madd:ident, $vector:ty, $widen:ident) => {
            pub mod $name {
                use super::*;

                #[target_feature(enable = $features)]
                pub fn tile(left: &[i16], right: &[i16], depth: usize, sums: &mut [[i64; TILE]; 4]) {
                    let (m, n) = (left.len() / depth, right.len() / depth);
                    match (m, n) {
                        (4, 4) => fixed::<4, 4>(left, right, depth, sums),
                        (3, 4) => fixed::<3, 4>(left, right, depth, sums),
                        (2, 4) => fixed::<2, 4>(left, right, depth, sums),
                        (1, 4) => fixed::<1, 4>(left, right, depth, sums),
                        _ => {
                            for i in 0..m {
                                for j in 0..n {
                                    let mut one = [[0i64; TILE]; 4];
                                    fixed::<1, 1>(
                                        &left[i * depth..(i + 1) * depth],
                                        &right[j * depth..(j + 1) * depth],
                                        depth,
                                        &mut one,
                                    );
                                    sums[i][j] = one[0][0];
                                }
                            }
                        }
                    }
                }

                #[target_feature(enable = $features)]
                fn fixed<const M: usize, const N: usize>(
                    left: &[i16],
                    right: &[i16],
                    depth: usize,
                    sums: &mut [[i64; TILE]; 4],
                ) {
                    assert!(left.len() == M * depth && right.len() == N * depth, "rows of `depth` entries");
                    let steps = depth / $lanes;
                    let mut done = 0;
                    while done < steps {
                        let end = steps.min(done + STEPS);
                        let mut lanes: [[$vector; N]; M] = [[$zero(); N]; M];
                        for step in done..end {
                            // SAFETY: `row * depth + step * lanes + lanes <= len` by the assertion above.
                            let at = |rows: &[i16], row: usize| unsafe {
                                $load(rows.as_ptr().add(row * depth + step * $lanes).cast())
                            };
                            let weights: [$vector; N] = core::array::from_fn(|j| at(right, j));
                            for i in 0..M {
                                let activation = at(left, i);
                                for j in 0..N {
                                    lanes[i][j] = $add(lanes[i][j], $madd(activation, weights[j]));
                                }
                            }
                        }
                        for i in 0..M {
                            for j in 0..N {
                                sums[i][j] += $widen(lanes[i][j]);
                            }
                        }
                        done = end;
                    }
                    let tail = steps * $lanes;
                    if tail < depth {
                        for i in 0..M {
                            for j in 0..N {
                                sums[i][j] += dot(
                                    &left[i * depth + tail..(i + 1) * depth],
                                    &right[j * depth + tail..(j + 1) * depth],
                                );
                            }
                        }
                    }
                }

                #[target_feature(enable = $features)]
                pub fn dots(left: &[i32], right: &[i32], out: &mut [i64]) {
                    super::super::plain_dots(left, right, out);
                }

                #[target_feature(enable = $features)]
                pub fn wide(left: &[i32], lanes: &[i32], depth: usize, out: &mut [i64]) {
                    super::super::plain_wide(left, lanes, depth, out);
                }
            }
        };
    }

    machine!(
        avx2,
        "avx2",
        16,
        _mm256_setzero_si256,
        _mm256_loadu_si256,
        _mm256_add_epi32,
        _mm256_madd_epi16,
        __m256i,
        widen_256
    );
    machine!(
        avx512,
        "avx512f,avx512bw,avx2",
        32,
        _mm512_setzero_si512,
        _mm512_loadu_si512,
        _mm512_add_epi32,
        _mm512_madd_epi16,
        __m512i,
        widen_512
    );

    use core::arch::x86_64::*;

    #[target_feature(enable = "avx2")]
    fn widen_256(lanes: __m256i) -> i64 {
        let wide = _mm256_add_epi64(
            _mm256_cvtepi32_epi64(_mm256_castsi256_si128(lanes)),
            _mm256_cvtepi32_epi64(_mm256_extracti128_si256::<1>(lanes)),
        );
        let half = _mm_add_epi64(_mm256_castsi256_si128(wide), _mm256_extracti128_si256::<1>(wide));
        _mm_extract_epi64::<0>(half) + _mm_extract_epi64::<1>(half)
    }

    #[target_feature(enable = "avx512f,avx512bw,avx2")]
    fn widen_512(lanes: __m512i) -> i64 {
        let low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(lanes));
        let high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64::<1>(lanes));
        _mm512_reduce_add_epi64(_mm512_add_epi64(low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from a seed; not random, only unlike each other.
    fn numbers(seed: u64, count: usize, magnitude: i64) -> Vec<i64> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 1) as i64
        };
        (0..count)
            .map(|_| match next() % 8 {
                0 => magnitude - 1,
                1 => -magnitude,
                _ => next() % (2 * magnitude) - magnitude,
            })
            .collect()
    }

    fn naive(left: &[i64], right: &[i64], depth: usize) -> Vec<i128> {
        let row = |l: &[i64], r: &[i64]| l.iter().zip(r).map(|(a, b)| i128::from(*a) * i128::from(*b)).sum();
        left.chunks(depth).flat_map(|l| right.chunks(depth).map(move |r| row(l, r))).collect()
    }

    fn compare(m: usize, n: usize, depth: usize, activation: i64, weight: i64) {
        let left = numbers(m as u64 + 1, m * depth, activation);
        let right = numbers(n as u64 + 77, n * depth, weight);
        let expected = naive(&left, &right, depth);
        let narrow: Vec<i32> = left.iter().map(|&v| v as i32).collect();
        let right32: Vec<i32> = right.iter().map(|&v| v as i32).collect();
        let right16: Vec<i16> = right.iter().map(|&v| v as i16).collect();
        let check = |values: Vec<i64>| assert_eq!(values.into_iter().map(i128::from).collect::<Vec<_>>(), expected);
        check(multiply(&narrow, Rows::I32(&right32), depth).unwrap());
        if weight <= 1 << 15 {
            check(multiply(&narrow, Rows::I16(&right16), depth).unwrap());
        }
        for path in Path::ALL.into_iter().filter(|path| path.is_there()) {
            check(by_lanes(path, &narrow, &right32, depth, m, n));
            check(by_dots(path, &narrow, &right32, depth, n));
            if weight <= 1 << 15 {
                check(by_lanes(path, &narrow, &right16, depth, m, n));
                check(by_limbs(path, &narrow, &right16, depth, m, n));
            }
        }
    }

    #[test]
    fn products_equal_those_of_a_naive_loop() {
        for (m, n, depth) in
            [(1, 1, 1), (1, 7, 5), (3, 4, 31), (2, 9, 32), (5, 6, 100), (7, 13, 576), (1, 40, 4100), (64, 33, 65)]
        {
            for activation in [1, 128, 129, 1 << 15, 1 << 23, 1 << 26, 1 << 31] {
                for weight in [1 << 7, 1 << 15] {
                    compare(m, n, depth, activation, weight);
                }
            }
            compare(m, n, depth, 1 << 18, 1 << 30);
        }
    }

    #[test]
    fn extreme_values_do_not_overflow_the_lanes() {
        let depth = 20_000;
        let expected = i128::from(i16::MIN) * i128::from(i32::MIN) * depth as i128;
        let result = multiply(&vec![i32::MIN; depth], Rows::I16(&vec![i16::MIN; depth]), depth).unwrap();
        assert_eq!(i128::from(result[0]), expected);
    }

    #[test]
    fn a_product_that_could_overflow_is_an_error() {
        assert_eq!(multiply(&[i32::MIN; 4], Rows::I32(&[i32::MIN; 4]), 4), Err(Overflow));
        assert!(multiply(&[i32::MIN], Rows::I32(&[i32::MIN]), 1).is_ok());
    }
}
