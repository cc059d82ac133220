//! Decides the integer tables of transcendental functions: fixed-point recurrences, the definition itself.
//! Spec: tables.
//!
//! Numbers have 62 fractional bits; products are taken in 128 bits and rounded down.

use alloc::vec::Vec;

const FRACTION: u32 = 62;
const ONE: u64 = 1 << FRACTION;

fn mul(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> FRACTION) as u64
}

/// `exp(-2^-fraction)`: the Taylor series, terms `x^n/n!` rounded down, until one is 0. Spec: tables.exp_step.
fn exp_step(fraction: u32) -> u64 {
    let x = ONE.checked_shr(fraction).unwrap_or(0);
    let (mut plus, mut minus, mut term, mut n) = (0u64, 0u64, ONE, 0u64);
    while term > 0 {
        if n % 2 == 0 {
            plus += term
        } else {
            minus += term
        }
        n += 1;
        term = mul(term, x) / n;
    }
    plus - minus
}

/// `exp(-d / 2^fraction)` for `d = 0, 1, ..`, 62 fractional bits: `e[0] = 1`, `e[d+1] = e[d] * step`.
fn exponentials(fraction: u32) -> impl Iterator<Item = u64> {
    let step = exp_step(fraction);
    core::iter::successors(Some(ONE), move |value| Some(mul(*value, step)))
}

/// `floor(2^precision * exp(-d / 2^fraction) + 1/2)` for `d = 0, 1, ..`; `precision < 62`. Spec: tables.exp.
pub fn exp(fraction: u32, precision: u32) -> impl Iterator<Item = i64> {
    let shift = FRACTION - precision.min(FRACTION - 1);
    exponentials(fraction).map(move |e| ((e + (1 << (shift - 1))) >> shift) as i64)
}

/// `silu(x) = x / (1 + exp(-x))` for `x = row - 2^(bits-1)`, `row < 2^bits`, of `fraction` fractional bits, to `out`
/// fractional bits, rounded half away from zero. Spec: tables.silu.
///
/// With `e = exp(-|x|)`: `|silu(x)| = |x| / (1+e)` for `x >= 0`, `|x| e / (1+e)` for `x < 0`.
pub fn silu(bits: u32, fraction: u32, out: u32) -> impl Iterator<Item = i64> {
    let half = 1usize << (bits - 1);
    let mut made = Vec::with_capacity(half + 1);
    made.extend(exponentials(fraction).take(half + 1));
    let magnitude = move |x: usize, positive: bool| {
        // 62 fractional bits are cut to 40 so that |x| * factor * 2^out stays below 2^127.
        let cut = |v: u64| u128::from(v >> 22);
        let factor = if positive { ONE } else { made[x] };
        let numerator = (x as u128 * cut(factor)) << out.min(40);
        let denominator = (cut(ONE) + cut(made[x])) << fraction.min(40);
        ((2 * numerator + denominator) / (2 * denominator)) as i64
    };
    (0..2 * half).map(move |row| if row >= half { magnitude(row - half, true) } else { -magnitude(half - row, false) })
}

/// `(cos, sin)` of `t * base^(-e/pairs)`, times `2^fraction`, rounded half up, indexed `[t][e]`; `fraction <= 30`.
/// Spec: tables.rotary.
pub fn rotary(times: usize, pairs: usize, base: u64, fraction: u32) -> Vec<Vec<(i64, i64)>> {
    let mut table = alloc::vec![Vec::with_capacity(pairs); times];
    for turns in rotations(pairs, base, fraction) {
        table.iter_mut().zip(turns).for_each(|(row, turn)| row.push(turn));
    }
    table
}

/// The columns of [`rotary`], one for each of the pairs: `(cos, sin)` for `t = 0, 1, ..`, as far as they are taken, `2^17` at most.
///
/// The frequency step `base^(-1/pairs)` is the largest fixed-point number whose `pairs`-th power (`pairs - 1` products, left
/// to right) is at most `1/base`; frequencies, then angles, follow by products with it and by rotation.
pub fn rotations(pairs: usize, base: u64, fraction: u32) -> impl Iterator<Item = impl Iterator<Item = (i64, i64)>> {
    let target = ONE / base.max(1);
    let power = |x: u64| (1..pairs).fold(x, |product, _| mul(product, x));
    let (mut low, mut high) = (0u64, ONE);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if power(middle) <= target { low = middle } else { high = middle - 1 }
    }
    let shift = FRACTION - fraction.min(30);
    let frequencies = core::iter::successors(Some(ONE), move |frequency| Some(mul(*frequency, low)));
    frequencies.take(pairs).map(move |frequency| {
        let (cos, sin) = cos_sin(frequency);
        let turn =
            move |(c, s): &(i128, i128)| Some(((c * cos - s * sin) >> FRACTION, (s * cos + c * sin) >> FRACTION));
        let round = move |v: i128| ((v + (1 << (shift - 1))) >> shift) as i64;
        core::iter::successors(Some((i128::from(ONE), 0)), turn).map(move |(c, s)| (round(c), round(s)))
    })
}

/// Cosine and sine of `x <= 1`: Taylor series, terms rounded down, until one is 0.
fn cos_sin(x: u64) -> (i128, i128) {
    let mut sums = [0i128; 4];
    let (mut term, mut n) = (ONE, 0u64);
    while term > 0 {
        sums[(n % 4) as usize] += i128::from(term);
        n += 1;
        term = mul(term, x) / n;
    }
    (sums[0] - sums[2], sums[1] - sums[3])
}
