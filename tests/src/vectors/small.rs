//! Decides the vectors of what is computed without secrets: challenges, generators, tables.

use super::check::{digest, outputs};
use super::{case, hex, mutations};
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use zkllm_prover::commit::setup::{hash_g1, hash_g2};
use zkllm_verifier::Fr;
use zkllm_verifier::drive::PROTOCOL;
use zkllm_verifier::groups;
use zkllm_verifier::transcript::Transcript;

/// Transcripts: absorbed bytes, elements of a proof, challenges.
pub fn transcripts(folder: &Path) -> io::Result<()> {
    let gt = hex(&groups::write_gt(&zkllm_prover::commit::tier2::multi_pairing(
        &[hash_g1("blinding", 0)],
        &[hash_g2("blinding", 0)],
    )));
    let (g1, g2) = (hex(&groups::write_g1(&hash_g1("vector", 0))), hex(&groups::write_g2(&hash_g2("vector", 0))));
    let scalar = hex(&groups::write_scalar(&Fr::from(7)));
    let honest: [(&str, &str, Value); 5] = [
        ("nothing-absorbed", "", json!([["challenge", "alpha"], ["challenge", "alpha"]])),
        ("absorbed", "", json!([["absorb", "m", "000102"], ["absorb", "m", ""], ["challenge", "c"]])),
        ("a-long-message", "", json!([["absorb", "long", "5a".repeat(1000)], ["challenge", "sumcheck"]])),
        ("a-label-of-no-letters", "", json!([["absorb", "", "00"], ["challenge", ""]])),
        (
            "elements",
            "all",
            json!([["gt"], ["challenge", "a"], ["g1"], ["g2"], ["challenge", "b"], ["scalar"], ["challenge", "c"]]),
        ),
    ];
    for (name, proof, steps) in honest {
        let proof = if proof.is_empty() { String::new() } else { [&gt[..], &g1, &g2, &scalar].concat() };
        let mut value = json!({ "card": "c0", "statement": "5e5e", "proof": proof, "steps": steps });
        answer(&mut value);
        case(folder, name, value.clone(), true)?;
        match name {
            "absorbed" => wrong_challenges(folder, &value)?,
            "elements" => broken_elements(folder, &value)?,
            _ => {}
        }
    }
    Ok(())
}

/// Writes the challenges into the steps.
fn answer(value: &mut Value) {
    let mut transcript = Transcript::new(PROTOCOL);
    let bytes = |value: &Value| super::check::unhex(value.as_str().expect("bytes"));
    transcript.absorb("card", &bytes(&value["card"]));
    transcript.absorb("statement", &bytes(&value["statement"]));
    let proof = bytes(&value["proof"]);
    let mut rest = &proof[..];
    for step in value["steps"].as_array_mut().expect("steps") {
        let leak = |value: &Value| -> &'static str { Box::leak(value.as_str().expect("a label").to_string().into()) };
        let kind = leak(&step[0]);
        match kind {
            "absorb" => transcript.absorb(leak(&step[1]), &bytes(&step[2])),
            "challenge" => {
                let challenge = transcript.challenge(leak(&step[1]));
                step.as_array_mut().expect("a step").push(hex(&groups::write_scalar(&challenge)).into());
            }
            _ => {
                let length = match kind {
                    "scalar" => 32,
                    "g1" => 48,
                    "g2" => 96,
                    _ => 192,
                };
                transcript.absorb(kind, rest.split_off(..length).expect("an element"));
            }
        }
    }
}

/// What a transcript gives that forgets something.
fn wrong_challenges(folder: &Path, honest: &Value) -> io::Result<()> {
    let others: [(&str, fn(&mut Value)); 5] = [
        ("message-under-another-label", |value| value["steps"][0][1] = "n".into()),
        ("messages-in-another-order", |value| value["steps"].as_array_mut().expect("steps").swap(0, 1)),
        ("empty-message-not-absorbed", |value| drop(value["steps"].as_array_mut().expect("steps").remove(1))),
        ("another-card", |value| value["card"] = "c1".into()),
        ("card-and-statement-cut-elsewhere", |value| {
            value["card"] = "c05e".into();
            value["statement"] = "5e".into();
        }),
    ];
    for (name, change) in others {
        let mut value = honest.clone();
        change(&mut value);
        case(folder, name, value, false)?;
    }
    Ok(())
}

fn broken_elements(folder: &Path, honest: &Value) -> io::Result<()> {
    let proof = super::check::unhex(honest["proof"].as_str().expect("a proof"));
    let messages = [192, 48, 96, 32].map(|length| (length, String::new()));
    for (name, patches) in mutations::all(&proof, &mutations::elements(0, &messages)) {
        let mut value = honest.clone();
        let mut bytes = proof.clone();
        for (at, delete, insert) in patches {
            bytes.splice(at..at + delete, insert);
        }
        value["proof"] = hex(&bytes).into();
        case(folder, &name, value, false)?;
    }
    Ok(())
}

