//! Decides which programs are refused because no claim on them would mean what they say. Spec: program.finish.

use super::*;
use crate::limits;
use alloc::vec;

/// What the axes of a reader are read under.
#[derive(Clone, Copy)]
enum Reading {
    /// A zero statement, or a lookup: eq weights.
    Whole,
    /// A causal lookup: the last two axes are its pair.
    Causal,
    /// The operand of a product: eq weights, nothing public.
    Operand,
    /// The right operand of scores: a vector of weights on the later axis of their pair.
    Keys(AxisId),
}

impl Program {
    /// Refuses a program whose claims would not mean what it says. Every builder ends with it.
    ///
    /// # Errors
    /// `CouldWrap` for a coefficient that 128 bits hardly hold, `BadCard` for everything else.
    pub fn check(&self) -> Result<(), Refusal> {
        let within = |number: i128| number.unsigned_abs() < limits::COEFFICIENT;
        if !self.sums().all(|sum| within(sum.constant) && sum.terms.iter().all(|term| within(term.coefficient))) {
            return Err(Refusal::CouldWrap);
        }
        let sound = self.ids_exist()
            && self.lookups_are_rows()
            && self.witnesses_are_constrained()
            && self.products_are_read_once()
            && self.axes_agree();
        if sound { Ok(()) } else { Err(Refusal::BadCard) }
    }

    /// The sums of lookups and zero statements, each with its reader's axes and whether the last two of them are a causal
    /// pair.
    fn statements(&self) -> impl Iterator<Item = (&Sum, &[AxisId], bool)> {
        let lookups = self
            .lookups
            .iter()
            .flat_map(|lookup| lookup.values.iter().map(move |sum| (sum, lookup.axes.as_slice(), lookup.causal)));
        lookups.chain(self.zeros.iter().map(|zero| (&zero.sum, zero.axes.as_slice(), false)))
    }

    fn sums(&self) -> impl Iterator<Item = &Sum> {
        let operands = self.products.iter().flat_map(Product::operands);
        self.statements().map(|(sum, ..)| sum).chain(operands.map(|operand| &operand.sum))
    }

    /// Sums read what there is, products what was made before them; no list of axes has one twice. Spec: program.axes.
    fn ids_exist(&self) -> bool {
        let axes = |axes: &[AxisId]| {
            axes.iter().enumerate().all(|(at, axis)| *axis < self.axes.len() && !axes[..at].contains(axis))
        };
        let exists = |sum: &Sum, products: usize| {
            sum.terms.iter().all(|term| {
                let source = match term.source {
                    Source::Column(id) => id < self.columns.len(),
                    Source::Product(id) => id < products,
                    Source::Below(list) => list < self.lists.len(),
                };
                let listed = |index: &Index| !matches!(index, Index::Pick(_, list) if *list >= self.lists.len());
                source && term.index.iter().all(listed)
            })
        };
        self.columns.iter().all(|column| axes(&column.axes))
            && self.lookups.iter().all(|lookup| axes(&lookup.axes))
            && self.zeros.iter().all(|zero| axes(&zero.axes))
            && self.statements().all(|(sum, ..)| exists(sum, self.products.len()))
            && self.products.iter().enumerate().all(|(id, product)| {
                axes(&product.axes) && product.operands().all(|operand| axes(&operand.axes) && exists(&operand.sum, id))
            })
    }

    /// A lookup has as many values as a row of its table has entries. Spec: program.rows.
    fn lookups_are_rows(&self) -> bool {
        let entries = |lookup: &Lookup| self.tables.get(lookup.table).map(|table| table.entries());
        self.lookups.iter().all(|lookup| entries(lookup) == Some(lookup.values.len()))
    }

