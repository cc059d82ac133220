//! Decides how much of the fraction tree is stored: as many levels as the memory at hand holds. The leaves, and the lowest
//! levels where it does not hold all, are made anew for every round that reads them, one part of the leaves after the other,
//! until enough variables are bound that the rest fits.
//!
//! Of `L` leaves, level `n - i` has `L / 2^i` fractions of 64 bytes, so all levels from `n - i` up take `128 L / 2^i` bytes. The
//! sumchecks of those below come last, when all others are read; they start to store when as many variables are bound that the
//! nodes left, of 128 bytes each, take no more than that. A round before repeats at most `i` merges and folds.

use std::ops::RangeInclusive;

use crate::{Block, Denominators, Numerators};

/// How far above the leaves the lowest stored level is: nearest where there is memory, farthest where there is little.
const LOWEST: RangeInclusive<usize> = 1..=9;
/// Leaves of a part at least, and at most.
const PART: [usize; 2] = [1 << 10, 1 << 24];
/// Bytes of a leaf in a part that is being made.
const MAKING: usize = 256;

/// Bytes of the levels of a tree of `leaves` from the one `lowest` above them on.
fn level_bytes(leaves: u64, lowest: usize) -> u64 {
    (128 * leaves) >> lowest
}

/// Bytes of what is stored of a tree of `leaves` where there is memory, and at least.
pub fn tree_bytes(leaves: u64) -> [u64; 2] {
    [*LOWEST.start(), *LOWEST.end()].map(|lowest| level_bytes(leaves, lowest))
}

impl Block {
    /// Panics unless the block belongs in a tree of `n` levels.
    pub fn check(&self, n: usize) {
        let size: usize = self.lengths.iter().product();
        let total: usize = self.bits.iter().sum();
        assert!(total <= n && self.offset.is_multiple_of(1 << total), "a block is aligned and lies in the tree");
        assert!(self.offset >> total < 1 << (n - total), "a block is aligned and lies in the tree");
        if let Numerators::Values(values) = &self.numerators {
            assert_eq!(values.len(), size, "one numerator a leaf");
        }
        match &self.denominators {
            Denominators::Rows { rows, table } => {
                assert_eq!(rows.len(), size, "one denominator a leaf");
                let one = matches!(self.numerators, Numerators::One);
                assert!(one || !rows.is_causal(), "no numerators where there is no row");
                assert!(rows.all_below(table.len()), "rows of the table");
            }
            Denominators::Values(values) => assert_eq!(values.len(), size, "one denominator a leaf"),
        }
    }

    /// Bytes of the numbers of rows.
    pub fn row_bytes(&self) -> usize {
        match &self.denominators {
            Denominators::Rows { rows, .. } => rows.tensor().stored().bytes(),
            Denominators::Values(_) => 0,
        }
    }
}

/// What is stored of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Levels from the leaves to the lowest one that is stored.
    pub lowest: usize,
    /// Leaves of a part at most.
    pub part: usize,
}

/// Leaves of a tree, and bytes of the numbers of their rows.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub leaves: u64,
    pub rows: u64,
}

impl Size {
    /// Of the tree over `blocks`.
    pub fn of(blocks: &[Block]) -> Size {
        Size {
            leaves: blocks.iter().map(|block| block.lengths.iter().product::<usize>() as u64).sum(),
            rows: blocks.iter().map(|block| block.row_bytes() as u64).sum(),
        }
    }

    /// Bytes of a device that the tree can use at most.
    pub fn most(&self) -> u64 {
        self.rows + level_bytes(self.leaves, *LOWEST.start()) / 3 * 4
    }
}

impl Stored {
    /// What `bytes` of memory hold of a tree.
    pub fn within(bytes: u64, leaves: u64) -> Stored {
        // A quarter is for the part that is being made.
        let making = bytes / 4;
        let fits = |lowest: &usize| level_bytes(leaves, *lowest) <= bytes - making;
        let lowest = LOWEST.clone().find(fits).unwrap_or(*LOWEST.end());
        Stored { lowest, part: (making as usize / MAKING).clamp(PART[0], PART[1]) }
    }

    /// The same on a device, and whether the numbers of rows stay on it: wherever there is room for them and a tree, because
    /// every round reads them.
    pub fn on_device(bytes: u64, size: Size) -> (Stored, bool) {
        let least = level_bytes(size.leaves, *LOWEST.end()) / 3 * 4 + (PART[0] * MAKING) as u64;
        let stay = size.rows + least <= bytes;
        (Stored::within(if stay { bytes - size.rows } else { bytes }, size.leaves), stay)
    }

    /// Bytes of the levels that are stored.
    pub fn bytes(&self, leaves: u64) -> u64 {
        level_bytes(leaves, self.lowest)
    }

    /// The blocks whose lowest levels are made when they are read, in parts, and the others: small ones and those of
    /// values, which are stored as they are.
    pub fn split(&self, blocks: Vec<Block>) -> (Vec<Block>, Vec<Block>) {
        let late = |block: &Block| {
            let size: usize = block.lengths.iter().product();
            size >= PART[0] && matches!(block.denominators, Denominators::Rows { .. })
        };
        let (late, stored): (Vec<Block>, Vec<Block>) = blocks.into_iter().partition(late);
        // A part may be a short rest.
        let parts = late.into_iter().flat_map(|block| cut(block, self.part));
        let (late, rests): (Vec<Block>, Vec<Block>) =
            parts.partition(|part| part.bits.iter().sum::<usize>() > self.lowest);
        (late, stored.into_iter().chain(rests).collect())
    }
}

