//! Decides what a GPU would do with the kernels' PTX, an instruction at a time, and allows no more than a GPU does.
//!
//! The shim compiles the kernels' text for this processor, where carry chains are other code and threads run one after the
//! other. Here the compiler's output for GPUs runs, carry flag and all, and a launch ends in a fault where a thread reads
//! or writes outside an allocation, is not aligned, or uses what another thread of the launch writes.

mod memory;
mod program;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memory::Heap;
use program::{Function, Kind, Operation, Place, Program, Register, Space, Step};
use zkllm_kernels::device::keep::Keeper;
use zkllm_kernels::device::{Argument, BLOCK, Device, Fault};

/// Where a thread's own memory begins.
const LOCAL: u64 = 1 << 32;
/// Bytes of it, as a GPU has.
const LOCAL_BYTES: usize = 512 << 10;
/// No thread of a test runs for longer.
const STEPS: u64 = 1 << 28;

/// A device that runs PTX.
pub struct Ptx {
    program: Arc<Program>,
    heap: Arc<Mutex<Heap>>,
    keeper: Keeper<Ptx>,
}

/// Memory of the device.
pub struct Memory {
    address: u64,
    heap: Arc<Mutex<Heap>>,
}

impl Drop for Memory {
    fn drop(&mut self) {
        lock(&self.heap).free(self.address);
    }
}

fn lock(heap: &Mutex<Heap>) -> MutexGuard<'_, Heap> {
    heap.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ptx {
    /// A device for the kernels of a module.
    ///
    /// # Errors
    /// What in it is not understood.
    pub fn new(module: &str) -> Result<Ptx, String> {
        Ok(Ptx { program: Arc::new(Program::parse(module)?), heap: Arc::default(), keeper: Keeper::default() })
    }

    /// A device for the module in the file that `ZKLLM_PTX` names; `tools/cuda-check.sh` makes it.
    ///
    /// # Errors
    /// There is none, or [`Ptx::new`]'s.
    pub fn of_environment() -> Result<Ptx, String> {
        let path = std::env::var("ZKLLM_PTX").map_err(|_| "ZKLLM_PTX names no file; make cuda-check sets it")?;
        Ptx::new(&std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?)
    }

    /// Another device with the same kernels.
    pub fn another(&self) -> Ptx {
        Ptx { program: self.program.clone(), heap: Arc::default(), keeper: Keeper::default() }
    }
}

impl Device for Ptx {
    type Memory = Memory;

    fn name(&self) -> String {
        "PTX on the CPU, for tests".to_string()
    }

    /// All, so that tests see them.
    fn least_tensor(&self) -> usize {
        0
    }

    fn keeper(&self) -> &Keeper<Ptx> {
        &self.keeper
    }

