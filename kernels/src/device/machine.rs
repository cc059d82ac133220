//! Decides what a backend asks of a device: memory, copies, launches; and what goes wrong with one.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use ark_bls12_381::Fr;

use super::keep::Keeper;

/// Why a device cannot be used, or cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no driver, or no device that can be used.
    NoDevice(String),
    /// The kernels cannot be had for this device.
    NoKernels(String),
    /// Memory of the device is at its end.
    OutOfMemory { wanted: usize, free: usize },
    /// A launch or copy failed.
    Failed { what: String, why: String },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::NoDevice(why) => f.write_str(why),
            Fault::NoKernels(why) => write!(f, "the GPU's kernels cannot be loaded: {why}"),
            Fault::OutOfMemory { wanted, free } => write!(
                f,
                "the GPU is out of memory: {wanted} bytes were wanted and {free} are free; end other programs on it, prove \
                 fewer tokens, take one whose limits are larger (zkllm doctor shows them), or use --backend cpu"
            ),
            Fault::Failed { what, why } => {
                write!(f, "the GPU failed in {what}: {why}; run it again, or use --backend cpu")
            }
        }
    }
}

impl std::error::Error for Fault {}

/// Leaves a verb: the backend's verbs have no errors, so a fault unwinds to [`catch`]. Nothing is printed on the way.
pub(super) fn raise<T>(fault: Fault) -> T {
    resume_unwind(Box::new(fault))
}

/// Runs something that may use a device.
///
/// # Errors
/// The fault that ended it.
pub fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(f)).or_else(|cause: Box<dyn Any + Send>| match cause.downcast::<Fault>() {
        Ok(fault) => Err(*fault),
        Err(other) => resume_unwind(other),
    })
}

/// One argument of a kernel, as its bytes.
#[derive(Clone, Copy, Debug)]
pub enum Argument {
    /// A size or an address.
    Word(u64),
    /// A field element, its limbs as they are.
    Element([u64; 4]),
}

impl Argument {
    /// Where the value is.
    pub fn address(&self) -> *const std::ffi::c_void {
        match self {
            Argument::Word(word) => std::ptr::from_ref(word).cast(),
            Argument::Element(limbs) => limbs.as_ptr().cast(),
        }
    }
}

impl From<usize> for Argument {
    fn from(word: usize) -> Argument {
        Argument::Word(word as u64)
    }
}

impl From<Fr> for Argument {
    fn from(element: Fr) -> Argument {
        Argument::Element(element.0.0)
    }
}

/// Threads of a kernel come in blocks of so many.
pub const BLOCK: usize = 128;

/// Bytes that are copied at once at most: whole values of every type.
pub const PORTION: usize = 192 << 16;

/// A machine that holds memory and runs kernels, in the order they are asked for.
pub trait Device: Send + Sync + Sized + 'static {
    /// Freed when dropped, after what was launched before.
    type Memory: Send + Sync;

    /// What it calls itself.
    fn name(&self) -> String;
    /// Places that make a tensor of integers worth being computed here; no number of them does where there are no kernels for
    /// that.
    fn least_tensor(&self) -> usize {
        1 << 16
    }
    /// The columns of the host that it is told of.
    fn keeper(&self) -> &Keeper<Self>;
    /// Bytes that could be allocated, if copies of columns stay.
    fn free_bytes(&self) -> Result<usize, Fault>;
    /// Memory of any contents, aligned to 16 bytes.
    fn allocate(&self, bytes: usize) -> Result<Self::Memory, Fault>;
    /// Its address on the device.
    fn address(memory: &Self::Memory) -> u64;
    /// Zeroes the first `bytes`.
    fn clear(&self, memory: &Self::Memory, bytes: usize) -> Result<(), Fault>;
    /// Copies to the device, from byte `offset` on.
    fn write(&self, memory: &Self::Memory, offset: usize, bytes: &[u8]) -> Result<(), Fault>;
    /// The same with what `fill` makes of each part of them, which it is told the beginning of. Parts are of whole values
    /// of every type that [`super::array::Plain`] is for, and aligned for them.
    fn write_filled(
        &self,
        memory: &Self::Memory,
        offset: usize,
        bytes: usize,
        fill: &dyn Fn(usize, &mut [u8]),
    ) -> Result<(), Fault> {
        let mut words = vec![0u64; bytes.min(PORTION).div_ceil(8)];
        for start in (0..bytes).step_by(PORTION) {
            let size = PORTION.min(bytes - start);
            // SAFETY: initialised, and any bytes are words.
            let part = unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), size) };
            fill(start, part);
            self.write(memory, offset + start, part)?;
        }
        Ok(())
    }
    /// Copies from the device, from byte `offset` on.
    fn read(&self, memory: &Self::Memory, offset: usize, bytes: &mut [u8]) -> Result<(), Fault>;
    /// Starts `threads` threads of a kernel, and those that fill the last [`BLOCK`].
    ///
    /// # Safety
    /// The arguments are those of the kernel, and what it reads and writes through them lies in memory of this device.
    unsafe fn launch(&self, kernel: &'static str, threads: usize, arguments: &[Argument]) -> Result<(), Fault>;
}
