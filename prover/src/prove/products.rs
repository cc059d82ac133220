//! Decides the tables that a product's sumcheck runs over: each operand contracted over the axes it does not share.
//!
//! A sum is contracted term by term: the column first, over the axes that no table has, then its entries go where the
//! reader's axes say. No table is ever on the host.

use crate::causal;
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};
use zkllm_kernels::{Addend, Backend, Entries, Factor, Integers, Ints, Scan, Tensor, each_width};
use zkllm_verifier::arith::{mle, tables};
use zkllm_verifier::einsum::{ProductClaim, shared_axes};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{
    AxisId, Index, ListId, Operand, Product, ProductId, ProductKind, Program, Rotary, Source, Sum, Term,
};

/// The two tables of a product's sumcheck, over the true lengths of `axes`.
pub struct Tables<'a, T> {
    /// The shared axes.
    pub axes: Vec<AxisId>,
    /// Points of the eq factors, for each axis.
    pub eq: Vec<Option<Vec<Fr>>>,
    /// The left table; the public one of a rotary embedding.
    pub left: Factor<'a, T>,
    /// The right table; none where both operands are the same.
    pub right: Option<Factor<'a, T>>,
}

/// Columns, read by products.
pub struct Reader<'r, 'a, B> {
    backend: &'r B,
    program: &'r Program,
    columns: &'r [Ints<'a>],
}

/// The weights of the axes that are contracted; none of those that a table keeps.
type Weights<'w> = &'w dyn Fn(AxisId) -> Option<Vec<Fr>>;

/// What is left of a source: entries over axes of its reader, some of them as sums over the indices before.
struct Part<'a, T> {
    entries: Held<'a, T>,
    axes: Vec<AxisId>,
    before: Option<AxisId>,
}

/// Entries, of a column or made.
enum Held<'a, T> {
    Column(Tensor<'a>),
    Picked(Integers),
    Table(T),
}

impl<T> Held<'_, T> {
    fn view(&self) -> Entries<'_, T> {
        match self {
            Held::Column(tensor) => Entries::Ints(*tensor),
            Held::Picked(integers) => integers.view().into(),
            Held::Table(table) => Entries::Table(table),
        }
    }
}