    fn free_bytes(&self) -> Result<usize, Fault> {
        Ok(1 << 30)
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, Fault> {
        Ok(Memory { address: lock(&self.heap).allocate(bytes), heap: self.heap.clone() })
    }

    fn address(memory: &Memory) -> u64 {
        memory.address
    }

    fn clear(&self, memory: &Memory, bytes: usize) -> Result<(), Fault> {
        lock(&self.heap).write(memory.address, &vec![0; bytes]);
        Ok(())
    }

    fn write(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<(), Fault> {
        lock(&self.heap).write(memory.address + offset as u64, bytes);
        Ok(())
    }

    fn read(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), Fault> {
        lock(&self.heap).read(memory.address + offset as u64, bytes);
        Ok(())
    }

    unsafe fn launch(&self, kernel: &'static str, threads: usize, arguments: &[Argument]) -> Result<(), Fault> {
        let fault = |why: String| Fault::Failed { what: kernel.to_string(), why };
        let function =
            self.program.names.get(kernel).ok_or_else(|| fault("there is no kernel of that name".to_string()))?;
        let function = &self.program.functions[*function];
        let mut heap = lock(&self.heap);
        heap.begin();
        let mut thread = Thread {
            program: &self.program,
            heap: &mut heap,
            number: 0,
            blocks: threads.div_ceil(BLOCK),
            stack: vec![0xa5; LOCAL_BYTES],
            registers: Vec::new(),
            carry: false,
            steps: 0,
        };
        let mut frame = Vec::new();
        for argument in arguments {
            match argument {
                Argument::Word(word) => frame.push(word.to_le_bytes().to_vec()),
                Argument::Element(limbs) => frame.push(limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect()),
            }
        }
        let sizes = |place: &Place| place.bytes;
        if !function.parameters.iter().map(sizes).eq(frame.iter().map(Vec::len)) {
            return Err(fault("its arguments are of other sizes than its parameters".to_string()));
        }
        for number in 0..thread.blocks * BLOCK {
            thread.number = number as u32 + 1;
            thread.steps = 0;
            for (place, bytes) in function.parameters.iter().zip(&frame) {
                thread.stack[place.start..place.start + place.bytes].copy_from_slice(bytes);
            }
            thread.run(function, 0, 0).map_err(|why| fault(format!("thread {number} {why}")))?;
        }
        Ok(())
    }
}

/// A thread that runs.
struct Thread<'a> {
    program: &'a Program,
    heap: &'a mut Heap,
    /// From 1.
    number: u32,
    /// Of the launch.
    blocks: usize,
    /// Frames of functions, one above the other.
    stack: Vec<u8>,
    registers: Vec<u64>,
    carry: bool,
    steps: u64,
}

impl Thread<'_> {
    /// Runs a function whose frame and registers are from these on.
    fn run(&mut self, function: &Function, frame: usize, base: usize) -> Result<(), String> {
        let end = base + function.registers;
        if self.registers.len() < end {
            self.registers.resize(end, 0xa5a5_a5a5_a5a5_a5a5);
        }
        if frame + function.frame > LOCAL_BYTES {
            return Err("has no more memory of its own".to_string());
        }
        let thread = self.number as usize - 1;
        let special = [thread % BLOCK, BLOCK, thread / BLOCK, self.blocks];
        for (register, value) in self.registers[base..].iter_mut().zip(special) {
            *register = value as u64;
        }
        for (register, value) in &function.constants {
            self.registers[base + *register as usize] = *value;
        }
        let mut next = 0;
        loop {
            let Step { guard, operation } = &function.steps[next];
            next += 1;
            self.steps += 1;
            if self.steps > STEPS {
                return Err("does not end".to_string());
            }
            let registers = &mut self.registers[base..end];
            if guard.is_some_and(|(predicate, wanted)| (registers[predicate as usize] == 1) != wanted) {
                continue;
            }
            let at = |register: &Register| registers[*register as usize];
            match operation {
                Operation::Pure(f, to, of) => registers[*to as usize] = f(of.each_ref().map(at)),
                Operation::Add(flag, to, of) => {
                    let [a, b] = of.each_ref().map(at);
                    let sum = (a & MASK) + (b & MASK) + u64::from(flag.read && self.carry);
                    registers[*to as usize] = sum & MASK;
                    if flag.written {
                        self.carry = sum > MASK;
                    }
                }
                Operation::Subtract(flag, to, of) => {
                    let [a, b] = of.each_ref().map(at);
                    let difference = (a & MASK).wrapping_sub(b & MASK).wrapping_sub(u64::from(flag.read && self.carry));
                    registers[*to as usize] = difference & MASK;
                    if flag.written {
                        self.carry = difference > MASK;
                    }
                }
                Operation::MultiplyAdd { flag, high, to, of } => {
                    let [a, b, c] = of.each_ref().map(at);
                    let product = (a & MASK) * (b & MASK);
                    let half = if *high { product >> 32 } else { product & MASK };
                    let sum = half + (c & MASK) + u64::from(flag.read && self.carry);
                    registers[*to as usize] = sum & MASK;
                    if flag.written {
                        self.carry = sum > MASK;
                    }
                }
                Operation::Compare { holds, kind, to, of } => {
                    let [a, b] = of.each_ref().map(at).map(|bits| kind.extend(bits));
                    let order = if kind.signed { (a as i64).cmp(&(b as i64)) } else { a.cmp(&b) };
                    registers[*to as usize] = u64::from(holds(order));
                }
                Operation::Convert { to: (to, bits), of, from } => {
                    registers[*to as usize] = kept(from.extend(at(of)), *bits);
                }
                Operation::Split { to, of } => {
                    let mut value = at(of);
                    for (to, bits) in to {
                        registers[*to as usize] = kept(value, *bits);
                        value >>= bits;
                    }
                }
                Operation::Local(to, start) => registers[*to as usize] = LOCAL + (frame + start) as u64,
                Operation::Load { space, kind, to, address, offset } => {
                    let (mut address, bytes) = (at(address).wrapping_add(*offset), kind.bits as usize / 8);
                    aligned(address, bytes * to.len())?;
                    for (to, bits) in to {
                        let value = self.load(*space, frame, address, bytes)?;
                        self.registers[base + *to as usize] = kept(kind.extend(value), *bits);
                        address += bytes as u64;
                    }
                }
                Operation::Store { space, kind, of, address, offset } => {
                    let (mut address, bytes) = (at(address).wrapping_add(*offset), kind.bits as usize / 8);
                    aligned(address, bytes * of.len())?;
                    for of in of {
                        self.store(*space, frame, address, bytes, self.registers[base + *of as usize])?;
                        address += bytes as u64;
                    }
                }
                Operation::AddAtomically { to, address, offset, of } => {
                    let address = at(address).wrapping_add(*offset);
                    aligned(address, 4)?;
                    let before = self.heap.add_atomically(self.number, address, at(of) as u32)?;
                    if let Some(to) = to {
                        registers[*to as usize] = before.into();
                    }
                }
                Operation::Branch(step) => next = *step,
                Operation::Call { function: called, arguments, result } => {
                    let called = &self.program.functions[*called];
                    let above = (frame + function.frame).next_multiple_of(16);
                    for (from, to) in arguments.iter().zip(&called.parameters) {
                        self.copy(*from, frame, *to, above);
                    }
                    self.run(called, above, end)?;
                    if let (Some(from), Some(to)) = (called.result, *result) {
                        self.copy(from, above, to, frame);
                    }
                }
                Operation::Return => return Ok(()),
            }
        }
    }

