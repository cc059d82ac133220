use super::interpret::{exists, lookup_values, zero_value};
use super::*;
use crate::quantise::{Tiny, tiny};
use ark_ff::AdditiveGroup;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use zkllm_kernels::{Backend, Cpu, Dual, Integers, Reference, Rows};
use zkllm_verifier::Fr;
use zkllm_verifier::card::Card;
use zkllm_verifier::program::{Axis, Column, Index, Origin, Product, ProductKind, Program, Rotary, Rule, Source, Sum};
use zkllm_verifier::statement::Statement;

fn shapes() -> Vec<Tiny> {
    let base = Tiny::default();
    vec![
        base,
        Tiny { tied: false, biases: true, ..base },
        Tiny { layers: 1, kv_heads: 1, group: 1, pairs: 1, width: 3, hidden: 5, vocabulary: 11, ..base },
        Tiny { layers: 2, kv_heads: 3, group: 1, pairs: 2, digit_bits: 4, biases: true, ..base },
        Tiny { layers: 5, kv_heads: 1, group: 2, width: 9, digit_bits: 9, tied: false, ..base },
    ]
}

/// A model, its greedy answer to a prompt, the program and the trace.
fn answered(seed: u64, shape: Tiny) -> (Card, Columns, Statement, Program, Trace) {
    let (card, columns) = tiny(seed, shape).unwrap();
    let prompt: Vec<u32> = (0..5).map(|step| (seed as u32 + step * 3) % card.vocabulary).collect();
    let answer = generate(&card, &columns, &prompt, 4, &[], |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(answer.len(), 4);
    let statement = Statement::new(&card, [prompt, answer].concat(), 5).unwrap();
    let program = Program::new(&card, &statement).unwrap();
    let trace = trace(&program, &columns).unwrap();
    (card, columns, statement, program, trace)
}

#[test]
fn a_trace_is_the_same_whatever_multiplies() {
    let both = Dual::<Cpu, Reference>::default();
    for (seed, shape) in shapes().into_iter().enumerate() {
        let (_, columns, _, program, expected) = answered(seed as u64, shape);
        let products = AtomicUsize::new(0);
        let multiply = |left: &[i32], right: Rows<'_>, depth: usize| {
            products.fetch_add(1, Ordering::Relaxed);
            both.multiply(left, right, depth)
        };
        for trace in [trace_by(&multiply, &program, &columns), trace_by(&multiply_on(&both), &program, &columns)] {
            assert!(trace.unwrap() == expected, "{shape:?}");
        }
        assert!(products.into_inner() >= program.products.len() / 2);
    }
}

#[test]
fn products_of_many_rows_with_many_weights_are_worth_a_device() {
    let large =
        |m: usize, n: usize, k: usize| super::multiply::is_large(&vec![0; m * k], Rows::I16(&vec![0; n * k]), k);
    assert!(large(64, 1536, 576) && large(37, 576, 1536));
    // One row; rows of one weight; little in all.
    assert!(!large(1, 49_152, 576) && !large(4096, 4096, 8) && !large(16, 16, 576) && !large(0, 5, 7));
}

#[test]
fn every_lookup_is_in_its_table_and_every_zero_is_zero_by_the_definitions() {
    for (seed, shape) in shapes().into_iter().enumerate() {
        let (_, _, _, program, trace) = answered(seed as u64, shape);
        let columns = trace.whole(&program);
        for (id, lookup) in program.lookups.iter().enumerate() {
            let outputs = program.tables[lookup.table].outputs();
            for index in 0..trace.lookups[id].len() {
                let row = trace.lookups[id].at(index);
                assert_eq!(row.is_some(), exists(&program, &lookup.axes, lookup.causal, index));
                let Some(row) = row else { continue };
                let values = lookup_values(&program, &columns[..], lookup, index);
                assert!(row < 1 << program.tables[lookup.table].bits());
                assert_eq!(values[0], Fr::from(row as u64), "{} at {index}", lookup.name);
                assert_eq!(values.len(), outputs.len() + 1);
                for (value, output) in values[1..].iter().zip(&outputs) {
                    assert_eq!(*value, Fr::from(output[row]), "{} at {index}", lookup.name);
                }
            }
        }
        for zero in &program.zeros {
            for index in 0..program.lengths(&zero.axes).iter().product() {
                assert_eq!(zero_value(&program, &columns[..], zero, index), Fr::ZERO, "{} at {index}", zero.name);
            }
        }
    }
}

