//! Every committed column is bound: changed in one entry, with everything after it computed honestly, it is refused.

use std::sync::OnceLock;
use zkllm_prover::quantise::Tiny;
use zkllm_tests::forge::{Forgery, exists, ravel, unravel};
use zkllm_tests::{Case, SHAPE};
use zkllm_verifier::program::Origin;
use zkllm_verifier::{Blame, Refusal};

fn case() -> &'static Case {
    static CASE: OnceLock<Case> = OnceLock::new();
    CASE.get_or_init(|| Case::new(Tiny { biases: true, ..SHAPE }, 1, &[3, 1], 3))
}

#[test]
fn every_committed_column_is_constrained() {
    columns(4);
}

#[test]
#[ignore = "takes minutes: a proof for every column"]
fn every_committed_column_is_constrained_as_proofs_show() {
    columns(1);
}

/// A statement of integers is false for every changed column of the witness; for one column of `every` all the same a proof is made.
fn columns(every: usize) {
    let case = case();
    let mut open = Vec::new();
    let begin = std::time::Instant::now();
    for (id, column) in case.plan.program.columns.iter().enumerate() {
        let lengths = case.plan.program.lengths(&column.axes);
        // An entry in the last half of the support.
        let count: usize = lengths.iter().product();
        let inside = |at: &usize| exists(&case.plan.program, &column.axes, column.causal, &unravel(*at, &lengths));
        let at = (count / 2..count).find(inside).expect("an entry");
        let mut forgery = Forgery::new(case);
        forgery.add(id, at, 1);
        forgery.infer(&[id]);
        let changed = forgery.dirty.iter().filter(|dirty| **dirty).count() - 1;
        let (leaves, broken) = forgery.leaves();
        let verdict = (id % every == 0).then(|| forgery.attempt(leaves, true).1);
        println!("{:32} {verdict:?}, {changed} columns follow, false: {broken:?}", column.name);
        let free = matches!(column.origin, Origin::Witness(_)) && broken.is_empty();
        let proved = verdict.is_some_and(|verdict| verdict.map_err(Refusal::blame) != Err(Blame::False));
        if free || proved {
            open.push((&column.name, verdict));
        }
    }
    println!("{} columns in {:?}", case.plan.program.columns.len(), begin.elapsed());
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn paddings_are_empty() {
    paddings(5);
}

#[test]
#[ignore = "takes minutes: two proofs for every padding"]
fn every_padding_is_empty() {
    paddings(1);
}

/// The entry is outside the support of one column; products, lookups and claims are computed with it, and the card commits
/// to it where it is the model's. A verifier without support claims shows that the prover is as clever as can be. One of `every`
/// paddings is tried.
fn paddings(every: usize) {
    let begin = std::time::Instant::now();
    static PLAIN: OnceLock<Case> = OnceLock::new();
    let plain = || PLAIN.get_or_init(|| Case::new(SHAPE, 1, &[3, 1], 3));
    let (mut open, mut only, mut covered) = (Vec::new(), Vec::new(), 0);
    // The layer's axis is the last choice: the layers below would be read there.
    let order = ["width", "hidden", "group", "kv_head", "vocabulary", "token", "output", "layer"];
    for (id, column) in case().plan.program.columns.iter().enumerate() {
        let case = if column.name.ends_with(".bias") { case() } else { plain() };
        let program = &case.plan.program;
        let id = program.columns.iter().position(|other| other.name == column.name).unwrap_or(id);
        let axes = &program.columns[id].axes;
        let padded = |name: &&str| {
            axes.iter().position(|&axis| {
                program.axes[axis].name == *name && program.axes[axis].length < 1 << program.axes[axis].bits
            })
        };
        let mut places: Vec<(Option<&str>, Vec<usize>)> = Vec::new();
        if let Some(name) = order.iter().find(|name| padded(name).is_some()) {
            let mut index = vec![0; axes.len()];
            index[padded(name).expect("found")] = program.lengths(axes)[padded(name).expect("found")];
            places.push((Some(name), index));
        }
        if column.causal {
            let mut index = vec![0; axes.len()];
            index[axes.len() - 2..].copy_from_slice(&[1, 2]);
            places.push((None, index));
        }
        for (name, index) in places {
            covered += 1;
            if covered % every != 0 {
                continue;
            }
            let mut forgery = Forgery::new(case);
            if let Some(name) = name {
                forgery.extend_by_name(name);
            }
            forgery.add(id, ravel(&index, &forgery.own.program.lengths(axes)), 1);
            forgery.infer(&[id]);
            forgery.doctor_card();
            let (leaves, broken) = forgery.leaves();
            let verdict = forgery.attempt(leaves.clone(), true).1;
            let without = forgery.attempt(leaves, false).1;
            println!(
                "{:36} {:10} {verdict:?}, without supports {without:?}, false: {broken:?}",
                column.name,
                name.unwrap_or("acausal")
            );
            if verdict != Err(Refusal::LedgerValue) {
                open.push(column.name.clone());
            }
            if without == Ok(()) {
                only.push(column.name.clone());
            }
        }
    }
    println!("{} of {covered} paddings in {:?}; {} have no other guard", covered / every, begin.elapsed(), only.len());
    assert!(open.is_empty(), "{open:?}");
    // Without the support claims these would be free.
    assert!(!only.is_empty());
}
