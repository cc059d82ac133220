//! Decides what the prover says in an opening: the messages of `zkllm_verifier::dory`, from the rows' commitments and
//! the combined row of the opened matrix. Spec: dory.

use super::blinding::Blinding;
use crate::commit::setup::Generators;
use crate::commit::tier2::{multi_pairing, multi_pairings};
use ark_bls12_381::{G1Projective, G2Projective};
use ark_ec::{CurveGroup, ScalarMul, VariableBaseMSM};
use ark_ff::Field;
use scale::add_scaled;
use std::sync::Arc;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};
use zkllm_verifier::Fr;
use zkllm_verifier::dory::{Ask, Message};
use zkllm_verifier::groups::{G1, G2, Gt};
use zkllm_verifier::transcript::Transcript;

mod scale;

/// What is opened: a matrix of `2^s` rows and columns at a point.
#[derive(Clone)]
pub struct Opening {
    /// The commitments `R_i = sum_j M_ij Gamma1_j` to the rows.
    pub row_commitments: Vec<G1>,
    /// The combined row `v_j = sum_i eq(rows, i) M_ij`.
    pub combined_row: Vec<Fr>,
    /// The blinding of the commitment.
    pub rho: Fr,
    /// The coordinates of the rows, most significant bit first.
    pub rows: Vec<Fr>,
    /// The coordinates of the columns.
    pub columns: Vec<Fr>,
    /// The value `y`.
    pub value: Fr,
    /// `s` in the ledger's entry `y g + s h`.
    pub link_blinding: Fr,
    /// `g` and `h`.
    pub link_generators: (G1, G1),
}

/// The prover of one opening.
pub struct DoryProver {
    generators: Arc<Generators>,
    random: Blinding,
    opening: Opening,
    ht: Gt,
    v1: Vec<G1>,
    v2: Right,
    s1: Vec<Fr>,
    s2: Vec<Fr>,
    blinding: Blindings,
    nonces: Vec<Fr>,
    last: (G1Projective, G2Projective),
    /// Messages made together and sent one after the other.
    ready: Vec<(Message, Element)>,
}

/// `v2`: in the first round still multiples of one point.
#[derive(Zeroize)]
enum Right {
    Multiples(Vec<Fr>),
    Points(Vec<G2>),
}

/// The multiples of `HT`, `H1`, `H2` in the statement, and in the two halves of a round's messages.
#[derive(Default, Zeroize)]
struct Blindings {
    c: Fr,
    d1: Fr,
    d2: Fr,
    e1: Fr,
    e2: Fr,
    d1_halves: [Fr; 2],
    d2_halves: [Fr; 2],
    crossed: [[Fr; 2]; 3],
}

#[derive(Clone, Copy, Debug)]
enum Element {
    Scalar(Fr),
    G1(G1),
    G2(G2),
    Gt(Gt),
}

impl DoryProver {
    /// A prover of `opening`; the generators are as many as its rows, or more.
    pub fn new(generators: Arc<Generators>, opening: Opening, random: Blinding) -> Self {
        let s1 = tensor(&opening.columns);
        let s2 = tensor(&opening.rows);
        assert_eq!(opening.row_commitments.len(), s2.len(), "a commitment a row");
        assert_eq!(opening.combined_row.len(), s1.len(), "an entry a column");
        Self {
            ht: multi_pairing(&[generators.h1], &[generators.h2]),
            v1: opening.row_commitments.clone(),
            v2: Right::Multiples(opening.combined_row.clone()),
            s1,
            s2,
            blinding: Blindings { d1: opening.rho, ..Blindings::default() },
            nonces: Vec::new(),
            last: Default::default(),
            ready: Vec::new(),
            generators,
            random,
            opening,
        }
    }

    /// Blinds what comes next by all that was said.
    pub fn follow(&mut self, said: &Transcript) {
        self.random.follow(said);
    }

    /// The message in the target group that `ask` is for.
    pub fn gt(&mut self, ask: Ask<'_>) -> Gt {
        match self.message(ask) {
            Element::Gt(element) => element,
            other => unreachable!("{:?} is {other:?}", ask.message),
        }
    }

