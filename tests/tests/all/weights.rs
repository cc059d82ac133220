//! Closed forms of weights, and what the verifier computes without a table, are the dense sums that they stand for.

use ark_ff::{AdditiveGroup, Field};
use std::iter::zip;
use zkllm_prover::prove::blinding::Blinding;
use zkllm_tests::forge::unravel;
use zkllm_verifier::Fr;
use zkllm_verifier::arith::{dot, mle, tables};
use zkllm_verifier::channel;
use zkllm_verifier::claim::{Driver, Parts, Reader, Weight};
use zkllm_verifier::einsum::{key_weights, rotary_weight};
use zkllm_verifier::ledger::Ledger;
use zkllm_verifier::opening::{Factor, PoolTerm};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{
    Axis, AxisId, Column, Index, Lookup, Origin, Product, ProductKind, Program, Rotary, Source, Sum, Table, Term,
};
use zkllm_verifier::transcript::Transcript;

use Index::{All, At, Before, Pick};

/// Numbers and points that look random and are the same in every run.
struct Random(Blinding, u64);

impl Random {
    fn new(name: &str) -> Self {
        Self(Blinding::seeded(name.as_bytes()), 0x9e37_79b9_7f4a_7c15)
    }
    fn points<const N: usize>(&mut self, bits: usize) -> [Vec<Fr>; N] {
        [(); N].map(|()| self.scalars(bits))
    }
    fn scalars(&mut self, count: usize) -> Vec<Fr> {
        (0..count).map(|_| self.0.scalar()).collect()
    }
    fn below(&mut self, end: usize) -> usize {
        for (left, shift) in [(true, 13), (false, 7), (true, 17)] {
            self.1 ^= if left { self.1 << shift } else { self.1 >> shift };
        }
        (self.1 >> 11) as usize % end
    }
    fn one_of<T: Clone>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())].clone()
    }
}

/// `eq(p, x)` for all `x`, by its definition.
fn eq(p: &[Fr]) -> Vec<Fr> {
    let bit = |x: usize, at: usize| x >> (p.len() - 1 - at) & 1 == 1;
    let factor = |x, at: usize| if bit(x, at) { p[at] } else { Fr::ONE - p[at] };
    (0..1 << p.len()).map(|x| (0..p.len()).map(|at| factor(x, at)).product()).collect()
}

/// The sum over all pairs `u <= t < n` of `weight(t, u)`.
fn triangle(n: usize, weight: impl Fn(usize, usize) -> Fr) -> Fr {
    (0..n).flat_map(|t| (0..=t).map(move |u| (t, u))).map(|(t, u)| weight(t, u)).sum()
}

#[test]
fn extensions_are_their_sums() {
    let mut random = Random::new("extensions");
    for bits in 0..6 {
        let [p, q, r, s] = random.points(bits);
        let [ep, eq_, er, es] = [&p, &q, &r, &s].map(|point| eq(point));
        let all = 1 << bits;
        assert_eq!(mle::eq(&p, &q), Ok((0..all).map(|x| ep[x] * eq_[x]).sum()));
        assert_eq!(mle::identity(&p), (0..all).map(|x| Fr::from(x as u64) * ep[x]).sum());
        let indices = mle::Indices::new(&p);
        for x in 0..all {
            assert_eq!([mle::eq_index(&p, x as u64), indices.at(x)], [ep[x]; 2]);
        }
        for n in 0..=all {
            assert_eq!(mle::eq_table(&p, n), ep[..n]);
            assert_eq!(mle::below(&p, &q, n), Ok((0..n).map(|x| ep[x] * eq_[x]).sum()));
            assert_eq!(mle::below_sum(&p, n), ep[..n].iter().sum());
            assert_eq!(mle::causal_sum(&p, &q, n), Ok(triangle(n, |t, u| ep[t] * eq_[u])));
            let both = triangle(n, |t, u| ep[t] * eq_[u] * er[t] * es[u]);
            assert_eq!(mle::causal(&p, &q, &r, &s, n), Ok(both));
        }
    }
}

