//! Programs whose claims would not mean what they say are refused when they are finished.

use zkllm_verifier::Refusal;
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{AxisId, Builder, ColumnId, Index, Operand, ProductKind, Rule, Source, Sum, Table};

use Index::{All, At, Before, Pick};

/// A program with the axes `t`, `u`, `s` of length 3, `i` of length 5, to which `more` adds something.
fn finish(more: impl FnOnce(&mut Builder, [AxisId; 4])) -> Result<(), Refusal> {
    let mut builder = Builder::new(6);
    let axes = [("t", 3), ("u", 3), ("s", 3), ("i", 5)].map(|(name, length)| builder.axis(name, length));
    more(&mut builder, axes);
    builder.finish().map(|_| ())
}

/// A lookup of one term over `axes`, its source a column over `of`.
fn term(builder: &mut Builder, axes: &[AxisId], causal: bool, of: &[AxisId], index: &[Index]) {
    let column = builder.model("m", of);
    let table = builder.table(Table::Range { bits: 6 });
    builder.lookup("term", axes, causal, table, vec![Sum::term(1, Source::Column(column), index)]);
}

/// An operand that reads a new column one to one.
fn operand(builder: &mut Builder, axes: &[AxisId]) -> Operand {
    let column = builder.model("operand", axes);
    Sum::of(1, column, axes).over(axes)
}

const BAD: Result<(), Refusal> = Err(Refusal::BadCard);

#[test]
fn terms_that_follow_their_reader_are_accepted() {
    assert_eq!(finish(|b, [t, u, s, _]| term(b, &[s, t, u], false, &[t, u], &[At(t), At(u)])), Ok(()));
    assert_eq!(finish(|b, [t, u, s, _]| term(b, &[s, t, u], true, &[s, t], &[At(s), At(t)])), Ok(()));
    assert_eq!(finish(|b, [t, u, s, _]| term(b, &[s, t, u], true, &[s, t], &[Before(s), All])), Ok(()));
}

/// A witness over `axes` that nothing constrains yet.
fn witness(builder: &mut Builder, axes: &[AxisId], causal: bool) -> ColumnId {
    builder.witness("w", axes, causal, Rule::Exact { of: Sum::default() })
}

#[test]
fn a_witness_that_is_not_read_one_to_one_is_refused() {
    let looked_up = |over: fn([AxisId; 4]) -> Vec<AxisId>, index: fn([AxisId; 4]) -> Index| {
        finish(|b, all @ [t, ..]| {
            let (column, table) = (witness(b, &[t], false), b.table(Table::Range { bits: 6 }));
            let sum = Sum::term(1, Source::Column(column), &[index(all)]);
            b.lookup("lookup", &over(all), false, table, vec![sum]);
        })
    };
    assert_eq!(looked_up(|[t, ..]| vec![t], |[t, ..]| At(t)), Ok(()));
    assert_eq!(looked_up(|[t, ..]| vec![t], |_| All), BAD);
    assert_eq!(looked_up(|[t, ..]| vec![t], |[t, ..]| Before(t)), BAD);
    assert_eq!(looked_up(|[_, u, ..]| vec![u], |[_, u, ..]| At(u)), BAD);
    assert_eq!(finish(|b, [t, ..]| assert_eq!(witness(b, &[t], false), 0)), BAD);
}

#[test]
fn integers_that_could_wrap_around_the_field_are_refused() {
    let unsigned = |bits: u32| {
        let mut all = Ok(());
        let finished = finish(|b, [t, ..]| {
            let column = witness(b, &[t], false);
            all = b.unsigned("digits", &[t], false, Sum::of(1, column, &[t]), bits);
        });
        all.and(finished)
    };
    assert_eq!(unsigned(249), Ok(()));
    assert_eq!(unsigned(250), Err(Refusal::CouldWrap));
}

#[test]
fn a_causal_pair_that_is_longer_than_a_chunk_is_refused() {
    let mut builder = Builder::new(6);
    let pair = ["t", "u"].map(|name| builder.axis(name, 3));
    let (column, table) = (witness(&mut builder, &pair, true), builder.table(Table::Range { bits: 2 }));
    builder.lookup("lookup", &pair, true, table, vec![Sum::of(1, column, &pair)]);
    let program = builder.finish().expect("a program");
    assert!(Plan::new(program.clone(), 2).is_ok());
    assert_eq!(Plan::new(program, 1).err(), Some(Refusal::OverLimit));
}

#[test]
fn an_axis_of_the_reader_that_is_named_twice_is_refused() {
    assert_eq!(finish(|b, [t, u, ..]| term(b, &[t], false, &[t, u], &[At(t), At(t)])), BAD);
    assert_eq!(finish(|b, [t, u, ..]| term(b, &[t], false, &[t, u], &[At(t), Before(t)])), BAD);
}

