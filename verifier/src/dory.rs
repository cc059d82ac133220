//! Decides whether a committed matrix has the claimed value at a point: Dory (eprint 2020/1274), hiding. Spec: dory.
//!
//! A matrix `M` of `2^s` rows and columns is committed as `sum_i e(R_i, Gamma2_i) + rho e(H1, H2)`, where
//! `R_i = sum_j M_ij Gamma1_j`. Shown is `y = sum_ij eq(rows, i) eq(columns, j) M_ij` for the `y` of `link = y g + s h`.
//! Bits of `i` and `j` are taken from the most significant. Groups are written additively; `<,>` is the inner
//! product, of points by the pairing. Everything rests on one statement about secret vectors `v1`, `v2`, folded to
//! length 1 by the rounds, with `s1` the tensor of `columns` and `s2` that of `rows` (`..` are multiples of `HT`, `H1`,
//! `H2`, with `HT = e(H1, H2)`):
//!
//! `C = <v1, v2> + ..`, `D1 = <v1, Gamma2> + ..`, `D2 = <Gamma1, v2> + ..`, `E1 = <v1, s2> + ..`, `E2 = <s1, v2> + ..`

use crate::bytes::Cursor;
use crate::channel::{self, Channel};
use crate::groups::{G1, G2, Gt, read_g1, read_g2, read_gt, write_g1, write_gt, write_scalar};
use crate::{Fr, Refusal};
use alloc::vec::Vec;
use ark_bls12_381::{Bls12_381, G1Projective, G2Projective};
use ark_ec::VariableBaseMSM;
use ark_ec::pairing::Pairing;
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};

/// The largest `s` there are constants for.
pub const MAX_LOG: usize = 16;

/// The generators of the ledger's entries. Spec: dory.generators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerGenerators {
    /// `g_1, .., g_8`, of the slots.
    pub g: [G1; 8],
    /// Of the scalar product's value.
    pub g_v: G1,
    /// Of the blinding.
    pub h: G1,
}

/// What the driver wants next: a message, after `challenges`, all those of this argument so far, in order.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Which message.
    pub message: Message,
    /// The challenges drawn so far: one of the first proof of knowledge, beta and alpha of each round, gamma, and
    /// one of the last proof of knowledge.
    pub challenges: &'a [Fr],
}

/// The messages, in the order in which they are sent; the rounds' (`D1Left` to `E2Minus`) once a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the equations' letters.
#[rustfmt::skip]
pub enum Message {
    C, D2, E1, E2,
    VmvNonce, E2Nonce, LinkNonce, E1Blinding, D2Blinding, Value, E2Blinding, LinkBlinding,
    D1Left, D1Right, D2Left, D2Right, E1Beta, E2Beta,
    CPlus, CMinus, E1Plus, E1Minus, E2Plus, E2Minus,
    P1, P2, Q, R, W1, W2, D1Response, D2Response, CResponse,
}

/// The length of an opening in bytes: `(7 + 6 s)` elements of the target group, `3 + 3 s` of G1 and of G2 each, and 8
/// scalars. Spec: dory.length.
pub const fn proof_length(s: usize) -> usize {
    (7 + 6 * s) * 192 + (3 + 3 * s) * (48 + 96) + 8 * 32
}

/// The constants of the verifier. Spec: dory.constants.
#[derive(Clone, Debug)]
pub struct Setup {
    ledger: LedgerGenerators,
    h1: G1,
    gamma1: G1,
    h2: G2,
    gamma2: G2,
    g2_value: G2,
    chi: Gt,
    levels: Vec<Level>,
}

/// Products of generators, for the round that halves vectors of length `2 m`.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// `<Gamma1[..m], Gamma2[..m]>`
    chi_half: Gt,
    /// `<Gamma1[..2m], Gamma2[..2m]>`
    chi: Gt,
    /// `<Gamma1[m..2m], Gamma2[..m]>`
    delta1_right: Gt,
    /// `<Gamma1[..m], Gamma2[m..2m]>`
    delta2_right: Gt,
}

impl Setup {
    /// The constants that come with the verifier, for `s` up to `max_log`.
    pub fn shipped(max_log: usize) -> Result<Self, Refusal> {
        Self::read(include_bytes!("constants.bin"), max_log)
    }

