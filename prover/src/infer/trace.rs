//! Decides what a prover needs of an inference: every column, every lookup's row, how often each row is read.

use super::evaluate::unsupported;
use super::execute::Executor;
use super::multiply::{Multiply, ON_CPU};
use super::tensor::{GRAIN, window};
use super::{Columns, InferError};
use crate::causal;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use zkllm_kernels::{Integers, Numbers, each_width};
use zkllm_verifier::program::{AxisId, ColumnId, Index, Lookup, Origin, Program, Source, Sum, Table, Term};

/// A whole inference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// By column: its values over the true lengths of its axes, row major, those of causal pairs as [`causal`] says;
    /// multiplicities too.
    pub columns: Vec<Arc<Integers>>,
    /// By lookup: the rows' numbers over the true lengths of its axes, row major.
    pub lookups: Vec<Numbers>,
    /// By table: how often each row is looked up.
    pub multiplicities: Vec<Vec<u64>>,
}

impl Trace {
    /// All entries of every column of `program`, row major.
    pub fn whole(&self, program: &Program) -> Vec<Integers> {
        let columns = program.columns.iter().zip(&self.columns);
        columns.map(|(column, values)| causal::whole(program, column, values)).collect()
    }
}

/// Runs `program` with the model's `columns` and checks every statement of it.
///
/// # Errors
/// `NotGreedy` if the tokens are not the model's answer, `OutOfRange` if the card is too narrow for it; `Column`.
pub fn trace(program: &Program, columns: &Columns) -> Result<Trace, InferError> {
    trace_by(ON_CPU, program, columns)
}

/// [`trace`], matrices multiplied by `multiply`.
pub fn trace_by(multiply: Multiply<'_>, program: &Program, columns: &Columns) -> Result<Trace, InferError> {
    let mut executor = Executor::new(multiply, program.clone(), columns)?;
    let program = executor.program.clone();
    let rows = |lookup: &Lookup| {
        let count = program.lengths(&lookup.axes).iter().product();
        let count = causal::stored(causal::side(&program, &lookup.axes, lookup.causal), count);
        let last = (1 << program.tables[lookup.table].bits()) - 1;
        held(&program, lookup).is_none().then(|| Integers::zeros_for(count, (0, last)))
    };
    let mut rows: Vec<Option<Integers>> = program.lookups.iter().map(rows).collect();
    let mut multiplicities: Vec<Vec<u64>> = program.tables.iter().map(|table| vec![0; 1 << table.bits()]).collect();

    let layer = executor.structure.layer;
    let layered = |axes: &[AxisId]| layer.is_some_and(|layer| axes.contains(&layer));
    let last = |values: &[&Sum]| values.iter().map(|sum| executor.structure.segment(&program, sum)).max().unwrap_or(0);
    // What has no layers but reads layered columns waits for the next segment.
    let due = |axes: &[AxisId], segment: usize| {
        if executor.structure.segments[segment].layered == layered(axes) { segment } else { segment + 1 }
    };
    let lookups_at: Vec<usize> = program
        .lookups
        .iter()
        .map(|lookup| due(&lookup.axes, last(&lookup.values.iter().collect::<Vec<_>>())))
        .collect();
    let zeros_at: Vec<usize> = program.zeros.iter().map(|zero| due(&zero.axes, last(&[&zero.sum]))).collect();
    let late = |due: &Vec<usize>| due.iter().any(|&segment| segment >= executor.structure.segments.len());
    if late(&lookups_at) || late(&zeros_at) {
        return Err(unsupported("the program", "a statement without layers follows the last layer"));
    }
    let head_at = executor.structure.segments.len() - 1;

    let check = |executor: &mut Executor, segment: usize| {
        for (id, zero) in program.zeros.iter().enumerate() {
            if zeros_at[id] == segment {
                executor.check_zero(zero)?;
            }
        }
        if segment == head_at {
            executor.check_greedy()?;
        }
        for (id, lookup) in program.lookups.iter().enumerate() {
            if lookups_at[id] == segment {
                executor.check_lookup(lookup, rows[id].as_mut(), &mut multiplicities[lookup.table])?;
            }
        }
        Ok(())
    };
    executor.run_slice(None, check)?;
    let mut columns = Vec::new();
    for (id, column) in program.columns.iter().enumerate() {
        columns.push(match column.origin {
            Origin::Multiplicity(table) => {
                Arc::new(Integers::narrowed(multiplicities[table].iter().map(|&count| count as i64).collect()))
            }
            _ => take(&executor, id),
        });
    }
    let numbers = |(lookup, rows): (&Lookup, Option<Integers>)| {
        let (values, plus) = match held(&program, lookup) {
            Some((column, plus)) => (columns[column].clone(), plus),
            None => (Arc::new(rows.unwrap_or_else(|| Integers::zeros(0))), 0),
        };
        match causal::side(&program, &lookup.axes, lookup.causal) {
            0 => Numbers::new(values, plus),
            side => Numbers::causal(values, plus, side),
        }
    };
    let lookups = program.lookups.iter().zip(rows).map(numbers).collect();
    Ok(Trace { columns, lookups, multiplicities })
}