#[test]
fn points_of_different_lengths_are_errors() {
    let [one, two]: [Vec<Fr>; 2] = [Random::new("lengths").scalars(1), Random::new("lengths").scalars(2)];
    let bad = Err(zkllm_verifier::Refusal::BadCard);
    for (p, q) in [(&one, &two), (&two, &one), (&one, &Vec::new())] {
        assert_eq!(mle::eq(p, q), bad);
        assert_eq!([0, 1].map(|n| mle::below(p, q, n)), [bad; 2]);
        assert_eq!(mle::causal_sum(p, q, 1), bad);
        for [a, b, c, d] in [[p, q, p, q], [p, p, q, p], [p, p, p, q], [p, p, q, q], [q, p, p, p]] {
            assert_eq!(mle::causal(a, b, c, d, 1), bad);
        }
    }
}

#[test]
fn sums_of_small_integers_by_limbs_are_sums() {
    let mut random = Random::new("limbs");
    let mut weights = random.scalars(40);
    weights.extend([Fr::ZERO, Fr::ONE, -Fr::ONE]);
    let limbs: Vec<_> = weights.iter().map(dot::limbs).collect();
    let extremes = [0, 1, -1, 1 << 60, -(1 << 60), (1 << 32) - 1, -(1 << 31)];
    let columns: Vec<[i64; 2]> = weights.iter().map(|_| [random.one_of(&extremes), random.one_of(&extremes)]).collect();
    for length in 0..=weights.len() {
        let dense = [0, 1].map(|at| zip(&weights, &columns[..length]).map(|(w, v)| *w * Fr::from(v[at])).sum::<Fr>());
        assert_eq!(dot::dots(&limbs, columns[..length].iter().copied()), dense);
        assert_eq!(dot::dot(&limbs, columns[..length].iter().map(|values| values[1])), dense[1]);
    }
}

#[test]
fn tables_of_outputs_are_extended_as_they_are_made() {
    let mut random = Random::new("tables");
    let tables = (1..12).flat_map(|bits| {
        let silu = Table::Silu { bits, fraction: 3, out: 40 };
        [Table::Range { bits }, Table::Exp { bits, fraction: 2, precision: 39 }, silu]
    });
    for table in tables.chain([Table::Range { bits: 0 }, Table::Exp { bits: 0, fraction: 0, precision: 0 }]) {
        let point = random.scalars(table.bits());
        let weights = eq(&point);
        let extension = |output: &Vec<i64>| zip(output, &weights).map(|(out, weight)| *weight * Fr::from(*out)).sum();
        assert_eq!(table.extensions(&point), table.outputs().iter().map(extension).collect::<Vec<Fr>>(), "{table:?}");
        assert_eq!(table.entries(), 1 + table.outputs().len());
    }
}

/// Lengths of the axes of random programs; the first two are those of causal pairs.
fn axes(random: &mut Random) -> Vec<Axis> {
    let pair = 1 + random.below(6);
    let rest = [random.below(6), random.below(9), random.below(3)].map(|length| length + 1);
    let lengths = [[pair, pair].as_slice(), &rest].concat();
    let bits = |length: usize| length.next_power_of_two().trailing_zeros() as usize;
    lengths.into_iter().map(|length| Axis { name: "axis", length, bits: bits(length) }).collect()
}

/// Some of the axes, each once; the causal pair last if `causal`.
fn some(random: &mut Random, axes: &[Axis], causal: bool) -> Vec<AxisId> {
    let (mut rest, mut some): (Vec<AxisId>, _) = ((if causal { 2 } else { 0 }..axes.len()).collect(), Vec::new());
    for _ in 0..random.below(if causal { 3 } else { 4 }) {
        some.push(rest.swap_remove(random.below(rest.len())));
    }
    if causal { [some, vec![0, 1]].concat() } else { some }
}

fn column(random: &mut Random, axes: &[Axis]) -> Column {
    let causal = random.below(3) == 0;
    Column { name: String::new(), axes: some(random, axes, causal), causal, origin: Origin::Model }
}

