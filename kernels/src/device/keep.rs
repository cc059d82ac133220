//! Decides which integers of the host have a copy on the device, so that not every verb that reads them copies them anew.
//!
//! Columns are announced, and copied whole when a verb first reads a part of one, if that leaves most of the memory free. Copies
//! that no verb is using go when memory is at its end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::array::Array;
use super::machine::{Device, raise};
use super::runs::bytes;
use crate::Integers;

/// A copy takes no more than this part of what is free.
const SHARE: usize = 4;

/// An announced column.
struct Column<D: Device> {
    integers: Arc<Integers>,
    copy: Option<Arc<Array<D, u8>>>,
}

impl<D: Device> Column<D> {
    /// Whether there is a copy that nobody uses.
    fn is_idle(&self) -> bool {
        self.copy.as_ref().is_some_and(|copy| Arc::strong_count(copy) == 1)
    }
}

/// The announced columns of a device, by where they are on the host.
pub struct Keeper<D: Device> {
    columns: Mutex<BTreeMap<usize, Column<D>>>,
}

impl<D: Device> Default for Keeper<D> {
    fn default() -> Self {
        Keeper { columns: Mutex::default() }
    }
}

/// Bytes of the host on the device: a part of a copy that is kept, or one of their own.
pub struct Copied<D: Device> {
    memory: Arc<Array<D, u8>>,
    offset: usize,
}

impl<D: Device> Copied<D> {
    /// A copy of `bytes`, in whole words of 8 bytes; of the column that they are a part of, if it is announced and there is room.
    pub fn of(device: &D, bytes: &[u8]) -> Self {
        device
            .keeper()
            .copy(device, bytes)
            .unwrap_or_else(|| Copied { memory: Arc::new(Array::in_words(device, bytes)), offset: 0 })
    }

    /// So many bytes of any value, in whole words of 8.
    pub fn new(device: &D, bytes: usize) -> Self {
        Copied { memory: Arc::new(Array::new(device, bytes.next_multiple_of(8))), offset: 0 }
    }

    /// Makes all bytes 0 that are its own.
    pub fn clear(&self, device: &D) {
        assert!(Arc::strong_count(&self.memory) == 1, "bytes of nobody else");
        self.memory.clear(device);
    }

    /// Copies the first bytes.
    pub fn read(&self, device: &D, to: &mut [u8]) {
        self.memory.read_bytes(device, self.offset, to);
    }

    /// The address of the first byte.
    pub fn address(&self) -> u64 {
        self.memory.address() + self.offset as u64
    }

    /// Whether both are parts of one copy.
    pub fn shares(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.memory, &other.memory)
    }
}

impl<D: Device> Keeper<D> {
    fn columns(&self) -> MutexGuard<'_, BTreeMap<usize, Column<D>>> {
        self.columns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part of a copy of the column that has these bytes, made now if there is none and room for it.
    fn copy(&self, device: &D, bytes: &[u8]) -> Option<Copied<D>> {
        Finder::new(device, true).find(bytes)
    }

    /// Bytes of the copies that nobody uses.
    pub fn idle_bytes(&self) -> usize {
        let columns = self.columns();
        let idle = columns.values().filter(|column| column.is_idle());
        idle.map(|column| column.integers.bytes()).sum()
    }

    /// Gives up the copies that nobody uses; whether there were any.
    pub fn release(&self) -> bool {
        let mut columns = self.columns();
        let idle =
            columns.values_mut().filter(|column| column.copy.as_ref().is_some_and(|copy| Arc::strong_count(copy) == 1));
        idle.map(|column| column.copy = None).count() > 0
    }
}

/// The announced column that bytes are in.
fn around<'c, D: Device>(columns: &'c BTreeMap<usize, Column<D>>, bytes: &[u8]) -> Option<(usize, &'c Column<D>)> {
    let address = bytes.as_ptr().addr();
    let (&start, column) = columns.range(..=address).next_back()?;
    (address + bytes.len() <= start + column.integers.bytes()).then_some((start, column))
}

/// Looks for copies of bytes after bytes, most of them of the column that those before were of.
pub struct Finder<'d, D: Device> {
    device: &'d D,
    /// Whether columns without a copy are copied, if there is room.
    copies: bool,
    /// The column of the last bytes: where it is on the host, and its copy.
    last: Option<(Range<usize>, Option<Arc<Array<D, u8>>>)>,
}

impl<'d, D: Device> Finder<'d, D> {
    /// On `device`; makes copies or only looks for them.
    pub fn new(device: &'d D, copies: bool) -> Self {
        Finder { device, copies, last: None }
    }

    /// A part of a copy of the column that has these bytes.
    pub fn find(&mut self, bytes: &[u8]) -> Option<Copied<D>> {
        let address = bytes.as_ptr().addr();
        let within = |range: &Range<usize>| range.start <= address && address + bytes.len() <= range.end;
        if self.last.as_ref().is_none_or(|(range, _)| !within(range)) {
            self.last = self.column(bytes);
        }
        let (range, copy) = self.last.as_ref()?;
        copy.clone().map(|memory| Copied { memory, offset: address - range.start })
    }

    fn column(&self, bytes: &[u8]) -> Option<(Range<usize>, Option<Arc<Array<D, u8>>>)> {
        let (start, integers, known) = {
            let columns = self.device.keeper().columns();
            let (start, column) = around(&columns, bytes)?;
            (start, column.integers.clone(), column.copy.clone())
        };
        let range = start..start + integers.bytes();
        let fits = || integers.bytes() <= self.device.free_bytes().unwrap_or_else(raise) / SHARE;
        if known.is_some() || !self.copies || !fits() {
            return Some((range, known));
        }
        let memory = Arc::new(Array::in_words(self.device, self::bytes(integers.view())));
        if let Some(column) = self.device.keeper().columns().get_mut(&start) {
            column.copy = Some(memory.clone());
        }
        Some((range, Some(memory)))
    }
}

/// Columns are announced as long as this lives.
pub struct Kept<D: Device> {
    device: Arc<D>,
    starts: Vec<usize>,
}

impl<D: Device> Kept<D> {
    /// Announces columns; what is announced already stays as it is.
    pub fn new(device: Arc<D>, columns: &[Arc<Integers>]) -> Self {
        let mut starts = Vec::new();
        let mut known = device.keeper().columns();
        for integers in columns.iter().filter(|integers| !integers.is_empty()) {
            let start = bytes(integers.view()).as_ptr().addr();
            known.entry(start).or_insert_with(|| {
                starts.push(start);
                Column { integers: integers.clone(), copy: None }
            });
        }
        drop(known);
        Kept { device, starts }
    }
}

impl<D: Device> Drop for Kept<D> {
    fn drop(&mut self) {
        let mut columns = self.device.keeper().columns();
        self.starts.iter().for_each(|start| _ = columns.remove(start));
    }
}
