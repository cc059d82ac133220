//! Decides where in the one buffer an allocation lies: the first free range that is long enough.

use std::collections::BTreeMap;

/// Allocations begin at multiples of this.
const ALIGNMENT: usize = 256;

/// The free ranges of a buffer: length by start, no two of them neighbours.
#[derive(Debug)]
pub struct Arena {
    free: BTreeMap<usize, usize>,
}

impl Arena {
    /// All of a buffer of so many bytes but its beginning: 0 is the address of nothing.
    pub fn new(bytes: usize) -> Arena {
        let end = bytes / ALIGNMENT * ALIGNMENT;
        Arena { free: BTreeMap::from([(ALIGNMENT, end.saturating_sub(ALIGNMENT))]) }
    }

    /// The length of the longest free range.
    pub fn longest(&self) -> usize {
        self.free.values().copied().max().unwrap_or(0)
    }

    /// The start and the length, at least `bytes`, of a range that is free no more.
    pub fn allocate(&mut self, bytes: usize) -> Option<(usize, usize)> {
        let length = bytes.max(1).checked_next_multiple_of(ALIGNMENT)?;
        let (start, found) =
            self.free.iter().find(|(_, free)| **free >= length).map(|(start, free)| (*start, *free))?;
        self.free.remove(&start);
        if found > length {
            self.free.insert(start + length, found - length);
        }
        Some((start, length))
    }

    /// Gives back what `allocate` gave.
    pub fn release(&mut self, (mut start, mut length): (usize, usize)) {
        if let Some((before, free)) = self.free.range(..start).next_back().map(|(at, free)| (*at, *free))
            && before + free == start
        {
            self.free.remove(&before);
            (start, length) = (before, length + free);
        }
        if let Some(free) = self.free.remove(&(start + length)) {
            length += free;
        }
        self.free.insert(start, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_released_becomes_one_range_again() {
        let mut arena = Arena::new(10 * ALIGNMENT + 3);
        assert_eq!(arena.longest(), 9 * ALIGNMENT);
        let parts: Vec<_> =
            [1, ALIGNMENT, ALIGNMENT + 1, 5 * ALIGNMENT].map(|bytes| arena.allocate(bytes).unwrap()).into();
        assert_eq!(parts.iter().map(|part| part.0 / ALIGNMENT).collect::<Vec<_>>(), [1, 2, 3, 5]);
        assert_eq!((arena.longest(), arena.allocate(1)), (0, None));
        for at in [1, 3, 0, 2] {
            arena.release(parts[at]);
        }
        assert_eq!((arena.longest(), arena.free.len()), (9 * ALIGNMENT, 1));
        assert_eq!(arena.allocate(usize::MAX), None);
        assert_eq!(arena.allocate(9 * ALIGNMENT), Some((ALIGNMENT, 9 * ALIGNMENT)));
    }
}