/// The indices of a tensor in which every axis has its padding.
fn padded(program: &Program, axes: &[AxisId]) -> Vec<Vec<usize>> {
    let lengths: Vec<usize> = axes.iter().map(|&axis| 1 << program.axes[axis].bits).collect();
    (0..lengths.iter().product()).map(|at| unravel(at, &lengths)).collect()
}

fn exists(program: &Program, axes: &[AxisId], causal: bool, index: &[usize]) -> bool {
    let below = zip(axes, index).all(|(axis, at)| *at < program.axes[*axis].length);
    below && !(causal && index[index.len() - 1] > index[index.len() - 2])
}

/// A factor's weights on all indices of its axes.
fn dense(factor: &Factor, bits: usize) -> Vec<Fr> {
    let mut weights = match factor {
        Factor::Eq(point) => eq(point),
        Factor::Below(point, length) => eq(point)[..*length].to_vec(),
        Factor::Vector(vector) => vector.clone(),
        Factor::Sparse(entries) => {
            let mut vector = vec![Fr::ZERO; 1 << bits];
            entries.iter().for_each(|(at, weight)| vector[*at] += weight);
            vector
        }
        Factor::Causal(time, earlier, length) => {
            let (time, earlier) = (eq(time), eq(earlier));
            let at = |t: usize, u: usize| if u <= t && t < *length { time[t] * earlier[u] } else { Fr::ZERO };
            (0..time.len()).flat_map(|t| (0..earlier.len()).map(move |u| (t, u))).map(|(t, u)| at(t, u)).collect()
        }
    };
    weights.resize(1 << bits, Fr::ZERO);
    weights
}

/// The weight of a term at every address of its column.
fn weights(program: &Program, term: &PoolTerm) -> Vec<Fr> {
    let mut axes = program.columns[term.column].axes.iter().map(|&axis| program.axes[axis].bits);
    term.factors.iter().fold(vec![term.coefficient], |all, factor| {
        let factor = dense(factor, axes.by_ref().take(factor.axes()).sum());
        all.iter().flat_map(|weight| factor.iter().map(move |other| *weight * other)).collect()
    })
}

/// The extension at `point` of weights on a column, in every chunk.
fn chunks(plan: &Plan, column: usize, weights: &[Fr], point: &[Fr]) -> Vec<Fr> {
    let (place, eq) = (plan.places[column], eq(point));
    let mut values = vec![Fr::ZERO; plan.chunks()];
    for (at, weight) in weights.iter().enumerate() {
        let address = place.offset as usize + at;
        values[place.chunk + address / eq.len()] += *weight * eq[address % eq.len()];
    }
    values
}

/// Programs of random columns, with their plans.
fn plans(random: &mut Random, count: usize) -> Vec<Plan> {
    let make = |random: &mut Random| {
        let axes = axes(random);
        let columns = (0..1 + random.below(5)).map(|_| column(random, &axes)).collect();
        let program = Program { axes, columns, ..Program::default() };
        Plan::new(program, 1 + random.below(3)).ok()
    };
    std::iter::from_fn(|| Some(make(random))).flatten().take(count).collect()
}

