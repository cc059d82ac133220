//! The opening of the polynomial commitment: it accepts what is true, and nothing else.

use ark_bls12_381::{G1Projective, G2Projective};
use ark_ec::{CurveGroup, VariableBaseMSM};
use ark_ff::{AdditiveGroup, Field, PrimeField};
use sha3::{Digest, Sha3_512};
use std::sync::{Arc, LazyLock};
use zkllm_prover::commit::setup::{Generators, constants_bytes};
use zkllm_prover::commit::tier2::{commit_rows, multi_pairing};
use zkllm_prover::prove::blinding::Blinding;
use zkllm_prover::prove::dory::{DoryProver, Opening, tensor};
use zkllm_verifier::channel::{Ask, Channel, Reader};
use zkllm_verifier::dory::{self, LedgerGenerators, MAX_LOG, Message, Setup, proof_length};
use zkllm_verifier::groups::{self, G1, G2, Gt};
use zkllm_verifier::transcript::Transcript;
use zkllm_verifier::{Fr, Refusal};

const PROTOCOL: &str = "test of the opening";

/// Scalars from a seed.
fn scalars(seed: &str) -> impl FnMut() -> Fr + use<> {
    let (seed, mut count) = (seed.to_owned(), 0_u64);
    move || {
        count += 1;
        Fr::from_le_bytes_mod_order(&Sha3_512::digest(format!("{seed} {count}")))
    }
}

/// What the verifier is told.
#[derive(Clone)]
struct Statement {
    s: usize,
    commitment: Gt,
    rows: Vec<Fr>,
    columns: Vec<Fr>,
    link: G1,
}

/// A matrix, committed and opened at a point.
#[derive(Clone)]
struct Instance {
    matrix: Vec<Vec<Fr>>,
    statement: Statement,
    opening: Opening,
}

impl Instance {
    fn new(s: usize, seed: &str) -> Self {
        let mut random = scalars(seed);
        let matrix: Vec<Vec<Fr>> = (0..1 << s).map(|_| (0..1 << s).map(|_| random()).collect()).collect();
        let mut point = || (0..s).map(|_| random()).collect::<Vec<_>>();
        let (rows, columns) = (point(), point());
        Self::of(matrix, rows, columns, random(), random())
    }

    fn of(matrix: Vec<Vec<Fr>>, rows: Vec<Fr>, columns: Vec<Fr>, rho: Fr, link_blinding: Fr) -> Self {
        let s = rows.len();
        let generators = Generators::new(s);
        let commit = |row: &Vec<Fr>| G1Projective::msm(&generators.g1, row).unwrap();
        let row_commitments = G1Projective::normalize_batch(&matrix.iter().map(commit).collect::<Vec<_>>());
        let (left, right) = (tensor(&rows), tensor(&columns));
        let combined_row: Vec<Fr> =
            (0..1 << s).map(|j| left.iter().zip(&matrix).map(|(l, row)| *l * row[j]).sum()).collect();
        let value = combined_row.iter().zip(&right).map(|(v, r)| *v * r).sum();
        let link_generators = (generators.ledger.g[0], generators.ledger.h);
        let link = (link_generators.0 * value + link_generators.1 * link_blinding).into_affine();
        let commitment = commit_rows(&row_commitments, &generators, rho);
        Self {
            matrix,
            statement: Statement { s, commitment, rows: rows.clone(), columns: columns.clone(), link },
            opening: Opening {
                row_commitments,
                combined_row,
                rho,
                rows,
                columns,
                value,
                link_blinding,
                link_generators,
            },
        }
    }

    fn prove(&self, seed: &str) -> (Vec<u8>, Result<(), Refusal>) {
        self.cheat(seed, |_, _| {})
    }

