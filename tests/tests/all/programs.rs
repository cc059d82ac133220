//! Programs whose claims would not mean what they say are refused when they are finished.

use zkllm_tests::hostile::{Writer, hostile};
use zkllm_verifier::Refusal;
use zkllm_verifier::dory::Setup;
use zkllm_verifier::drive::{drive, transcript};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{
    AxisId, Builder, ColumnId, Index, Operand, ProductKind, Rotary, Rule, Source, Sum, Table,
};

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
    assert_eq!(looked_up(|[t, _, s, _]| vec![t, s], |[t, ..]| At(t)), BAD);
    assert_eq!(finish(|b, [t, ..]| assert_eq!(witness(b, &[t], false), 0)), BAD);
}

#[test]
fn a_causal_witness_is_looked_up_in_pairs() {
    let looked_up = |causal: bool| {
        finish(|b, [t, u, ..]| {
            let (column, table) = (witness(b, &[t, u], true), b.table(Table::Range { bits: 6 }));
            b.lookup("lookup", &[t, u], causal, table, vec![Sum::of(1, column, &[t, u])]);
        })
    };
    assert_eq!([true, false].map(looked_up), [Ok(()), BAD]);
}

#[test]
fn a_witness_is_bounded_by_a_coefficient_of_1_or_minus_1() {
    let looked_up = |coefficient: i128| {
        finish(|b, [t, ..]| {
            let (column, table) = (witness(b, &[t], false), b.table(Table::Range { bits: 6 }));
            b.lookup("lookup", &[t], false, table, vec![Sum::of(coefficient, column, &[t])]);
        })
    };
    assert_eq!([1, -1].map(looked_up), [Ok(()), Ok(())]);
    assert_eq!([0, 2, -2, 1 << 64].map(looked_up), [BAD, BAD, BAD, BAD]);
    // Twice is not once: the coefficients could cancel.
    let twice = finish(|b, [t, ..]| {
        let (column, table) = (witness(b, &[t], false), b.table(Table::Range { bits: 6 }));
        let sum = Sum::of(1, column, &[t]).plus(Sum::of(-1, column, &[t]));
        b.lookup("lookup", &[t], false, table, vec![sum]);
    });
    assert_eq!(twice, BAD);
}

#[test]
fn a_value_bounds_one_witness_and_not_two() {
    let looked_up = |alone: bool| {
        finish(|b, [t, ..]| {
            let (first, second) = (witness(b, &[t], false), witness(b, &[t], false));
            let table = b.table(Table::Range { bits: 6 });
            b.lookup("both", &[t], false, table, vec![Sum::of(1, first, &[t]).plus(Sum::of(1, second, &[t]))]);
            if alone {
                b.lookup("first", &[t], false, table, vec![Sum::of(1, first, &[t])]);
            }
        })
    };
    assert_eq!(looked_up(true), Ok(()));
    assert_eq!(looked_up(false), BAD);
    // Nor does a zero statement.
    let zero = finish(|b, [t, ..]| {
        let first = witness(b, &[t], false);
        b.exact("second", &[t], Sum::of(-1, first, &[t]));
    });
    assert_eq!(zero, BAD);
}

#[test]
fn a_lookup_has_as_many_values_as_a_row_of_its_table() {
    let tables = [
        Table::Range { bits: 4 },
        Table::Silu { bits: 4, fraction: 1, out: 1 },
        Table::Exp { bits: 4, fraction: 1, precision: 4 },
    ];
    for (table, entries) in tables.into_iter().zip([1, 2, 3]) {
        for values in 0..6 {
            let finished = finish(|b, [t, ..]| {
                let columns: Vec<_> = (0..values).map(|_| Sum::of(1, witness(b, &[t], false), &[t])).collect();
                let table = b.table(table);
                b.lookup("lookup", &[t], false, table, columns);
            });
            assert_eq!(finished, if values == entries { Ok(()) } else { BAD }, "{table:?} {values}");
        }
    }
}

#[test]
fn a_value_beside_the_row_is_refused_where_it_would_be_dropped() {
    let hostile = hostile("nothing", 2, |_| ());
    let driven = |plan: &Plan| {
        let mut channel = Writer::new(transcript(&hostile.card, &hostile.statement));
        drive(plan, &hostile.card, &Setup::shipped(plan.chunk_log).expect("constants"), &mut channel)
    };
    assert_eq!(driven(&hostile.plan), Err(Refusal::OpeningVmv));
    for more in [1, 3] {
        let mut plan = hostile.plan.clone();
        plan.program.lookups[0].values.extend(vec![Sum::constant(0); more]);
        assert_eq!(driven(&plan), BAD);
    }
}