#[test]
fn weights_of_columns_have_their_extensions_in_every_chunk() {
    let mut random = Random::new("columns");
    let (mut across, mut causal) = (0, 0);
    for plan in plans(&mut random, 300) {
        let program = &plan.program;
        for (id, column) in program.columns.iter().enumerate() {
            let mut factors = Vec::new();
            let alone = column.axes.len() - if column.causal { 2 } else { 0 };
            for &axis in &column.axes[..alone] {
                let Axis { length, bits, .. } = program.axes[axis];
                let entries = (0..length).filter(|_| random.below(2) == 0).collect::<Vec<_>>();
                factors.push(match random.below(4) {
                    0 => Factor::Eq(random.scalars(bits)),
                    1 => Factor::Below(random.scalars(bits), length),
                    2 => Factor::Vector(random.scalars(random.1 as usize % length + 1)),
                    _ => Factor::Sparse(entries.into_iter().map(|at| (at, random.scalars(1)[0])).collect()),
                });
            }
            if column.causal {
                let Axis { length, bits, .. } = program.axes[0];
                factors.push(Factor::Causal(random.scalars(bits), random.scalars(bits), length));
                causal += 1;
            }
            across += usize::from(plan.places[id].bits > 2 * plan.chunk_log);
            let term = PoolTerm { coefficient: random.scalars(1)[0], column: id, factors };
            let (point, scale) = (random.scalars(2 * plan.chunk_log), random.scalars(1)[0]);
            let mut values = vec![Fr::ZERO; plan.chunks()];
            assert_eq!(term.evaluate(&plan, scale, &point, &mut values), Ok(()));
            let scaled: Vec<Fr> = weights(program, &term).iter().map(|weight| *weight * scale).collect();
            assert_eq!(values, chunks(&plan, id, &scaled, &point), "{term:?}");
        }
    }
    assert!(across > 50 && causal > 50, "{across} {causal}");
}

#[test]
fn supports_are_claimed_where_columns_must_be_zero() {
    let mut random = Random::new("supports");
    let mut claimed = 0;
    for plan in plans(&mut random, 200) {
        let program = &plan.program;
        let mut channel = channel::Reader::new(&[], Transcript::new("test"));
        let (ledger, pool, queue) = (Ledger::default(), Vec::new(), Vec::new());
        let mut driver = Driver { plan: &plan, channel: &mut channel, ledger, pool, queue };
        let point = random.scalars(plan.column_bits);
        driver.supports(&point);
        let pool = driver.pool;
        for (id, column) in program.columns.iter().enumerate() {
            let eq = eq(&point[point.len() - program.bits(&column.axes)..]);
            let outside = zip(padded(program, &column.axes), eq).map(|(index, weight)| {
                if exists(program, &column.axes, column.causal, &index) { Fr::ZERO } else { weight }
            });
            let outside: Vec<Fr> = outside.collect();
            let terms = pool.iter().flat_map(|claim| &claim.terms).filter(|term| term.column == id);
            let mut claims = vec![Fr::ZERO; outside.len()];
            for term in terms {
                zip(&mut claims, weights(program, term)).for_each(|(sum, weight)| *sum += weight);
                claimed += 1;
            }
            assert_eq!(claims, outside, "{column:?}");
        }
    }
    assert!(claimed > 200, "{claimed}");
}

/// Random entries of a tensor, zero where it has none.
fn tensor(random: &mut Random, program: &Program, axes: &[AxisId], causal: bool) -> Vec<Fr> {
    let entry = |index: &Vec<usize>| {
        let value = random.scalars(1)[0];
        if exists(program, axes, causal, index) { value } else { Fr::ZERO }
    };
    padded(program, axes).iter().map(entry).collect()
}

/// The value of a term at an index of its reader.
fn value(program: &Program, tensor: &[Fr], source: &[AxisId], term: &Term, axes: &[AxisId], index: &[usize]) -> Fr {
    let at = |axis: AxisId| index[axes.iter().position(|other| *other == axis).expect("an axis of the reader")];
    if let Source::Below(list) = term.source {
        let [At(t), At(i)] = term.index[..] else { panic!("two axes") };
        return Fr::from(u64::from(at(i) < program.lists[list][at(t)]));
    }
    let choices = zip(&term.index, source).map(|(index, &axis)| match *index {
        At(axis) => vec![at(axis)],
        Pick(axis, list) => vec![program.lists[list][at(axis)]],
        Before(axis) => (0..at(axis)).collect(),
        All => (0..program.axes[axis].length).collect(),
    });
    let places = zip(choices, source).fold(vec![0], |places, (choices, &axis)| {
        let size = 1 << program.axes[axis].bits;
        places.iter().flat_map(|place| choices.iter().map(move |choice| place * size + choice)).collect()
    });
    places.into_iter().map(|place| tensor[place]).sum()
}