    /// Reads constants for `s` up to `max_log`. Spec: dory.constants.
    pub fn read(bytes: &[u8], max_log: usize) -> Result<Self, Refusal> {
        let mut cursor = Cursor::new(bytes);
        let mut g = [G1::default(); 8];
        for generator in &mut g {
            *generator = read_g1(&cursor.array()?)?;
        }
        let (g_v, h) = (read_g1(&cursor.array()?)?, read_g1(&cursor.array()?)?);
        let (h1, gamma1) = (read_g1(&cursor.array()?)?, read_g1(&cursor.array()?)?);
        let (h2, gamma2) = (read_g2(&cursor.array()?)?, read_g2(&cursor.array()?)?);
        let g2_value = read_g2(&cursor.array()?)?;
        let chi = read_gt(&cursor.array()?)?;
        let (mut levels, mut chi_half) = (Vec::new(), chi);
        for _ in 0..max_log {
            let chi = read_gt(&cursor.array()?)?;
            let delta1_right = read_gt(&cursor.array()?)?;
            let delta2_right = read_gt(&cursor.array()?)?;
            levels.push(Level { chi_half, chi, delta1_right, delta2_right });
            chi_half = chi;
        }
        Ok(Self { ledger: LedgerGenerators { g, g_v, h }, h1, gamma1, h2, gamma2, g2_value, chi, levels })
    }

    /// The generators of the ledger.
    pub fn ledger_generators(&self) -> &LedgerGenerators {
        &self.ledger
    }
}

/// Checks that the matrix in `commitment` has at `(rows, columns)`, `s` coordinates each, the value `y` of
/// `link = y g + s h`. Spec: dory.
#[allow(clippy::too_many_arguments)] // A statement has as many parts.
pub fn open(
    channel: &mut impl Channel,
    setup: &Setup,
    s: usize,
    commitment: Gt,
    rows: &[Fr],
    columns: &[Fr],
    link: G1,
    link_generators: (G1, G1),
) -> Result<(), Refusal> {
    let levels = setup.levels.get(..s).ok_or(Refusal::OverLimit)?;
    if s == 0 || rows.len() != s || columns.len() != s {
        return Err(Refusal::OverLimit);
    }
    channel.absorb("dory.commitment", &write_gt(&commitment));
    for coordinate in rows.iter().chain(columns) {
        channel.absorb("dory.point", &write_scalar(coordinate));
    }
    channel.absorb("dory.link", &write_g1(&link));

    let talk = &mut Talk { channel, challenges: Vec::new() };
    let mut claim = vector_matrix_vector(talk, setup, commitment, link, link_generators)?;
    for (level, (row, column)) in levels.iter().rev().zip(rows.iter().zip(columns)) {
        reduce(talk, level, &mut claim, *row, *column)?;
    }
    scalar_product(talk, setup, &claim)
}

/// The statement, its elements as sums to be computed at the end, and `s1`, `s2` folded so far: tensor products
/// fold factor by factor.
struct Claim {
    c: Sum<Gt>,
    d1: Sum<Gt>,
    d2: Sum<Gt>,
    e1: Sum<G1>,
    e2: Sum<G2>,
    s1: Fr,
    s2: Fr,
}

/// `sum_i x_i P_i`.
type Sum<P> = Vec<(Fr, P)>;