/// Generators.
pub fn hashes(folder: &Path) -> io::Result<()> {
    let point = |group: &str, name: &str, number: u32| match group {
        "g1" => hex(&groups::write_g1(&hash_g1(name, number))),
        _ => hex(&groups::write_g2(&hash_g2(name, number))),
    };
    let value = |group: &str, name: &str, number: u32, point: String| json!({ "group": group, "name": name, "number": number, "point": point });
    let generators = [
        ("g1", "vector", 0),
        ("g1", "vector", 65535),
        ("g1", "blinding", 0),
        ("g1", "ledger", 9),
        ("g2", "vector", 0),
        ("g2", "vector", 258),
        ("g2", "blinding", 0),
        ("g2", "value", 0),
    ];
    for (group, name, number) in generators {
        let honest = value(group, name, number, point(group, name, number));
        case(folder, &format!("{group}-{name}-{number}"), honest, true)?;
    }
    for group in ["g1", "g2"] {
        let mut negative = super::check::unhex(&point(group, "vector", 1));
        negative[0] ^= 0x20;
        let wrong = [
            ("of-another-number", point(group, "vector", 2)),
            ("with-a-big-endian-number", point(group, "vector", 1 << 24)),
            ("of-another-name", point(group, "blinding", 1)),
            ("negative", hex(&negative)),
        ];
        for (name, point) in wrong {
            case(folder, &format!("{group}-{name}"), value(group, "vector", 1, point), false)?;
        }
    }
    Ok(())
}

/// Tables.
pub fn tables(folder: &Path) -> io::Result<()> {
    let honest = [
        ("exp-small", json!({ "kind": "exp", "bits": 5, "fraction": 2, "precision": 10 })),
        ("exp-of-one-row", json!({ "kind": "exp", "bits": 0, "fraction": 0, "precision": 0 })),
        ("exp-of-whole-numbers", json!({ "kind": "exp", "bits": 6, "fraction": 0, "precision": 39 })),
        ("exp-large", json!({ "kind": "exp", "bits": 16, "fraction": 8, "precision": 15 })),
        ("exp-finest", json!({ "kind": "exp", "bits": 10, "fraction": 40, "precision": 39 })),
        ("silu-small", json!({ "kind": "silu", "bits": 6, "fraction": 3, "out": 5 })),
        ("silu-of-two-rows", json!({ "kind": "silu", "bits": 1, "fraction": 0, "out": 0 })),
        ("silu-large", json!({ "kind": "silu", "bits": 16, "fraction": 8, "out": 10 })),
        ("silu-finest", json!({ "kind": "silu", "bits": 8, "fraction": 40, "out": 40 })),
        ("rotary-small", json!({ "kind": "rotary", "length": 9, "pairs": 3, "base": 100, "fraction": 6 })),
        ("rotary-of-one-pair", json!({ "kind": "rotary", "length": 20, "pairs": 1, "base": 10000, "fraction": 13 })),
        ("rotary-of-base-0", json!({ "kind": "rotary", "length": 7, "pairs": 2, "base": 0, "fraction": 30 })),
        ("rotary-large", json!({ "kind": "rotary", "length": 512, "pairs": 32, "base": 100000, "fraction": 13 })),
    ];
    for (name, table) in honest {
        let columns = outputs(&table).expect("a table");
        if columns[0].len() <= 64 {
            case(folder, name, json!({ "table": table, "outputs": columns }), true)?;
            // One off in the last row, where errors of a recurrence are largest.
            let mut wrong = columns;
            *wrong[0].last_mut().expect("a row") += 1;
            case(folder, &format!("{name}-one-off"), json!({ "table": table, "outputs": wrong }), false)?;
        } else {
            case(folder, name, json!({ "table": table, "outputs_sha3": digest(&columns) }), true)?;
        }
    }
    let unrepresentable = [
        ("exp-of-too-many-rows", json!({ "kind": "exp", "bits": 21, "fraction": 8, "precision": 15 })),
        ("exp-of-too-fine-rows", json!({ "kind": "exp", "bits": 4, "fraction": 41, "precision": 15 })),
        ("exp-of-too-fine-values", json!({ "kind": "exp", "bits": 4, "fraction": 8, "precision": 40 })),
        ("silu-of-no-bits", json!({ "kind": "silu", "bits": 0, "fraction": 0, "out": 0 })),
        ("silu-of-too-many-rows", json!({ "kind": "silu", "bits": 21, "fraction": 8, "out": 10 })),
        ("silu-of-too-fine-rows", json!({ "kind": "silu", "bits": 4, "fraction": 41, "out": 10 })),
        ("silu-of-too-fine-values", json!({ "kind": "silu", "bits": 4, "fraction": 8, "out": 41 })),
        ("range-of-too-many-rows", json!({ "kind": "range", "bits": 21 })),
    ];
    for (name, table) in unrepresentable {
        case(folder, name, json!({ "table": table, "outputs_sha3": digest(&[]) }), false)?;
    }
    Ok(())
}