/// A lookup of one random term and a constant; mostly one that its program refuses.
fn reading(random: &mut Random) -> Program {
    let axes = axes(random);
    let causal = random.below(2) == 0;
    let reader = some(random, &axes, causal);
    let lists = (0..axes.len()).map(|axis| (0..axes[axis].length).map(|_| random.below(3)).collect()).collect();
    let (column, result) = (column(random, &axes), some(random, &axes, true));
    let over = Sum::constant(1).over(&result);
    let product = if random.below(2) == 0 {
        let [left, right] =
            [1, 0].map(|without| result.iter().copied().filter(|axis| *axis != without).collect::<Vec<_>>());
        let kind = ProductKind::Scores(Sum::constant(1).over(&right));
        Product { name: String::new(), axes: result, kind, left: Sum::constant(1).over(&left) }
    } else {
        Product { name: String::new(), axes: result, kind: ProductKind::Einsum(over.clone()), left: over }
    };
    let source = random.one_of(&[Source::Column(0), Source::Column(0), Source::Product(0), Source::Below(0)]);
    let of = match source {
        Source::Column(_) => column.axes.clone(),
        Source::Product(_) => product.axes.clone(),
        Source::Below(_) => vec![0, 0],
    };
    let any = if reader.is_empty() { vec![0] } else { reader.clone() };
    let index = of.iter().map(|&axis| {
        let other = random.one_of(&any);
        let axis = if random.below(4) == 0 || !reader.contains(&axis) { other } else { axis };
        let pick = Pick(axis, axis);
        random.one_of(&[At(axis), At(axis), At(axis), Before(axis), pick, All])
    });
    let term = Term { coefficient: 3, source, index: index.collect() };
    let sum = Sum { constant: random.below(2) as i128 * 5, terms: vec![term] };
    let lookup = Lookup { name: String::new(), axes: reader, causal, table: 0, values: vec![sum] };
    Program {
        axes,
        columns: vec![column],
        products: vec![product],
        tables: vec![Table::Range { bits: 4 }],
        lookups: vec![lookup],
        lists,
        ..Program::default()
    }
}

/// What a reader gives for the sum of a program that is accepted: its claims, by definition of what they are about.
#[test]
fn claims_of_accepted_programs_are_the_sums_under_their_weights() {
    let mut random = Random::new("claims");
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..40_000 {
        let program = reading(&mut random);
        if program.check().is_err() {
            continue;
        }
        let Lookup { axes, causal, values, .. } = &program.lookups[0];
        let term = &values[0].terms[0];
        let scores = |product: &Product| matches!(product.kind, ProductKind::Scores(_));
        let (source, triangular) = match term.source {
            Source::Column(id) => (&program.columns[id].axes, program.columns[id].causal),
            Source::Product(id) => (&program.products[id].axes, scores(&program.products[id])),
            Source::Below(_) => (axes, false),
        };
        let tensor = tensor(&mut random, &program, source, triangular);
        let point = random.scalars(program.bits(axes) + random.1 as usize % 2);
        let mut reader = Reader::at(&program, axes, *causal, &point);
        // Where all is a column, a weight may be a vector.
        let vectors = !causal && matches!(term.source, Source::Column(_));
        for (axis, weight) in reader.weights.iter_mut().filter(|_| vectors) {
            if random.below(2) == 0 {
                *weight = Weight::Vector(random.scalars(program.axes[*axis].length));
            }
        }
        let weight = |index: &[usize]| -> Fr {
            let of = |((_, weight), at): (&(AxisId, Weight), &usize)| match weight {
                Weight::Eq(point) => eq(point)[*at],
                Weight::Vector(vector) => vector[*at],
            };
            zip(&reader.weights, index).map(of).product()
        };
        let factor = random.scalars(1)[0];
        let inside = padded(&program, axes).into_iter().filter(|index| exists(&program, axes, *causal, index));
        let dense: Fr = inside
            .map(|index| {
                let term_value = value(&program, &tensor, source, term, axes, &index) * Fr::from(term.coefficient);
                factor * weight(&index) * (Fr::from(values[0].constant) + term_value)
            })
            .sum();
        let mut parts = Parts::default();
        assert_eq!(parts.add(&program, factor, &values[0], &reader), Ok(()), "{program:?}");
        let mut claimed = parts.public;
        for term in &parts.columns {
            claimed += zip(weights(&program, term), &tensor).map(|(weight, value)| weight * value).sum::<Fr>();
        }
        for (coefficient, claim) in &parts.products {
            let eq = claim.points.iter().map(|point| eq(point)).fold(vec![*coefficient], |all, point| {
                all.iter().flat_map(|weight| point.iter().map(move |other| *weight * other)).collect()
            });
            claimed += zip(eq, &tensor).map(|(weight, value)| weight * value).sum::<Fr>();
        }
        assert_eq!(claimed, dense, "{:?} over {axes:?}, causal {causal}, of {source:?}", values[0]);
        let kinds = term.index.iter().map(|index| match index {
            At(_) => "at",
            All => "all",
            Before(_) => "before",
            Pick(..) => "pick",
        });
        let kind = match term.source {
            Source::Column(_) => "column",
            Source::Product(_) => "product",
            Source::Below(_) => "below",
        };
        kinds.chain([""]).for_each(|index| *seen.entry((kind, index, *causal)).or_insert(0) += 1);
    }
    for causal in [false, true] {
        for index in ["at", "all", "before", "pick"] {
            assert!(seen.get(&("column", index, causal)).is_some_and(|count| *count > 10), "{index} {causal} {seen:?}");
        }
        assert!(seen.get(&("product", "at", causal)).is_some_and(|count| *count > 10), "{seen:?}");
    }
    assert!(seen.get(&("below", "at", false)).is_some_and(|count| *count > 10), "{seen:?}");
}

