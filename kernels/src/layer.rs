//! Decides the sumcheck of one layer of the fraction tree on any machine: blocks as the machine holds them, single nodes by
//! address, the padding 0/1 for free.
//!
//! The summand is `p0 q1 + q0 s` with `s = p1 + lambda q1`.

use std::collections::{BTreeMap, BTreeSet};

use ark_bls12_381::Fr;
use ark_ff::{One, Zero};

use crate::Sumcheck;
use crate::cpu::axes::Axes;
use crate::field::eq_at;

/// `(p, q)`.
pub type Fraction = (Fr, Fr);

/// Single fractions of a level by address; all else that is in no block is 0/1.
pub type Singles = BTreeMap<u64, Fraction>;

/// `[p0, s, q0, q1]` of a node.
pub type Quad = [Fr; 4];

/// The nodes above one block.
pub trait Part {
    /// What the parts share in a round, and their sums as far as they are.
    type Round: Default;
    /// The variables that are not bound, with their eq weights.
    fn axes(&self) -> &Axes;
    /// The address of the first node.
    fn offset(&self) -> u64;
    /// Adds its part of the next round polynomial.
    fn round(&mut self, round: &mut Self::Round);
    /// `g(1) - g(0)` and the square coefficient of the round polynomial `g` of all parts.
    fn total(round: Self::Round) -> [Fr; 2];
    /// Binds the next variable.
    fn bind(&mut self, r: Fr);
    /// All nodes, row-major.
    fn quads(self) -> Vec<Quad>;
}

/// Parts of leaves whose level below is made for every round, until `until` variables are bound.
pub struct Late<P> {
    count: usize,
    make: Box<dyn Fn(usize) -> P>,
    bound: Vec<Fr>,
    until: usize,
}

impl<P: Part> Late<P> {
    /// `make` gives part number `0..count` with nothing bound.
    pub fn new(count: usize, until: usize, make: impl Fn(usize) -> P + 'static) -> Self {
        Late { count, make: Box::new(make), bound: Vec::new(), until }
    }

    /// The parts, one after the other.
    fn parts(&self) -> impl Iterator<Item = P> {
        (0..self.count).map(|number| {
            let mut part = (self.make)(number);
            self.bound.iter().for_each(|r| part.bind(*r));
            part
        })
    }
}

/// See [`crate::FractionTree::layer`].
pub struct Layer<P> {
    rho: Vec<Fr>,
    lambda: Fr,
    parts: Vec<P>,
    late: Option<Late<P>>,
    singles: BTreeMap<u64, Quad>,
}

/// The fraction at an address where no block is.
pub fn child(singles: &Singles, address: u64) -> Fraction {
    singles.get(&address).copied().unwrap_or((Fr::zero(), Fr::one()))
}

/// Addresses of the nodes above single fractions.
pub fn above(singles: &Singles) -> BTreeSet<u64> {
    singles.keys().map(|address| address / 2).collect()
}

/// The node above two fractions.
pub fn quad((p0, q0): Fraction, (p1, q1): Fraction, lambda: Fr) -> Quad {
    [p0, p1 + lambda * q1, q0, q1]
}

/// A node above two fractions 0/1.
pub fn padding(lambda: Fr) -> Quad {
    [Fr::zero(), lambda, Fr::one(), Fr::one()]
}

/// Contributions of one pair of nodes: `g(1) - g(0)` and the square coefficient.
fn pair([p0, s, q0, q1]: Quad, [p0_, s_, q0_, q1_]: Quad) -> [Fr; 2] {
    let rise = p0_ * q1_ + q0_ * s_ - p0 * q1 - q0 * s;
    [rise, (p0_ - p0) * (q1_ - q1) + (q0_ - q0) * (s_ - s)]
}

impl<P: Part> Layer<P> {
    /// Over the nodes of `parts` and of those parts that are late, and above the `singles` of the level below.
    pub fn new(parts: Vec<P>, late: Option<Late<P>>, singles: &Singles, rho: &[Fr], lambda: Fr) -> Self {
        let node = |address| (address, quad(child(singles, 2 * address), child(singles, 2 * address + 1), lambda));
        let singles = above(singles).into_iter().map(node).collect();
        let mut layer = Layer { rho: rho.to_vec(), lambda, parts, late, singles };
        layer.settle();
        layer
    }

    /// Parts without variables become single nodes.
    fn settle(&mut self) {
        for part in self.parts.extract_if(.., |part| part.axes().is_bound()) {
            self.singles.insert(part.offset(), part.quads()[0]);
        }
    }

    /// The pairs of single nodes, by the address of the pair.
    fn single_pairs(&self) -> BTreeMap<u64, [Quad; 2]> {
        let mut pairs = BTreeMap::new();
        for (address, quad) in &self.singles {
            pairs.entry(address / 2).or_insert([padding(self.lambda); 2])[(address % 2) as usize] = *quad;
        }
        pairs
    }
}

impl<P: Part> Sumcheck for Layer<P> {
    type End = [Vec<Fr>; 4];

    fn round(&mut self) -> (Fr, Fr) {
        let rest = &self.rho[..self.rho.len() - 1];
        let mut round = P::Round::default();
        self.parts.iter_mut().for_each(|part| part.round(&mut round));
        self.late.iter().flat_map(Late::parts).for_each(|mut part| part.round(&mut round));
        let mut sums = P::total(round);
        for (address, [low, high]) in self.single_pairs() {
            let weight = eq_at(rest, address);
            sums.iter_mut().zip(pair(low, high)).for_each(|(sum, term)| *sum += weight * term);
        }
        (sums[0] - sums[1], sums[1])
    }

    fn bind(&mut self, r: Fr) {
        let fold = |[low, high]: [Quad; 2]| [0, 1, 2, 3].map(|k: usize| low[k] + r * (high[k] - low[k]));
        self.singles = self.single_pairs().into_iter().map(|(address, pair)| (address, fold(pair))).collect();
        self.rho.pop().expect("a variable is left");
        self.parts.iter_mut().for_each(|part| part.bind(r));
        if let Some(late) = &mut self.late {
            late.bound.push(r);
        }
        if let Some(late) = self.late.take_if(|late| late.bound.len() == late.until) {
            self.parts.extend(late.parts());
        }
        self.settle();
    }

    fn finish(self) -> [Vec<Fr>; 4] {
        let mut nodes = vec![padding(self.lambda); 1 << self.rho.len()];
        self.singles.into_iter().for_each(|(address, quad)| nodes[address as usize] = quad);
        for part in self.parts.into_iter().chain(self.late.iter().flat_map(Late::parts)) {
            let offset = part.offset() as usize;
            let places = part.axes().addresses();
            places.iter().zip(part.quads()).for_each(|(place, quad)| nodes[offset + place] = quad);
        }
        [0, 1, 2, 3].map(|k: usize| nodes.iter().map(|quad| quad[k]).collect())
    }
}
