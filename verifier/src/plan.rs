//! Decides how a program is proved: where leaves and columns are placed, and how long the proof is. Spec: plan.

use crate::program::{ColumnId, Origin, Program};
use crate::{Refusal, limits};
use alloc::vec;
use alloc::vec::Vec;

/// A block of leaves at an aligned address of the lookup tree.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// What its leaves are.
    pub kind: BlockKind,
    /// Its first leaf, a multiple of `2^bits`.
    pub offset: u64,
    /// log2 of its padded size.
    pub bits: usize,
}

/// What the leaves of a block are.
#[derive(Clone, Copy, Debug)]
pub enum BlockKind {
    /// The lookups of `Program::lookups[..]`.
    Lookup(usize),
    /// The rows of `Program::tables[..]`, with the multiplicity column.
    Table(usize, ColumnId),
}

/// Where a column stands: at `offset` of chunk `chunk`, or, when it has more than `2 * chunk_log` address bits, in the
/// whole chunks from `chunk` on.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The first chunk, counting the model's chunks first.
    pub chunk: usize,
    /// The first address in the chunk, a multiple of the padded size.
    pub offset: u64,
    /// log2 of the padded size.
    pub bits: usize,
}

/// How a program is proved.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is proved.
    pub program: Program,
    /// log2 of the leaves of the lookup tree.
    pub leaf_bits: usize,
    /// The tree's blocks; every other leaf is `0/1`.
    pub blocks: Vec<Block>,
    /// The place of every column.
    pub places: Vec<Place>,
    /// Chunks of the model.
    pub model_chunks: usize,
    /// Chunks of the witness.
    pub witness_chunks: usize,
    /// log2 of the rows and of the columns of a chunk.
    pub chunk_log: usize,
    /// Address bits of the largest column.
    pub column_bits: usize,
}

impl Plan {
    /// The plan of `program` with chunks of `2^chunk_log` by `2^chunk_log`.
    pub fn new(program: Program, chunk_log: usize) -> Result<Self, Refusal> {
        let (leaf_bits, blocks) = leaves(&program)?;
        let mut places = vec![Place { chunk: 0, offset: 0, bits: 0 }; program.columns.len()];
        let is_model = |id: &ColumnId| matches!(program.columns[*id].origin, Origin::Model);
        let ids = 0..program.columns.len();
        let model_chunks = place(&program, chunk_log, ids.clone().filter(is_model).collect(), 0, &mut places);
        let witness = ids.filter(|id| !is_model(id)).collect();
        let witness_chunks = place(&program, chunk_log, witness, model_chunks, &mut places);
        let column_bits = places.iter().map(|place| place.bits).max().unwrap_or(0);
        // A causal pair of axes lies within a chunk: its weights are not split.
        let pair = |axes: &[usize]| axes.iter().rev().take(2).map(|&axis| program.axes[axis].bits).sum::<usize>();
        if program.columns.iter().any(|column| column.causal && pair(&column.axes) > 2 * chunk_log) {
            return Err(Refusal::OverLimit);
        }
        if model_chunks.saturating_add(witness_chunks) > limits::CHUNKS {
            return Err(Refusal::OverLimit);
        }
        Ok(Self { program, leaf_bits, blocks, places, model_chunks, witness_chunks, chunk_log, column_bits })
    }

    /// All chunks.
    pub fn chunks(&self) -> usize {
        self.model_chunks + self.witness_chunks
    }
}

/// Places lookups and tables, largest first, one after the other: every block is aligned. Spec: plan.leaves.
fn leaves(program: &Program) -> Result<(usize, Vec<Block>), Refusal> {
    let lookups =
        program.lookups.iter().enumerate().map(|(id, lookup)| (BlockKind::Lookup(id), program.bits(&lookup.axes)));
    let tables = program.columns.iter().enumerate().filter_map(|(id, column)| match column.origin {
        Origin::Multiplicity(table) => Some((BlockKind::Table(table, id), program.bits(&column.axes))),
        _ => None,
    });
    let mut sizes: Vec<_> = lookups.chain(tables).collect();
    sizes.sort_by_key(|&(_, bits)| core::cmp::Reverse(bits));
    if sizes.iter().any(|&(_, bits)| bits > limits::LEAF_BITS) {
        return Err(Refusal::OverLimit);
    }
    let mut end = 0u64;
    let mut blocks = Vec::new();
    for (kind, bits) in sizes {
        blocks.push(Block { kind, offset: end, bits });
        end += 1 << bits;
    }
    let bits = end.next_power_of_two().trailing_zeros() as usize;
    if bits > limits::LEAF_BITS {
        return Err(Refusal::OverLimit);
    }
    Ok((bits, blocks))
}

/// Places columns, largest first, one after the other, in chunks of `2^(2 chunk_log)` entries; the number of chunks.
/// Spec: plan.columns.
fn place(program: &Program, chunk_log: usize, mut ids: Vec<ColumnId>, first: usize, places: &mut [Place]) -> usize {
    let bits = |id: ColumnId| program.bits(&program.columns[id].axes);
    ids.sort_by_key(|&id| core::cmp::Reverse(bits(id)));
    let mut end = 0u128;
    for id in ids {
        let (chunk, offset) = (end >> (2 * chunk_log), end & ((1 << (2 * chunk_log)) - 1));
        places[id] = Place {
            chunk: first.saturating_add(chunk.min(u128::from(u32::MAX)) as usize),
            offset: offset as u64,
            bits: bits(id),
        };
        end += 1 << bits(id).min(100);
    }
    end.div_ceil(1 << (2 * chunk_log)).min(u128::from(u32::MAX)) as usize
}