impl<'r, 'a, B: Backend> Reader<'r, 'a, B> {
    /// Reads `columns`.
    pub fn new(backend: &'r B, plan: &'r Plan, columns: &'r [Ints<'a>]) -> Self {
        Self { backend, program: &plan.program, columns }
    }

    /// The tables of a claim.
    pub fn tables(&self, claim: &ProductClaim) -> Tables<'a, B::Table> {
        let product = &self.program.products[claim.product];
        let axes = shared_axes(product);
        let eq = |axis: AxisId| claim.point(product, axis).map(<[Fr]>::to_vec);
        let weights = |axis: AxisId| (!axes.contains(&axis)).then(|| self.eq_table(eq(axis).as_deref(), axis));
        let operand = |operand: &Operand| self.factor(operand, &weights, &axes);
        let (left, points) = (operand(&product.left), axes.iter().map(|&axis| eq(axis)).collect());
        let (left, right, eq) = match &product.kind {
            ProductKind::Einsum(right) if *right == product.left => (left, None, points),
            ProductKind::Einsum(right) => (left, Some(operand(right)), points),
            ProductKind::Scores(right) => (left, Some(self.keys(right, claim, product, &axes)), points),
            ProductKind::Rotary(rotary) => {
                let [time, half, pair] =
                    [rotary.time, rotary.half, rotary.pair].map(|axis| claim.point(product, axis).unwrap_or(&[]));
                let public = self.backend.table(self.rotary_weights(rotary, time, half, pair));
                (Factor::Table(public), Some(left), vec![None; axes.len()])
            }
        };
        Tables { axes, eq, left, right }
    }

    /// The operand, contracted over the axes that have weights, in the order of `kept`.
    fn factor(&self, operand: &Operand, weights: Weights<'_>, kept: &[AxisId]) -> Factor<'a, B::Table> {
        match self.column(operand) {
            Some(ints) if operand.axes == kept => Factor::Ints(ints),
            _ => Factor::Table(self.contracted(&operand.sum, &operand.axes, weights, kept, None)),
        }
    }

    /// Keys: `t -> sum_{u <= t} eq(upsilon, u) key[u]`, `t` in the place of `u`.
    fn keys(
        &self,
        right: &Operand,
        claim: &ProductClaim,
        product: &Product,
        shared: &[AxisId],
    ) -> Factor<'a, B::Table> {
        let [.., t, u] = product.axes[..] else { unreachable!("scores have a causal pair") };
        let over: Vec<AxisId> = shared.iter().map(|&axis| if axis == t { u } else { axis }).collect();
        let axis = over.iter().position(|&axis| axis == u).expect("keys have the earlier axis");
        let scan = Scan { axis, weights: self.eq_table(claim.point(product, u), u), before: false };
        Factor::Table(self.contracted(&right.sum, &right.axes, &|_| None, &over, Some(&scan)))
    }

    /// A sum over `axes`, contracted over those of them that have weights, in the order of `kept`, and summed along one of these.
    fn contracted(
        &self,
        sum: &Sum,
        axes: &[AxisId],
        weights: Weights<'_>,
        kept: &[AxisId],
        along: Option<&Scan>,
    ) -> B::Table {
        // What is broadcast along a contracted axis counts as often as its weights say.
        let mass = |read: &[AxisId]| -> Fr {
            let unread = axes.iter().filter(|axis| !read.contains(axis));
            unread.filter_map(|&axis| weights(axis)).map(|weights| weights.iter().sum::<Fr>()).product()
        };
        let mut parts: Vec<(Fr, Part<B::Table>)> = sum
            .terms
            .iter()
            .map(|term| {
                let read: Vec<AxisId> = term.index.iter().filter_map(|index| index.reader()).collect();
                (Fr::from(term.coefficient) * mass(&read), self.part(term, weights))
            })
            .collect();
        // Nothing is to be put together.
        let as_it_is = |(coefficient, part): &(Fr, Part<B::Table>)| {
            *coefficient == Fr::ONE
                && part.axes == kept
                && part.before.is_none()
                && sum.constant == 0
                && along.is_none()
        };
        if parts.len() == 1 && as_it_is(&parts[0]) {
            match parts.pop() {
                Some((_, Part { entries: Held::Table(table), .. })) => return table,
                other => parts.extend(other),
            }
        }
        let one = (sum.constant != 0).then(|| self.backend.table(vec![Fr::from(sum.constant) * mass(&[])]));
        let constant = one.iter().map(|table| self.addend(Fr::ONE, Entries::Table(table), &[], kept, along.cloned()));
        let terms = parts.iter().map(|(coefficient, part)| {
            let scan = part.before.map(|axis| Scan {
                axis: kept.iter().position(|&other| other == axis).expect("kept"),
                weights: vec![Fr::ONE; self.length(axis)],
                before: true,
            });
            assert!(scan.is_none() || along.is_none(), "sums along one axis");
            let scan = scan.or(along.cloned());
            self.addend(*coefficient, part.entries.view(), &part.axes, kept, scan)
        });
        let addends: Vec<_> = constant.chain(terms).collect();
        self.backend.gather(&self.program.lengths(kept), &addends)
    }

    /// A term's source, with every axis contracted that no table keeps.
    fn part(&self, term: &Term, weights: Weights<'_>) -> Part<'a, B::Table> {
        let mut index = term.index.clone();
        let (mut entries, mut lengths) = match term.source {
            Source::Column(id) => (Held::Column(self.tensor(id)), self.program.lengths(&self.program.columns[id].axes)),
            Source::Product(id) => {
                let (table, axes) = self.product(id, &index, weights);
                index = axes.iter().map(|&axis| Index::At(axis)).collect();
                (Held::Table(table), self.program.lengths(&axes))
            }
            Source::Below(_) => unreachable!("no operand compares with a list"),
        };
        // Rows that a list picks are few: they are copied, and are read one to one then.
        for slot in 0..index.len() {
            if let (Index::Pick(axis, list), Held::Column(_) | Held::Picked(_)) = (index[slot], &entries) {
                entries = Held::Picked(self.picked(entries.view(), &lengths, slot, list));
                (index[slot], lengths[slot]) = (Index::At(axis), self.length(axis));
            }
        }
        // What each slot is contracted by; neighbours at once, the last group first.
        let of_slot = |index: Index, length: usize| match index {
            Index::At(axis) => weights(axis),
            Index::All => Some(vec![Fr::ONE; length]),
            Index::Before(axis) => weights(axis).map(|mut weights| {
                // x -> sum_{i > x} w_i
                let mut sum = Fr::ZERO;
                for weight in weights.iter_mut().rev() {
                    sum += std::mem::replace(weight, sum);
                }
                weights
            }),
            Index::Pick(..) => unreachable!("copied before"),
        };
        let mut by: Vec<Option<Vec<Fr>>> = std::iter::zip(&index, &lengths).map(|(i, l)| of_slot(*i, *l)).collect();
        while let Some(end) = by.iter().rposition(Option::is_some) {
            let start = by[..end].iter().rposition(Option::is_none).map_or(0, |at| at + 1);
            let vector = outer(by[start..=end].iter().flatten());
            let size = |lengths: &[usize]| lengths.iter().product::<usize>();
            let (before, after) = (size(&lengths[..start]), size(&lengths[end + 1..]));
            entries = Held::Table(self.backend.contract(entries.view(), before, after, &vector));
            by.drain(start..=end);
            index.drain(start..=end);
            lengths.drain(start..=end);
        }
        if let Held::Column(tensor) = entries
            && tensor.plain().is_none()
        {
            entries = Held::Table(self.backend.contract(Entries::Ints(tensor), tensor.len(), 1, &[Fr::ONE]));
        }
        let mut before =
            index.iter().filter_map(|index| if let Index::Before(axis) = index { Some(*axis) } else { None });
        let (before, None) = (before.next(), before.next()) else { panic!("a sum over the indices below two axes") };
        Part { entries, axes: index.iter().filter_map(|index| index.reader()).collect(), before }
    }

    /// A product of two columns, contracted over the axes of its reader that have weights: a table over the others, those of
    /// the left factor first. `sum over batch and depth of weight left right`.
    fn product(&self, id: ProductId, index: &[Index], weights: Weights<'_>) -> (B::Table, Vec<AxisId>) {
        let product = &self.program.products[id];
        let own = index.iter().zip(&product.axes).all(|(index, axis)| *index == Index::At(*axis));
        let ProductKind::Einsum(right) = &product.kind else { unreachable!("operands read einsums only") };
        assert!(own, "{} is read where it stands", product.name);
        let left = &product.left;
        let of_left = |shared: bool, of_result: bool| -> Vec<AxisId> {
            let like = |axis: &AxisId| right.axes.contains(axis) == shared && product.axes.contains(axis) == of_result;
            left.axes.iter().copied().filter(like).collect()
        };
        let (batch, rows, depth) = (of_left(true, true), of_left(false, true), of_left(true, false));
        let mut columns = right.axes.clone();
        columns.retain(|axis| !left.axes.contains(axis) && weights(*axis).is_none());
        assert!(
            batch.iter().all(|&axis| weights(axis).is_some()) && rows.iter().all(|&axis| weights(axis).is_none()),
            "{} is contracted over its batch and axes of its right factor",
            product.name
        );
        let of_batch = outer(batch.iter().filter_map(|&axis| weights(axis)).collect::<Vec<_>>().iter());
        let x = self.column(left).filter(|_| [&batch[..], &rows, &depth].concat() == left.axes);
        let x = x.unwrap_or_else(|| panic!("{} has a column as its left factor", product.name));
        let inner = |axis: AxisId| if batch.contains(&axis) || depth.contains(&axis) { None } else { weights(axis) };
        let y = self.contracted(&right.sum, &right.axes, &inner, &[&batch[..], &columns, &depth].concat(), None);
        let depth = self.program.lengths(&depth).iter().product();
        (self.backend.multiply_table(x, &y, &of_batch, depth), [rows, columns].concat())
    }

    /// The rows of one slot that a list names, in its order.
    fn picked(&self, entries: Entries<'_, B::Table>, lengths: &[usize], slot: usize, list: ListId) -> Integers {
        let Entries::Ints(tensor) = entries else { unreachable!("integers are picked") };
        let (whole, ints);
        let ints = match tensor.plain() {
            Some(plain) => plain,
            None => {
                whole = tensor.whole();
                ints = whole.view();
                ints
            }
        };
        let inner: usize = lengths[slot + 1..].iter().product();
        let list = &self.program.lists[list];
        let count = lengths[..slot].iter().product::<usize>() * list.len() * inner;
        let mut picked = Integers::zeros_for(count, ints.room());
        #[allow(clippy::unnecessary_cast)] // One of the widths is that of the others.
        {
            each_width!(Integers, &mut picked, picked => each_width!(Ints, ints, ints => {
                for (row, to) in picked.chunks_mut(inner).enumerate() {
                    let from = (row / list.len() * lengths[slot] + list[row % list.len()]) * inner;
                    to.iter_mut().zip(&ints[from..from + inner]).for_each(|(to, from)| *to = *from as _);
                }
            }));
        }
        picked
    }

    /// Entries over `axes` for a reader over `kept`, which may have more.
    fn addend<'e>(
        &self,
        coefficient: Fr,
        entries: Entries<'e, B::Table>,
        axes: &[AxisId],
        kept: &[AxisId],
        scan: Option<Scan>,
    ) -> Addend<'e, B::Table> {
        let steps = |axis: &AxisId| {
            let after = axes.iter().position(|other| other == axis).map(|at| &axes[at + 1..]);
            let step = after.map_or(0, |axes| self.program.lengths(axes).iter().product());
            (0..self.length(*axis)).map(|index| index * step).collect()
        };
        Addend { coefficient, source: entries, steps: kept.iter().map(steps).collect(), scan }
    }

    /// The integers of an operand that is one column as it is, all of which are stored.
    fn column(&self, operand: &Operand) -> Option<Ints<'a>> {
        let [Term { coefficient: 1, source: Source::Column(id), index }] = &operand.sum.terms[..] else { return None };
        let own = index.iter().eq(operand.axes.iter().map(|&axis| Index::At(axis)).collect::<Vec<_>>().iter());
        self.tensor(*id).plain().filter(|_| own && operand.sum.constant == 0)
    }

    fn tensor(&self, column: usize) -> Tensor<'a> {
        causal::tensor(self.program, &self.program.columns[column], self.columns[column])
    }

    /// The rotary embedding's weights on `(t, half, e)`, row major, when its result is weighted by eq at the three points:
    /// `W[t,0,e] = w_t w_e (w_0 cos + w_1 sin)`, `W[t,1,e] = w_t w_e (w_1 cos - w_0 sin)`. Spec: einsum.rotary.
    fn rotary_weights(&self, rotary: &Rotary, time: &[Fr], half: &[Fr], pair: &[Fr]) -> Vec<Fr> {
        let (times, pairs) = (self.eq_table(Some(time), rotary.time), self.eq_table(Some(pair), rotary.pair));
        let w1 = half.first().copied().unwrap_or(Fr::ZERO);
        let w0 = Fr::ONE - w1;
        let table = tables::rotary(times.len(), pairs.len(), rotary.base, rotary.fraction);
        let mut weights = Vec::with_capacity(2 * times.len() * pairs.len());
        for (w_t, row) in times.iter().zip(&table) {
            let entries =
                || pairs.iter().zip(row).map(|(w_e, (cos, sin))| (*w_t * w_e, Fr::from(*cos), Fr::from(*sin)));
            weights.extend(entries().map(|(w, cos, sin)| w * (w0 * cos + w1 * sin)));
            weights.extend(entries().map(|(w, cos, sin)| w * (w1 * cos - w0 * sin)));
        }
        weights
    }

    fn eq_table(&self, point: Option<&[Fr]>, axis: AxisId) -> Vec<Fr> {
        mle::eq_table(point.unwrap_or(&[]), self.length(axis))
    }

    fn length(&self, axis: AxisId) -> usize {
        self.program.axes[axis].length
    }
}

/// The weights of several axes at once.
fn outer<'w>(weights: impl Iterator<Item = &'w Vec<Fr>>) -> Vec<Fr> {
    weights.fold(vec![Fr::ONE], |all, axis| all.iter().flat_map(|a| axis.iter().map(move |b| *a * b)).collect())
}