    /// Refused by the prover's own driver and, for the same reason, by the verifier.
    fn refused(&self, change: impl FnMut(dory::Ask<'_>, &mut Element)) -> Refusal {
        let (proof, own) = self.cheat("cheat", change);
        let verdict = self.statement.verify(&proof);
        assert_eq!(verdict, own);
        verdict.expect_err("a lie was accepted")
    }

    /// A proof with messages changed before they are sent, and what its own driver says.
    fn cheat(&self, seed: &str, change: impl FnMut(dory::Ask<'_>, &mut Element)) -> (Vec<u8>, Result<(), Refusal>) {
        let generators = Generators::new(self.statement.s);
        let mut writer = Writer {
            prover: DoryProver::new(generators, self.opening.clone(), Blinding::seeded(seed.as_bytes())),
            change,
            bytes: Vec::new(),
            transcript: Transcript::new(PROTOCOL),
        };
        let verdict = self.statement.drive(&mut writer);
        (writer.bytes, verdict)
    }
}

impl Statement {
    fn drive(&self, channel: &mut impl Channel) -> Result<(), Refusal> {
        static SETUP: LazyLock<Setup> = LazyLock::new(|| Setup::shipped(MAX_LOG).unwrap());
        let LedgerGenerators { g: [g, ..], h, .. } = *SETUP.ledger_generators();
        dory::open(channel, &SETUP, self.s, self.commitment, &self.rows, &self.columns, self.link, (g, h))
    }

    fn verify(&self, proof: &[u8]) -> Result<(), Refusal> {
        let mut reader = Reader::new(proof, Transcript::new(PROTOCOL));
        self.drive(&mut reader)?;
        reader.finish()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Element {
    Scalar(Fr),
    G1(G1),
    G2(G2),
    Gt(Gt),
}

/// The prover's channel.
struct Writer<C> {
    prover: DoryProver,
    change: C,
    bytes: Vec<u8>,
    transcript: Transcript,
}

impl<C: FnMut(dory::Ask<'_>, &mut Element)> Writer<C> {
    fn say(&mut self, label: &'static str, bytes: &[u8]) {
        self.transcript.absorb(label, bytes);
        self.bytes.extend(bytes);
    }
}

macro_rules! message {
    ($name:ident, $variant:ident, $type:ty, $write:ident) => {
        fn $name(&mut self, ask: Ask<'_>) -> Result<$type, Refusal> {
            let Ask::Dory(ask) = ask else { unreachable!("only the opening asks") };
            let mut element = Element::$variant(self.prover.$name(ask));
            (self.change)(ask, &mut element);
            let Element::$variant(element) = element else { unreachable!() };
            self.say(stringify!($name), &groups::$write(&element));
            Ok(element)
        }
    };
}

impl<C: FnMut(dory::Ask<'_>, &mut Element)> Channel for Writer<C> {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.transcript.absorb(label, bytes);
    }
    fn challenge(&mut self, label: &'static str) -> Fr {
        self.transcript.challenge(label)
    }
    message!(scalar, Scalar, Fr, write_scalar);
    message!(g1, G1, G1, write_g1);
    message!(g2, G2, G2, write_g2);
    message!(gt, Gt, Gt, write_gt);
    fn entries(&mut self, _: Ask<'_>, _: usize) -> Result<Vec<G1>, Refusal> {
        unreachable!("only the opening asks")
    }
}

#[test]
fn true_statements_are_proved_and_accepted() {
    for s in 1..=8 {
        let instance = Instance::new(s, &format!("size {s}"));
        let (proof, verdict) = instance.prove("blinding");
        assert_eq!(verdict, Ok(()), "s = {s}");
        assert_eq!(proof.len(), proof_length(s));
        assert_eq!(instance.statement.verify(&proof), Ok(()), "s = {s}");
    }
}

#[test]
fn another_value_is_refused() {
    let mut instance = Instance::new(3, "another value");
    instance.opening.value += Fr::ONE;
    let (g, _) = instance.opening.link_generators;
    instance.statement.link = (instance.statement.link + g).into();
    assert_eq!(instance.refused(|_, _| {}), Refusal::OpeningFinal);
}

#[test]
fn another_value_in_the_ledger_is_refused() {
    let mut instance = Instance::new(2, "another entry");
    let (g, _) = instance.opening.link_generators;
    instance.statement.link = (instance.statement.link + g).into();
    assert_eq!(instance.refused(|_, _| {}), Refusal::OpeningLink);
    // The response is of the entry's value, and E2 has the matrix's.
    let refusal = instance.refused(|ask, element| {
        if let (Message::Value, Element::Scalar(value)) = (ask.message, element) {
            *value += ask.challenges[0];
        }
    });
    assert_eq!(refusal, Refusal::OpeningLink);
}

#[test]
fn an_entry_with_another_component_is_refused() {
    let generators = Generators::new(2);
    let LedgerGenerators { g: [_, others @ ..], g_v, .. } = generators.ledger;
    for other in others.into_iter().chain([g_v, generators.h1, generators.g1[0]]) {
        let mut instance = Instance::new(2, "another component");
        instance.statement.link = (instance.statement.link + other).into();
        assert_eq!(instance.refused(|_, _| {}), Refusal::OpeningLink);
    }
}

#[test]
fn another_point_is_refused() {
    for (row, index) in [(true, 0), (true, 2), (false, 0), (false, 2)] {
        let mut instance = Instance::new(3, "another point");
        // Everything is as it should be at the prover's point; the verifier's is another one.
        let point = if row { &mut instance.statement.rows } else { &mut instance.statement.columns };
        point[index] += Fr::ONE;
        assert_eq!(instance.refused(|_, _| {}), Refusal::OpeningFinal);
    }
}

#[test]
fn exchanged_halves_of_the_point_are_refused() {
    let mut instance = Instance::new(3, "exchanged");
    std::mem::swap(&mut instance.statement.rows, &mut instance.statement.columns);
    assert_eq!(instance.refused(|_, _| {}), Refusal::OpeningFinal);
    let mut instance = Instance::new(3, "reversed");
    instance.statement.rows.reverse();
    assert_eq!(instance.refused(|_, _| {}), Refusal::OpeningFinal);
}

/// What is said of another matrix than the committed one, opened at the same point.
fn refused_for_another(seed: &str, change: impl FnOnce(&mut Vec<Vec<Fr>>)) -> Refusal {
    let honest = Instance::new(2, seed);
    let mut matrix = honest.matrix.clone();
    change(&mut matrix);
    let Opening { rows, columns, rho, link_blinding, .. } = honest.opening.clone();
    let mut other = Instance::of(matrix, rows, columns, rho, link_blinding);
    other.statement.commitment = honest.statement.commitment;
    other.refused(|_, _| {})
}

#[test]
fn exchanged_rows_are_refused() {
    assert_eq!(refused_for_another("rows", |matrix| matrix.swap(1, 2)), Refusal::OpeningFinal);
}

#[test]
fn another_matrix_is_refused() {
    assert_eq!(refused_for_another("matrix", |matrix| matrix[3][1] += Fr::ONE), Refusal::OpeningFinal);
}

#[test]
fn another_combined_row_than_the_rows_give_is_refused() {
    // D2, E2 and the rounds are about v', which has the value the prover likes; E1 is about the rows.
    let mut instance = Instance::new(2, "combined row");
    instance.opening.combined_row[1] += Fr::ONE;
    let right = tensor(&instance.opening.columns);
    let (g, _) = instance.opening.link_generators;
    instance.opening.value += right[1];
    instance.statement.link = (instance.statement.link + g * right[1]).into();
    let generators = Generators::new(2);
    let difference = multi_pairing(&generators.g1[1..2], &[generators.g2_value]);
    let refusal = instance.refused(|ask, element| {
        if let (Message::D2, Element::Gt(d2)) = (ask.message, element) {
            *d2 += difference
        }
    });
    assert_eq!(refusal, Refusal::OpeningVmv);
    // E1 made to agree with it contradicts the rows in D1.
    let refusal = instance.refused(|ask, element| match (ask.message, element) {
        (Message::D2, Element::Gt(d2)) => *d2 += difference,
        (Message::E1, Element::G1(e1)) => *e1 = (*e1 + generators.g1[1]).into(),
        _ => {}
    });
    assert_eq!(refusal, Refusal::OpeningFinal);
}

/// Every message, changed so that it stays a member of its group.
#[test]
fn every_changed_message_is_refused_by_the_check_it_is_in() {
    use Message::*;
    let instance = Instance::new(2, "changed");
    let generators = Generators::new(2);
    let vmv = [VmvNonce, E1Blinding, D2Blinding, E1, D2];
    let link = [E2Nonce, LinkNonce, Value, E2Blinding, LinkBlinding, E2];
    #[rustfmt::skip]
    let rest = [
        C, D1Left, D1Right, D2Left, D2Right, E1Beta, E2Beta, CPlus, CMinus, E1Plus, E1Minus, E2Plus, E2Minus,
        P1, P2, Q, R, W1, W2, D1Response, D2Response, CResponse,
    ];
    let cases = vmv.map(|message| (message, Refusal::OpeningVmv)).into_iter();
    let cases = cases.chain(link.map(|message| (message, Refusal::OpeningLink)));
    let cases: Vec<_> = cases.chain(rest.map(|message| (message, Refusal::OpeningFinal))).collect();
    assert_eq!(cases.len(), CResponse as usize + 1);
    for (message, expected) in cases {
        let refusal = instance.refused(|ask, element| {
            if ask.message == message {
                match element {
                    Element::Scalar(scalar) => *scalar += Fr::ONE,
                    Element::G1(point) => *point = (*point + generators.g1[0]).into(),
                    Element::G2(point) => *point = (*point + generators.g2[0]).into(),
                    Element::Gt(element) => *element = element.double(),
                }
            }
        });
        assert_eq!(refusal, expected, "{message:?}");
    }
}

#[test]
fn changed_bytes_are_refused() {
    // No multiple of the length of an element: all places within elements are met.
    changed_bytes(5);
}

#[test]
#[ignore = "takes half a minute"]
fn every_changed_byte_is_refused() {
    changed_bytes(1);
}

fn changed_bytes(step: usize) {
    let instance = Instance::new(1, "bytes");
    let (proof, verdict) = instance.prove("bytes");
    assert_eq!(verdict, Ok(()));
    for i in (0..proof.len()).step_by(step) {
        let mut changed = proof.clone();
        changed[i] ^= 1 << (i % 8);
        assert!(instance.statement.verify(&changed).is_err(), "byte {i}");
    }
    assert_eq!(instance.statement.verify(&proof[..proof.len() - 1]), Err(Refusal::Truncated));
    assert_eq!(instance.statement.verify(&[&proof[..], &[0]].concat()), Err(Refusal::TrailingBytes));
    assert_eq!(instance.statement.verify(&[]), Err(Refusal::Truncated));
}

#[test]
fn every_part_of_the_statement_is_bound() {
    let instance = Instance::new(2, "bound");
    let (proof, _) = instance.prove("bound");
    let generators = Generators::new(2);
    // Freshly drawn challenges differ, so already the first check fails.
    for change in [
        |statement: &mut Statement, _: &Generators| statement.commitment = statement.commitment.double(),
        |statement: &mut Statement, _: &Generators| statement.rows[1] += Fr::ONE,
        |statement: &mut Statement, _: &Generators| statement.columns[1] += Fr::ONE,
        |statement: &mut Statement, _: &Generators| std::mem::swap(&mut statement.rows, &mut statement.columns),
        |statement: &mut Statement, generators: &Generators| {
            statement.link = (statement.link + generators.ledger.h).into();
        },
    ] {
        let mut statement = instance.statement.clone();
        change(&mut statement, &generators);
        assert_eq!(statement.verify(&proof), Err(Refusal::OpeningVmv));
    }
}

#[test]
fn sizes_outside_the_constants_are_refused() {
    let instance = Instance::new(1, "sizes");
    let (proof, _) = instance.prove("sizes");
    for (s, rows, columns) in [(0, 0, 0), (17, 17, 17), (1, 2, 1), (1, 1, 0), (usize::MAX, 1, 1)] {
        let statement =
            Statement { s, rows: vec![Fr::ONE; rows], columns: vec![Fr::ONE; columns], ..instance.statement.clone() };
        assert_eq!(statement.verify(&proof), Err(Refusal::OverLimit));
    }
}

/// A published bug: the last proof made on the statement before E1 and E2 are folded in binds no point and no value.
#[test]
fn the_last_proof_on_the_unfolded_statement_is_refused() {
    let mut instance = Instance::new(1, "unfolded");
    let (g, _) = instance.opening.link_generators;
    instance.opening.value += Fr::ONE;
    instance.statement.link = (instance.statement.link + g).into();
    let generators = Generators::new(1);
    let ht = multi_pairing(&[generators.h1], &[generators.h2]);
    let pair = |left: G1Projective, right: G2Projective| multi_pairing(&[left.into()], &[right.into()]);
    let fold = |opening: &Opening, beta: Fr, alpha: Fr| {
        let (inverse, alpha_inverse) = (beta.inverse().unwrap(), alpha.inverse().unwrap());
        let v1 = |i: usize| generators.g1[i] * beta + opening.row_commitments[i];
        let v2 = |i: usize| generators.g2[i] * inverse + generators.g2_value * opening.combined_row[i];
        (v1(0) * alpha + v1(1), v2(0) * alpha_inverse + v2(1))
    };
    // The prover's own blinding, in the order in which it draws it.
    let mut blinding = Blinding::seeded(b"cheat");
    let drawn: Vec<Fr> = (0..25).map(|_| blinding.scalar()).collect();
    let &[c, d2, .., d1_left, d1_right, d2_left, d2_right, c_plus, c_minus, _, _, _, _, d, e, p1, p2, q, r] =
        &drawn[..]
    else {
        unreachable!()
    };
    let opening = instance.opening.clone();
    let refusal = instance.refused(|ask, element| {
        let &[_, beta, alpha, _, ref x @ ..] = ask.challenges else { return };
        let (v1, v2) = fold(&opening, beta, alpha);
        let (d_point, e_point) = (generators.h1 * d, generators.h2 * e);
        let (inverse, alpha_inverse) = (beta.inverse().unwrap(), alpha.inverse().unwrap());
        let c = c + beta * d2 + inverse * opening.rho + alpha * c_plus + alpha_inverse * c_minus;
        match (ask.message, element, x) {
            // Checks the above: it is the prover's.
            (Message::P1, Element::Gt(element), _) => {
                assert_eq!(*element, multi_pairing(&[d_point.into()], &generators.g2[..1]) + ht * p1);
            }
            (Message::Q, Element::Gt(element), _) => *element = pair(d_point, v2) + pair(v1, e_point) + ht * q,
            (Message::W1, Element::G1(element), &[x]) => *element = (d_point + v1 * x).into(),
            (Message::W2, Element::G2(element), &[x]) => *element = (e_point + v2 * x).into(),
            (Message::D1Response, Element::Scalar(element), &[x]) => {
                assert_eq!(*element, p1 + x * (alpha * d1_left + d1_right));
            }
            (Message::D2Response, Element::Scalar(element), &[x]) => {
                assert_eq!(*element, p2 + x * (alpha_inverse * d2_left + d2_right));
            }
            (Message::CResponse, Element::Scalar(element), &[x]) => *element = r + x * q + x * x * c,
            _ => {}
        }
    });
    assert_eq!(refusal, Refusal::OpeningFinal);
}

/// Blinding used twice would show differences of secrets.
#[test]
fn two_proofs_of_a_statement_share_nothing() {
    let instance = Instance::new(3, "twice");
    let elements = |seed: &str| {
        let mut elements = Vec::new();
        let (_, verdict) = instance.cheat(seed, |ask, element| elements.push((ask.message, *element)));
        assert_eq!(verdict, Ok(()));
        elements
    };
    let (first, second) = (elements("one"), elements("two"));
    // Public functions of the point, equal before the first challenges of the rounds.
    let public = |message| matches!(message, Message::E1Beta | Message::E2Beta);
    let all: Vec<_> = first.iter().chain(&second).filter(|(message, _)| !public(*message)).collect();
    for (i, (message, element)) in all.iter().enumerate() {
        let twin = all[..i].iter().find(|(_, other)| other == element);
        assert!(twin.is_none(), "{message:?} is {twin:?}");
    }
}

/// Zero knowledge: whoever chooses the challenges first makes a conversation with the same distribution without the
/// matrix, even of a false statement. The same bytes show that challenges known too early would prove anything.
#[test]
fn a_simulator_that_chooses_the_challenges_needs_no_matrix() {
    for s in 1..=3 {
        let mut random = scalars("simulator");
        let generators = Generators::new(s);
        let ht = multi_pairing(&[generators.h1], &[generators.h2]);
        let statement = Statement {
            s,
            commitment: ht * random(),
            rows: (0..s).map(|_| random()).collect(),
            columns: (0..s).map(|_| random()).collect(),
            link: (generators.ledger.h * random()).into(),
        };
        let mut simulator = Simulator {
            s1: tensor(&statement.columns),
            s2: tensor(&statement.rows),
            statement: statement.clone(),
            challenges: (0..2 * s + 4).map(|_| random()).collect(),
            drawn: 0,
            said: Vec::new(),
            bytes: Vec::new(),
            ht,
            generators,
            random: Box::new(random),
        };
        assert_eq!(statement.drive(&mut simulator), Ok(()));
        assert_eq!(simulator.bytes.len(), proof_length(s));
        assert_eq!(statement.verify(&simulator.bytes), Err(Refusal::OpeningVmv));
    }
}

struct Simulator {
    statement: Statement,
    generators: Arc<Generators>,
    ht: Gt,
    random: Box<dyn FnMut() -> Fr>,
    challenges: Vec<Fr>,
    drawn: usize,
    s1: Vec<Fr>,
    s2: Vec<Fr>,
    said: Vec<(Message, Element)>,
    bytes: Vec<u8>,
}

impl Simulator {
    fn said(&self, message: Message, round: usize) -> Element {
        self.said.iter().filter(|(said, _)| *said == message).nth(round).unwrap().1
    }
    fn said_gt(&self, message: Message, round: usize) -> Gt {
        let Element::Gt(element) = self.said(message, round) else { unreachable!() };
        element
    }
    fn said_g1(&self, message: Message, round: usize) -> G1 {
        let Element::G1(element) = self.said(message, round) else { unreachable!() };
        element
    }
    fn said_g2(&self, message: Message, round: usize) -> G2 {
        let Element::G2(element) = self.said(message, round) else { unreachable!() };
        element
    }

    /// C', D1', D2' at the end, by the spec's equations one round after the other.
    fn folded(&self) -> [Gt; 3] {
        use Message::*;
        let Generators { g1, g2, h1, h2, .. } = &*self.generators;
        let (mut c, mut d1, mut d2) = (self.said_gt(C, 0), self.statement.commitment, self.said_gt(D2, 0));
        let (mut e1, mut e2) = (G1Projective::from(self.said_g1(E1, 0)), G2Projective::from(self.said_g2(E2, 0)));
        let s = self.statement.s;
        for k in 0..s {
            let (beta, alpha) = (self.challenges[1 + 2 * k], self.challenges[2 + 2 * k]);
            let (beta_inverse, alpha_inverse) = (beta.inverse().unwrap(), alpha.inverse().unwrap());
            let (length, half) = (1 << (s - k), 1 << (s - k - 1));
            c += multi_pairing(&g1[..length], &g2[..length]) + d2 * beta + d1 * beta_inverse;
            c += self.said_gt(CPlus, k) * alpha + self.said_gt(CMinus, k) * alpha_inverse;
            let delta_left = multi_pairing(&g1[..half], &g2[..half]);
            d1 = (self.said_gt(D1Left, k) + delta_left * beta) * alpha;
            d1 += self.said_gt(D1Right, k) + multi_pairing(&g1[half..length], &g2[..half]) * beta;
            d2 = (self.said_gt(D2Left, k) + delta_left * beta_inverse) * alpha_inverse;
            d2 += self.said_gt(D2Right, k) + multi_pairing(&g1[..half], &g2[half..length]) * beta_inverse;
            e1 += self.said_g1(E1Beta, k) * beta
                + self.said_g1(E1Plus, k) * alpha
                + self.said_g1(E1Minus, k) * alpha_inverse;
            e2 += self.said_g2(E2Beta, k) * beta_inverse;
            e2 += self.said_g2(E2Plus, k) * alpha + self.said_g2(E2Minus, k) * alpha_inverse;
        }
        let (s1, s2) = (self.s1[0], self.s2[0]);
        let gamma = self.challenges[2 * s + 1];
        let gamma_inverse = gamma.inverse().unwrap();
        c += self.ht * (s1 * s2) + multi_pairing(&[*h1], &[e2.into()]) * gamma;
        c += multi_pairing(&[e1.into()], &[*h2]) * gamma_inverse;
        d1 += multi_pairing(&[*h1], &g2[..1]) * (gamma * s1);
        d2 += multi_pairing(&g1[..1], &[*h2]) * (gamma_inverse * s2);
        [c, d1, d2]
    }

    fn message(&mut self, message: Message, fresh: Element) -> Element {
        use Message::*;
        let Generators { g1, g2, h1, h2, g2_value, ledger } = &*self.generators.clone();
        let s = self.statement.s;
        let (x, last) = (self.challenges[0], self.challenges[2 * s + 2]);
        // Responses are uniform: the simulator's are drawn with the nonces, which are solved for.
        let response = |message: Message| scalars(&format!("{message:?}"))();
        let g2_of = |message: Message| *h2 * response(message);
        let g1_of = |message: Message| *h1 * response(message);
        let element = match message {
            VmvNonce => {
                let left = [*h1 * response(E1Blinding) - self.said_g1(E1, 0) * x, *h1 * response(D2Blinding)];
                Element::Gt(multi_pairing(&left.map(G1::from), &[*g2_value, *h2]) + self.said_gt(D2, 0) * x)
            }
            E2Nonce => {
                let sum = *g2_value * response(Value) + *h2 * response(E2Blinding);
                Element::G2((sum - self.said_g2(E2, 0) * x).into())
            }
            LinkNonce => {
                let sum = ledger.g[0] * response(Value) + ledger.h * response(LinkBlinding);
                Element::G1((sum - self.statement.link * x).into())
            }
            E1Beta => Element::G1(G1Projective::msm(&g1[..self.s2.len()], &self.s2).unwrap().into()),
            E2Beta => Element::G2(G2Projective::msm(&g2[..self.s1.len()], &self.s1).unwrap().into()),
            P1 => {
                let [_, d1, _] = self.folded();
                let left = multi_pairing(&[g1_of(W1).into()], &g2[..1]);
                Element::Gt(left - d1 * last + self.ht * response(D1Response))
            }
            P2 => {
                let [_, _, d2] = self.folded();
                let left = multi_pairing(&g1[..1], &[g2_of(W2).into()]);
                Element::Gt(left - d2 * last + self.ht * response(D2Response))
            }
            R => {
                let [c, _, _] = self.folded();
                let left = multi_pairing(&[g1_of(W1).into()], &[g2_of(W2).into()]);
                Element::Gt(left - self.said_gt(Q, 0) * last - c * (last * last) + self.ht * response(CResponse))
            }
            W1 => Element::G1(g1_of(W1).into()),
            W2 => Element::G2(g2_of(W2).into()),
            E1Blinding | D2Blinding | Value | E2Blinding | LinkBlinding | D1Response | D2Response | CResponse => {
                Element::Scalar(response(message))
            }
            _ => fresh,
        };
        self.said.push((message, element));
        element
    }
}

macro_rules! simulated {
    ($name:ident, $variant:ident, $type:ty, $write:ident, $fresh:expr) => {
        fn $name(&mut self, ask: Ask<'_>) -> Result<$type, Refusal> {
            let Ask::Dory(ask) = ask else { unreachable!("only the opening asks") };
            let fresh = (self.random)();
            let fresh = Element::$variant($fresh(&*self, fresh));
            let Element::$variant(element) = self.message(ask.message, fresh) else { unreachable!() };
            self.bytes.extend(groups::$write(&element));
            Ok(element)
        }
    };
}

impl Channel for Simulator {
    fn absorb(&mut self, _: &'static str, _: &[u8]) {}
    fn challenge(&mut self, label: &'static str) -> Fr {
        let challenge = self.challenges[self.drawn];
        self.drawn += 1;
        if label == "dory.alpha" {
            let fold = |values: &[Fr], x: Fr| {
                let (left, right) = values.split_at(values.len() / 2);
                left.iter().zip(right).map(|(left, right)| x * left + right).collect::<Vec<Fr>>()
            };
            self.s1 = fold(&self.s1, challenge);
            self.s2 = fold(&self.s2, challenge.inverse().unwrap());
        }
        challenge
    }
    simulated!(scalar, Scalar, Fr, write_scalar, |_: &Self, x: Fr| x);
    simulated!(g1, G1, G1, write_g1, |this: &Self, x: Fr| (this.generators.h1 * x).into());
    simulated!(g2, G2, G2, write_g2, |this: &Self, x: Fr| (this.generators.h2 * x).into());
    simulated!(gt, Gt, Gt, write_gt, |this: &Self, x: Fr| this.ht * x);
    fn entries(&mut self, _: Ask<'_>, _: usize) -> Result<Vec<G1>, Refusal> {
        unreachable!("only the opening asks")
    }
}

/// A channel that draws 0.
struct Zero<C>(C, usize);

impl<C: Channel> Channel for Zero<C> {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.0.absorb(label, bytes);
    }
    fn challenge(&mut self, label: &'static str) -> Fr {
        let left = self.1.checked_sub(1);
        self.1 = left.unwrap_or(usize::MAX);
        if left.is_some() { self.0.challenge(label) } else { Fr::ZERO }
    }
    fn scalar(&mut self, ask: Ask<'_>) -> Result<Fr, Refusal> {
        self.0.scalar(ask)
    }
    fn g1(&mut self, ask: Ask<'_>) -> Result<G1, Refusal> {
        self.0.g1(ask)
    }
    fn g2(&mut self, ask: Ask<'_>) -> Result<G2, Refusal> {
        self.0.g2(ask)
    }
    fn gt(&mut self, ask: Ask<'_>) -> Result<Gt, Refusal> {
        self.0.gt(ask)
    }
    fn entries(&mut self, ask: Ask<'_>, slots: usize) -> Result<Vec<G1>, Refusal> {
        self.0.entries(ask, slots)
    }
}

#[test]
fn a_challenge_that_is_zero_is_refused() {
    let instance = Instance::new(2, "zero");
    let (proof, _) = instance.prove("zero");
    for before in 0..2 * 2 + 4 {
        let mut channel = Zero(Reader::new(&proof, Transcript::new(PROTOCOL)), before);
        assert_eq!(instance.statement.drive(&mut channel), Err(Refusal::DegenerateChallenge), "{before}");
    }
}

#[test]
fn the_shipped_constants_are_those_of_the_strings() {
    let constants = constants_bytes(8);
    let shipped = include_bytes!("../../../verifier/src/constants.bin");
    assert_eq!(constants[..], shipped[..constants.len()]);
    assert_eq!(shipped.len(), constants.len() + 8 * 3 * 192);
    assert!(Setup::read(&constants, 8).is_ok());
    assert_eq!(Setup::read(&constants, 9).err(), Some(Refusal::Truncated));
}

#[test]
#[ignore = "hashes 2^17 points and pairs them at every level: minutes"]
fn all_levels_of_the_shipped_constants_are_those_of_the_strings() {
    assert_eq!(constants_bytes(MAX_LOG)[..], include_bytes!("../../../verifier/src/constants.bin")[..]);
}

/// `cargo test --release -p zkllm-tests --test all dory::times -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn times() {
    let s: usize = std::env::var("LOG").ok().and_then(|log| log.parse().ok()).unwrap_or(12);
    let time = |what: &str, start: std::time::Instant| println!("s = {s}: {what} {:?}", start.elapsed());
    let now = std::time::Instant::now;
    let start = now();
    let generators = Generators::new(s);
    time("generators", start);
    let mut random = scalars("times");
    let row: Vec<Fr> = (0..1 << s).map(|_| random()).collect();
    let factors: Vec<Fr> = (0..1 << s).map(|_| random()).collect();
    // Rank one, so that the test is not about tier 1: M_ij = factor_i row_j.
    let point: Vec<Fr> = (0..2 * s).map(|_| random()).collect();
    let (rows, columns) = point.split_at(s);
    let commitment = G1Projective::msm(&generators.g1, &row).unwrap();
    let row_commitments = ark_ec::ScalarMul::batch_mul(commitment, &factors);
    let left: Fr = tensor(rows).iter().zip(&factors).map(|(x, y)| *x * y).sum();
    let combined_row: Vec<Fr> = row.iter().map(|x| left * x).collect();
    let value = combined_row.iter().zip(tensor(columns)).map(|(x, y)| *x * y).sum();
    let (rho, link_blinding) = (random(), random());
    let link_generators = (generators.ledger.g[0], generators.ledger.h);
    let link = (link_generators.0 * value + link_generators.1 * link_blinding).into_affine();
    let start = now();
    let commitment = commit_rows(&row_commitments, &generators, rho);
    time("tier 2", start);
    let (rows, columns) = (rows.to_vec(), columns.to_vec());
    let instance = Instance {
        matrix: Vec::new(),
        statement: Statement { s, commitment, rows: rows.clone(), columns: columns.clone(), link },
        opening: Opening { row_commitments, combined_row, rho, rows, columns, value, link_blinding, link_generators },
    };
    let start = now();
    let (proof, verdict) = instance.prove("blinding");
    time("prove (with the driver's checks)", start);
    assert_eq!(verdict, Ok(()));
    let start = now();
    let setup = Setup::shipped(MAX_LOG).unwrap();
    time("constants", start);
    let LedgerGenerators { g: [g, ..], h, .. } = *setup.ledger_generators();
    let Statement { rows, columns, .. } = &instance.statement;
    let start = now();
    let mut reader = Reader::new(&proof, Transcript::new(PROTOCOL));
    dory::open(&mut reader, &setup, s, commitment, rows, columns, link, (g, h)).unwrap();
    time("verify", start);
    println!("s = {s}: {} bytes", proof.len());
}