/// From the commitment to the statement, with `v1 = R` and `v2_j = (sum_i eq(rows, i) M_ij) G2y`. Spec: dory.vmv.
fn vector_matrix_vector(
    talk: &mut Talk<'_, impl Channel>,
    setup: &Setup,
    commitment: Gt,
    link: G1,
    (g, h): (G1, G1),
) -> Result<Claim, Refusal> {
    let (c, d2) = (talk.gt(Message::C)?, talk.gt(Message::D2)?);
    let (e1, e2) = (talk.g1(Message::E1)?, talk.g2(Message::E2)?);

    // Knowledge of t1, t2, y, t, s with e(E1, G2y) - D2 = t1 e(H1, G2y) + t2 HT, E2 = y G2y + t H2, link = y g + s h:
    // nonces, one challenge, responses.
    let vmv_nonce = talk.gt(Message::VmvNonce)?;
    let e2_nonce = talk.g2(Message::E2Nonce)?;
    let link_nonce = talk.g1(Message::LinkNonce)?;
    let (x, _) = talk.challenge("dory.vmv")?;
    let e1_blinding = talk.scalar(Message::E1Blinding)?;
    let d2_blinding = talk.scalar(Message::D2Blinding)?;
    let value = talk.scalar(Message::Value)?;
    let e2_blinding = talk.scalar(Message::E2Blinding)?;
    let link_blinding = talk.scalar(Message::LinkBlinding)?;

    // E1 and D2 have the same v in them: t1 e(H1, G2y) + t2 HT = nonce + x (e(E1, G2y) - D2). Spec: dory.vmv.
    let left = [setup.h1 * e1_blinding - e1 * x, setup.h1 * d2_blinding];
    let right = [setup.g2_value.into(), setup.h2.into()];
    if pairings(left, right) != Some(vmv_nonce - d2 * x) {
        return Err(Refusal::OpeningVmv);
    }
    // E2 is y G2y but for H2: y G2y + t H2 = nonce + x E2. Spec: dory.link.
    if setup.g2_value * value + setup.h2 * e2_blinding != e2_nonce + e2 * x {
        return Err(Refusal::OpeningLink);
    }
    // The same y is in the ledger, and nothing else: y g + s h = nonce + x link. Spec: dory.link.
    if g * value + h * link_blinding != link_nonce + link * x {
        return Err(Refusal::OpeningLink);
    }
    let one = Fr::ONE;
    let [c, d1, d2] = [c, commitment, d2].map(|element| Vec::from([(one, element)]));
    Ok(Claim { c, d1, d2, e1: [(one, e1)].into(), e2: [(one, e2)].into(), s1: one, s2: one })
}

/// Halves the vectors: `v1' = alpha (v1 + beta Gamma1)_left + (v1 + beta Gamma1)_right`, and `v2'` with the inverses;
/// `s1' = alpha s1_left + s1_right`, and `s2'` with the inverse; `Gamma' = Gamma_left`. Spec: dory.round.
fn reduce(
    talk: &mut Talk<'_, impl Channel>,
    level: &Level,
    claim: &mut Claim,
    row: Fr,
    column: Fr,
) -> Result<(), Refusal> {
    // D1_half = <v1_half, Gamma2'>, D2_half = <Gamma1', v2_half>, E1_beta = <Gamma1, s2>, E2_beta = <s1, Gamma2>
    let (d1_left, d1_right) = (talk.gt(Message::D1Left)?, talk.gt(Message::D1Right)?);
    let (d2_left, d2_right) = (talk.gt(Message::D2Left)?, talk.gt(Message::D2Right)?);
    let (e1_beta, e2_beta) = (talk.g1(Message::E1Beta)?, talk.g2(Message::E2Beta)?);
    let (beta, beta_inverse) = talk.challenge("dory.beta")?;

    // With v1, v2 as beta left them: plus is left v1 (or s1) by right v2 (or s2), minus the other way round.
    let (c_plus, c_minus) = (talk.gt(Message::CPlus)?, talk.gt(Message::CMinus)?);
    let (e1_plus, e1_minus) = (talk.g1(Message::E1Plus)?, talk.g1(Message::E1Minus)?);
    let (e2_plus, e2_minus) = (talk.g2(Message::E2Plus)?, talk.g2(Message::E2Minus)?);
    let (alpha, alpha_inverse) = talk.challenge("dory.alpha")?;

    // C' = C + chi + beta D2 + beta^-1 D1 + alpha C_plus + alpha^-1 C_minus
    claim.c.extend([(Fr::ONE, level.chi), (alpha, c_plus), (alpha_inverse, c_minus)]);
    claim.c.extend(scaled(&claim.d2, beta));
    claim.c.extend(scaled(&claim.d1, beta_inverse));
    // D1' = alpha D1_left + D1_right + alpha beta Delta1_left + beta Delta1_right
    claim.d1 =
        [(alpha, d1_left), (Fr::ONE, d1_right), (alpha * beta, level.chi_half), (beta, level.delta1_right)].into();
    // D2' = alpha^-1 D2_left + D2_right + alpha^-1 beta^-1 Delta2_left + beta^-1 Delta2_right
    claim.d2 = [
        (alpha_inverse, d2_left),
        (Fr::ONE, d2_right),
        (alpha_inverse * beta_inverse, level.chi_half),
        (beta_inverse, level.delta2_right),
    ]
    .into();
    // E1' = E1 + beta E1_beta + alpha E1_plus + alpha^-1 E1_minus
    claim.e1.extend([(beta, e1_beta), (alpha, e1_plus), (alpha_inverse, e1_minus)]);
    // E2' = E2 + beta^-1 E2_beta + alpha E2_plus + alpha^-1 E2_minus
    claim.e2.extend([(beta_inverse, e2_beta), (alpha, e2_plus), (alpha_inverse, e2_minus)]);
    // eq(x, 0) = 1 - x on the left, eq(x, 1) = x on the right.
    claim.s1 *= alpha * (Fr::ONE - column) + column;
    claim.s2 *= alpha_inverse * (Fr::ONE - row) + row;
    Ok(())
}

