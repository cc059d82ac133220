//! Decides how a weight on a column becomes a sum of products (rows) x (columns) over the matrices of all chunks.

use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;
use std::iter::zip;
use zkllm_verifier::arith::mle;
use zkllm_verifier::opening::{Factor, PoolTerm};
use zkllm_verifier::plan::Plan;

/// `weight * columns[j]` at column `j` of these rows, 0 in all others.
pub struct Rank {
    /// Rows, counted through all chunks, and their weights.
    pub rows: Vec<(usize, Fr)>,
    /// Weights of the columns.
    pub columns: Vec<Fr>,
}

/// The weights of a term.
pub enum Weights {
    /// Their sum.
    Ranks(Vec<Rank>),
    /// Of causal pairs that reach across rows of chunks.
    Squares(Squares),
}

impl Weights {
    /// By rank, or row of chunks that a square has: the weights of its columns, times `columns`.
    pub fn values(&self, columns: &[Fr]) -> Vec<Fr> {
        let dot = |rank: &Rank| zip(&rank.columns, columns).map(|(a, b)| *a * b).sum();
        match self {
            Weights::Ranks(ranks) => ranks.par_iter().map(dot).collect(),
            Weights::Squares(squares) => {
                (0..squares.len()).into_par_iter().map(|number| squares.dot(number, columns)).collect()
            }
        }
    }
}

/// `(t, u) -> time[t] earlier[u] [u <= t]` at pairs of squares that lie one after the other, a square's weight times that. It is
/// one rank for every row of chunks that a square has, which is much: the ranks are made when they are read.
pub struct Squares {
    /// The first row of each square, counted through all chunks, and its weight.
    pub rows: Vec<(usize, Fr)>,
    time: Vec<Fr>,
    earlier: Vec<Fr>,
    /// Rows of a square in a row of a chunk.
    together: usize,
}

impl Squares {
    /// How many rows of chunks a square has.
    pub fn len(&self) -> usize {
        self.time.len().div_ceil(self.together)
    }

    /// For each row of a square in row `number` of chunks: its weight, and where its columns begin.
    fn times(&self, number: usize) -> impl Iterator<Item = (&[Fr], Fr, usize)> {
        let first = number * self.together;
        let times = self.time.iter().enumerate().skip(first).take(self.together);
        times.map(move |(t, time)| {
            (&self.earlier[..=t.min(self.earlier.len() - 1)], *time, (t - first) * self.earlier.len())
        })
    }

    /// Adds the weights of the columns of row `number` of chunks.
    pub fn add_columns(&self, number: usize, columns: &mut [Fr]) {
        for (earlier, time, start) in self.times(number) {
            zip(&mut columns[start..], earlier).for_each(|(sum, weight)| *sum += time * weight);
        }
    }

    /// The sum of these weights, times `columns`.
    fn dot(&self, number: usize, columns: &[Fr]) -> Fr {
        let row = |(earlier, time, start): (&[Fr], Fr, usize)| {
            time * zip(earlier, &columns[start..]).map(|(weight, column)| *weight * column).sum::<Fr>()
        };
        self.times(number).map(row).sum()
    }
}

/// A weight on some neighbouring address bits: `sum over terms of high x low` is what [`split`] makes of one.
#[derive(Clone)]
enum Bits {
    Eq(Vec<Fr>),
    Below(Vec<Fr>, usize),
    /// Weights of the first indices, the rest 0; with the number of bits.
    Dense(Vec<Fr>, usize),
    /// 1 at one index, 0 elsewhere.
    Unit(usize, usize),
    /// `(t, u) -> time[t] earlier[u] [u <= t]`, 0 for times without a weight; with the number of bits.
    Causal(Vec<Fr>, Vec<Fr>, usize),
}

impl Bits {
    fn bits(&self) -> usize {
        match self {
            Bits::Eq(point) | Bits::Below(point, _) => point.len(),
            Bits::Dense(_, bits) | Bits::Unit(_, bits) | Bits::Causal(_, _, bits) => *bits,
        }
    }

    fn expand(&self) -> Vec<Fr> {
        let mut table = match self {
            Bits::Eq(point) => mle::eq_table(point, 1 << point.len()),
            Bits::Below(point, length) => mle::eq_table(point, *length),
            Bits::Dense(values, _) => values.clone(),
            Bits::Unit(at, bits) => (0..1 << bits).map(|x| Fr::from((x == *at) as u64)).collect(),
            Bits::Causal(time, earlier, _) => {
                let row = |(t, time): (usize, &Fr)| {
                    let weight = |(u, weight): (usize, &Fr)| if u <= t { *time * weight } else { Fr::ZERO };
                    earlier.iter().enumerate().map(weight).collect::<Vec<_>>()
                };
                time.iter().enumerate().flat_map(row).collect()
            }
        };
        table.resize(1 << self.bits(), Fr::ZERO);
        table
    }

