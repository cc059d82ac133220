//! Decides how a weight on a column becomes a sum of products (rows) x (columns) over the matrix of a chunk.

use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};
use zkllm_verifier::arith::mle;
use zkllm_verifier::opening::{Factor, PoolTerm};
use zkllm_verifier::plan::Plan;

/// `rows[i] * columns[j]` on the matrix of chunk `chunk`.
pub struct Rank {
    /// The chunk.
    pub chunk: usize,
    /// Weights of its rows.
    pub rows: Vec<Fr>,
    /// Weights of its columns.
    pub columns: Vec<Fr>,
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
}

impl Bits {
    fn bits(&self) -> usize {
        match self {
            Bits::Eq(point) | Bits::Below(point, _) => point.len(),
            Bits::Dense(_, bits) | Bits::Unit(_, bits) => *bits,
        }
    }

    fn expand(&self) -> Vec<Fr> {
        let mut table = match self {
            Bits::Eq(point) => mle::eq_table(point, 1 << point.len()),
            Bits::Below(point, length) => mle::eq_table(point, *length),
            Bits::Dense(values, _) => values.clone(),
            Bits::Unit(at, bits) => (0..1 << bits).map(|x| Fr::from((x == *at) as u64)).collect(),
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

    /// The weight with its first bits fixed to `at`.
    fn restrict(&self, fixed: usize, at: usize) -> (Fr, Bits) {
        let rest = self.bits() - fixed;
        match self {
            Bits::Eq(point) => (mle::eq_index(&point[..fixed], at as u64), Bits::Eq(point[fixed..].to_vec())),
            _ => {
                let all = self.expand();
                (Fr::ONE, Bits::Dense(all[at << rest..(at + 1) << rest].to_vec(), rest))
            }
        }
    }
}

/// The weights of a term, scaled by `scale`, on every chunk it reaches.
pub fn ranks(plan: &Plan, term: &PoolTerm, scale: Fr) -> Vec<Rank> {
    let program = &plan.program;
    let place = plan.places[term.column];
    let chunk_bits = 2 * plan.chunk_log;
    let mut axes = program.columns[term.column].axes.iter().map(|&axis| program.axes[axis].bits);
    let mut bits: Vec<Bits> = Vec::new();
    for factor in &term.factors {
        let width = axes.next().unwrap_or(0);
        bits.push(match factor {
            Factor::Eq(point) => Bits::Eq(point.clone()),
            Factor::Below(point, length) => Bits::Below(point.clone(), *length),
            Factor::Vector(values) => Bits::Dense(values.clone(), width),
            Factor::Causal(time, earlier, length) => {
                axes.next();
                Bits::Dense(causal(time, earlier, *length), time.len() + earlier.len())
            }
        });
    }
    let scale = scale * term.coefficient;
    if place.bits <= chunk_bits {
        let prefix = chunk_bits - place.bits;
        bits.insert(0, Bits::Unit((place.offset >> place.bits) as usize, prefix));
        return outer(plan.chunk_log, place.chunk, scale, &bits);
    }
    let extra = place.bits - chunk_bits;
    (0..1usize << extra)
        .flat_map(|number| {
            let (mut fixed, mut scale, mut rest) = (extra, scale, Vec::new());
            for part in &bits {
                let here = fixed.min(part.bits());
                fixed -= here;
                let (weight, part) = part.restrict(here, (number >> fixed) & ((1 << here) - 1));
                scale *= weight;
                rest.push(part);
            }
            outer(plan.chunk_log, place.chunk + number, scale, &rest)
        })
        .collect()
}

/// Splits a product of weights over `2 * log` bits into rows and columns of `log` bits.
fn outer(log: usize, chunk: usize, scale: Fr, parts: &[Bits]) -> Vec<Rank> {
    // From the last part up: those wholly in the columns, at most one across, those wholly in the rows.
    let (mut low, mut columns, mut rest) = (log, vec![Fr::ONE], parts);
    while let [head @ .., part] = rest
        && part.bits() <= low
    {
        columns = tensor(&part.expand(), &columns);
        low -= part.bits();
        rest = head;
    }
    let (across, head) = match rest {
        [head @ .., part] => (part.split(low), head),
        [] => (vec![(Fr::ONE, Bits::Unit(0, 0), Bits::Unit(0, 0))], rest),
    };
    let upper = head.iter().fold(vec![Fr::ONE], |rows, part| tensor(&rows, &part.expand()));
    // Factors are with the columns: claims at one point agree on the rows then, and share a combination of them.
    let rank = |(weight, high, low): (Fr, Bits, Bits)| Rank {
        chunk,
        rows: tensor(&upper, &high.expand()),
        columns: tensor(&low.expand(), &columns).into_iter().map(|value| value * weight * scale).collect(),
    };
    across.into_iter().map(rank).collect()
}

fn tensor(a: &[Fr], b: &[Fr]) -> Vec<Fr> {
    if a == [Fr::ONE] {
        return b.to_vec();
    }
    a.iter().flat_map(|a| b.iter().map(move |b| if *a == Fr::ZERO { Fr::ZERO } else { *a * b })).collect()
}

/// `(t, u) -> eq(time, t) eq(earlier, u) [u <= t < length]`, over the padded square.
fn causal(time: &[Fr], earlier: &[Fr], length: usize) -> Vec<Fr> {
    let side = 1 << earlier.len();
    let earlier = mle::eq_table(earlier, side);
    let mut table = Vec::with_capacity(side << time.len());
    for (t, weight) in mle::eq_table(time, length).iter().enumerate() {
        table.extend(earlier.iter().enumerate().map(|(u, eq)| if u <= t { *weight * eq } else { Fr::ZERO }));
    }
    table
}