#[test]
fn weights_of_keys_sum_over_what_is_not_later() {
    let mut random = Random::new("keys");
    for length in 1..10usize {
        let bits = length.next_power_of_two().trailing_zeros() as usize;
        let [time, earlier] = random.points(bits);
        let keys = random.scalars(length);
        let (at, before) = (eq(&time), eq(&earlier));
        let claimed: Fr = zip(key_weights(&time, &earlier, length), &keys).map(|(weight, key)| weight * key).sum();
        assert_eq!(claimed, triangle(length, |t, u| at[t] * before[u] * keys[u]));
    }
}

#[test]
fn the_weight_of_a_rotary_embedding_is_the_extension_of_its_table() {
    let mut random = Random::new("rotary");
    for (times, pairs, base, fraction) in [(1, 1, 0, 0), (2, 3, 100, 6), (5, 4, 10_000, 30), (33, 7, u64::MAX, 13)] {
        let axis = |length: usize| {
            let bits = length.next_power_of_two().trailing_zeros() as usize;
            Axis { name: "axis", length, bits }
        };
        let program = Program { axes: vec![axis(times), axis(2), axis(pairs)], ..Program::default() };
        let rotary = Rotary { time: 0, half: 1, pair: 2, base, fraction };
        let mut points = || [0, 1, 2].map(|axis: usize| random.scalars(program.axes[axis].bits));
        let (point, bound) = (points(), points());
        let [[pt, ph, pe], [bt, bh, be]] = [&point, &bound].map(|points| points.each_ref().map(|point| eq(point)));
        let mut dense = Fr::ZERO;
        for (t, row) in tables::rotary(times, pairs, base, fraction).iter().enumerate() {
            for (e, (cos, sin)) in row.iter().enumerate() {
                let (cos, sin, weight) = (Fr::from(*cos), Fr::from(*sin), pt[t] * pe[e] * bt[t] * be[e]);
                dense += weight * (bh[0] * (ph[0] * cos + ph[1] * sin) + bh[1] * (ph[1] * cos - ph[0] * sin));
            }
        }
        let given =
            rotary_weight(&program, &rotary, point.each_ref().map(Vec::as_slice), bound.each_ref().map(Vec::as_slice));
        assert_eq!(given, Ok(dense), "{times} {pairs}");
    }
}