#[test]
fn multiplicities_count_the_rows() {
    let (_, _, _, program, trace) = answered(7, Tiny::default());
    let mut counts: Vec<Vec<u64>> = trace.multiplicities.iter().map(|rows| vec![0; rows.len()]).collect();
    for (lookup, rows) in program.lookups.iter().zip(&trace.lookups) {
        for row in (0..rows.len()).filter_map(|index| rows.at(index)) {
            counts[lookup.table][row] += 1;
        }
    }
    assert_eq!(counts, trace.multiplicities);
    for (id, column) in program.columns.iter().enumerate() {
        let (whole, values) = (program.lengths(&column.axes).iter().product::<usize>(), &trace.columns[id]);
        let exist = (0..whole).filter(|&index| exists(&program, &column.axes, column.causal, index));
        assert_eq!(values.len(), exist.count(), "{}", column.name);
        if let Origin::Multiplicity(table) = column.origin {
            assert_eq!(values.to_vec(), counts[table].iter().map(|&m| m as i64).collect::<Vec<_>>());
        }
    }
}

#[test]
fn tokens_made_one_by_one_are_those_of_a_whole_inference() {
    for (seed, shape) in shapes().into_iter().enumerate() {
        // `trace` refuses any other token, so the answer is the batch's too; a shorter answer is its beginning.
        let (card, columns, statement, _, _) = answered(seed as u64 + 20, shape);
        let short = generate(&card, &columns, &statement.tokens()[..5], 2, &[], |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(short, statement.tokens()[5..7]);
    }
}

#[test]
fn logits_of_every_position_are_those_that_the_answer_maximises() {
    for (seed, shape) in shapes().into_iter().enumerate() {
        let (card, columns, statement, _, _) = answered(seed as u64 + 40, shape);
        let rows = logits(&card, &columns, statement.tokens()).unwrap();
        assert_eq!(rows.len(), statement.tokens().len() - 1);
        for (row, &token) in rows.iter().zip(&statement.tokens()[1..]).skip(4) {
            assert_eq!(row.len(), card.vocabulary as usize);
            let greedy = (0..row.len()).rev().max_by_key(|&index| row[index]).unwrap();
            assert_eq!(greedy as u32, token);
        }
        for block in [1, 3] {
            assert_eq!(generate::logits_by(&card, &columns, statement.tokens(), block).unwrap(), rows);
        }
        // An unknown future changes nothing.
        let shorter = logits(&card, &columns, &statement.tokens()[..6]).unwrap();
        assert_eq!(shorter, rows[..5]);
    }
}

#[test]
fn what_is_above_the_diagonal_of_long_texts_is_not_needed() {
    for (seed, shape) in shapes().into_iter().enumerate() {
        let (mut card, columns) = tiny(seed as u64, shape).unwrap();
        card.context = 300;
        let tokens: Vec<u32> = (0..300).map(|place: u32| place * place % card.vocabulary).collect();
        // One by one there is nothing above it; at once, rows are multiplied in blocks that end at it.
        let [one_by_one, at_once] = [1, 300].map(|block| generate::logits_by(&card, &columns, &tokens, block).unwrap());
        assert!(one_by_one == at_once, "{shape:?}");
    }
}

#[test]
fn generation_stops_when_told() {
    let (card, columns, statement, _, _) = answered(1, Tiny::default());
    let (prompt, answer) = statement.tokens().split_at(5);
    let stopped = generate(&card, &columns, prompt, 4, &answer[..1], |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(stopped, answer[..1]);
    let mut seen = Vec::new();
    let broken = generate(&card, &columns, prompt, 4, &[], |token| {
        seen.push(token);
        if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(broken.unwrap(), answer[..2]);
    assert_eq!(seen, answer[..2]);
}

#[test]
fn a_token_that_is_not_greedy_is_named() {
    let (card, columns, statement, _, _) = answered(2, Tiny::default());
    for position in 5..9 {
        let mut tokens = statement.tokens().to_vec();
        let greedy = tokens[position];
        tokens[position] = (greedy + 1) % card.vocabulary;
        let token = tokens[position];
        let program = Program::new(&card, &Statement::new(&card, tokens, 5).unwrap()).unwrap();
        assert_eq!(trace(&program, &columns).unwrap_err(), InferError::NotGreedy { position, token, greedy });
    }
}

#[test]
fn a_value_out_of_range_is_named() {
    let (card, columns, statement, program, whole) = answered(4, Tiny::default());
    let query = program.columns.iter().position(|column| column.name == "query").unwrap();
    let (least, greatest) = whole.columns[query].range();
    let needed = 65 - least.unsigned_abs().max(greatest.unsigned_abs()).leading_zeros();
    let mut narrow = card.clone();
    narrow.precision.query_bits = needed - 2;
    let program = Program::new(&narrow, &statement).unwrap();
    match trace(&program, &columns).unwrap_err() {
        InferError::OutOfRange { site, layer: Some(_), position: Some(_), needed_bits } => {
            assert!(site.starts_with("query") || site.starts_with("key"), "{site}");
            assert!(needed_bits > narrow.precision.query_bits && needed_bits <= card.precision.query_bits);
        }
        other => panic!("{other}"),
    }
    let mut narrow = card.clone();
    narrow.precision.gap_bits = 1;
    let program = Program::new(&narrow, &statement).unwrap();
    assert!(matches!(trace(&program, &columns).unwrap_err(), InferError::OutOfRange { .. }));
}

#[test]
fn of_many_faults_the_first_is_named() {
    use super::tensor::{GRAIN, Tensor, by_runs};
    let ranges = [0..64, 0..GRAIN];
    // The row that is first takes longest.
    let faults = |place: usize, _: &mut [i64]| {
        std::thread::sleep(std::time::Duration::from_micros(if place < 8 * GRAIN { 2_000 } else { 1 }));
        if place < 3 * GRAIN { Ok(()) } else { Err(place) }
    };
    for _ in 0..10 {
        assert_eq!(by_runs(&ranges, &faults), Err(3 * GRAIN));
        assert_eq!(Tensor::zeros(&[0, 1], ranges.to_vec()).fill(&ranges, &faults), Err(3 * GRAIN));
    }
}

#[test]
fn columns_of_another_model_are_refused() {
    let (card, _, statement, program, _) = answered(4, Tiny::default());
    let (_, other) = tiny(4, Tiny { width: 7, ..Tiny::default() }).unwrap();
    assert!(matches!(trace(&program, &other), Err(InferError::Column { .. })));
    assert_eq!(card.vocabulary, 19);
    assert_eq!(statement.prompt_length(), 5);
}

#[test]
fn any_token_stays_in_range() {
    for seed in 0..20 {
        let (card, columns) = tiny(seed, Tiny::default()).unwrap();
        for first in 0..card.vocabulary {
            let prompt: Vec<u32> = (0..7).map(|step| (first * 5 + step * (first + 1)) % card.vocabulary).collect();
            let answer = generate(&card, &columns, &prompt, 3, &[], |_| ControlFlow::Continue(())).unwrap();
            let statement = Statement::new(&card, [prompt, answer].concat(), 7).unwrap();
            trace(&Program::new(&card, &statement).unwrap(), &columns).unwrap();
        }
    }
}

/// What the rules of the last columns make of the model's columns before them, all over `(t, u)` of these lengths.
fn made(lengths: [usize; 2], model: &[Vec<i64>], products: Vec<Product>, rule: Rule) -> Result<Vec<i64>, InferError> {
    let axis = |(name, length): (&'static str, usize)| Axis {
        name,
        length,
        bits: length.next_power_of_two().ilog2() as usize,
    };
    let column = |name: String, origin| Column { name, axes: vec![0, 1], causal: false, origin };
    let mut columns = Columns::new();
    let mut program =
        Program { axes: ["t", "u"].into_iter().zip(lengths).map(axis).collect(), products, ..Program::default() };
    for (number, values) in model.iter().enumerate() {
        columns.insert(&number.to_string(), Integers::narrowed(values.clone()));
        program.columns.push(column(number.to_string(), Origin::Model));
    }
    program.schedule.push(model.len());
    program.columns.push(column("made".to_string(), Origin::Witness(rule)));
    let mut executor = Executor::new(ON_CPU, program, &columns)?;
    executor.run_all()?;
    Ok(executor.column(model.len()).expect("it is kept").to_vec())
}

/// The column of that number.
fn own(number: usize) -> Sum {
    Sum::of(1, number, &[0, 1])
}

fn too_wide(bits: u32) -> InferError {
    InferError::Overflow { site: "made".to_string(), bits }
}

#[test]
fn quotients_of_up_to_126_bits_are_exact() {
    const MOST: i128 = (1 << 126) - 1;
    let divide = |n: i128, d: i128| {
        made([1, 1], &[], vec![], Rule::Divide { numerator: Sum::constant(n), denominator: Sum::constant(d) })
    };
    assert_eq!(divide(MOST, MOST), Ok(vec![1]));
    assert_eq!(divide(MOST / 2, MOST), Ok(vec![0]));
    assert_eq!(divide(MOST / 2 + 1, MOST), Ok(vec![1]));
    assert_eq!(divide(-MOST, MOST), Ok(vec![-1]));
    assert_eq!(divide(-(MOST / 2) - 1, MOST), Ok(vec![-1]));
    assert_eq!(divide(MOST, 1), Err(too_wide(63)));
    for (n, d) in [(7i128, 2i128), (-7, 2), (5, 3), (-5, 3), (-4, 3), (1 << 61, 3), (-(1 << 61), 3)] {
        assert_eq!(divide(n, d), Ok(vec![(2 * n + d).div_euclid(2 * d) as i64]), "{n} / {d}");
    }
}

#[test]
fn gaps_and_roots_that_need_more_than_64_bits_are_errors() {
    let gap = |top: i64, of: i64| {
        // Tops are over all axes but the last.
        let tops = Column { name: "top".to_string(), axes: vec![0], causal: false, origin: Origin::Model };
        let axis = |name| Axis { name, length: 1, bits: 0 };
        let rule = Rule::Gap { top: 0, of: own(1), shift: 0 };
        let column = |name: &str, origin| Column { name: name.to_string(), axes: vec![0, 1], causal: false, origin };
        let columns = vec![tops, column("of", Origin::Model), column("made", Origin::Witness(rule))];
        let program = Program { axes: ["t", "u"].map(axis).into(), columns, schedule: vec![2], ..Program::default() };
        let mut values = Columns::new();
        values.insert("top", Integers::narrowed(vec![top]));
        values.insert("of", Integers::narrowed(vec![of]));
        let mut executor = Executor::new(ON_CPU, program, &values)?;
        executor.run_all()?;
        Ok(executor.column(2).expect("it is kept").to_vec())
    };
    assert_eq!(gap(i64::MAX, 0), Ok(vec![i64::MAX]));
    assert_eq!(gap(i64::MAX, -1), Err(too_wide(63)));
    assert_eq!(gap(-2, i64::MAX), Err(too_wide(63)));
    let root = |constant, of: i64| made([1, 1], &[vec![of]], vec![], Rule::InverseSqrt { constant, of: 0 });
    assert_eq!(root(1 << 126, 1), Err(too_wide(63)));
    assert_eq!(root(1 << 126, 5), Ok(vec![((1i128 << 126) / 5).isqrt() as i64]));
    assert_eq!(root(100, 0), Err(InferError::Divisor { site: "made".to_string() }));
    assert!(matches!(root(-100, 1), Err(InferError::Unsupported { .. })));
}

#[test]
fn sums_are_rounded_by_1_to_126_bits() {
    let round = |shift, of: Sum| made([1, 1], &[vec![5]], vec![], Rule::Round { of, shift });
    let large = own(0).times(1 << 120);
    assert_eq!(round(1, own(0)), Ok(vec![3]));
    assert_eq!(round(121, large.clone()), Ok(vec![3]));
    assert_eq!(round(126, large.clone()), Ok(vec![0]));
    assert_eq!(round(126, large.times(8)), Ok(vec![1]));
    for shift in [0, 127, 128, 129, u32::MAX] {
        assert!(matches!(round(shift, own(0)), Err(InferError::Unsupported { .. })), "{shift}");
    }
}

#[test]
fn sums_and_turns_of_more_bits_than_there_are_are_errors() {
    let operand = |number: usize| own(number).over(&[0, 1]);
    let product = |kind| Product { name: "product".to_string(), axes: vec![0, 1], kind, left: operand(0) };
    let exact = |of| Rule::Exact { of };
    // 16 times 2^62 2^62.
    let squares = || vec![product(ProductKind::Einsum(operand(0)))];
    let all = |index: &[Index]| Sum::term(1, Source::Product(0), index);
    let values = vec![vec![1i64 << 62; 16]];
    assert_eq!(made([1, 16], &values, squares(), exact(all(&[Index::At(0), Index::All]))), Err(too_wide(126)));
    let one = vec![vec![3; 16]];
    assert_eq!(made([1, 16], &one, squares(), exact(all(&[Index::At(0), Index::All]))), Ok(vec![9 * 16; 16]));

    let turned = |fraction, value: i64| {
        let rotary = Rotary { time: 0, half: 1, pair: 2, base: 100, fraction };
        let axes = vec![0, 1, 2];
        let own = |number| Sum::of(1, number, &[0, 1, 2]);
        let product = Product {
            name: "made".to_string(),
            axes: axes.clone(),
            kind: ProductKind::Rotary(rotary),
            left: own(0).over(&axes),
        };
        let column = |name: &str, origin| Column { name: name.to_string(), axes: axes.clone(), causal: false, origin };
        let rule = Rule::Exact { of: Sum::product(1, 0, &axes) };
        let axis = |(name, length): (&'static str, usize)| Axis { name, length, bits: length - 1 };
        let program = Program {
            axes: [("t", 1), ("half", 2), ("pair", 1)].map(axis).into(),
            columns: vec![column("of", Origin::Model), column("made", Origin::Witness(rule))],
            schedule: vec![1],
            products: vec![product],
            ..Program::default()
        };
        let mut values = Columns::new();
        values.insert("of", Integers::narrowed(vec![value, 0]));
        let mut executor = Executor::new(ON_CPU, program, &values)?;
        executor.run_all()?;
        Ok(executor.column(1).expect("it is kept").to_vec())
    };
    assert_eq!(turned(4, 3), Ok(vec![48, 0]));
    // Bounds of 2^62, 2^128 and 2^(2^32) and more.
    for (fraction, value) in [(30, 1 << 30), (68, 1 << 58), (126, 1), (u32::MAX, 1)] {
        assert_eq!(turned(fraction, value), Err(too_wide(62)), "{fraction}");
    }
}

#[test]
fn a_prompt_in_slices_is_answered_like_one_at_once() {
    for (seed, shape) in shapes().into_iter().enumerate() {
        let (mut card, columns) = tiny(seed as u64, shape).unwrap();
        card.context = 400;
        let prompt: Vec<u32> = (0..300).map(|place: u32| (place * place + 3 * place) % card.vocabulary).collect();
        let answer = generate(&card, &columns, &prompt, 2, &[], |_| ControlFlow::Continue(())).unwrap();
        let tokens = [&prompt[..], &answer].concat();
        let rows = generate::logits_by(&card, &columns, &tokens, tokens.len()).unwrap();
        for (row, token) in rows[299..].iter().zip(answer) {
            let greedy = (0..row.len()).rev().max_by_key(|&index| row[index]).unwrap();
            assert_eq!(greedy as u32, token, "{shape:?}");
        }
    }
}
