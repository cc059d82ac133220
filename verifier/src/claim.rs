//! Decides how a claim on a sum becomes claims on columns, for the opening, and on products. Spec: claim.

use crate::Refusal;
use crate::arith::mle;
use crate::channel::{Ask, Channel};
use crate::einsum::ProductClaim;
use crate::ledger::{Form, Ledger};
use crate::opening::{Factor, PoolClaim, PoolTerm};
use crate::plan::Plan;
use crate::program::{AxisId, Index, ListId, ProductId, Program, Source, Sum, Term};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};

/// The driver's state: everything claimed and not yet proved.
pub struct Driver<'a, C> {
    /// What is proved, and how.
    pub plan: &'a Plan,
    /// Where messages come from.
    pub channel: &'a mut C,
    /// Secret scalars.
    pub ledger: Ledger,
    /// Claims on columns.
    pub pool: Vec<PoolClaim>,
    /// Claims on products that are not reduced yet.
    pub queue: Vec<(ProductClaim, Form)>,
}

/// A public weight on one axis.
#[derive(Clone, Debug)]
pub enum Weight {
    /// `x -> eq(point, x)`.
    Eq(Vec<Fr>),
    /// `x -> vector[x]`, zero from the vector's end on.
    Vector(Vec<Fr>),
}

/// The weights under which a sum is read: a product over its axes, restricted to their true lengths and, for a causal
/// pair `(t, u)`, to `u <= t`.
#[derive(Clone, Debug)]
pub struct Reader {
    /// A weight for each axis.
    pub weights: Vec<(AxisId, Weight)>,
    /// The causal pair.
    pub causal: Option<(AxisId, AxisId)>,
}

impl Reader {
    /// Eq weights at the last bits of `point`.
    pub fn at(program: &Program, axes: &[AxisId], causal: bool, point: &[Fr]) -> Self {
        let mut rest = &point[point.len() - program.bits(axes)..];
        let mut weights = Vec::new();
        for &axis in axes {
            let (head, tail) = rest.split_at(program.axes[axis].bits);
            weights.push((axis, Weight::Eq(head.to_vec())));
            rest = tail;
        }
        let causal = match axes {
            [.., t, u] if causal => Some((*t, *u)),
            _ => None,
        };
        Self { weights, causal }
    }

    fn weight(&self, axis: AxisId) -> Result<&Weight, Refusal> {
        self.weights.iter().find(|(other, _)| *other == axis).map(|(_, weight)| weight).ok_or(Refusal::BadCard)
    }

    /// The weights of an axis, on its true length.
    fn expand(&self, program: &Program, axis: AxisId) -> Result<Vec<Fr>, Refusal> {
        Ok(match self.weight(axis)? {
            Weight::Eq(point) => mle::eq_table(point, program.axes[axis].length),
            Weight::Vector(vector) => vector.clone(),
        })
    }

    /// The sum of all weights but those of `read` axes: what a constant, or a broadcast, is multiplied by.
    fn mass(&self, program: &Program, read: &[AxisId]) -> Result<Fr, Refusal> {
        let mut mass = Fr::ONE;
        for (axis, weight) in &self.weights {
            let (axis, length) = (*axis, program.axes[*axis].length);
            if read.contains(&axis) || self.causal.is_some_and(|(t, u)| axis == t || axis == u) {
                continue;
            }
            mass *= match weight {
                Weight::Eq(point) => mle::below_sum(point, length),
                Weight::Vector(vector) => vector.iter().sum(),
            };
        }
        if let Some((t, u)) = self.causal
            && !read.contains(&t)
            && !read.contains(&u)
        {
            let (Weight::Eq(time), Weight::Eq(earlier)) = (self.weight(t)?, self.weight(u)?) else {
                return Err(Refusal::BadCard);
            };
            mass *= mle::causal_sum(time, earlier, program.axes[t].length)?;
        }
        Ok(mass)
    }

    /// The weights of a source axis that stands at the reader's `axis`, for a term that reads the axes `read`.
    fn factor(&self, program: &Program, axis: AxisId, read: &[AxisId]) -> Result<Factor, Refusal> {
        if let Some((t, u)) = self.causal
            && axis == t
            && !read.contains(&u)
        {
            // t -> w_t sum_{u <= t} w_u
            let (mut times, mut sum) = (self.expand(program, t)?, Fr::ZERO);
            for (weight, earlier) in times.iter_mut().zip(self.expand(program, u)?) {
                sum += earlier;
                *weight *= sum;
            }
            return Ok(Factor::Vector(times));
        }
        if self.causal.is_some_and(|(t, u)| axis == u && !read.contains(&t)) {
            return Err(Refusal::BadCard);
        }
        // The column is zero outside its support, which its support claim shows: eq needs no restriction.
        Ok(match self.weight(axis)? {
            Weight::Eq(point) => Factor::Eq(point.clone()),
            Weight::Vector(vector) => Factor::Vector(vector.clone()),
        })
    }

