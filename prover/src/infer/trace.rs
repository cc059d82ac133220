//! Decides what a prover needs of an inference: every column, every lookup's row, how often each row is read.

use super::evaluate::unsupported;
use super::execute::Executor;
use super::multiply::Multiply;
use super::tensor::{Cells, GRAIN, Tensor};
use super::{Columns, InferError};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use zkllm_kernels::{Integers, Numbers, each_width};
use zkllm_verifier::program::{AxisId, ColumnId, Index, Lookup, Origin, Program, Source, Sum, Table, Term};

/// A whole inference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// By column: its values, dense over the true lengths of its axes; multiplicities too.
    pub columns: Vec<Arc<Integers>>,
    /// By lookup: the rows' numbers, dense over the true lengths of its axes.
    pub lookups: Vec<Numbers>,
    /// By table: how often each row is looked up.
    pub multiplicities: Vec<Vec<u64>>,
}

/// Runs `program` with the model's `columns` and checks every statement of it.
///
/// # Errors
/// `NotGreedy` if the tokens are not the model's answer, `OutOfRange` if the card is too narrow for it; `Column`.
pub fn trace(program: &Program, columns: &Columns) -> Result<Trace, InferError> {
    trace_by(&zkllm_kernels::integer::multiply, program, columns)
}

/// [`trace`], matrices multiplied by `multiply`.
pub fn trace_by(multiply: Multiply<'_>, program: &Program, columns: &Columns) -> Result<Trace, InferError> {
    let mut executor = Executor::new(program.clone(), columns)?;
    executor.multiply = multiply;
    let program = executor.program.clone();
    let rows = |lookup: &Lookup| {
        let ranges = program.lengths(&lookup.axes).into_iter().map(|length| 0..length).collect();
        let last = (1 << program.tables[lookup.table].bits()) - 1;
        held(&program, lookup).is_none().then(|| Tensor::zeros_for(&lookup.axes, ranges, (0, last)))
    };
    let mut rows: Vec<Option<Tensor>> = program.lookups.iter().map(rows).collect();
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
    let numbers = |(lookup, rows): (&Lookup, Option<Tensor>)| {
        let numbers = match (held(&program, lookup), rows.map(|rows| rows.cells)) {
            (Some((column, plus)), _) => Numbers::new(columns[column].clone(), plus),
            (None, Some(Cells::Ints(rows))) => Numbers::new(rows, 0),
            (None, _) => Numbers::new(Arc::new(Integers::zeros(0)), 0),
        };
        match program.lengths(&lookup.axes)[..] {
            [.., later, earlier] if lookup.causal => numbers.causal([later, earlier]),
            _ => numbers,
        }
    };
    let lookups = program.lookups.iter().zip(rows).map(numbers).collect();
    Ok(Trace { columns, lookups, multiplicities })
}

/// The column that holds the rows' numbers but for a constant, and the constant, where there is one.
pub(crate) fn held(program: &Program, lookup: &Lookup) -> Option<(ColumnId, i64)> {
    // What GPUs add to a number: no less than 0, in 32 bits.
    direct(program, &lookup.axes, lookup.values.first()?).filter(|(_, plus)| u32::try_from(*plus).is_ok())
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
        rows: Option<&mut Tensor>,
        multiplicities: &mut [u64],
    ) -> Result<(), InferError> {
        let (axes, name) = (&lookup.axes, &lookup.name);
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
        // Whole rows, of which only the first so many exist if they are of pairs.
        let length = axes.last().map_or(1, |&axis| self.slice[axis].len()).max(1);
        let run = GRAIN.next_multiple_of(length);
        let exist = lookup.causal.then(|| self.existing(axes));
        // As few tasks as keep all threads busy: each counts on its own.
        let each = count.div_ceil(rayon::current_num_threads()).max(4 * size).next_multiple_of(run);
        let task = |task: usize, store: &mut dyn FnMut(usize, &[i64])| {
            let (mut counts, mut numbers, mut found) = (vec![0u32; size], vec![0; run], vec![0; run]);
            let end = count.min((task + 1) * each);
            for start in (task * each..end).step_by(run) {
                let numbers = &mut numbers[..run.min(end - start)];
                let exact = number.narrowed(start, numbers);
                let rows = |at: usize| {
                    let exist = exist.as_ref().map_or(length, |exist| exist((start + at) / length));
                    start + at..start + at + exist
                };
                for (row, numbers) in numbers.chunks_mut(length).enumerate() {
                    let places = rows(row * length);
                    let (there, missing) = numbers.split_at_mut(places.len());
                    missing.fill(0);
                    for (place, &mut row) in places.zip(there) {
                        let held = exact || number.at(place) == i128::from(row);
                        let counted = usize::try_from(row).ok().filter(|_| held).and_then(|row| counts.get_mut(row));
                        *counted.ok_or_else(|| self.misses(lookup, place, number.at(place)))? += 1;
                    }
                }
                for (output, column) in outputs.iter().zip(columns) {
                    let found = &mut found[..numbers.len()];
                    let exact = output.narrowed(start, found);
                    for (row, found) in found.chunks(length).enumerate() {
                        for (place, value) in rows(row * length).zip(found) {
                            let held = exact || output.at(place) == i128::from(*value);
                            if !held || *value != column[numbers[place - start] as usize] {
                                let (layer, position) = self.place(axes, place);
                                return Err(InferError::Contradiction { site: name.clone(), layer, position });
                            }
                        }
                    }
                }
                store(start - task * each, numbers);
            }
            Ok(counts)
        };
        let counts = if let Some(rows) = rows {
            let ranges: Vec<Range<usize>> = axes.iter().map(|&axis| self.slice[axis].clone()).collect();
            let window = rows.window(&ranges).ok_or_else(|| unsupported(name, "its rows are not side by side"))?;
            let Cells::Ints(rows) = &mut rows.cells else { return Ok(()) };
            each_width!(Integers, Arc::make_mut(rows), rows => {
                let store = |(number, rows): (usize, &mut [_])| {
                    task(number, &mut |at, numbers| {
                        rows[at..].iter_mut().zip(numbers).for_each(|(row, number)| *row = *number as _);
                    })
                };
                rows[window].par_chunks_mut(each).enumerate().map(store).collect::<Result<Vec<_>, InferError>>()
            })
        } else {
            (0..count.div_ceil(each)).into_par_iter().map(|number| task(number, &mut |_, _| ())).collect()
        }?;
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