    /// The message in G1 that `ask` is for.
    pub fn g1(&mut self, ask: Ask<'_>) -> G1 {
        match self.message(ask) {
            Element::G1(element) => element,
            other => unreachable!("{:?} is {other:?}", ask.message),
        }
    }

    /// The message in G2 that `ask` is for.
    pub fn g2(&mut self, ask: Ask<'_>) -> G2 {
        match self.message(ask) {
            Element::G2(element) => element,
            other => unreachable!("{:?} is {other:?}", ask.message),
        }
    }

    /// The scalar that `ask` is for.
    pub fn scalar(&mut self, ask: Ask<'_>) -> Fr {
        match self.message(ask) {
            Element::Scalar(element) => element,
            other => unreachable!("{:?} is {other:?}", ask.message),
        }
    }

    fn message(&mut self, ask: Ask<'_>) -> Element {
        match (ask.message, ask.challenges) {
            (Message::C, _) => self.ready = self.statement(),
            (Message::VmvNonce, _) => self.ready = self.statement_nonces(),
            (Message::E1Blinding, &[x]) => self.ready = self.statement_responses(x),
            (Message::D1Left, &[_]) => self.ready = self.halves(),
            (Message::D1Left, &[.., beta, alpha]) => {
                self.fold(beta, alpha);
                self.ready = self.halves();
            }
            (Message::CPlus, &[.., beta]) => self.ready = self.crossed(beta),
            (Message::P1, &[.., beta, alpha, gamma]) => {
                self.fold(beta, alpha);
                self.ready = self.last_nonces(gamma);
            }
            (Message::W1, &[.., gamma, x]) => self.ready = self.last_responses(gamma, x),
            _ => {}
        }
        let found = self.ready.iter().find(|(message, _)| *message == ask.message);
        found.unwrap_or_else(|| unreachable!("{:?} is asked for out of turn", ask.message)).1
    }

    /// Blinding for a message in the target group, and the message.
    fn blinded(&mut self, element: Gt) -> (Fr, Element) {
        let blinding = self.random.scalar();
        (blinding, Element::Gt(element + self.ht * blinding))
    }

    /// Blinding for a message in G1, and the message.
    fn blinded1(&mut self, element: G1Projective) -> (Fr, Element) {
        let blinding = self.random.scalar();
        (blinding, Element::G1((element + self.generators.h1 * blinding).into_affine()))
    }

    /// Blinding for a message in G2, and the message.
    fn blinded2(&mut self, element: G2Projective) -> (Fr, Element) {
        let blinding = self.random.scalar();
        (blinding, Element::G2((element + self.generators.h2 * blinding).into_affine()))
    }

    /// `C = <R, v G2y>`, `D2 = <Gamma1, v G2y>`, `E1 = <R, s2>`, `E2 = y G2y`; `<Gamma1, v>` and `<R, s2>` are equal.
    fn statement(&mut self) -> Vec<(Message, Element)> {
        let g2_value = self.generators.g2_value;
        let combined = msm::<G1Projective>(&self.v1, &self.s2);
        let c = msm::<G1Projective>(&self.v1, &self.opening.combined_row);
        let (c_blinding, c) = self.blinded(multi_pairing(&[c.into()], &[g2_value]));
        let (d2_blinding, d2) = self.blinded(multi_pairing(&[combined.into()], &[g2_value]));
        let (e1_blinding, e1) = self.blinded1(combined);
        let (e2_blinding, e2) = self.blinded2(g2_value * self.opening.value);
        self.blinding.c = c_blinding;
        self.blinding.d2 = d2_blinding;
        self.blinding.e1 = e1_blinding;
        self.blinding.e2 = e2_blinding;
        vec![(Message::C, c), (Message::D2, d2), (Message::E1, e1), (Message::E2, e2)]
    }