    /// The sum of products (all but the last `low` bits) x (the last `low` bits).
    fn split(&self, low: usize) -> Vec<(Fr, Bits, Bits)> {
        let high = self.bits() - low;
        match self {
            Bits::Eq(point) => vec![(Fr::ONE, Bits::Eq(point[..high].to_vec()), Bits::Eq(point[high..].to_vec()))],
            Bits::Below(point, length) => {
                let (whole, rest) = (length >> low, length & ((1 << low) - 1));
                let (upper, lower) = point.split_at(high);
                let mut terms = vec![(Fr::ONE, Bits::Below(upper.to_vec(), whole), Bits::Eq(lower.to_vec()))];
                if rest > 0 {
                    let last = mle::eq_index(upper, whole as u64);
                    terms.push((last, Bits::Unit(whole, high), Bits::Below(lower.to_vec(), rest)));
                }
                terms
            }
            Bits::Unit(at, _) => vec![(Fr::ONE, Bits::Unit(at >> low, high), Bits::Unit(at & ((1 << low) - 1), low))],
            Bits::Causal(_, _, bits) => Bits::Dense(self.expand(), *bits).split(low),
            Bits::Dense(values, _) => {
                let slices: Vec<&[Fr]> = values.chunks(1 << low).collect();
                let nonzero = |slice: &&[Fr]| slice.iter().any(|value| *value != Fr::ZERO);
                if slices.iter().filter(|slice| nonzero(slice)).count() <= 1 << low {
                    let unit = |(at, slice): (usize, &&[Fr])| {
                        (Fr::ONE, Bits::Unit(at, high), Bits::Dense(slice.to_vec(), low))
                    };
                    slices.iter().enumerate().filter(|(_, slice)| nonzero(slice)).map(unit).collect()
                } else {
                    let column =
                        |at: usize| slices.iter().map(|slice| slice.get(at).copied().unwrap_or(Fr::ZERO)).collect();
                    (0..1 << low).map(|at| (Fr::ONE, Bits::Dense(column(at), high), Bits::Unit(at, low))).collect()
                }
            }
        }
    }

    /// Where it is not 0.
    fn support(&self) -> Vec<(usize, Fr)> {
        match self {
            Bits::Unit(at, _) => vec![(*at, Fr::ONE)],
            _ => self.expand().into_iter().enumerate().filter(|(_, weight)| *weight != Fr::ZERO).collect(),
        }
    }
}

/// The weights of a term, scaled by `scale`.
pub fn weights(plan: &Plan, term: &PoolTerm, scale: Fr) -> Weights {
    let program = &plan.program;
    let place = plan.places[term.column];
    let mut axes = program.columns[term.column].axes.iter().map(|&axis| program.axes[axis].bits);
    let mut bits: Vec<Bits> = Vec::new();
    for factor in &term.factors {
        let width = axes.next().unwrap_or(0);
        bits.push(match factor {
            Factor::Eq(point) => Bits::Eq(point.clone()),
            Factor::Below(point, length) => Bits::Below(point.clone(), *length),
            Factor::Vector(values) => Bits::Dense(values.clone(), width),
            Factor::Sparse(entries) => {
                let mut values = vec![Fr::ZERO; entries.last().map_or(0, |(last, _)| last + 1)];
                entries.iter().for_each(|(at, weight)| values[*at] = *weight);
                Bits::Dense(values, width)
            }
            Factor::Causal(time, earlier, length) => {
                axes.next();
                let tables = (mle::eq_table(time, *length), mle::eq_table(earlier, 1 << earlier.len()));
                Bits::Causal(tables.0, tables.1, time.len() + earlier.len())
            }
        });
    }
    let (log, scale) = (plan.chunk_log, scale * term.coefficient);
    let first = (place.chunk << (2 * log)) + place.offset as usize;
    if place.bits < log {
        bits.insert(0, Bits::Unit((first & ((1 << log) - 1)) >> place.bits, log - place.bits));
    }
    outer(log, first >> log, scale, &bits)
}

/// Splits a product of weights into rows, from `first` on, and columns of `log` bits.
fn outer(log: usize, first: usize, scale: Fr, parts: &[Bits]) -> Weights {
    // From the last part up: those wholly in the columns, at most one across, those wholly in the rows.
    let (mut low, mut columns, mut rest) = (log, vec![Fr::ONE], parts);
    while let [head @ .., part] = rest
        && part.bits() <= low
    {
        columns = tensor(&part.expand(), &columns);
        low -= part.bits();
        rest = head;
    }
    let product = |rows: Vec<(usize, Fr)>, part: &Bits| -> Vec<(usize, Fr)> {
        let (bits, support) = (part.bits(), part.support());
        let times = |(at, weight): (usize, Fr)| support.iter().map(move |(x, own)| (at << bits | x, weight * own));
        rows.into_iter().flat_map(times).collect()
    };
    let upper = |head: &[Bits]| head.iter().fold(vec![(0, Fr::ONE)], product);
    let (across, upper) = match rest {
        // Nothing is behind a causal pair.
        [head @ .., Bits::Causal(time, earlier, bits)] if low == log && earlier.len() <= 1 << log => {
            let rows = upper(head).into_iter().map(|(square, own)| (first + (square << (bits - log)), own)).collect();
            let time = time.iter().map(|weight| *weight * scale).collect();
            let together = (1 << log) / earlier.len();
            return Weights::Squares(Squares { rows, time, earlier: earlier.clone(), together });
        }
        [head @ .., part] => (part.split(low), upper(head)),
        [] => (vec![(Fr::ONE, Bits::Unit(0, 0), Bits::Unit(0, 0))], upper(rest)),
    };
    // Factors are with the columns: claims at one point agree on the rows then, and share a combination of them.
    let rank = |(weight, high, low): (Fr, Bits, Bits)| Rank {
        rows: product(upper.clone(), &high).into_iter().map(|(row, own)| (first + row, own)).collect(),
        columns: tensor(&low.expand(), &columns).into_iter().map(|value| value * weight * scale).collect(),
    };
    Weights::Ranks(across.into_iter().map(rank).collect())
}

fn tensor(a: &[Fr], b: &[Fr]) -> Vec<Fr> {
    if a == [Fr::ONE] {
        return b.to_vec();
    }
    a.iter().flat_map(|a| b.iter().map(move |b| if *a == Fr::ZERO { Fr::ZERO } else { *a * b })).collect()
}