/// The statement at length 1: E1 and E2, with them the point, go into C, D1, D2, and a proof of knowledge of `v1`, `v2`
/// ends it. Spec: dory.final.
fn scalar_product(talk: &mut Talk<'_, impl Channel>, setup: &Setup, claim: &Claim) -> Result<(), Refusal> {
    let Setup { h1, h2, gamma1, gamma2, .. } = *setup;
    let Claim { s1, s2, .. } = *claim;
    let (gamma, gamma_inverse) = talk.challenge("dory.gamma")?;

    let (p1, p2) = (talk.gt(Message::P1)?, talk.gt(Message::P2)?);
    let (q, r) = (talk.gt(Message::Q)?, talk.gt(Message::R)?);
    let (x, _) = talk.challenge("dory.final")?;
    let (w1, w2) = (talk.g1(Message::W1)?, talk.g2(Message::W2)?);
    let d1_response = talk.scalar(Message::D1Response)?;
    let d2_response = talk.scalar(Message::D2Response)?;
    let c_response = talk.scalar(Message::CResponse)?;
    let (d, d_inverse) = talk.challenge("dory.batch")?;

    // The folded statement, for v1 + gamma s1 H1 and v2 + gamma^-1 s2 H2:
    //   C'  = C  + s1 s2 HT + gamma e(H1, E2) + gamma^-1 e(E1, H2)
    //   D1' = D1 + gamma s1 e(H1, Gamma2)
    //   D2' = D2 + gamma^-1 s2 e(Gamma1, H2)
    // Three equations, added with the weights 1, d^-1, d, and with e(d Gamma1, d^-1 Gamma2) = chi:
    //   e(W1, W2)     = R  + x Q + x^2 C' - c_response HT
    //   e(W1, Gamma2) = P1 + x D1'        - d1_response HT
    //   e(Gamma1, W2) = P2 + x D2'        - d2_response HT
    // Below, C, D1, D2 and the messages stand on the right, all pairings on the left. Spec: dory.final.
    let mut right = Vec::from([(Fr::ONE, setup.chi), (Fr::ONE, r), (x, q), (d_inverse, p1), (d, p2)]);
    right.extend(scaled(&claim.c, x * x));
    right.extend(scaled(&claim.d1, d_inverse * x));
    right.extend(scaled(&claim.d2, d * x));

    let blinding = x * x * s1 * s2 - c_response - d_inverse * d1_response - d * d2_response;
    let by_h1 = sum::<G2Projective>(&claim.e2) * (x * x * gamma) + gamma2 * (d_inverse * x * gamma * s1);
    let by_h2 = sum::<G1Projective>(&claim.e1) * (x * x * gamma_inverse)
        + gamma1 * (d * x * gamma_inverse * s2)
        + h1 * blinding;
    let left = [gamma1 * d + w1, (-h1).into(), -by_h2];
    if pairings(left, [gamma2 * d_inverse + w2, by_h1, h2.into()]) != Some(combine(&right)?) {
        return Err(Refusal::OpeningFinal);
    }
    Ok(())
}