    fn statement_nonces(&mut self) -> Vec<(Message, Element)> {
        let Generators { h1, h2, g2_value, .. } = *self.generators;
        let (g, h) = self.opening.link_generators;
        let [t1, t2, y, t, s] = std::array::from_fn(|_| self.random.scalar());
        self.nonces = vec![t1, t2, y, t, s];
        let vmv = multi_pairing(&[(h1 * t1).into(), (h1 * t2).into()], &[g2_value, h2]);
        vec![
            (Message::VmvNonce, Element::Gt(vmv)),
            (Message::E2Nonce, Element::G2((g2_value * y + h2 * t).into())),
            (Message::LinkNonce, Element::G1((g * y + h * s).into())),
        ]
    }

    fn statement_responses(&mut self, x: Fr) -> Vec<(Message, Element)> {
        let Blindings { d2, e1, e2, .. } = self.blinding;
        let secrets = [
            (Message::E1Blinding, e1),
            (Message::D2Blinding, -d2),
            (Message::Value, self.opening.value),
            (Message::E2Blinding, e2),
            (Message::LinkBlinding, self.opening.link_blinding),
        ];
        // Taken, so that no nonce answers two challenges.
        let nonces = Zeroizing::new(std::mem::take(&mut self.nonces));
        let answer = |((message, secret), nonce): (_, &Fr)| (message, Element::Scalar(x * secret + nonce));
        secrets.into_iter().zip(nonces.iter()).map(answer).collect()
    }

    /// A round's first messages: `D1_half = <v1_half, Gamma2'>`, `D2_half = <Gamma1', v2_half>`, and
    /// `E1_beta = <Gamma1, s2>`, `E2_beta = <s1, Gamma2>`, which hold no secret.
    fn halves(&mut self) -> Vec<(Message, Element)> {
        let generators = self.generators.clone();
        let (length, half) = (self.v1.len(), self.v1.len() / 2);
        let (gamma1, gamma2) = (&generators.g1[..half], &generators.g2[..half]);
        let [d1_left, d1_right] = multi_pairings(halves_of(&self.v1), gamma2);
        let [d2_left, d2_right] = match &self.v2 {
            Right::Points(v2) => halves_of(v2).map(|v2| multi_pairing(gamma1, v2)),
            Right::Multiples(v) => {
                halves_of(v).map(|v| multi_pairing(&[msm::<G1Projective>(gamma1, v).into()], &[generators.g2_value]))
            }
        };
        let e1_beta = msm::<G1Projective>(&generators.g1[..length], &self.s2);
        let e2_beta = msm::<G2Projective>(&generators.g2[..length], &self.s1);
        let (d1_left_blinding, d1_left) = self.blinded(d1_left);
        let (d1_right_blinding, d1_right) = self.blinded(d1_right);
        let (d2_left_blinding, d2_left) = self.blinded(d2_left);
        let (d2_right_blinding, d2_right) = self.blinded(d2_right);
        self.blinding.d1_halves = [d1_left_blinding, d1_right_blinding];
        self.blinding.d2_halves = [d2_left_blinding, d2_right_blinding];
        vec![
            (Message::D1Left, d1_left),
            (Message::D1Right, d1_right),
            (Message::D2Left, d2_left),
            (Message::D2Right, d2_right),
            (Message::E1Beta, Element::G1(e1_beta.into())),
            (Message::E2Beta, Element::G2(e2_beta.into())),
        ]
    }