/// The column that holds the rows' numbers but for a constant, and the constant, where there is one.
pub(crate) fn held(program: &Program, lookup: &Lookup) -> Option<(ColumnId, i64)> {
    // What GPUs add to a number: no less than 0, in 32 bits.
    let fits = |column: ColumnId, plus| program.columns[column].causal == lookup.causal && u32::try_from(plus).is_ok();
    direct(program, &lookup.axes, lookup.values.first()?).filter(|(column, plus)| fits(*column, *plus))
}

/// The column over `axes` that a sum is but for a constant, and the constant.
pub(crate) fn direct(program: &Program, axes: &[AxisId], sum: &Sum) -> Option<(ColumnId, i64)> {
    let [Term { coefficient: 1, source: Source::Column(column), index }] = &sum.terms[..] else { return None };
    let own = index.iter().zip(axes).all(|(index, axis)| *index == Index::At(*axis));
    let plus = i64::try_from(sum.constant).ok()?;
    (own && program.columns[*column].axes == axes).then_some((*column, plus))
}

fn take(executor: &Executor<'_>, column: ColumnId) -> Arc<Integers> {
    executor.column(column).unwrap_or_else(|| Arc::new(Integers::zeros(0)))
}

impl Executor<'_> {
    fn check_zero(&mut self, zero: &zkllm_verifier::program::Zero) -> Result<(), InferError> {
        if self.zero_far(zero).is_some() {
            return Ok(());
        }
        let values = self.sum(&zero.name, &zero.sum, &zero.axes)?;
        match (0..values.len()).into_par_iter().find_first(|&place| values.get(place) != 0) {
            None => Ok(()),
            Some(place) => {
                let (layer, position) = self.place(&zero.axes, place);
                Err(InferError::Contradiction { site: zero.name.clone(), layer, position })
            }
        }
    }

    /// The tokens of the statement are the arg max of the logits.
    fn check_greedy(&mut self) -> Result<(), InferError> {
        let Some(head) = self.structure.head else { return Ok(()) };
        let first = self.program.axes[self.structure.pairs.first().map_or(head.output, |pair| pair.0)].length
            - self.program.axes[head.output].length;
        for (output, greedy) in self.greedy()?.into_iter().enumerate() {
            let token = self.lists[head.tokens][output] as u32;
            if token != greedy {
                return Err(InferError::NotGreedy { position: first + output, token, greedy });
            }
        }
        Ok(())
    }

    /// Every value on the current slice is a row of the table, which is counted; its number goes to `rows` unless a column
    /// holds it.
    fn check_lookup(
        &mut self,
        lookup: &Lookup,
        mut rows: Option<&mut Integers>,
        multiplicities: &mut [u64],
    ) -> Result<(), InferError> {
        let (axes, name) = (&lookup.axes, &lookup.name);
        if self.lookup_far(lookup, rows.as_deref_mut(), multiplicities).is_some() {
            return Ok(());
        }
        let mut values = Vec::new();
        for value in &lookup.values {
            values.push(self.reading(name, value, axes)?);
        }
        let [number, outputs @ ..] = &values[..] else { return Ok(()) };
        let (count, size) = (number.len(), multiplicities.len());
        let columns = &self.tables[lookup.table];
        if columns.len() != outputs.len() {
            return Err(unsupported(name, "its table has another number of outputs"));
        }
        // Runs of values: rows of pairs, of which only the first so many exist, or any.
        let exist = lookup.causal.then(|| self.existing(axes));
        let length = axes.last().filter(|_| lookup.causal).map_or(GRAIN, |&axis| self.slice[axis].len());
        // As few tasks as keep all threads busy: each counts on its own.
        let each = count.div_ceil(rayon::current_num_threads()).max(4 * size).next_multiple_of(length);
        let task = |task: usize, store: &mut dyn FnMut(&[i64])| {
            let (mut counts, mut numbers, mut found) = (vec![0u32; size], vec![0; length], vec![0; length]);
            let end = count.min((task + 1) * each);
            for start in (task * each..end).step_by(length) {
                let there = exist.as_ref().map_or(length.min(end - start), |exist| exist(start / length));
                let (numbers, found) = (&mut numbers[..there], &mut found[..there]);
                let exact = number.narrowed(start, numbers);
                for (place, &row) in (start..).zip(&*numbers) {
                    let held = exact || number.at(place) == i128::from(row);
                    let counted = usize::try_from(row).ok().filter(|_| held).and_then(|row| counts.get_mut(row));
                    *counted.ok_or_else(|| self.misses(lookup, place, number.at(place)))? += 1;
                }
                store(numbers);
                for (output, column) in outputs.iter().zip(columns) {
                    let exact = output.narrowed(start, found);
                    for ((place, value), row) in (start..).zip(&*found).zip(&*numbers) {
                        let held = exact || output.at(place) == i128::from(*value);
                        if !held || *value != column[*row as usize] {
                            let (layer, position) = self.place(axes, place);
                            return Err(InferError::Contradiction { site: name.clone(), layer, position });
                        }
                    }
                }
            }
            Ok(counts)
        };
        let tasks = 0..count.div_ceil(each);
        let counts = if let Some(rows) = rows {
            let whole: Vec<_> = self.program.lengths(axes).into_iter().map(|length| 0..length).collect();
            let ranges: Vec<Range<usize>> = axes.iter().map(|&axis| self.slice[axis].clone()).collect();
            let window = window(&whole, &ranges).ok_or_else(|| unsupported(name, "its rows are not side by side"))?;
            let side = causal::side(&self.program, axes, lookup.causal);
            let first = |task: usize| causal::stored(side, window.end.min(window.start + task * each));
            each_width!(Integers, rows, rows => {
                let mut rest = &mut rows[first(0)..];
                let parts: Vec<_> = tasks
                    .map(|number| {
                        let part;
                        (part, rest) = std::mem::take(&mut rest).split_at_mut(first(number + 1) - first(number));
                        part
                    })
                    .collect();
                let store = |(number, part): (usize, &mut [_])| {
                    let mut part = part.iter_mut();
                    task(number, &mut |numbers| {
                        numbers.iter().zip(&mut part).for_each(|(number, row)| *row = *number as _);
                    })
                };
                parts.into_par_iter().enumerate().map(store).collect::<Vec<_>>()
            })
        } else {
            tasks.into_par_iter().map(|number| task(number, &mut |_| ())).collect()
        };
        // Of many faults the first is named.
        let counts = counts.into_iter().collect::<Result<Vec<_>, InferError>>()?;
        let total = |(row, total): (usize, &mut u64)| {
            *total += counts.iter().map(|counts| u64::from(counts[row])).sum::<u64>();
        };
        multiplicities.par_iter_mut().with_min_len(1 << 12).enumerate().for_each(total);
        Ok(())
    }

    /// The error for a row number outside its table.
    fn misses(&self, lookup: &Lookup, place: usize, row: i128) -> InferError {
        let Table::Range { bits } = self.program.tables[lookup.table] else {
            return self.outside(&lookup.name, &lookup.axes, place, row - lookup.values[0].constant);
        };
        // A signed range is shifted by half the table; each digit below has the bits of the widest table.
        let half = 1i128 << bits.max(1) >> 1;
        let signed = lookup.values[0].constant == half && lookup.name.ends_with(".range");
        let widest = self
            .program
            .tables
            .iter()
            .filter(|table| matches!(table, Table::Range { .. }))
            .map(|table| table.bits())
            .max()
            .unwrap_or(0);
        let below = lookup.name.matches(".high").count() as u32 * widest as u32;
        let value = if signed { row - half } else { row };
        let InferError::OutOfRange { site, layer, position, needed_bits } =
            self.outside(&lookup.name, &lookup.axes, place, value)
        else {
            return self.outside(&lookup.name, &lookup.axes, place, value);
        };
        let needed_bits = needed_bits + below - u32::from(!signed && value >= 0);
        InferError::OutOfRange { site, layer, position, needed_bits }
    }
}
