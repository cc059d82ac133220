//! Decides the vectors of the ledger and of the opening: small statements, their proofs, and what is no proof of them.

use super::mutations::{self, Element};
use super::{case, check, hex, write};
use crate::channels::Recorder;
use ark_bls12_381::G1Projective;
use ark_ec::{CurveGroup, VariableBaseMSM};
use ark_ff::Field;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use zkllm_prover::commit::setup::Generators;
use zkllm_prover::commit::tier2::commit_rows;
use zkllm_prover::prove::blinding::Blinding;
use zkllm_prover::prove::dory::{DoryProver, Opening, tensor};
use zkllm_prover::prove::ledger::Secrets;
use zkllm_verifier::channel::{Ask, Channel, Reader};
use zkllm_verifier::drive::PROTOCOL;
use zkllm_verifier::groups::{self, G1, G2, Gt};
use zkllm_verifier::transcript::Transcript;
use zkllm_verifier::{Fr, Refusal};

/// What the transcripts of these cases have absorbed.
const CARD: &[u8] = &[0xca, 0xfd];
const STATEMENT: &[u8] = &[0x57];

fn start() -> Transcript {
    let mut transcript = Transcript::new(PROTOCOL);
    transcript.absorb("card", CARD);
    transcript.absorb("statement", STATEMENT);
    transcript
}

/// A prover of either argument.
struct Writer {
    /// Of the ledger's slots, for every call.
    values: VecDeque<Vec<Fr>>,
    secrets: Secrets,
    dory: Option<DoryProver>,
    blinding: Blinding,
    transcript: Transcript,
    proof: Vec<u8>,
}

impl Writer {
    fn new(values: Vec<Vec<Fr>>, dory: Option<DoryProver>) -> Self {
        let secrets = Secrets::new(Generators::new(1).ledger);
        let blinding = Blinding::seeded(b"vectors");
        Self { values: values.into(), secrets, dory, blinding, transcript: start(), proof: Vec::new() }
    }

    fn send(&mut self, label: &'static str, bytes: &[u8]) {
        self.transcript.absorb(label, bytes);
        self.proof.extend(bytes);
    }

    fn dory(&mut self) -> &mut DoryProver {
        self.dory.as_mut().expect("an opening")
    }
}

impl Channel for Writer {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.transcript.absorb(label, bytes);
    }
    fn challenge(&mut self, label: &'static str) -> Fr {
        self.transcript.challenge(label)
    }
    fn scalar(&mut self, ask: Ask<'_>) -> Result<Fr, Refusal> {
        let scalar = match ask {
            Ask::Dory(ask) => self.dory().scalar(ask),
            _ => self.secrets.scalar(ask).expect("a scalar of the ledger"),
        };
        self.send("scalar", &groups::write_scalar(&scalar));
        Ok(scalar)
    }
    fn g1(&mut self, ask: Ask<'_>) -> Result<G1, Refusal> {
        let point = match ask {
            Ask::Dory(ask) => self.dory().g1(ask),
            _ => self.secrets.point(ask, &mut self.blinding).expect("a point of the ledger"),
        };
        self.send("g1", &groups::write_g1(&point));
        Ok(point)
    }
    fn g2(&mut self, ask: Ask<'_>) -> Result<G2, Refusal> {
        let Ask::Dory(ask) = ask else { unreachable!("only the opening asks") };
        let point = self.dory().g2(ask);
        self.send("g2", &groups::write_g2(&point));
        Ok(point)
    }
    fn gt(&mut self, ask: Ask<'_>) -> Result<Gt, Refusal> {
        let Ask::Dory(ask) = ask else { unreachable!("only the opening asks") };
        let element = self.dory().gt(ask);
        self.send("gt", &groups::write_gt(&element));
        Ok(element)
    }
    fn entries(&mut self, ask: Ask<'_>, _: usize) -> Result<Vec<G1>, Refusal> {
        let values = match ask {
            Ask::Gates { gates, .. } => self.secrets.gate_masks(gates, &mut self.blinding),
            _ => self.values.pop_front().expect("values"),
        };
        let points = self.secrets.commit(&values, &mut self.blinding);
        for point in &points {
            self.send("g1", &groups::write_g1(point));
        }
        Ok(points)
    }
}

/// Writes `proof` beside an honest case, and every broken proof as a case that patches it.
fn broken(folder: &Path, honest: &Value, proof: &[u8], elements: &[Element]) -> io::Result<()> {
    let mut cases = mutations::all(proof, elements);
    let plus_one = |element: &Element| {
        let bytes: [u8; 32] = proof[element.at..element.at + 32].try_into().expect("a scalar");
        let scalar = groups::read_scalar(&bytes).expect("a scalar") + Fr::ONE;
        vec![(element.at, 32, groups::write_scalar(&scalar).to_vec())]
    };
    for (number, element) in elements.iter().filter(|element| element.length == 32).enumerate() {
        cases.push((format!("scalar-{number}-plus-one"), plus_one(element)));
    }
    for (name, patches) in cases {
        let mut value = honest.clone();
        value["proof"] = json!({ "file": "../honest/proof", "patches": mutations::json(&patches) });
        case(folder, &name, value, false)?;
    }
    Ok(())
}