    /// A round's second messages: left by right and right by left, of `v1 + beta Gamma1`, `v2 + beta^-1 Gamma2`, `s1`, `s2`.
    fn crossed(&mut self, beta: Fr) -> Vec<(Message, Element)> {
        let generators = self.generators.clone();
        let length = self.v1.len();
        let gamma2 = &generators.g2[..length];
        let inverse = invert(beta);
        self.v1 = add_scaled(&self.v1, &generators.g1[..length], beta);
        let [v1_left, v1_right] = halves_of(&self.v1);
        let [s1_left, s1_right] = halves_of(&self.s1);
        let [s2_left, s2_right] = halves_of(&self.s2);
        let crosses = [(v1_left, s1_left, 1), (v1_right, s1_right, 0)];
        let [(c_plus, e2_plus), (c_minus, e2_minus)] = match &mut self.v2 {
            Right::Points(v2) => {
                *v2 = add_scaled(v2, gamma2, inverse);
                crosses.map(|(v1, s1, other)| {
                    let v2 = halves_of(v2)[other];
                    (multi_pairing(v1, v2), msm::<G2Projective>(v2, s1))
                })
            }
            // By linearity: <v1, v G2y + beta^-1 Gamma2> = e(<v1, v>, G2y) + beta^-1 <v1, Gamma2>.
            Right::Multiples(v) => crosses.map(|(v1, s1, other)| {
                let (v, gamma2) = (halves_of(v)[other], halves_of(gamma2)[other]);
                let by_value = msm::<G1Projective>(v1, v).into();
                let product = multi_pairing(&[by_value], &[generators.g2_value]) + multi_pairing(v1, gamma2) * inverse;
                let inner = s1.iter().zip(v).map(|(s, v)| s * v).sum::<Fr>();
                (product, generators.g2_value * inner + msm::<G2Projective>(gamma2, s1) * inverse)
            }),
        };
        let e1_plus = msm::<G1Projective>(v1_left, s2_right);
        let e1_minus = msm::<G1Projective>(v1_right, s2_left);
        let (c_plus_blinding, c_plus) = self.blinded(c_plus);
        let (c_minus_blinding, c_minus) = self.blinded(c_minus);
        let (e1_plus_blinding, e1_plus) = self.blinded1(e1_plus);
        let (e1_minus_blinding, e1_minus) = self.blinded1(e1_minus);
        let (e2_plus_blinding, e2_plus) = self.blinded2(e2_plus);
        let (e2_minus_blinding, e2_minus) = self.blinded2(e2_minus);
        self.blinding.crossed = [
            [c_plus_blinding, c_minus_blinding],
            [e1_plus_blinding, e1_minus_blinding],
            [e2_plus_blinding, e2_minus_blinding],
        ];
        vec![
            (Message::CPlus, c_plus),
            (Message::CMinus, c_minus),
            (Message::E1Plus, e1_plus),
            (Message::E1Minus, e1_minus),
            (Message::E2Plus, e2_plus),
            (Message::E2Minus, e2_minus),
        ]
    }

    /// Folds by `alpha`, after `crossed` has by `beta`.
    fn fold(&mut self, beta: Fr, alpha: Fr) {
        let (beta_inverse, alpha_inverse) = (invert(beta), invert(alpha));
        let [left, right] = halves_of(&self.v1);
        self.v1 = add_scaled(right, left, alpha);
        self.v2 = Right::Points(match &self.v2 {
            Right::Points(v2) => {
                let [left, right] = halves_of(v2);
                add_scaled(right, left, alpha_inverse)
            }
            Right::Multiples(v) => {
                let [left, right] = halves_of(&self.generators.g2[..v.len()]);
                let multiples = G2Projective::from(self.generators.g2_value).batch_mul(&fold_scalars(v, alpha_inverse));
                add_scaled(&add_scaled(&multiples, right, beta_inverse), left, alpha_inverse * beta_inverse)
            }
        });
        self.s1 = fold_scalars(&self.s1, alpha);
        self.s2 = fold_scalars(&self.s2, alpha_inverse);
        let blinding = &mut self.blinding;
        let [c, e1, e2] = blinding.crossed.map(|[plus, minus]| alpha * plus + alpha_inverse * minus);
        blinding.c += beta * blinding.d2 + beta_inverse * blinding.d1 + c;
        blinding.e1 += e1;
        blinding.e2 += e2;
        let [[d1_left, d1_right], [d2_left, d2_right]] = [blinding.d1_halves, blinding.d2_halves];
        blinding.d1 = alpha * d1_left + d1_right;
        blinding.d2 = alpha_inverse * d2_left + d2_right;
    }

    /// The vectors of length 1, with E1 and E2 folded into them.
    fn folded(&self, gamma: Fr) -> (G1Projective, G2Projective) {
        let Right::Points(v2) = &self.v2 else { unreachable!("there is at least one round") };
        let v1 = self.v1[0] + self.generators.h1 * (gamma * self.s1[0]);
        (v1, v2[0] + self.generators.h2 * (invert(gamma) * self.s2[0]))
    }

