//! A name of the protocol stands for certain programs and plans: who changes the builder changes the name.

use sha3::{Digest, Sha3_256};
use std::path::Path;
use zkllm_verifier::card::Card;
use zkllm_verifier::drive::{PROGRAMS, PROTOCOL};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{Origin, Program, Rule, Sum};
use zkllm_verifier::statement::Statement;

/// Cards that never change, and changes that reach every branch of the builder.
fn cards() -> Vec<Card> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [
        "vectors/receipt/honest/model.card",
        "vectors/receipt/grouped-query-untied-biased/model.card",
        "vectors/receipt/three-layers-no-padding/model.card",
        "../web/samples/smollm2.card",
        "../web/samples/tiny.card",
    ];
    let read = |file: &str| Card::parse(&std::fs::read(root.join(file)).expect("a card")).expect("a card");
    let changes: [fn(&mut Card); 6] = [
        |_| (),
        |card| card.tied = !card.tied,
        |card| card.biases = !card.biases,
        |card| card.precision.digit_bits = 3,
        |card| card.precision.digit_bits = 20,
        |card| (card.layers, card.kv_heads, card.group, card.pairs, card.context) = (5, 3, 2, 7, 40),
    ];
    let changed = |card: Card| {
        changes.map(|change| {
            let mut card = card.clone();
            change(&mut card);
            card
        })
    };
    files.into_iter().map(read).flat_map(changed).collect()
}

/// What a proof depends on: no names, and not how a prover fills its columns.
fn dump(mut plan: Plan) -> String {
    let program = &mut plan.program;
    program.schedule.clear();
    program.axes.iter_mut().for_each(|axis| axis.name = "");
    for column in &mut program.columns {
        column.name.clear();
        if let Origin::Witness(rule) = &mut column.origin {
            *rule = Rule::Exact { of: Sum::default() };
        }
    }
    program.products.iter_mut().for_each(|product| product.name.clear());
    program.lookups.iter_mut().for_each(|lookup| lookup.name.clear());
    program.zeros.iter_mut().for_each(|zero| zero.name.clear());
    format!("{plan:?}")
}

#[test]
fn who_changes_programs_or_plans_changes_the_name_of_the_protocol() {
    let mut hash = Sha3_256::new();
    for card in cards() {
        for (tokens, prompt) in [(2, 1), (5, 2), (33, 32)] {
            let tokens = (0..tokens).map(|token| token % card.vocabulary).collect();
            let statement = Statement::new(&card, tokens, prompt).expect("a statement");
            let plan = Program::new(&card, &statement).and_then(|program| Plan::new(program, card.chunk_log as usize));
            hash.update(plan.map_or_else(|refusal| refusal.code().to_string(), dump));
        }
    }
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(
        hash == PROGRAMS,
        "programs or plans are not those that {PROTOCOL:?} is the name of. If you did not mean to change what is proved, undo it.\n\
         If you did: receipts made before would be read as something else, so\n\
         - after the first release: give PROTOCOL in verifier/src/drive.rs another name, and receipts another version (spec/versions.md);\n\
         - change spec/ and spec/reference with it, describe it in CHANGELOG.md under \"Proof format\", make the vectors again;\n\
         - put {hash} beside PROTOCOL, as PROGRAMS."
    );
}
