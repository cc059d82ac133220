//! Decides that no check of the arguments can be spared: for each there is a prover that breaks it and no other, so
//! that without it something false would be proved. What it breaks it counts itself: the zeros and gates of the
//! ledger that do not hold for its slots.

use ark_ff::{AdditiveGroup, Field};
use std::sync::OnceLock;
use zkllm_prover::prove::{Leaves, Prover};
use zkllm_tests::channels::Lie;
use zkllm_tests::forge::{Forgery, ravel};
use zkllm_tests::{Case, SHAPE};
use zkllm_verifier::channel::{Ask, Sumcheck};
use zkllm_verifier::einsum::operands;
use zkllm_verifier::ledger::lagrange;
use zkllm_verifier::{Fr, Refusal};

fn case() -> &'static Case {
    static CASE: OnceLock<Case> = OnceLock::new();
    CASE.get_or_init(|| Case::new(SHAPE, 1, &[3, 1], 3))
}

/// Columns and leaves of a prover.
type World = (Forgery<'static>, Vec<Leaves>);

/// An entry of a column one too high, all that follows from it, and the one statement that does not hold.
fn raised(column: &str, at: usize, statement: &str) -> World {
    let mut forgery = Forgery::new(case());
    let id = case().column(column);
    forgery.add(id, at, 1);
    forgery.infer(&[id]);
    let (leaves, broken) = forgery.leaves();
    assert_eq!(broken, [statement]);
    (forgery, leaves)
}

/// A sum of squares one too high.
fn square() -> World {
    raised("final_norm.sum_of_squares", 0, "final_norm.sum_of_squares")
}

/// Where `swish` is raised: in the last layer, before the last output.
fn place() -> usize {
    let layers = case().card.layers as usize;
    let tokens = case().statement.tokens().len();
    ((layers - 1) * tokens + tokens - 2) * case().card.hidden as usize
}

/// An output of `swish` one too high: no row of its table.
fn output() -> World {
    raised("swish", place(), "swish")
}

/// The number of the lookup of `swish`.
fn lookup() -> usize {
    case().plan.program.lookups.iter().position(|lookup| lookup.name == "swish").expect("a lookup")
}

/// The leaf of that output: numerator and tuple.
fn leaf(leaves: &mut [Leaves]) -> &mut (Option<Fr>, [Fr; 3]) {
    match &mut leaves[lookup()] {
        Leaves::Tuples(tuples) => &mut tuples[place()],
        Leaves::Rows(_) => panic!("the lookup was changed"),
    }
}

/// That output, looked up as if it were right: the fractions sum to 0, and only the claim on the denominators knows
/// that the column has another value than the leaf.
fn disguised() -> World {
    let (mut forgery, mut leaves) = output();
    leaf(&mut leaves).1[1] -= Fr::ONE;
    let counts = case().column(&format!("multiplicity{}", case().plan.program.lookups[lookup()].table));
    forgery.add(counts, case().trace.lookups[lookup()].at(place()).expect("a row"), 1);
    (forgery, leaves)
}

/// Why a proof with a lie is refused, and the zeros and gates it breaks.
fn refused((forgery, leaves): &World, lie: impl Lie) -> (Refusal, Vec<&'static str>) {
    let (_, verdict, broken) = forgery.lie(leaves.clone(), lie);
    (verdict.expect_err("a false statement was proved"), broken)
}

/// A slot of the answer to a question, if it is the one.
type Place<'a> = &'a dyn Fn(Ask<'_>) -> Option<usize>;

/// Adds to the slots at their places.
fn adding(lies: &[(Place<'_>, Fr)]) -> impl Lie {
    move |_: &mut Prover<'_, _>, _: Fr, ask: Ask<'_>, answer: &mut [Fr]| {
        for (place, amount) in lies {
            place(ask).into_iter().for_each(|slot| answer[slot] += amount);
        }
    }
}

/// What to add at `place`, after `lies`, for the zeros of that name to hold: their sum is linear in it, and two tries
/// tell. Of the opening's sum only claim number `claim` is false.
fn solve(world: &World, lies: &[(Place<'_>, Fr)], place: Place<'_>, zero: &str, claim: u64) -> Fr {
    let lack = |amount: Fr| {
        let lies = [lies, &[(place, amount)]].concat();
        let (mut scale, mut lack, mut tell) = (Fr::ONE, Fr::ZERO, adding(&lies));
        let _ = world.0.lie(world.1.clone(), |prover: &mut Prover<'_, _>, last, ask: Ask<'_>, answer: &mut [Fr]| {
            match ask {
                Ask::Round { of: Sumcheck::Opening { gamma, .. }, .. } => scale = gamma.pow([claim]),
                Ask::Gates { zeros, .. } => {
                    let named = zeros.iter().filter(|other| other.name == zero);
                    lack = named.map(|zero| prover.value(&zero.form)).sum::<Fr>() / scale;
                }
                _ => {}
            }
            tell(prover, last, ask, answer);
        });
        lack
    };
    let (without, with) = (lack(Fr::ZERO), lack(Fr::ONE));
    without / (without - with)
}

#[test]
fn a_value_that_is_no_row_of_its_table_is_refused() {
    let world = output();
    assert_eq!(refused(&world, |_, _, _, _| ()), (Refusal::LedgerValue, vec!["tlookup.right"]));
    // The root's children say that their fractions cancel: p0 q1 is said to be -p1 q0.
    let cancel = |_: &mut Prover<'_, _>, _: Fr, ask: Ask<'_>, answer: &mut [Fr]| {
        if let Ask::End { of: Sumcheck::Tree { level: 0, .. }, .. } = ask {
            answer[4] = -answer[1] * answer[2];
        }
    };
    assert_eq!(refused(&world, cancel), (Refusal::LedgerValue, vec!["tlookup.left"]));
}

#[test]
fn a_lookup_that_is_not_counted_is_refused() {
    let mut world = output();
    leaf(&mut world.1).0 = Some(Fr::ZERO);
    assert_eq!(refused(&world, |_, _, _, _| ()), (Refusal::LedgerValue, vec!["opening.sum"]));
}

#[test]
fn a_lookup_of_another_value_than_the_column_s_is_refused() {
    assert_eq!(refused(&disguised(), |_, _, _, _| ()), (Refusal::LedgerValue, vec!["opening.sum"]));
}

#[test]
fn a_zero_statement_that_does_not_hold_is_refused() {
    let world = square();
    assert_eq!(refused(&world, |_, _, _, _| ()), (Refusal::LedgerValue, vec!["opening.sum"]));
}

#[test]
fn entries_outside_the_support_are_refused() {
    let program = &case().plan.program;
    // A hidden unit after the last, and a token that looks at a later one.
    for (column, beyond, index) in [("swish", Some("hidden"), [0, 0, 5].as_slice()), ("exp", None, &[0, 0, 0, 1, 2])] {
        let mut forgery = Forgery::new(case());
        let id = case().column(column);
        beyond.into_iter().for_each(|axis| forgery.extend_by_name(axis));
        forgery.add(id, ravel(index, &forgery.own.program.lengths(&program.columns[id].axes)), 1);
        forgery.infer(&[id]);
        forgery.doctor_card();
        let (leaves, broken) = forgery.leaves();
        assert!(broken.is_empty());
        let verdict = refused(&(forgery, leaves), |_, _, _, _| ());
        assert_eq!(verdict, (Refusal::LedgerValue, vec!["opening.sum"]), "{column}");
    }
}

#[test]
fn numbers_outside_their_ranges_are_refused() {
    // An embedding, and a weight that makes a result large; the card commits to them.
    for (column, at, amount, statement) in
        [("embedding", 15, 1 << 8, "embedding.high.range"), ("final_gain", 0, 1 << 10, "final.high.range")]
    {
        let mut forgery = Forgery::new(case());
        let id = case().column(column);
        forgery.add(id, at, amount);
        forgery.infer(&[id]);
        forgery.doctor_card();
        let (leaves, broken) = forgery.leaves();
        assert_eq!(refused(&(forgery, leaves), |_, _, _, _| ()), (Refusal::LedgerValue, vec!["tlookup.right"]));
        assert_eq!(broken, [statement]);
    }
}

#[test]
fn values_of_chunks_that_fit_the_claims_are_refused() {
    let world = disguised();
    let chunk: Place = &|ask| matches!(ask, Ask::End { of: Sumcheck::Opening { .. }, .. }).then_some(0);
    let lies = [(chunk, solve(&world, &[], chunk, "opening.sum", 0))];
    assert_eq!(refused(&world, adding(&lies)), (Refusal::LedgerValue, vec!["opening.value"]));
}

/// The place of the value of a product.
fn value_of(name: &str) -> impl Fn(Ask<'_>) -> Option<usize> {
    move |ask| match ask {
        Ask::Products(claims) => {
            claims.iter().position(|claim| case().plan.program.products[claim.product].name == name)
        }
        _ => None,
    }
}

/// The place of the left operand's value at the end of a product's sumcheck.
fn operand_of(name: &str) -> impl Fn(Ask<'_>) -> Option<usize> {
    move |ask| match ask {
        Ask::End { of: Sumcheck::Products(claims), .. } => {
            let products: Vec<_> = claims.iter().map(|claim| &case().plan.program.products[claim.product]).collect();
            let at = products.iter().position(|product| product.name == name)?;
            Some(products[..at].iter().map(|product| operands(product)).sum())
        }
        _ => None,
    }
}

#[test]
fn values_of_products_that_fit_the_claims_are_refused() {
    let (disguised, square) = (disguised(), square());
    let squares = case().plan.program.zeros.iter().position(|zero| zero.name == "final_norm.sum_of_squares");
    // The pool begins with numerators, denominators, zeros.
    let of_squares = 2 + squares.expect("a zero statement") as u64;
    for (world, claim, product, check) in [
        (&disguised, 1, "query.rotary", "einsum.rotary"),
        (&disguised, 1, "scores", "einsum.operands"),
        (&disguised, 1, "gate.product", "einsum.operands"),
        (&square, of_squares, "final_norm.square", "einsum.square"),
    ] {
        let value = value_of(product);
        let lies: [(Place, Fr); 1] = [(&value, solve(world, &[], &value, "opening.sum", claim))];
        assert_eq!(refused(world, adding(&lies)), (Refusal::LedgerValue, vec![check]), "{product}");
    }
}

#[test]
fn values_of_operands_that_fit_their_product_are_refused() {
    let (world, value, operand) = (disguised(), value_of("query.rotary"), operand_of("query.rotary"));
    let mut lies: Vec<(Place, Fr)> = vec![(&value, solve(&world, &[], &value, "opening.sum", 1))];
    lies.push((&operand, solve(&world, &lies, &operand, "einsum.rotary", 0)));
    // The operand is a product and no column: the two values are equal or not.
    assert_eq!(refused(&world, adding(&lies)), (Refusal::LedgerValue, vec!["einsum.operand"]));
}

#[test]
fn values_of_gates_that_fit_their_products_are_refused() {
    let world = output();
    for left in [true, false] {
        let lie = |prover: &mut Prover<'_, _>, _: Fr, ask: Ask<'_>, answer: &mut [Fr]| {
            let (gates, z, other) = match ask {
                Ask::GateLeft { gates, z } if left => (gates, z, prover.number(Ask::GateRight { gates, z })),
                Ask::GateRight { gates, z } if !left => (gates, z, prover.number(Ask::GateLeft { gates, z })),
                _ => return,
            };
            // h(z) - f(z) g(z), by what the gates lack.
            let weights = lagrange(2 * gates.len(), z).expect("no point of the gates");
            let lack = gates.iter().map(|gate| prover.value(&gate.c) - prover.value(&gate.a) * prover.value(&gate.b));
            let lack: Fr = lack.zip(&weights[1..]).map(|(lack, weight)| lack * weight).sum();
            answer[0] += lack / other;
        };
        // What is lied about comes after the count.
        assert_eq!(refused(&world, lie), (Refusal::LedgerValue, vec!["tlookup.right"]));
    }
}

#[test]
fn responses_that_fit_the_sum_of_the_constraints_are_refused() {
    let (mut zeros, mut lack, mut first) = (Vec::new(), Fr::ZERO, Fr::ZERO);
    let lie = |prover: &mut Prover<'_, _>, last: Fr, ask: Ask<'_>, answer: &mut [Fr]| match ask {
        Ask::Gates { zeros: all, .. } => zeros = all.iter().map(|zero| prover.value(&zero.form)).collect(),
        // The last challenge is rho.
        Ask::CrossLeft { previous: None, .. } => {
            lack = zeros.iter().rev().fold(Fr::ZERO, |sum, zero| sum * last + zero);
        }
        Ask::SchnorrValue { row } => first = row[0],
        Ask::SchnorrResponse { slot: 0, challenge } => answer[0] -= challenge * lack / first,
        _ => {}
    };
    assert_eq!(refused(&disguised(), lie), (Refusal::LedgerOpening, vec!["opening.sum"]));
}
