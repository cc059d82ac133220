//! Decides what the memory of a device allows: accesses inside one allocation, aligned, and in one launch no place that one
//! thread writes and another one reads or writes.

use std::collections::{BTreeMap, HashMap};

/// All allocations, by their addresses.
#[derive(Default)]
pub struct Heap {
    areas: BTreeMap<u64, Area>,
    next: u64,
    /// Number of the launch.
    launch: u32,
}

/// An allocation, in words of 4 bytes.
struct Area {
    bytes: usize,
    words: Vec<u32>,
    marks: Vec<Mark>,
    /// Launch and thread of the last write of a byte that was not of a whole word.
    bytes_written: HashMap<usize, (u32, u32)>,
}

/// Who used a word in a launch: threads counted from 1, 0 for nobody.
#[derive(Clone, Copy, Default)]
struct Mark {
    launch: u32,
    writer: u32,
    reader: u32,
}

/// More than one thread; as a writer, atomically.
const SEVERAL: u32 = u32::MAX;

/// As a writer: threads that each write bytes of their own. Nobody may read them in the same launch.
const OF_BYTES: u32 = u32::MAX - 1;

/// What is done with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    WriteBytes,
    Atomic,
}

impl Heap {
    /// Memory of so many bytes; contents are nothing that a kernel may rely on.
    pub fn allocate(&mut self, bytes: usize) -> u64 {
        // Alignment and gaps of the driver's.
        let address = self.next.max(1 << 40);
        self.next = address + bytes.next_multiple_of(256) as u64 + 256;
        let words = bytes.div_ceil(4);
        let (words, marks) = (vec![0xa5a5_a5a5; words], vec![Mark::default(); words]);
        self.areas.insert(address, Area { bytes, words, marks, bytes_written: HashMap::new() });
        address
    }

    /// Frees it.
    pub fn free(&mut self, address: u64) {
        self.areas.remove(&address);
    }

    /// Another launch begins: it may use what earlier ones wrote.
    pub fn begin(&mut self) {
        self.launch += 1;
    }

    /// The host's copy to the device.
    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        let (area, at) = self.area(address, bytes.len()).expect("a copy within the memory");
        for (at, byte) in (at..).zip(bytes) {
            let shift = at % 4 * 8;
            area.words[at / 4] = area.words[at / 4] & !(0xff << shift) | u32::from(*byte) << shift;
        }
    }

    /// The host's copy from the device.
    pub fn read(&mut self, address: u64, bytes: &mut [u8]) {
        let (area, at) = self.area(address, bytes.len()).expect("a copy within the memory");
        for (at, byte) in (at..).zip(bytes) {
            *byte = (area.words[at / 4] >> (at % 4 * 8)) as u8;
        }
    }

    fn area(&mut self, address: u64, bytes: usize) -> Option<(&mut Area, usize)> {
        let (start, area) = self.areas.range_mut(..=address).next_back()?;
        let at = (address - start) as usize;
        (at + bytes <= area.bytes).then_some((area, at))
    }

    /// The bytes at an address, at most 8 of them, for a kernel's access of `whole` bytes that they are part of.
    pub fn load(&mut self, thread: u32, address: u64, bytes: usize) -> Result<u64, String> {
        let launch = self.launch;
        let (area, at) = self.area(address, bytes).ok_or("reads outside every allocation")?;
        let words = at / 4..(at + bytes).div_ceil(4);
        let mut value = 0;
        for (place, word) in words.enumerate() {
            area.marks[word].note(launch, thread, Access::Read)?;
            value |= u64::from(area.words[word]) << (32 * place);
        }
        let unused = 64 - 8 * bytes as u32;
        Ok(value >> (at % 4 * 8) << unused >> unused)
    }

    /// Writes 1, 2, 4 or 8 bytes.
    pub fn store(&mut self, thread: u32, address: u64, bytes: usize, value: u64) -> Result<(), String> {
        let launch = self.launch;
        let (area, at) = self.area(address, bytes).ok_or("writes outside every allocation")?;
        if bytes < 4 {
            area.marks[at / 4].note(launch, thread, Access::WriteBytes)?;
            for (at, byte) in (at..at + bytes).zip(value.to_le_bytes()) {
                let before = area.bytes_written.insert(at, (launch, thread));
                if before.is_some_and(|(of, other)| of == launch && other != thread) {
                    return Err("races with another thread: both write a byte".to_string());
                }
                let shift = at % 4 * 8;
                area.words[at / 4] = area.words[at / 4] & !(0xff << shift) | u32::from(byte) << shift;
            }
            return Ok(());
        }
        for (place, word) in (at / 4..(at + bytes) / 4).enumerate() {
            area.marks[word].note(launch, thread, Access::Write)?;
            area.words[word] = (value >> (32 * place)) as u32;
        }
        Ok(())
    }

    /// Adds to a word; what was there.
    pub fn add_atomically(&mut self, thread: u32, address: u64, value: u32) -> Result<u32, String> {
        let launch = self.launch;
        let (area, at) = self.area(address, 4).ok_or("adds outside every allocation")?;
        area.marks[at / 4].note(launch, thread, Access::Atomic)?;
        let before = area.words[at / 4];
        area.words[at / 4] = before.wrapping_add(value);
        Ok(before)
    }
}

impl Mark {
    fn note(&mut self, launch: u32, thread: u32, access: Access) -> Result<(), String> {
        if self.launch != launch {
            *self = Mark { launch, writer: 0, reader: 0 };
        }
        let other = |user: u32| user != 0 && user != thread;
        let race = match access {
            Access::Read => other(self.writer),
            Access::Write => other(self.writer) || other(self.reader),
            Access::WriteBytes => self.writer != OF_BYTES && other(self.writer) || other(self.reader),
            Access::Atomic => self.writer != 0 && self.writer != SEVERAL || self.reader != 0,
        };
        if race {
            return Err(format!("races with another thread: a place that one writes is used by both ({access:?})"));
        }
        match access {
            Access::Read => self.reader = if self.reader == 0 || self.reader == thread { thread } else { SEVERAL },
            Access::Write => self.writer = thread,
            Access::WriteBytes => self.writer = OF_BYTES,
            Access::Atomic => self.writer = SEVERAL,
        }
        Ok(())
    }
}
