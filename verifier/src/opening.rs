//! Decides that the committed columns have the claimed values: one sumcheck over all chunks, then one opening of one
//! combined matrix. Spec: opening.

use crate::Refusal;
use crate::arith::mle;
use crate::channel::{Ask, Channel, Sumcheck};
use crate::claim::Driver;
use crate::dory::{self, Setup};
use crate::groups::Gt;
use crate::ledger::Form;
use crate::plan::Plan;
use crate::program::ColumnId;
use crate::sumcheck::sumcheck;
use alloc::vec;
use alloc::vec::Vec;
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};

/// A public weight on one or two neighbouring axes of a column.
#[derive(Clone, Debug)]
pub enum Factor {
    /// `x -> eq(point, x)`, on the padding too.
    Eq(Vec<Fr>),
    /// `x -> eq(point, x)` for `x < length`, else 0.
    Below(Vec<Fr>, usize),
    /// `x -> vector[x]`, zero from the vector's end on.
    Vector(Vec<Fr>),
    /// The weights of some indices, in their order; every other index has the weight zero.
    Sparse(Vec<(usize, Fr)>),
    /// `(t, u) -> eq(time, t) eq(earlier, u)` for `u <= t < length`, else 0.
    Causal(Vec<Fr>, Vec<Fr>, usize),
}

/// `coefficient * sum over x of prod factors(x) * column(x)`.
#[derive(Clone, Debug)]
pub struct PoolTerm {
    /// The coefficient.
    pub coefficient: Fr,
    /// The column.
    pub column: ColumnId,
    /// The factors, in the order of the column's axes.
    pub factors: Vec<Factor>,
}

/// The terms sum to `value`.
#[derive(Clone, Debug)]
pub struct PoolClaim {
    /// Which check it comes from, for a prover that made a mistake.
    pub name: &'static str,
    /// The terms.
    pub terms: Vec<PoolTerm>,
    /// Their sum.
    pub value: Form,
}

impl Factor {
    /// The extension at `at` with the first `fixed` bits set to 0, 1, .., `2^fixed - 1` in turn and the others at `at`.
    /// Spec: opening.weights.
    fn evaluate(&self, fixed: usize, at: &[Fr]) -> Result<Vec<Fr>, Refusal> {
        let numbers = 0..1u64 << fixed;
        Ok(match self {
            Factor::Eq(point) => {
                let (high, low) = point.split_at(fixed);
                let rest = mle::eq(low, at)?;
                numbers.map(|number| mle::eq_index(high, number) * rest).collect()
            }
            Factor::Below(point, length) => {
                let (high, low) = point.split_at(fixed);
                let (whole, rest) = ((length >> low.len()) as u64, length & ((1 << low.len()) - 1));
                let (all, some) = (mle::eq(low, at)?, mle::below(low, at, rest)?);
                let value = |number| match number {
                    number if number < whole => all,
                    number if number == whole => some,
                    _ => Fr::ZERO,
                };
                numbers.map(|number| mle::eq_index(high, number) * value(number)).collect()
            }
            Factor::Vector(vector) => {
                let mut slices = vector.chunks(1 << at.len());
                if slices.len() > 1 << fixed {
                    return Err(Refusal::BadCard);
                }
                let eq = mle::eq_table(at, vector.len().min(1 << at.len()));
                let slice = |slice: &[Fr]| slice.iter().zip(&eq).map(|(value, eq)| *value * eq).sum();
                numbers.map(|_| slices.next().map_or(Fr::ZERO, slice)).collect()
            }
            Factor::Sparse(entries) => {
                let (eq, mut values) = (mle::Indices::new(at), vec![Fr::ZERO; 1 << fixed]);
                for (x, weight) in entries {
                    let value = values.get_mut(x >> at.len()).ok_or(Refusal::BadCard)?;
                    *value += *weight * eq.at(x & ((1 << at.len()) - 1));
                }
                values
            }
            // The plan keeps a causal pair within a chunk: nothing is fixed.
            Factor::Causal(time, earlier, length) => {
                let (t, u) = at.split_at(time.len().min(at.len()));
                vec![mle::causal(time, earlier, t, u, *length)?]
            }
        })
    }

    /// Axes it stands over.
    pub fn axes(&self) -> usize {
        match self {
            Factor::Causal(..) => 2,
            _ => 1,
        }
    }
}

