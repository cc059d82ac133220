//! Decides how programs are put together: every witness column is ranged, looked up or defined as it is made.

use super::*;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;

/// A program under construction.
pub struct Builder {
    program: Program,
    digit_bits: u32,
}

impl Builder {
    /// An empty program whose range tables have at most `2^digit_bits` rows.
    pub fn new(digit_bits: u32) -> Self {
        Self { program: Program::default(), digit_bits }
    }

    /// A new axis. `length` must not be 0.
    pub fn axis(&mut self, name: &'static str, length: usize) -> AxisId {
        let bits = length.next_power_of_two().trailing_zeros() as usize;
        self.program.axes.push(Axis { name, length, bits });
        self.program.axes.len() - 1
    }

    /// A new public list.
    pub fn list(&mut self, list: Vec<usize>) -> ListId {
        self.program.lists.push(list);
        self.program.lists.len() - 1
    }

    /// A column of the model.
    pub fn model(&mut self, name: &str, axes: &[AxisId]) -> ColumnId {
        self.column(name, axes, false, Origin::Model)
    }

    /// A product of two sums.
    pub fn einsum(&mut self, name: &str, axes: &[AxisId], left: Operand, right: Operand) -> ProductId {
        self.product(name, axes, left, ProductKind::Einsum(right))
    }

    /// A product of any kind.
    pub fn product(&mut self, name: &str, axes: &[AxisId], left: Operand, kind: ProductKind) -> ProductId {
        self.program.products.push(Product { name: name.to_string(), axes: axes.to_vec(), kind, left });
        self.program.products.len() - 1
    }

    /// The table, shared by all who ask for the same one.
    pub fn table(&mut self, table: Table) -> TableId {
        let tables = &mut self.program.tables;
        tables.iter().position(|other| *other == table).unwrap_or_else(|| {
            tables.push(table);
            tables.len() - 1
        })
    }

    /// A witness column that the caller must constrain.
    pub fn witness(&mut self, name: &str, axes: &[AxisId], causal: bool, rule: Rule) -> ColumnId {
        let column = self.column(name, axes, causal, Origin::Witness(rule));
        self.program.schedule.push(column);
        column
    }

    /// A witness column that lower layers are read from before it is made; [`Builder::round_into`] makes it.
    pub fn declare(&mut self, name: &str, axes: &[AxisId]) -> ColumnId {
        self.column(name, axes, false, Origin::Witness(Rule::Exact { of: Sum::default() }))
    }

    /// A witness column equal to `sum`.
    pub fn exact(&mut self, name: &str, axes: &[AxisId], sum: Sum) -> ColumnId {
        let column = self.witness(name, axes, false, Rule::Exact { of: sum.clone() });
        let sum = Sum::of(1, column, axes).plus(sum.times(-1));
        self.program.zeros.push(Zero { name: name.to_string(), axes: axes.to_vec(), sum });
        column
    }

    /// A witness column `y = floor((sum + 2^(shift-1)) / 2^shift)` in the signed range of `bits`:
    /// `sum + 2^(shift-1) - 2^shift * y` in `[0, 2^shift)`, both ranges checked.
    pub fn round(&mut self, name: &str, axes: &[AxisId], sum: Sum, shift: u32, bits: u32) -> Result<ColumnId, Refusal> {
        let column = self.declare(name, axes);
        self.round_into(column, sum, shift, bits)?;
        Ok(column)
    }

    /// [`Builder::round`] into a declared column.
    pub fn round_into(&mut self, column: ColumnId, sum: Sum, shift: u32, bits: u32) -> Result<(), Refusal> {
        self.remainder(column, sum, shift, bits)?;
        let Column { name, axes, .. } = self.program.columns[column].clone();
        self.signed(&name, &axes, false, Sum::of(1, column, &axes), bits)
    }

    /// [`Builder::round`] without the range of the result, for columns a table ranges.
    pub fn rounded(
        &mut self,
        name: &str,
        axes: &[AxisId],
        sum: Sum,
        shift: u32,
        bits: u32,
    ) -> Result<ColumnId, Refusal> {
        let column = self.declare(name, axes);
        self.remainder(column, sum, shift, bits)?;
        Ok(column)
    }

    fn remainder(&mut self, column: ColumnId, sum: Sum, shift: u32, bits: u32) -> Result<(), Refusal> {
        if shift == 0 {
            return Err(Refusal::BadCard);
        }
        no_wrap(shift + bits + 1)?;
        let Column { name, axes, .. } = self.program.columns[column].clone();
        self.program.columns[column].origin = Origin::Witness(Rule::Round { of: sum.clone(), shift });
        self.program.schedule.push(column);
        let remainder = sum.plus(Sum::constant(power(shift - 1))).plus(Sum::of(-power(shift), column, &axes));
        self.unsigned(&format!("{name}.remainder"), &axes, false, remainder, shift)
    }

