//! Decides which bytes are group elements: canonical encodings, each checked for its subgroup. Spec: encoding.

use crate::Refusal;
use ark_bls12_381::{Bls12_381, Config, Fq2, Fq6, Fq6Config, Fq12, Fr, G1Affine, G2Affine};
use ark_ec::bls12::Bls12Config;
use ark_ec::pairing::PairingOutput;
use ark_ff::{AdditiveGroup, CyclotomicMultSubgroup, Field, Fp6Config, One, Zero};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};

/// A point of G1, in its prime-order subgroup.
pub type G1 = G1Affine;
/// A point of G2, in its prime-order subgroup.
pub type G2 = G2Affine;
/// An element of the target group, written additively.
pub type Gt = PairingOutput<Bls12_381>;

/// A scalar: 32 bytes, little endian, below the group order.
pub fn read_scalar(bytes: &[u8; 32]) -> Result<Fr, Refusal> {
    Fr::deserialize_compressed(&bytes[..]).map_err(|_| Refusal::BadScalar)
}

/// A point of G1: 48 bytes, the compressed encoding of ZCash, one for each point (arkworks from 0.6 refuses others).
/// Spec: encoding.g1.
pub fn read_g1(bytes: &[u8; 48]) -> Result<G1, Refusal> {
    let point = G1::deserialize_compressed_unchecked(&bytes[..]).map_err(|_| Refusal::BadPoint)?;
    // phi(P) = -x^2 P, and x P != P unless P = 0 (eprint 2021/1130, section 6).
    if !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(Refusal::WrongSubgroup);
    }
    Ok(point)
}

/// A point of G2: 96 bytes, the compressed encoding of ZCash. Spec: encoding.g2.
pub fn read_g2(bytes: &[u8; 96]) -> Result<G2, Refusal> {
    let point = G2::deserialize_compressed_unchecked(&bytes[..]).map_err(|_| Refusal::BadPoint)?;
    // psi(P) = x P (eprint 2021/1130, section 4).
    if !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(Refusal::WrongSubgroup);
    }
    Ok(point)
}

/// An element of the target group: 192 bytes, `y, z` in `Fq2`, each `c0, c1` of 48 bytes, little endian, below `p`.
///
/// Every element of `Fq12` of norm 1 over `Fq6`, but 1, is `(t + w)/(t - w)` for exactly one `t = x + y v + z v^2`. Its
/// power `p^4 - p^2 + 1` is 1 iff `3 x y = 1 + 3 xi z^2`, with `xi = v^3`. That has no solution with `y = 0`, for `-1/3` is
/// a square in `Fq2` and `xi` is none; so `y` and `z` say everything, and `y = z = 0` is free for 1. Spec: encoding.gt.
pub fn read_gt(bytes: &[u8; 192]) -> Result<Gt, Refusal> {
    let [y, z]: [Fq2; 2] = CanonicalDeserialize::deserialize_compressed(&bytes[..]).map_err(|_| Refusal::BadPoint)?;
    if y.is_zero() {
        return if z.is_zero() { Ok(Gt::ZERO) } else { Err(Refusal::BadPoint) };
    }
    let three = Fq2::ONE.double() + Fq2::ONE;
    let x = (Fq2::ONE + three * Fq6Config::NONRESIDUE * z.square()) / (three * y);
    // (t + w)/(t - w) = (t^2 + v + 2 t w)/(t^2 - v), where v = w^2 is no square in Fq6.
    let t = Fq6::new(x, y, z);
    let v = Fq6::new(Fq2::ZERO, Fq2::ONE, Fq2::ZERO);
    let square = t.square();
    let inverse = (square - v).inverse().ok_or(Refusal::BadPoint)?;
    let value = Fq12::new((square + v) * inverse, t.double() * inverse);
    if in_target_group(&value) { Ok(PairingOutput(value)) } else { Err(Refusal::WrongSubgroup) }
}

/// Whether `g`, whose power `p^4 - p^2 + 1` is 1, has order `r` or 1: it does iff `g^p = g^x`, as `p = x mod r` and
/// `gcd(p - x, p^4 - p^2 + 1) = r`. Spec: encoding.gt.
fn in_target_group(g: &Fq12) -> bool {
    // For x < 0: g^p g^|x| = 1.
    (g.frobenius_map(1) * g.cyclotomic_exp(Config::X)).is_one()
}

/// The encoding that [`read_scalar`] reads.
pub fn write_scalar(scalar: &Fr) -> [u8; 32] {
    write(scalar)
}

/// The encoding that [`read_g1`] reads.
pub fn write_g1(point: &G1) -> [u8; 48] {
    write(point)
}

/// The encoding that [`read_g2`] reads.
pub fn write_g2(point: &G2) -> [u8; 96] {
    write(point)
}

/// The encoding that [`read_gt`] reads.
pub fn write_gt(element: &Gt) -> [u8; 192] {
    // a + b w = (t + w)/(t - w) has t = (1 + a)/b; only the identity has b = 0.
    let inverse = element.0.c1.inverse().unwrap_or(Fq6::ZERO);
    let t = (Fq6::ONE + element.0.c0) * inverse;
    write(&[t.c1, t.c2])
}

fn write<const N: usize>(value: &impl CanonicalSerialize) -> [u8; N] {
    let mut bytes = [0; N];
    // Writing fails only for want of room, and N is each encoding's length.
    let _ = value.serialize_compressed(&mut bytes[..]);
    bytes
}