    /// Copies an argument or a result from one frame to another.
    fn copy(&mut self, from: Place, frame: usize, to: Place, other: usize) {
        let start = frame + from.start;
        self.stack.copy_within(start..start + from.bytes.min(to.bytes), other + to.start);
    }

    /// Where in the stack an address is, if it is there.
    fn own(&self, space: Space, frame: usize, address: u64, bytes: usize) -> Result<Option<usize>, String> {
        let place = match space {
            Space::Global => return Ok(None),
            Space::Frame => frame + address as usize,
            _ if (LOCAL..LOCAL + LOCAL_BYTES as u64).contains(&address) => (address - LOCAL) as usize,
            Space::Generic => return Ok(None),
            Space::Local => return Err("uses memory as its own that is not".to_string()),
        };
        if place + bytes > self.stack.len() {
            return Err("has no more memory of its own".to_string());
        }
        Ok(Some(place))
    }

    fn load(&mut self, space: Space, frame: usize, address: u64, bytes: usize) -> Result<u64, String> {
        let Some(place) = self.own(space, frame, address, bytes)? else {
            return self.heap.load(self.number, address, bytes);
        };
        let mut value = [0; 8];
        value[..bytes].copy_from_slice(&self.stack[place..place + bytes]);
        Ok(u64::from_le_bytes(value))
    }

    fn store(&mut self, space: Space, frame: usize, address: u64, bytes: usize, value: u64) -> Result<(), String> {
        let Some(place) = self.own(space, frame, address, bytes)? else {
            return self.heap.store(self.number, address, bytes, value);
        };
        self.stack[place..place + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
        Ok(())
    }
}

const MASK: u64 = u32::MAX as u64;

/// The lowest bits.
fn kept(value: u64, bits: u32) -> u64 {
    Kind { bits, signed: false }.extend(value)
}

fn aligned(address: u64, bytes: usize) -> Result<(), String> {
    if !address.is_multiple_of(bytes as u64) {
        return Err(format!("uses {bytes} bytes that are not aligned to so many"));
    }
    Ok(())
}