    /// `P1 = e(d1, Gamma2)`, `P2 = e(Gamma1, d2)`, `Q = e(d1, v2) + e(v1, d2)`, `R = e(d1, d2)`.
    fn last_nonces(&mut self, gamma: Fr) -> Vec<(Message, Element)> {
        let generators = self.generators.clone();
        self.blinding.c += gamma * self.blinding.e2 + invert(gamma) * self.blinding.e1;
        let (v1, v2) = self.folded(gamma);
        let (d1, d2) = (generators.h1 * self.random.scalar(), generators.h2 * self.random.scalar());
        let [v1, d1_affine] = [v1, d1].map(G1::from);
        let [v2, d2_affine] = [v2, d2].map(G2::from);
        let (p1_blinding, p1) = self.blinded(multi_pairing(&[d1_affine], &generators.g2[..1]));
        let (p2_blinding, p2) = self.blinded(multi_pairing(&generators.g1[..1], &[d2_affine]));
        let (q_blinding, q) = self.blinded(multi_pairing(&[d1_affine, v1], &[v2, d2_affine]));
        let (r_blinding, r) = self.blinded(multi_pairing(&[d1_affine], &[d2_affine]));
        self.nonces = vec![p1_blinding, p2_blinding, q_blinding, r_blinding];
        self.last = (d1, d2);
        vec![(Message::P1, p1), (Message::P2, p2), (Message::Q, q), (Message::R, r)]
    }

    fn last_responses(&mut self, gamma: Fr, x: Fr) -> Vec<(Message, Element)> {
        let (v1, v2) = self.folded(gamma);
        let (d1, d2) = std::mem::take(&mut self.last);
        let nonces = Zeroizing::new(std::mem::take(&mut self.nonces));
        let [p1, p2, q, r] = nonces[..] else { unreachable!("nonces answer one challenge") };
        vec![
            (Message::W1, Element::G1((d1 + v1 * x).into())),
            (Message::W2, Element::G2((d2 + v2 * x).into())),
            (Message::D1Response, Element::Scalar(p1 + x * self.blinding.d1)),
            (Message::D2Response, Element::Scalar(p2 + x * self.blinding.d2)),
            (Message::CResponse, Element::Scalar(r + x * q + x * x * self.blinding.c)),
        ]
    }
}

impl Drop for DoryProver {
    fn drop(&mut self) {
        let Opening { row_commitments, combined_row, rho, value, link_blinding, .. } = &mut self.opening;
        row_commitments.zeroize();
        self.v1.zeroize();
        self.v2.zeroize();
        self.last.0.zeroize();
        self.last.1.zeroize();
        for scalars in [combined_row, &mut self.nonces] {
            scalars.zeroize();
        }
        for scalar in [rho, value, link_blinding] {
            scalar.zeroize();
        }
        self.blinding.zeroize();
    }
}

impl ZeroizeOnDrop for DoryProver {}

/// The values of `eq(point, i)`, bits of `i` from the most significant.
pub fn tensor(point: &[Fr]) -> Vec<Fr> {
    point
        .iter()
        .fold(vec![Fr::ONE], |values, x| values.iter().flat_map(|value| [*value * (Fr::ONE - x), *value * x]).collect())
}

fn halves_of<T>(values: &[T]) -> [&[T]; 2] {
    let (left, right) = values.split_at(values.len() / 2);
    [left, right]
}

fn fold_scalars(values: &[Fr], challenge: Fr) -> Vec<Fr> {
    let [left, right] = halves_of(values);
    left.iter().zip(right).map(|(left, right)| challenge * left + right).collect()
}

fn invert(challenge: Fr) -> Fr {
    challenge.inverse().expect("the driver refuses 0")
}

fn msm<G: VariableBaseMSM>(points: &[G::MulBase], scalars: &[G::ScalarField]) -> G {
    G::msm(points, scalars).expect("a scalar a point")
}