/// The elements of a proof.
fn listed(proof: &[u8], run: impl FnOnce(&mut Recorder<Reader<'_>>) -> Result<(), Refusal>) -> Vec<Element> {
    let mut recorder = Recorder::new(Reader::new(proof, start()));
    run(&mut recorder).expect("an honest proof");
    mutations::elements(0, &recorder.messages)
}

/// Ledgers of three sizes.
pub fn ledgers(folder: &Path) -> io::Result<()> {
    let number = |value: i64| hex(&groups::write_scalar(&Fr::from(value)));
    let form = |constant: i64, terms: &[(usize, i64)]| {
        let terms: Vec<Value> = terms.iter().map(|(slot, factor)| json!([slot, number(*factor)])).collect();
        json!({ "constant": number(constant), "terms": terms })
    };
    let scalars = |values: &[i64]| values.iter().map(|&value| Fr::from(value)).collect::<Vec<_>>();
    let base = |slots: Value, zeros: Value, gates: Value| json!({ "card": hex(CARD), "statement": hex(STATEMENT), "slots": slots, "zeros": zeros, "gates": gates });
    // Slots 0 .. 4, then 8 .. 16 and 24: every call begins an entry.
    let values = [scalars(&[3, 5, 15, -7, 0]), scalars(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), scalars(&[225])];
    let honest = base(
        json!([5, 9, 1]),
        json!([
            form(-8, &[(0, 1), (1, 1)]),
            form(7, &[(3, 1), (4, 100)]),
            form(0, &[(16, 1), (15, -1), (8, -1)]),
            form(1, &[(0, 2), (3, 1), (0, -2), (9, 3)]),
        ]),
        json!([
            [form(0, &[(0, 1)]), form(0, &[(1, 1)]), form(0, &[(2, 1)])],
            [form(0, &[(2, 1)]), form(0, &[(2, 1)]), form(0, &[(24, 1)])],
            [form(2, &[(8, 1)]), form(-3, &[(4, 1)]), form(-9, &[])],
        ]),
    );
    let prove = |folder: &Path, name: &str, mut value: Value, values: Vec<Vec<Fr>>, expected: bool| {
        let mut writer = Writer::new(values, None);
        let _ = check::close(&value, &mut writer);
        write(&folder.join(name).join("proof"), &writer.proof)?;
        value["proof"] = json!({ "file": "proof", "patches": [] });
        case(folder, name, value, expected)?;
        Ok::<_, io::Error>(writer.proof)
    };
    let proof = prove(folder, "honest", honest.clone(), values.to_vec(), true)?;
    prove(folder, "empty", base(json!([]), json!([]), json!([])), Vec::new(), true)?;
    let one = base(json!([8]), json!([form(-36, &[0, 1, 2, 3, 4, 5, 6, 7].map(|slot| (slot, 1)))]), json!([]));
    prove(folder, "one-full-entry", one.clone(), vec![scalars(&[1, 2, 3, 4, 5, 6, 7, 8])], true)?;
    prove(folder, "false-constraint", one, vec![scalars(&[1, 2, 3, 4, 5, 6, 7, 9])], false)?;
    let mut wrong = values.to_vec();
    wrong[2][0] += Fr::ONE;
    prove(folder, "false-gate", honest.clone(), wrong, false)?;
    let mut wrong = values.to_vec();
    wrong[1][8] += Fr::ONE;
    prove(folder, "false-second-entry", honest.clone(), wrong, false)?;

    // The honest proof of another statement.
    let reuse = json!({ "file": "../honest/proof", "patches": [] });
    let changes: [(&str, fn(&mut Value)); 6] = [
        ("another-card", |value| value["card"] = "cafe".into()),
        ("another-statement", |value| value["statement"] = "58".into()),
        ("a-constraint-less", |value| drop(value["zeros"].as_array_mut().expect("zeros").pop())),
        ("a-gate-less", |value| drop(value["gates"].as_array_mut().expect("gates").pop())),
        ("constraints-in-another-order", |value| value["zeros"].as_array_mut().expect("zeros").swap(0, 1)),
        ("gates-in-another-order", |value| value["gates"].as_array_mut().expect("gates").swap(0, 1)),
    ];
    for (name, change) in changes {
        let mut value = honest.clone();
        value["proof"] = reuse.clone();
        change(&mut value);
        case(folder, name, value, false)?;
    }
    let elements = listed(&proof, |channel| check::close(&honest, channel));
    broken(folder, &honest, &proof, &elements)
}

/// Openings of small matrices.
pub fn openings(folder: &Path) -> io::Result<()> {
    for (name, s, value_off, link_off) in [
        ("honest", 2, 0, 0),
        ("of-the-least-size", 1, 0, 0),
        ("another-value", 2, 1, 1),
        ("another-value-in-the-ledger", 2, 0, 1),
    ] {
        let (mut value, opening) = instance(s, value_off, link_off);
        let prover = DoryProver::new(Generators::new(s), opening, Blinding::seeded(b"opening"));
        let mut writer = Writer::new(Vec::new(), Some(prover));
        let _ = check::open(&value, &mut writer);
        write(&folder.join(name).join("proof"), &writer.proof)?;
        let honest = value.clone();
        value["proof"] = json!({ "file": "proof", "patches": [] });
        case(folder, name, value, link_off == 0)?;
        if name == "honest" {
            let elements = listed(&writer.proof, |channel| check::open(&honest, channel));
            broken(folder, &honest, &writer.proof, &elements)?;
            statements(folder, &honest)?;
        }
    }
    Ok(())
}

/// The honest proof of another statement.
fn statements(folder: &Path, honest: &Value) -> io::Result<()> {
    let changes: [(&str, fn(&mut Value)); 8] = [
        ("another-card", |value| value["card"] = "cafe".into()),
        ("rows-and-columns-exchanged", |value| {
            let rows = value["rows"].take();
            value["rows"] = value["columns"].take();
            value["columns"] = rows;
        }),
        ("coordinates-in-another-order", |value| value["rows"].as_array_mut().expect("rows").swap(0, 1)),
        ("a-point-of-another-size", |value| drop(value["rows"].as_array_mut().expect("rows").pop())),
        ("size-0", |value| {
            value["s"] = 0.into();
            value["rows"] = json!([]);
            value["columns"] = json!([]);
        }),
        ("size-17", |value| {
            value["s"] = 17.into();
            value["rows"] = vec![value["rows"][0].clone(); 17].into();
            value["columns"] = value["rows"].clone();
        }),
        ("commitment-is-the-identity", |value| value["commitment"] = "00".repeat(192).into()),
        ("link-is-the-identity", |value| value["link"] = format!("c0{}", "00".repeat(47)).into()),
    ];
    for (name, change) in changes {
        let mut value = honest.clone();
        value["proof"] = json!({ "file": "../honest/proof", "patches": [] });
        change(&mut value);
        case(folder, name, value, false)?;
    }
    Ok(())
}

/// A random matrix at a random point, and its value, which can be off in the prover's eyes or in the link.
fn instance(s: usize, value_off: u64, link_off: u64) -> (Value, Opening) {
    let mut random = Blinding::seeded(format!("matrix {s}").as_bytes());
    let matrix: Vec<Vec<Fr>> = (0..1 << s).map(|_| (0..1 << s).map(|_| random.scalar()).collect()).collect();
    let mut point = || (0..s).map(|_| random.scalar()).collect::<Vec<_>>();
    let (rows, columns) = (point(), point());
    let (rho, link_blinding) = (random.scalar(), random.scalar());
    let generators = Generators::new(s);
    let commit = |row: &Vec<Fr>| G1Projective::msm(&generators.g1[..1 << s], row).expect("one length");
    let row_commitments = G1Projective::normalize_batch(&matrix.iter().map(commit).collect::<Vec<_>>());
    let (left, right) = (tensor(&rows), tensor(&columns));
    let combined_row: Vec<Fr> =
        (0..1 << s).map(|j| left.iter().zip(&matrix).map(|(l, row)| *l * row[j]).sum()).collect();
    let value = combined_row.iter().zip(&right).map(|(v, r)| *v * r).sum::<Fr>();
    let link_generators = (generators.ledger.g[0], generators.ledger.h);
    let link = link_generators.0 * (value + Fr::from(link_off)) + link_generators.1 * link_blinding;
    let hexes = |point: &[Fr]| point.iter().map(|x| hex(&groups::write_scalar(x))).collect::<Vec<_>>();
    let json = json!({
        "card": hex(CARD), "statement": hex(STATEMENT), "s": s,
        "commitment": hex(&groups::write_gt(&commit_rows(&row_commitments, &generators, rho))),
        "rows": hexes(&rows), "columns": hexes(&columns), "link": hex(&groups::write_g1(&link.into_affine())),
    });
    let value = value + Fr::from(value_off);
    let opening = Opening { row_commitments, combined_row, rho, rows, columns, value, link_blinding, link_generators };
    (json, opening)
}