    /// `sum` lies in `[0, 2^bits)`. What a range table cannot hold goes into a committed digit, ranged in turn.
    pub fn unsigned(&mut self, name: &str, axes: &[AxisId], causal: bool, sum: Sum, bits: u32) -> Result<(), Refusal> {
        no_wrap(bits)?;
        let low = self.digit_bits;
        let mut sum = sum;
        if bits > low {
            let high = format!("{name}.high");
            let digit = self.witness(&high, axes, causal, Rule::Digit { of: sum.clone(), shift: low });
            self.unsigned(&high, axes, causal, Sum::of(1, digit, axes), bits - low)?;
            sum = sum.plus(Sum::of(-power(low), digit, axes));
        }
        let table = self.table(Table::Range { bits: bits.min(low) });
        self.lookup(name, axes, causal, table, vec![sum]);
        Ok(())
    }

    /// `sum` lies in the signed range of `bits`: `[-2^(bits-1), 2^(bits-1))` up to `digit_bits`; above,
    /// `2^digit_bits * high + low` with both in their signed ranges, so that small values have `high = 0`.
    pub fn signed(&mut self, name: &str, axes: &[AxisId], causal: bool, sum: Sum, bits: u32) -> Result<(), Refusal> {
        no_wrap(bits)?;
        if bits == 0 {
            return Err(Refusal::BadCard);
        }
        let low = self.digit_bits.min(bits);
        let mut sum = sum.plus(Sum::constant(power(low - 1)));
        if bits > low {
            let high = format!("{name}.high");
            let digit = self.witness(&high, axes, causal, Rule::Digit { of: sum.clone(), shift: low });
            self.signed(&high, axes, causal, Sum::of(1, digit, axes), bits - low)?;
            sum = sum.plus(Sum::of(-power(low), digit, axes));
        }
        let table = self.table(Table::Range { bits: low });
        self.lookup(&format!("{name}.range"), axes, causal, table, vec![sum]);
        Ok(())
    }

    /// A lookup.
    pub fn lookup(&mut self, name: &str, axes: &[AxisId], causal: bool, table: TableId, values: Vec<Sum>) {
        self.program.lookups.push(Lookup { name: name.to_string(), axes: axes.to_vec(), causal, table, values });
    }

    /// Address bits of a tensor over `axes`.
    pub fn bits(&self, axes: &[AxisId]) -> u32 {
        self.program.bits(axes) as u32
    }

    /// The program, with a multiplicity column for every table.
    ///
    /// # Errors
    /// `BadCard` for a table that is not defined, and those of [`Program::check`].
    pub fn finish(mut self) -> Result<Program, Refusal> {
        for table in 0..self.program.tables.len() {
            let of = self.program.tables[table];
            if !of.is_representable() {
                return Err(Refusal::BadCard);
            }
            let axis = self.axis("row", 1 << of.bits());
            self.column(&format!("multiplicity{table}"), &[axis], false, Origin::Multiplicity(table));
        }
        self.program.check()?;
        Ok(self.program)
    }

    fn column(&mut self, name: &str, axes: &[AxisId], causal: bool, origin: Origin) -> ColumnId {
        self.program.columns.push(Column { name: name.to_string(), axes: axes.to_vec(), causal, origin });
        self.program.columns.len() - 1
    }
}

/// `2^bits`, or the largest number there is: no program with such a coefficient is finished.
pub fn power(bits: u32) -> i128 {
    if bits < i128::BITS - 1 { 1 << bits } else { i128::MAX }
}

/// Refuses relations between integers of more than 250 bits: the field has 255. Spec: program.wrap.
pub fn no_wrap(bits: u32) -> Result<(), Refusal> {
    if bits < 250 { Ok(()) } else { Err(Refusal::CouldWrap) }
}

/// Sums saturate: a number that 128 bits do not hold is refused when the program is finished.
impl Sum {
    /// A constant.
    pub fn constant(constant: i128) -> Self {
        Self { constant, terms: Vec::new() }
    }

    /// `coefficient * column`, read one to one over the column's own `axes`.
    pub fn of(coefficient: i128, column: ColumnId, axes: &[AxisId]) -> Self {
        let index: Vec<Index> = axes.iter().map(|&axis| Index::At(axis)).collect();
        Self::term(coefficient, Source::Column(column), &index)
    }

    /// `coefficient * product`, read one to one over the product's own `axes`.
    pub fn product(coefficient: i128, product: ProductId, axes: &[AxisId]) -> Self {
        let index: Vec<Index> = axes.iter().map(|&axis| Index::At(axis)).collect();
        Self::term(coefficient, Source::Product(product), &index)
    }

    /// One term.
    pub fn term(coefficient: i128, source: Source, index: &[Index]) -> Self {
        Self { constant: 0, terms: vec![Term { coefficient, source, index: index.to_vec() }] }
    }

    /// The sum of both.
    pub fn plus(mut self, other: Sum) -> Self {
        self.constant = self.constant.saturating_add(other.constant);
        self.terms.extend(other.terms);
        self
    }

    /// `factor` times the sum.
    pub fn times(mut self, factor: i128) -> Self {
        self.constant = self.constant.saturating_mul(factor);
        for term in &mut self.terms {
            term.coefficient = term.coefficient.saturating_mul(factor);
        }
        self
    }

    /// The operand over `axes`.
    pub fn over(self, axes: &[AxisId]) -> Operand {
        Operand { axes: axes.to_vec(), sum: self }
    }
}
