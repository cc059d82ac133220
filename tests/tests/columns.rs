//! Every committed column is bound: changed in one entry, with everything after it computed honestly, it is refused.

use std::sync::OnceLock;
use zkllm_prover::quantise::Tiny;
use zkllm_tests::forge::{Forgery, exists, unravel};
use zkllm_tests::{Case, SHAPE};
use zkllm_verifier::Blame;
use zkllm_verifier::program::Origin;

fn case() -> &'static Case {
    static CASE: OnceLock<Case> = OnceLock::new();
    CASE.get_or_init(|| Case::new(Tiny { biases: true, ..SHAPE }, 1, &[3, 1], 3))
}

#[test]
fn every_committed_column_is_constrained() {
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
        let (verdict, broken) = forgery.verdict();
        println!("{:32} {verdict:?}, {changed} columns follow, false: {broken:?}", column.name);
        let holds = !matches!(column.origin, Origin::Witness(_)) || !broken.is_empty();
        match verdict {
            Err(refusal) if refusal.blame() == Blame::False && holds => {}
            _ => open.push((&column.name, verdict)),
        }
    }
    println!("{} columns in {:?}", case.plan.program.columns.len(), begin.elapsed());
    assert!(open.is_empty(), "{open:?}");
}