    /// The factors on a source whose axes are `axes`, read through `term`, and what the sum over unread axes contributes.
    fn factors(&self, program: &Program, axes: &[AxisId], term: &Term) -> Result<(Fr, Vec<Factor>), Refusal> {
        let read: Vec<AxisId> = term.index.iter().filter_map(|index| index.reader()).collect();
        let factor = |(index, &source): (&Index, &AxisId)| {
            let length = program.axes[source].length;
            Ok(match index {
                Index::At(axis) => self.factor(program, *axis, &read)?,
                Index::All => Factor::Vector(vec![Fr::ONE; length]),
                Index::Before(axis) => {
                    // x -> sum_{i > x} w_i
                    let (mut weights, mut sum) = (self.expand(program, *axis)?, Fr::ZERO);
                    for weight in weights.iter_mut().rev() {
                        sum += core::mem::replace(weight, sum);
                    }
                    Factor::Vector(weights)
                }
                Index::Pick(axis, list) => {
                    // Of a vocabulary the tokens of a statement are few.
                    let mut weights = BTreeMap::new();
                    for (weight, at) in self.expand(program, *axis)?.into_iter().zip(&program.lists[*list]) {
                        *weights.entry(*at).or_insert(Fr::ZERO) += weight;
                    }
                    Factor::Sparse(weights.into_iter().collect())
                }
            })
        };
        let factors = term.index.iter().zip(axes).map(factor).collect::<Result<_, _>>()?;
        Ok((self.mass(program, &read)?, factors))
    }

    /// The value of the public matrix `[i < list[t]]` read at axes `(t, i)`.
    fn below(&self, program: &Program, term: &Term, list: ListId) -> Result<Fr, Refusal> {
        let [Index::At(t), Index::At(i)] = term.index[..] else { return Err(Refusal::BadCard) };
        let Weight::Eq(point) = self.weight(i)? else { return Err(Refusal::BadCard) };
        let rows = self.expand(program, t)?;
        Ok(rows.iter().zip(&program.lists[list]).map(|(weight, length)| *weight * mle::below_sum(point, *length)).sum())
    }
}

/// A linear combination of sums under weights, split into its parts: public, columns, products.
#[derive(Default)]
pub struct Parts {
    /// The public part.
    pub public: Fr,
    /// Columns under weights.
    pub columns: Vec<PoolTerm>,
    /// Products under weights; equal claims are one.
    pub products: Vec<(Fr, ProductClaim)>,
}

impl Parts {
    /// Adds `factor * sum` under `reader`.
    pub fn add(&mut self, program: &Program, factor: Fr, sum: &Sum, reader: &Reader) -> Result<(), Refusal> {
        if sum.constant != 0 {
            self.public += factor * Fr::from(sum.constant) * reader.mass(program, &[])?;
        }
        for term in &sum.terms {
            let factor = factor * Fr::from(term.coefficient);
            match term.source {
                Source::Below(list) => self.public += factor * reader.below(program, term, list)?,
                Source::Column(column) => {
                    let (mass, factors) = reader.factors(program, &program.columns[column].axes, term)?;
                    self.columns.push(PoolTerm { coefficient: factor * mass, column, factors });
                }
                Source::Product(id) => {
                    let (mass, factors) = reader.factors(program, &program.products[id].axes, term)?;
                    self.product(factor * mass, id, factors)?;
                }
            }
        }
        Ok(())
    }

    fn product(&mut self, coefficient: Fr, product: ProductId, factors: Vec<Factor>) -> Result<(), Refusal> {
        let point = |factor| match factor {
            Factor::Eq(point) => Ok(point),
            _ => Err(Refusal::BadCard),
        };
        let claim = ProductClaim { product, points: factors.into_iter().map(point).collect::<Result<_, _>>()? };
        match self.products.iter_mut().find(|(_, other)| *other == claim) {
            Some((sum, _)) => *sum += coefficient,
            None => self.products.push((coefficient, claim)),
        }
        Ok(())
    }
}

impl<C: Channel> Driver<'_, C> {
    /// Claims that `sum` under `reader` is `value`.
    pub fn claim(&mut self, name: &'static str, sum: &Sum, reader: &Reader, value: Form) -> Result<(), Refusal> {
        let mut parts = Parts::default();
        parts.add(&self.plan.program, Fr::ONE, sum, reader)?;
        self.split(name, parts, value)
    }

    /// Claims that `parts` sum to `value`: each product gets a slot and a place in the queue, all columns are one claim.
    /// Spec: claim.split.
    pub fn split(&mut self, name: &'static str, parts: Parts, value: Form) -> Result<(), Refusal> {
        let (coefficients, claims): (Vec<Fr>, Vec<ProductClaim>) = parts.products.into_iter().unzip();
        let slots = self.ledger.slots(self.channel, Ask::Products(&claims), claims.len())?;
        let mut value = value.plus(-parts.public, &Form::constant(Fr::ONE));
        for (coefficient, slot) in coefficients.iter().zip(&slots) {
            value = value.plus(-*coefficient, slot);
        }
        self.queue.extend(claims.into_iter().zip(slots));
        if parts.columns.is_empty() {
            self.ledger.zero(name, value);
        } else {
            self.pool.push(PoolClaim { name, terms: parts.columns, value });
        }
        Ok(())
    }
}