#[test]
fn numbers_that_the_builder_cannot_hold_are_refused() {
    let wrap = Err(Refusal::CouldWrap);
    let rounded = |shift: u32| {
        let mut made = Ok(0);
        let finished = finish(|b, [t, ..]| {
            let column = b.model("m", &[t]);
            made = b.round("rounded", &[t], Sum::of(1, column, &[t]), shift, 6);
        });
        made.and(finished)
    };
    assert_eq!(rounded(100), Ok(()));
    // 2^130 modulo 2^128 would be 4.
    assert_eq!([120, 127, 128, 130, 200].map(rounded), [wrap; 5]);
    let times = |factor: i128| {
        finish(|b, [t, ..]| {
            let column = b.model("m", &[t]);
            b.exact("y", &[t], Sum::of(1 << 64, column, &[t]).plus(Sum::constant(1 << 64)).times(factor));
        })
    };
    assert_eq!(times(1 << 40), Ok(()));
    assert_eq!([1 << 56, 1 << 64, i128::MAX].map(times), [wrap; 3]);
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

#[test]
fn an_axis_stands_in_a_list_of_axes_once() {
    assert_eq!(finish(|b, [t, ..]| term(b, &[t], false, &[t, t], &[At(t), All])), BAD);
    assert_eq!(finish(|b, [t, ..]| term(b, &[t, t], false, &[t], &[At(t)])), BAD);
    let square = |result: fn(AxisId) -> Vec<AxisId>, of: fn(AxisId) -> Vec<AxisId>| {
        finish(|b, [t, u, ..]| {
            let column = b.model("m", &[u]);
            let operands = [(); 2].map(|()| Sum::term(1, Source::Column(column), &[At(t)]).over(&of(t)));
            let [left, right] = operands;
            b.einsum("product", &result(t), left, right);
        })
    };
    assert_eq!(square(|t| vec![t], |t| vec![t]), Ok(()));
    assert_eq!(square(|t| vec![t, t], |t| vec![t]), BAD);
    assert_eq!(square(|t| vec![t], |t| vec![t, t]), BAD);
}

#[test]
fn a_product_reads_products_that_were_made_before_it() {
    let chain = |source: fn(usize) -> usize| {
        finish(|b, [t, ..]| {
            let (left, right) = (operand(b, &[t]), operand(b, &[t]));
            let first = b.einsum("first", &[t], left.clone(), right);
            let of = Sum::product(1, source(first), &[t]).over(&[t]);
            b.einsum("second", &[t], of, left);
        })
    };
    assert_eq!(chain(|first| first), Ok(()));
    // Itself: its claims would never end. And none that there is.
    assert_eq!(chain(|first| first + 1), BAD);
    assert_eq!(chain(|first| first + 2), BAD);
}

#[test]
fn both_operands_have_what_is_summed_over() {
    let einsum = |left: fn([AxisId; 4]) -> Vec<AxisId>, right: fn([AxisId; 4]) -> Vec<AxisId>| {
        finish(|b, all @ [t, ..]| {
            let (left, right) = (operand(b, &left(all)), operand(b, &right(all)));
            b.einsum("product", &[t], left, right);
        })
    };
    assert_eq!(einsum(|[t, u, ..]| vec![t, u], |[t, u, ..]| vec![u, t]), Ok(()));
    assert_eq!(einsum(|[t, u, ..]| vec![t, u], |[t, ..]| vec![t]), BAD);
    assert_eq!(einsum(|[t, ..]| vec![t], |[t, u, ..]| vec![t, u]), BAD);
    let scores = |left: fn([AxisId; 4]) -> Vec<AxisId>, right: fn([AxisId; 4]) -> Vec<AxisId>| {
        finish(|b, all @ [t, u, ..]| {
            let (left, right) = (operand(b, &left(all)), operand(b, &right(all)));
            b.product("scores", &[t, u], left, ProductKind::Scores(right));
        })
    };
    assert_eq!(scores(|[t, _, s, _]| vec![t, s], |[_, u, s, _]| vec![u, s]), Ok(()));
    assert_eq!(scores(|[t, _, s, _]| vec![t, s], |[_, u, ..]| vec![u]), BAD);
    // The keys of a query at t are those at u, and no other's.
    assert_eq!(scores(|[t, u, s, _]| vec![t, u, s], |[_, u, s, _]| vec![u, s]), BAD);
    assert_eq!(scores(|[t, _, s, _]| vec![t, s], |[t, u, s, _]| vec![t, u, s]), BAD);
}

#[test]
fn a_product_is_read_at_points() {
    let read = |axes: fn([AxisId; 4]) -> Vec<AxisId>, causal: bool, index: fn([AxisId; 4], usize) -> Index| {
        finish(|b, all @ [t, ..]| {
            let (left, right) = (operand(b, &[t]), operand(b, &[t]));
            let product = b.einsum("product", &[t], left, right);
            let (table, list) = (b.table(Table::Range { bits: 6 }), b.list(vec![0, 1, 2]));
            let sum = Sum::term(1, Source::Product(product), &[index(all, list)]);
            b.lookup("lookup", &axes(all), causal, table, vec![sum]);
        })
    };
    assert_eq!(read(|[t, ..]| vec![t], false, |[t, ..], _| At(t)), Ok(()));
    assert_eq!(read(|[t, ..]| vec![t], false, |[t, ..], _| Before(t)), BAD);
    assert_eq!(read(|[t, ..]| vec![t], false, |[t, ..], list| Pick(t, list)), BAD);
    assert_eq!(read(|[t, ..]| vec![t], false, |_, _| All), BAD);
    // In a causal lookup the sum over u stands at t, and is no point.
    assert_eq!(read(|[t, u, s, _]| vec![s, t, u], true, |[_, _, s, _], _| At(s)), Ok(()));
    assert_eq!(read(|[t, u, s, _]| vec![s, t, u], true, |[t, ..], _| At(t)), BAD);
    // So it does for keys.
    let keys = |of_product: bool| {
        finish(|b, [t, u, s, _]| {
            let (left, one, other) = (operand(b, &[t, s]), operand(b, &[u, s]), operand(b, &[u, s]));
            let column = one.clone();
            let product = b.einsum("keys", &[u, s], one, other);
            let right = if of_product { Sum::product(1, product, &[u, s]).over(&[u, s]) } else { column };
            b.product("scores", &[t, u], left, ProductKind::Scores(right));
        })
    };
    assert_eq!(keys(false), Ok(()));
    assert_eq!(keys(true), BAD);
}

#[test]
fn no_operand_compares_with_a_list() {
    let below = finish(|b, [t, _, _, i]| {
        let list = b.list(vec![0, 4, 5]);
        let left = Sum::term(1, Source::Below(list), &[At(t), At(i)]).over(&[t, i]);
        let right = operand(b, &[t, i]);
        b.einsum("product", &[t], left, right);
    });
    assert_eq!(below, BAD);
}

/// A rotary embedding over axes of the lengths 3 (`t`), `half` and 4 (`e`), in an order; the changes made to it.
fn rotary(
    half: usize,
    order: fn([AxisId; 3]) -> Vec<AxisId>,
    change: fn(&mut Rotary, [AxisId; 3]),
) -> Result<(), Refusal> {
    finish(|b, [t, ..]| {
        let axes = [t, b.axis("half", half), b.axis("pair", 4)];
        let mut rotary = Rotary { time: axes[0], half: axes[1], pair: axes[2], base: 100, fraction: 30 };
        change(&mut rotary, axes);
        let left = operand(b, &order(axes));
        b.product("rotary", &order(axes), left, ProductKind::Rotary(rotary));
    })
}

#[test]
fn a_rotary_embedding_turns_pairs_at_the_end_by_a_time_before() {
    let order: fn([AxisId; 3]) -> Vec<AxisId> = |[t, h, e]| vec![t, h, e];
    assert_eq!(rotary(2, order, |_, _| ()), Ok(()));
    // Halves of any other number.
    assert_eq!([1, 3, 4].map(|half| rotary(half, order, |_, _| ())), [BAD; 3]);
    // Any other order, and axes that are missing.
    assert_eq!(rotary(2, |[t, h, e]| vec![t, e, h], |_, _| ()), BAD);
    assert_eq!(rotary(2, |[t, h, e]| vec![h, t, e], |_, _| ()), BAD);
    assert_eq!(rotary(2, |[t, h, e]| vec![h, e, t], |_, _| ()), BAD);
    assert_eq!(rotary(2, |[_, h, e]| vec![h, e], |_, _| ()), BAD);
    assert_eq!(rotary(2, |[t, h, _]| vec![t, h], |_, _| ()), BAD);
    // One axis for two.
    assert_eq!(rotary(2, order, |rotary, [_, h, _]| rotary.time = h), BAD);
    assert_eq!(rotary(2, order, |rotary, [_, _, e]| rotary.time = e), BAD);
    assert_eq!(rotary(2, order, |rotary, [_, _, e]| rotary.half = e), BAD);
    assert_eq!(rotary(2, order, |rotary, [t, ..]| rotary.pair = t), BAD);
    // Angles finer than there are.
    assert_eq!(rotary(2, order, |rotary, _| rotary.fraction = 31), BAD);
}