    /// Every witness column is read for itself by a value of a lookup or by a zero statement. What these leave to it, together, is one
    /// value only if the program's author has proved so. Spec: program.constrained.
    fn witnesses_are_constrained(&self) -> bool {
        let mut constrained = vec![false; self.columns.len()];
        for (sum, axes, causal) in self.statements() {
            let subjects = sum.terms.iter().filter_map(|term| self.subject(sum, term, axes, causal));
            // Of several it bounds a combination only: they count as one, the last.
            if let Some(column) = subjects.max() {
                constrained[column] = true;
            }
        }
        let is_witness = |column: &Column| matches!(column.origin, Origin::Witness(_));
        self.columns.iter().zip(constrained).all(|(column, constrained)| constrained || !is_witness(column))
    }

    /// The witness that `term` of `sum` reads over its own axes, one to one, with the coefficient 1 or -1, and no other term.
    fn subject(&self, sum: &Sum, term: &Term, axes: &[AxisId], causal: bool) -> Option<ColumnId> {
        let Source::Column(id) = term.source else { return None };
        let column = &self.columns[id];
        let one_to_one = term.index.iter().copied().eq(column.axes.iter().map(|&axis| Index::At(axis)));
        let once = sum.terms.iter().filter(|other| other.source == term.source).count() == 1;
        let is_own = column.axes == axes && column.causal == causal && matches!(column.origin, Origin::Witness(_));
        (term.coefficient.unsigned_abs() == 1 && one_to_one && once && is_own).then_some(id)
    }

    /// A product has the axes that its kind needs, in its order, and sums over what both operands have.
    /// Spec: program.products.
    fn products_are_read_once(&self) -> bool {
        self.products.iter().all(|product| {
            let (result, left) = (&product.axes, &product.left.axes);
            match &product.kind {
                ProductKind::Einsum(right) => contracted(result, left, &right.axes),
                ProductKind::Scores(right) => {
                    let (left, right) = (&left[..], &right.axes[..]);
                    let only =
                        |axis: AxisId, one: &[AxisId], other: &[AxisId]| one.contains(&axis) && !other.contains(&axis);
                    let apart = |(t, u)| only(t, left, right) && only(u, right, left);
                    self.pair(result).is_some_and(apart) && contracted(result, left, right)
                }
                ProductKind::Rotary(Rotary { time, half, pair, fraction, .. }) => {
                    let ordered =
                        matches!(&result[..], [before @ .., h, e] if h == half && e == pair && before.contains(time));
                    let two = self.axes.get(*half).is_some_and(|axis| axis.length == 2);
                    result == left && ordered && two && *fraction <= limits::ROTARY_FRACTION
                }
            }
        })
    }

    /// What the claims' weights rely on: an axis read at another has its length, no axis of a reader is read twice, lists
    /// stay within the axes they pick from, the two axes of a causal pair have one length. Spec: program.axes.
    fn axes_agree(&self) -> bool {
        let columns = self.columns.iter().all(|column| !column.causal || self.pair(&column.axes).is_some());
        let lookups = self.lookups.iter().all(|lookup| !lookup.causal || self.pair(&lookup.axes).is_some());
        let statements = self
            .statements()
            .all(|(sum, axes, causal)| self.reads(sum, axes, if causal { Reading::Causal } else { Reading::Whole }));
        let products = self.products.iter().all(|product| {
            let right = match (&product.kind, &product.axes[..]) {
                (ProductKind::Scores(right), [.., u]) => self.reads(&right.sum, &right.axes, Reading::Keys(*u)),
                (ProductKind::Einsum(right), _) => self.reads(&right.sum, &right.axes, Reading::Operand),
                _ => true,
            };
            right && self.reads(&product.left.sum, &product.left.axes, Reading::Operand)
        });
        // A zero statement is claimed at a point that is as long as the largest column.
        let widest = self.columns.iter().map(|column| self.bits(&column.axes)).max().unwrap_or(0);
        let zeros = self.zeros.iter().all(|zero| self.bits(&zero.axes) <= widest);
        columns && lookups && statements && products && zeros
    }

