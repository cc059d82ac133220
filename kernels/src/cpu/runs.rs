//! Decides how runs of field elements are combined: the inner loops of trees and sumchecks, eight at a time where the
//! machine can.

use ark_bls12_381::Fr;
use ark_ff::Zero;

#[cfg(target_arch = "x86_64")]
use super::fr_lanes;
#[cfg(target_arch = "x86_64")]
use crate::path::Path;

/// How many of `count` steps the lanes take; the rest is done one by one.
#[inline(always)]
fn in_lanes(count: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    if count >= 8 && Path::used() == Path::Ifma {
        return count / 8 * 8;
    }
    let _ = count;
    0
}

/// Over pairs `(a[2i], a[2i + 1])` and likewise `b`, an odd end paired with the paddings:
/// `sum_i w[i] (a1 b1 - a0 b0)` and `sum_i w[i] (a1 - a0) (b1 - b0)`; all `w` are 1 where `None`.
pub fn pair_sums(a: &[Fr], b: &[Fr], paddings: [Fr; 2], weights: Option<&[Fr]>) -> [Fr; 2] {
    assert!(a.len() == b.len() && weights.is_none_or(|w| w.len() >= a.len().div_ceil(2)), "runs of one length");
    let done = in_lanes(a.len() / 2);
    let mut sums = [Fr::zero(); 2];
    #[cfg(target_arch = "x86_64")]
    if done > 0 {
        sums = fr_lanes::pair_sums(&a[..2 * done], &b[..2 * done], weights.map(|weights| &weights[..done]));
    }
    for (i, (a, b)) in a[2 * done..].chunks(2).zip(b[2 * done..].chunks(2)).enumerate() {
        let (a0, b0) = (a[0], b[0]);
        let (a1, b1) = if a.len() == 2 { (a[1], b[1]) } else { (paddings[0], paddings[1]) };
        let terms = [a1 * b1 - a0 * b0, (a1 - a0) * (b1 - b0)];
        for (sum, term) in sums.iter_mut().zip(terms) {
            *sum += weights.map_or(term, |weights| weights[done + i] * term);
        }
    }
    sums
}

/// `out[i] = v[2i] + r (v[2i + 1] - v[2i])`, an odd end paired with `padding`.
pub fn fold_run(values: &[Fr], r: Fr, padding: Fr, out: &mut [Fr]) {
    assert_eq!(out.len(), values.len().div_ceil(2), "half as many");
    let done = in_lanes(values.len() / 2);
    #[cfg(target_arch = "x86_64")]
    if done > 0 {
        fr_lanes::fold_run(&values[..2 * done], r, &mut out[..done]);
    }
    for (out, pair) in out[done..].iter_mut().zip(values[2 * done..].chunks(2)) {
        let high = if pair.len() == 2 { pair[1] } else { padding };
        *out = pair[0] + r * (high - pair[0]);
    }
}

/// `out[i] += c b[i]`.
pub fn add_scaled(out: &mut [Fr], c: Fr, b: &[Fr]) {
    assert_eq!(out.len(), b.len(), "runs of one length");
    let done = in_lanes(b.len());
    #[cfg(target_arch = "x86_64")]
    if done > 0 {
        fr_lanes::add_scaled(&mut out[..done], c, &b[..done]);
    }
    out[done..].iter_mut().zip(&b[done..]).for_each(|(out, b)| *out += c * b);
}

/// Neighbouring fractions `p / q` added: `p0 q1 + p1 q0`, `q0 q1`. An odd end stays as it is.
pub fn merge_run(p: &[Fr], q: &[Fr], out_p: &mut [Fr], out_q: &mut [Fr]) {
    assert!(p.len() == q.len() && out_p.len() == p.len().div_ceil(2) && out_q.len() == out_p.len(), "half as many");
    let done = in_lanes(p.len() / 2);
    #[cfg(target_arch = "x86_64")]
    if done > 0 {
        fr_lanes::merge_run(&p[..2 * done], &q[..2 * done], &mut out_p[..done], &mut out_q[..done]);
    }
    let rest = out_p[done..].iter_mut().zip(&mut out_q[done..]);
    for ((out_p, out_q), (p, q)) in rest.zip(p[2 * done..].chunks(2).zip(q[2 * done..].chunks(2))) {
        (*out_p, *out_q) = if p.len() == 2 { (p[0] * q[1] + p[1] * q[0], q[0] * q[1]) } else { (p[0], q[0]) };
    }
}