/// The channel, and the challenges so far.
struct Talk<'a, C: Channel> {
    channel: &'a mut C,
    challenges: Vec<Fr>,
}

impl<C: Channel> Talk<'_, C> {
    fn scalar(&mut self, message: Message) -> Result<Fr, Refusal> {
        self.channel.scalar(channel::Ask::Dory(Ask { message, challenges: &self.challenges }))
    }
    fn g1(&mut self, message: Message) -> Result<G1, Refusal> {
        self.channel.g1(channel::Ask::Dory(Ask { message, challenges: &self.challenges }))
    }
    fn g2(&mut self, message: Message) -> Result<G2, Refusal> {
        self.channel.g2(channel::Ask::Dory(Ask { message, challenges: &self.challenges }))
    }
    fn gt(&mut self, message: Message) -> Result<Gt, Refusal> {
        self.channel.gt(channel::Ask::Dory(Ask { message, challenges: &self.challenges }))
    }
    /// A challenge and its inverse; 0 is refused. Spec: dory.challenges.
    fn challenge(&mut self, label: &'static str) -> Result<(Fr, Fr), Refusal> {
        let challenge = self.channel.challenge(label);
        let inverse = challenge.inverse().ok_or(Refusal::DegenerateChallenge)?;
        self.challenges.push(challenge);
        Ok((challenge, inverse))
    }
}

fn scaled<P: Copy>(terms: &[(Fr, P)], factor: Fr) -> impl Iterator<Item = (Fr, P)> {
    terms.iter().map(move |&(scalar, element)| (scalar * factor, element))
}

/// `sum_i x_i C_i`, the commitment to the same combination of matrices.
///
/// Of each element, taken once, the multiples by 1, 3, .., 15 are added for the signed digits of its scalar: negation costs
/// nothing here, and sums of buckets would cost more than all the rest.
///
/// # Errors
/// `OpeningFinal` if a scalar has no digits: the library's option, which is there for all scalars. No term is left out.
#[allow(clippy::as_conversions)] // Digits below 16.
pub fn combine(terms: &[(Fr, Gt)]) -> Result<Gt, Refusal> {
    let mut merged: Vec<(Fr, Gt)> = Vec::new();
    for &(scalar, element) in terms {
        match merged.iter_mut().find(|(_, other)| *other == element) {
            Some((total, _)) => *total += scalar,
            None => merged.push((scalar, element)),
        }
    }
    let prepare = |(scalar, element): &(Fr, Gt)| {
        let twice = element.double();
        let multiples: Vec<Gt> = core::iter::successors(Some(*element), |last| Some(*last + twice)).take(8).collect();
        // Odd digits of less than 5 bits, and zeros; there is a list for every width from 2 on.
        Ok((scalar.into_bigint().find_wnaf(5).ok_or(Refusal::OpeningFinal)?, multiples))
    };
    let prepared = merged.iter().map(prepare).collect::<Result<Vec<_>, _>>()?;
    let mut total = Gt::ZERO;
    for bit in (0..=Fr::MODULUS_BIT_SIZE as usize + 1).rev() {
        total.double_in_place();
        for (digits, multiples) in &prepared {
            let digit = digits.get(bit).copied().unwrap_or(0);
            match multiples.get((digit.unsigned_abs() / 2) as usize) {
                Some(multiple) if digit > 0 => total += multiple,
                Some(multiple) if digit < 0 => total -= multiple,
                _ => (),
            }
        }
    }
    Ok(total)
}

fn sum<G: VariableBaseMSM<ScalarField = Fr>>(terms: &[(Fr, G::MulBase)]) -> G {
    let (scalars, elements): (Vec<_>, Vec<_>) = terms.iter().copied().unzip();
    G::msm_unchecked(&elements, &scalars)
}

/// `sum_i e(left_i, right_i)`; the option is the library's, it is there for all points of the groups.
fn pairings<const N: usize>(left: [G1Projective; N], right: [G2Projective; N]) -> Option<Gt> {
    let (left, right) = (left.map(G1::from), right.map(G2::from));
    Bls12_381::final_exponentiation(Bls12_381::multi_miller_loop(left, right))
}