    /// The last two of `axes`, if they have one length.
    fn pair(&self, axes: &[AxisId]) -> Option<(AxisId, AxisId)> {
        match axes {
            [.., t, u] if self.axes[*t].length == self.axes[*u].length => Some((*t, *u)),
            _ => None,
        }
    }

    /// Every term of `sum` can be read over `axes`.
    fn reads(&self, sum: &Sum, axes: &[AxisId], reading: Reading) -> bool {
        sum.terms.iter().all(|term| {
            let named: Vec<AxisId> = term.index.iter().filter_map(|index| index.reader()).collect();
            let once = named.iter().enumerate().all(|(at, axis)| axes.contains(axis) && !named[..at].contains(axis));
            let fits = || match term.source {
                Source::Column(id) => self.follows(term, &self.columns[id].axes, axes, reading),
                Source::Product(id) => {
                    // It is claimed at a point: no vector stands for one of its axes.
                    let vector = match (reading, axes) {
                        (Reading::Keys(u), _) => Some(u),
                        (Reading::Causal, [.., t, u]) if !named.contains(u) => Some(*t),
                        _ => None,
                    };
                    let point = |index: &Index| matches!(index, Index::At(axis) if Some(*axis) != vector);
                    term.index.iter().all(point) && self.follows(term, &self.products[id].axes, axes, reading)
                }
                Source::Below(list) => self.is_below(term, list, axes, reading),
            };
            once && fits()
        })
    }

    /// Every axis of a source, which are `source`, is read as its index may be.
    fn follows(&self, term: &Term, source: &[AxisId], axes: &[AxisId], reading: Reading) -> bool {
        let length = |axis: AxisId| self.axes[axis].length;
        let pair = if let Reading::Causal = reading { axes.last_chunk::<2>() } else { None };
        let paired = |reader| pair.is_some_and(|pair| pair.contains(&reader));
        let agrees = |(index, &axis): (&Index, &AxisId)| match *index {
            Index::At(reader) => length(reader) == length(axis),
            Index::Before(reader) => length(reader) == length(axis) && !paired(reader),
            Index::All => true,
            Index::Pick(reader, list) => {
                let list = &self.lists[list];
                list.len() == length(reader) && list.iter().all(|&at| at < length(axis)) && !paired(reader)
            }
        };
        // What is read at u is 0 where u > t: no weight says so.
        let triangle = match pair {
            Some(&[t, u]) if term.index.iter().any(|index| index.reader() == Some(u)) => {
                let is_zero_above = match term.source {
                    Source::Column(id) => self.columns[id].causal,
                    Source::Product(id) => matches!(self.products[id].kind, ProductKind::Scores(_)),
                    Source::Below(_) => false,
                };
                is_zero_above && term.index.ends_with(&[Index::At(t), Index::At(u)])
            }
            _ => true,
        };
        triangle && term.index.len() == source.len() && term.index.iter().zip(source).all(agrees)
    }

    /// `[i < list[t]]` stands over all axes of its reader, for its mass is not taken, and in no operand.
    fn is_below(&self, term: &Term, list: ListId, axes: &[AxisId], reading: Reading) -> bool {
        let (Reading::Whole, [Index::At(t), Index::At(i)]) = (reading, &term.index[..]) else { return false };
        let (list, length) = (&self.lists[list], |axis: AxisId| self.axes.get(axis).map_or(0, |axis| axis.length));
        list.len() == length(*t) && list.iter().all(|&end| end <= length(*i)) && axes.len() == 2
    }
}

/// Every axis of the result is one of an operand's, and every other axis is one of both.
fn contracted(result: &[AxisId], left: &[AxisId], right: &[AxisId]) -> bool {
    let shared = |axis| result.contains(axis) || (left.contains(axis) && right.contains(axis));
    result.iter().all(|axis| left.contains(axis) || right.contains(axis)) && left.iter().chain(right).all(shared)
}
