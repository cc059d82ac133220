//! Every test vector has its outcome and its code.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use zkllm_tests::vectors::{SUBJECTS, check, inference};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// The folders in a folder, by name.
fn inside(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn every_vector_has_its_outcome_and_code() {
    let mut wrong = Vec::new();
    for subject in SUBJECTS {
        for folder in inside(&folder().join(subject)) {
            let case = read(&folder.join("case.json"));
            let code = check::code(subject, &folder, &case);
            if (case["code"].as_str(), case["outcome"].as_str()) != (code, Some(check::outcome(code))) {
                wrong.push(format!("{}: {code:?}", folder.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_inference_has_its_columns_or_no_proof() {
    for folder in inside(&folder().join("inference")) {
        inference::check(&folder);
    }
}

#[test]
fn half_of_the_vectors_are_invalid() {
    let mut counts: BTreeMap<bool, usize> = BTreeMap::new();
    for subject in SUBJECTS {
        for folder in inside(&folder().join(subject)) {
            *counts.entry(read(&folder.join("case.json"))["outcome"] == "accept").or_default() += 1;
        }
    }
    assert!(counts[&false] >= counts[&true], "{counts:?}");
}

#[test]
fn every_code_of_the_verifier_has_a_vector() {
    let codes: Vec<String> = SUBJECTS
        .iter()
        .flat_map(|subject| inside(&folder().join(subject)))
        .filter_map(|folder| read(&folder.join("case.json"))["code"].as_str().map(str::to_string))
        .collect();
    let missing: Vec<_> = zkllm_verifier::Refusal::ALL
        .iter()
        .filter(|refusal| !codes.iter().any(|code| code == refusal.code()))
        .collect();
    // No challenge comes out as 0 or a gate's number but with probability 2^-250.
    assert_eq!(missing, [&zkllm_verifier::Refusal::DegenerateChallenge]);
}