#[test]
fn an_axis_that_the_reader_lacks_or_of_another_length_is_refused() {
    assert_eq!(finish(|b, [t, u, ..]| term(b, &[t], false, &[u], &[At(u)])), BAD);
    assert_eq!(finish(|b, [t, _, _, i]| term(b, &[t], false, &[i], &[At(t)])), BAD);
    assert_eq!(finish(|b, [t, u, ..]| term(b, &[t], false, &[t, u], &[At(t)])), BAD);
}

#[test]
fn a_causal_pair_is_read_as_it_is_or_summed() {
    assert_eq!(finish(|b, [t, u, s, _]| term(b, &[t, u], true, &[t, s], &[At(t), Before(u)])), BAD);
    assert_eq!(
        finish(|b, [t, u, s, _]| {
            let list = b.list(vec![0, 1, 2]);
            term(b, &[t, u], true, &[t, s], &[Pick(t, list), At(u)]);
        }),
        BAD
    );
    assert_eq!(finish(|b, [t, _, _, i]| term(b, &[t, i], true, &[t], &[At(t)])), BAD);
}

#[test]
fn what_a_causal_lookup_reads_at_its_pair_is_zero_above_the_diagonal() {
    assert_eq!(finish(|b, [t, u, ..]| term(b, &[t, u], true, &[t, u], &[At(t), At(u)])), BAD);
    assert_eq!(finish(|b, [t, u, ..]| term(b, &[t, u], true, &[u], &[At(u)])), BAD);
    let scores = |index: fn([AxisId; 4]) -> [Index; 2]| {
        finish(|b, all @ [t, u, s, _]| {
            let (left, right) = (operand(b, &[t, s]), operand(b, &[u, s]));
            let scores = b.product("scores", &[t, u], left, ProductKind::Scores(right));
            let table = b.table(Table::Range { bits: 6 });
            let sum = Sum::term(1, Source::Product(scores), &index(all));
            b.lookup("lookup", &[t, u], true, table, vec![sum]);
        })
    };
    assert_eq!(scores(|[t, u, ..]| [At(t), At(u)]), Ok(()));
    assert_eq!(scores(|[t, u, ..]| [At(u), At(t)]), BAD);
}

#[test]
fn below_stands_over_its_two_axes_and_its_list_fits_them() {
    let below = |list: Vec<usize>, axes: fn([AxisId; 4]) -> Vec<AxisId>, index: fn([AxisId; 4]) -> Vec<Index>| {
        finish(|b, all| {
            let list = b.list(list);
            let table = b.table(Table::Range { bits: 6 });
            b.lookup("below", &axes(all), false, table, vec![Sum::term(1, Source::Below(list), &index(all))]);
        })
    };
    let two: fn([AxisId; 4]) -> Vec<AxisId> = |[t, _, _, i]| vec![t, i];
    let at: fn([AxisId; 4]) -> Vec<Index> = |[t, _, _, i]| vec![At(t), At(i)];
    assert_eq!(below(vec![0, 4, 5], two, at), Ok(()));
    assert_eq!(below(vec![0, 4, 6], two, at), BAD);
    assert_eq!(below(vec![0, 4], two, at), BAD);
    assert_eq!(below(vec![0, 4, 5], two, |[t, _, _, i]| vec![At(t), Before(i)]), BAD);
    assert_eq!(below(vec![0, 4, 5], two, |[t, ..]| vec![At(t)]), BAD);
    assert_eq!(below(vec![0, 4, 5], |[t, _, s, i]| vec![s, t, i], at), BAD);
}

#[test]
fn every_axis_of_a_product_comes_from_an_operand() {
    let einsum = |result: fn([AxisId; 4]) -> Vec<AxisId>| {
        finish(|b, all @ [t, u, ..]| {
            let (left, right) = (operand(b, &[t]), operand(b, &[u]));
            b.einsum("product", &result(all), left, right);
        })
    };
    assert_eq!(einsum(|[t, u, ..]| vec![t, u]), Ok(()));
    assert_eq!(einsum(|[t, _, s, _]| vec![t, s]), BAD);
    let scores = |left: fn([AxisId; 4]) -> Vec<AxisId>, right: fn([AxisId; 4]) -> Vec<AxisId>| {
        finish(|b, all @ [t, u, s, _]| {
            let (left, right) = (operand(b, &left(all)), operand(b, &right(all)));
            b.product("scores", &[s, t, u], left, ProductKind::Scores(right));
        })
    };
    assert_eq!(scores(|[t, _, s, _]| vec![s, t], |[_, u, s, _]| vec![s, u]), Ok(()));
    assert_eq!(scores(|[_, u, s, _]| vec![s, u], |[t, _, s, _]| vec![s, t]), BAD);
    assert_eq!(scores(|[t, ..]| vec![t], |[_, u, ..]| vec![u]), BAD);
}
