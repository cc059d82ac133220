//! Decides what a prover needs of an inference: every column, every lookup's row, how often each row is read.

use super::evaluate::unsupported;
use super::execute::Executor;
use super::multiply::Multiply;
use super::tensor::{Cells, Ints, Tensor};
use super::{Columns, InferError};
use std::ops::Range;
use std::sync::Arc;
use zkllm_verifier::program::{AxisId, ColumnId, Lookup, Origin, Program, Table};

/// A whole inference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// By column: its values, dense over the true lengths of its axes; multiplicities too.
    pub columns: Vec<Arc<Ints>>,
    /// By lookup: the row's number, dense over the true lengths of its axes; meaningless where a causal lookup has
    /// `u > t`.
    pub lookups: Vec<Vec<u32>>,
    /// By table: how often each row is looked up.
    pub multiplicities: Vec<Vec<u32>>,
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
    let count = |axes: &[AxisId]| program.lengths(axes).into_iter().product::<usize>();
    let mut rows: Vec<Vec<u32>> = program.lookups.iter().map(|lookup| vec![0; count(&lookup.axes)]).collect();
    let mut multiplicities: Vec<Vec<u32>> = program.tables.iter().map(|table| vec![0; 1 << table.bits()]).collect();

    let layer = executor.structure.layer;
    let layered = |axes: &[AxisId]| layer.is_some_and(|layer| axes.contains(&layer));
    let last = |values: &[&zkllm_verifier::program::Sum]| {
        values.iter().map(|sum| executor.structure.segment(&program, sum)).max().unwrap_or(0)
    };
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
                executor.check_lookup(lookup, &mut rows[id], &mut multiplicities[lookup.table])?;
            }
        }
        Ok(())
    };
    executor.run_slice(None, check)?;
    let mut columns = Vec::new();
    for (id, column) in program.columns.iter().enumerate() {
        columns.push(match column.origin {
            Origin::Multiplicity(table) => {
                Arc::new(Ints::narrowed(multiplicities[table].iter().map(|&m| i64::from(m)).collect()))
            }
            _ => take(&executor, id),
        });
    }
    Ok(Trace { columns, lookups: rows, multiplicities })
}

fn take(executor: &Executor<'_>, column: ColumnId) -> Arc<Ints> {
    executor.column(column).unwrap_or_else(|| Arc::new(Ints::zeros(0)))
}

impl Executor<'_> {
    fn check_zero(&mut self, zero: &zkllm_verifier::program::Zero) -> Result<(), InferError> {
        let values = self.sum(&zero.name, &zero.sum, &zero.axes)?;
        match (0..values.len()).find(|&place| values.get(place) != 0) {
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

    /// Every value on the current slice is a row of the table; its number goes to `rows`.
    fn check_lookup(
        &mut self,
        lookup: &Lookup,
        rows: &mut [u32],
        multiplicities: &mut [u32],
    ) -> Result<(), InferError> {
        let axes = &lookup.axes;
        let Some(number) = lookup.values.first() else { return Ok(()) };
        let inputs = self.sum(&lookup.name, number, axes)?;
        let mut outputs = Vec::new();
        for output in &lookup.values[1..] {
            outputs.push(self.sum(&lookup.name, output, axes)?);
        }
        let size = multiplicities.len() as i128;
        let mut numbers = vec![0u32; inputs.len()];
        for (place, number) in numbers.iter_mut().enumerate() {
            if lookup.causal && self.acausal(axes, place) {
                continue;
            }
            let row = inputs.get(place);
            if !(0..size).contains(&row) {
                return Err(self.misses(lookup, place, row));
            }
            let row = row as usize;
            let holds = outputs
                .iter()
                .zip(&self.tables[lookup.table])
                .all(|(values, table)| values.get(place) == i128::from(table[row]));
            if !holds || outputs.len() != self.tables[lookup.table].len() {
                let (layer, position) = self.place(axes, place);
                return Err(InferError::Contradiction { site: lookup.name.clone(), layer, position });
            }
            *number = row as u32;
            multiplicities[row] += 1;
        }
        let full: Vec<Range<usize>> = self.program.lengths(axes).into_iter().map(|length| 0..length).collect();
        let ranges: Vec<Range<usize>> = axes.iter().map(|&axis| self.slice[axis].clone()).collect();
        scatter(&full, &ranges, rows, &numbers);
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

/// Copies a box into the whole.
fn scatter(full: &[Range<usize>], ranges: &[Range<usize>], whole: &mut [u32], values: &[u32]) {
    let shell =
        Tensor { axes: vec![0; full.len()], ranges: full.to_vec(), cells: Cells::Wide(Vec::new()), magnitude: 0 };
    let strides = shell.strides();
    let row_length = ranges.last().map_or(1, Range::len).max(1);
    for (row, values) in values.chunks(row_length).enumerate() {
        let mut rest = row;
        let mut start = ranges.last().map_or(0, |range| range.start);
        for axis in (0..ranges.len().saturating_sub(1)).rev() {
            start += (ranges[axis].start + rest % ranges[axis].len()) * strides[axis];
            rest /= ranges[axis].len();
        }
        whole[start..start + values.len()].copy_from_slice(values);
    }
}