impl PoolTerm {
    /// Adds `scale` times the extension of the term's weights at `point`, to the value of every chunk it reaches.
    ///
    /// In a chunk the weights' extension is `eq(prefix, point's first bits) * prod factors(rest)`; a column of more bits than a
    /// chunk has its first bits fixed to the chunk's number instead.
    ///
    /// # Errors
    /// `BadCard` for factors that are not those of the column's axes.
    pub fn evaluate(&self, plan: &Plan, scale: Fr, point: &[Fr], values: &mut [Fr]) -> Result<(), Refusal> {
        let place = plan.places[self.column];
        let mut fixed = place.bits.saturating_sub(point.len());
        let (prefix, mut rest) = point.split_at(point.len().saturating_sub(place.bits));
        let mut weights = vec![scale * self.coefficient * mle::eq_index(prefix, place.offset >> place.bits.min(63))];
        let mut axes = plan.program.columns[self.column].axes.iter().map(|&axis| plan.program.axes[axis].bits);
        for factor in &self.factors {
            let bits: usize = axes.by_ref().take(factor.axes()).sum();
            let here = fixed.min(bits);
            fixed -= here;
            let (head, tail) = rest.split_at(bits - here);
            rest = tail;
            let values = factor.evaluate(here, head)?;
            weights = weights.iter().flat_map(|weight| values.iter().map(move |value| *weight * value)).collect();
        }
        for (value, weight) in values.iter_mut().skip(place.chunk).zip(weights) {
            *value += weight;
        }
        Ok(())
    }
}

impl<C: Channel> Driver<'_, C> {
    /// Every column is zero outside its support: at the random `point`,
    /// `sum_x (eq(point, x) - eq(point, x) [x in support]) column(x) = 0`. Spec: opening.support.
    pub fn supports(&mut self, point: &[Fr]) {
        let program = &self.plan.program;
        for (id, column) in program.columns.iter().enumerate() {
            let axes = &column.axes;
            let full = axes.iter().all(|&axis| program.axes[axis].length == 1 << program.axes[axis].bits);
            if full && !column.causal {
                continue;
            }
            let mut rest = &point[point.len() - program.bits(axes)..];
            let mut all = Vec::new();
            let mut inside = Vec::new();
            for &axis in axes {
                let (head, tail) = rest.split_at(program.axes[axis].bits);
                all.push(Factor::Eq(head.to_vec()));
                inside.push(Factor::Below(head.to_vec(), program.axes[axis].length));
                rest = tail;
            }
            if column.causal
                && let (Some(Factor::Below(u, _)), Some(Factor::Below(t, length))) = (inside.pop(), inside.pop())
            {
                inside.push(Factor::Causal(t, u, length));
            }
            let terms = vec![
                PoolTerm { coefficient: Fr::ONE, column: id, factors: all },
                PoolTerm { coefficient: -Fr::ONE, column: id, factors: inside },
            ];
            self.pool.push(PoolClaim { name: "opening.support", terms, value: Form::constant(Fr::ZERO) });
        }
    }

    /// Proves all claims on columns, given the commitment to every chunk. Spec: opening.
    pub fn open(&mut self, commitments: &[Gt], setup: &Setup) -> Result<(), Refusal> {
        let claims = core::mem::take(&mut self.pool);
        let gamma = self.channel.challenge("opening.gamma");
        // sum_k gamma^k value_k = sum_c sum_b F_c(b) P_c(b), F_c = sum_k gamma^k weight_k on chunk c
        let (mut value, mut power) = (Form::constant(Fr::ZERO), Fr::ONE);
        for claim in &claims {
            value = value.plus(power, &claim.value);
            power *= gamma;
        }
        let of = Sumcheck::Opening { claims: &claims, gamma };
        let coordinates = vec![None; 2 * self.plan.chunk_log];
        let (point, value) = sumcheck(self.channel, &mut self.ledger, of, value, coordinates)?;
        let chunks = self.ledger.slots(self.channel, Ask::End { of, point: &point }, commitments.len())?;
        // value = sum_c F_c(r) P_c(r)
        let mut weights = vec![Fr::ZERO; commitments.len()];
        let mut power = Fr::ONE;
        for claim in &claims {
            for term in &claim.terms {
                term.evaluate(self.plan, power, &point, &mut weights)?;
            }
            power *= gamma;
        }
        let rest = weights.iter().zip(&chunks).fold(value, |rest, (weight, chunk)| rest.plus(-*weight, chunk));
        self.ledger.zero("opening.sum", rest);
        // y = sum_c mu^c P_c(r), of the matrix sum_c mu^c P_c; mu is drawn after the values.
        let mu = self.channel.challenge("opening.mu");
        let opened = self.ledger.slots(self.channel, Ask::Opened { mu, point: &point }, 1)?;
        let [y] = opened.as_slice() else { return Err(Refusal::LedgerValue) };
        let powers = core::iter::successors(Some(Fr::ONE), |power| Some(*power * mu));
        let scaled: Vec<(Fr, Gt)> = powers.zip(commitments.iter().copied()).collect();
        let rest = scaled.iter().zip(&chunks).fold(y.clone(), |rest, ((power, _), chunk)| rest.plus(-*power, chunk));
        self.ledger.zero("opening.value", rest);
        let link = self.ledger.last().ok_or(Refusal::LedgerValue)?;
        let (rows, columns) = point.split_at(self.plan.chunk_log);
        let generators = setup.ledger_generators();
        dory::open(
            self.channel,
            setup,
            self.plan.chunk_log,
            dory::combine(&scaled)?,
            rows,
            columns,
            link,
            (generators.g[0], generators.h),
        )
    }
}