/// The block in aligned parts of at most `most` leaves, as far as its last axis allows.
fn cut(block: Block, most: usize) -> Vec<Block> {
    let size: usize = block.lengths.iter().product();
    let (Some((&length, rest)), Some((&bits, rest_bits))) = (block.lengths.split_first(), block.bits.split_first())
    else {
        return vec![block];
    };
    if size <= most || (rest.is_empty() && length <= most) {
        return vec![block];
    }
    // Groups of 2^log indices of the first axis.
    let inner: usize = rest.iter().product();
    let log = (most / inner).max(1).ilog2() as usize;
    let inside = log + rest_bits.iter().sum::<usize>();
    let part = |group: usize| {
        let first = group << log;
        let count = (length - first).min(1 << log);
        let (mut lengths, mut part_bits) = (rest.to_vec(), rest_bits.to_vec());
        if log > 0 {
            lengths.insert(0, count);
            part_bits.insert(0, log);
        }
        let run = first * inner..(first + count) * inner;
        let numerators = match &block.numerators {
            Numerators::One => Numerators::One,
            Numerators::Values(values) => Numerators::Values(values[run.clone()].to_vec()),
        };
        let denominators = match &block.denominators {
            Denominators::Rows { rows, table } => Denominators::Rows { rows: rows.slice(run), table: table.clone() },
            Denominators::Values(values) => Denominators::Values(values[run].to_vec()),
        };
        let offset = block.offset + ((group as u64) << inside);
        cut(Block { offset, lengths, bits: part_bits, numerators, denominators }, most)
    };
    debug_assert!(length <= 1 << bits, "an axis is not longer than its bits allow");
    (0..length.div_ceil(1 << log)).flat_map(part).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Fr, Integers, Numbers};

    #[test]
    fn parts_have_every_leaf_once_at_its_address() {
        for (lengths, bits, most) in [
            (vec![5, 3, 9], vec![3, 2, 4], 32),
            (vec![5, 3, 9], vec![3, 2, 4], 9),
            (vec![5, 3, 9], vec![3, 2, 4], 1),
            (vec![13], vec![4], 4),
            (vec![1, 7], vec![0, 3], 2),
            (vec![], vec![], 1),
            (vec![0, 4], vec![2, 2], 1),
        ] {
            let size: usize = lengths.iter().product();
            let rows = (0..size as u32).collect();
            let denominators = Denominators::Rows { rows, table: vec![Fr::from(1); size].into() };
            let block = Block {
                offset: 1 << 20,
                lengths: lengths.clone(),
                bits: bits.clone(),
                numerators: Numerators::One,
                denominators,
            };
            let leaves = |block: &Block| -> Vec<(u64, Option<usize>)> {
                let Denominators::Rows { rows, .. } = &block.denominators else { unreachable!("rows") };
                let address = |mut index: usize| {
                    let mut at = (0, 0);
                    for (length, bits) in block.lengths.iter().zip(&block.bits).rev() {
                        at = (at.0 + (((index % length) as u64) << at.1), at.1 + bits);
                        index /= length;
                    }
                    block.offset + at.0
                };
                (0..rows.len()).map(|index| (address(index), rows.at(index))).collect()
            };
            let whole = leaves(&block);
            let parts = cut(block, most);
            assert_eq!(parts.iter().flat_map(&leaves).collect::<Vec<_>>(), whole);
            for part in &parts {
                assert!(part.lengths.iter().product::<usize>() <= most, "{lengths:?} {most}");
                assert_eq!(part.offset % (1 << part.bits.iter().sum::<usize>()), 0);
            }
        }
    }

    #[test]
    fn the_memory_says_how_many_levels_are_stored() {
        let rows = Numbers::new(Arc::new(Integers::zeros(1 << 20)), 0);
        let block = Block {
            offset: 0,
            lengths: vec![1 << 20],
            bits: vec![20],
            numerators: Numerators::One,
            denominators: Denominators::Rows { rows, table: vec![Fr::from(1)].into() },
        };
        let size = Size::of(std::slice::from_ref(&block));
        assert_eq!((size.leaves, size.rows), (1 << 20, 1 << 20));
        // Numbers of rows stay on a device but where there is no room for anything else.
        let [(most, true), (less, true), (least, false)] =
            [1 << 40, (1 << 26) + (1 << 20), 1 << 20].map(|bytes| Stored::on_device(bytes, size))
        else {
            panic!("they stay in the first two cases")
        };
        assert_eq!([most, less, least].map(|stored| stored.lowest), [1, 2, 8]);
        let lowest = |bytes| Stored::within(bytes, size.leaves).lowest;
        assert_eq!([lowest(u64::MAX), lowest(1 << 26), lowest(1 << 25), lowest(1 << 23), lowest(0)], [1, 2, 3, 5, 9]);
    }
}
