//! Decides what a device is where there is none: memory of this process, kernels compiled for its processor.
//!
//! `OnDevice<Shim>` runs all that the CUDA backend does on its host, and the text of its kernels. For tests only.

pub mod ptx;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zkllm_kernels::device::keep::Keeper;
use zkllm_kernels::device::{Argument, BLOCK, Device, Fault};

unsafe extern "C" {
    fn zkllm_shim_launch(name: *const c_char, threads: u64, arguments: *const *const c_void) -> c_int;
}

/// Runs so many threads of a kernel. False where there is none of that name.
///
/// # Safety
/// The arguments' addresses are of the kernel's arguments, and what these point to is its to use.
pub unsafe fn run(kernel: &CStr, threads: usize, arguments: *const *const c_void) -> bool {
    // SAFETY: the caller's.
    unsafe { zkllm_shim_launch(kernel.as_ptr(), threads as u64, arguments) == 0 }
}

/// What the stand-in for NVRTC makes of the kernels begins with this, and the stand-in for the driver takes nothing else.
pub const IMAGE: &[u8] = b"kernels for no GPU\n";

/// A device with so many bytes of memory.
pub struct Shim {
    free: Arc<AtomicUsize>,
    keeper: Keeper<Shim>,
    least: usize,
}

impl Default for Shim {
    fn default() -> Shim {
        Shim::with_bytes(1 << 34)
    }
}

impl Shim {
    /// With a memory of so many bytes.
    pub fn with_bytes(bytes: usize) -> Shim {
        Shim { free: Arc::new(AtomicUsize::new(bytes)), keeper: Keeper::default(), least: 0 }
    }

    /// Tensors of fewer places are left to the host.
    pub fn with_least(least: usize) -> Shim {
        Shim { least, ..Shim::default() }
    }
}

/// Memory of this process.
#[derive(Debug)]
pub struct Memory {
    address: *mut u8,
    layout: std::alloc::Layout,
    free: Arc<AtomicUsize>,
}

// SAFETY: the address is of memory that is this value's alone; kernels are run one launch after the other.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { std::alloc::dealloc(self.address, self.layout) };
        self.free.fetch_add(self.layout.size(), Ordering::Relaxed);
    }
}

impl Device for Shim {
    type Memory = Memory;

    fn name(&self) -> String {
        "kernels on the CPU, for tests".to_string()
    }

    fn least_tensor(&self) -> usize {
        self.least
    }

    fn keeper(&self) -> &Keeper<Shim> {
        &self.keeper
    }

    fn free_bytes(&self) -> Result<usize, Fault> {
        Ok(self.free.load(Ordering::Relaxed))
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, Fault> {
        let free = self.free.load(Ordering::Relaxed);
        let layout = std::alloc::Layout::from_size_align(bytes.max(16), 16).expect("a size");
        if layout.size() > free {
            return Err(Fault::OutOfMemory { wanted: bytes, free });
        }
        self.free.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the size is not 0.
        let address = unsafe { std::alloc::alloc(layout) };
        assert!(!address.is_null(), "memory of the host");
        // SAFETY: just allocated. The kernels may rely on no contents.
        unsafe { address.write_bytes(0xa5, layout.size()) };
        Ok(Memory { address, layout, free: self.free.clone() })
    }

    fn address(memory: &Memory) -> u64 {
        memory.address as u64
    }

    fn clear(&self, memory: &Memory, bytes: usize) -> Result<(), Fault> {
        assert!(bytes <= memory.layout.size(), "within the memory");
        // SAFETY: within the memory.
        unsafe { memory.address.write_bytes(0, bytes) };
        Ok(())
    }

    fn write(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<(), Fault> {
        assert!(offset + bytes.len() <= memory.layout.size(), "within the memory");
        // SAFETY: within the memory.
        unsafe { memory.address.add(offset).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    fn read(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), Fault> {
        assert!(offset + bytes.len() <= memory.layout.size(), "within the memory");
        // SAFETY: within the memory.
        unsafe { bytes.as_mut_ptr().copy_from_nonoverlapping(memory.address.add(offset), bytes.len()) };
        Ok(())
    }

    unsafe fn launch(&self, kernel: &'static str, threads: usize, arguments: &[Argument]) -> Result<(), Fault> {
        let name = CString::new(kernel).expect("a name");
        let addresses: Vec<*const c_void> = arguments.iter().map(Argument::address).collect();
        // SAFETY: the caller's arguments are the kernel's.
        match unsafe { run(&name, threads.next_multiple_of(BLOCK), addresses.as_ptr()) } {
            true => Ok(()),
            false => {
                Err(Fault::Failed { what: kernel.to_string(), why: "there is no kernel of that name".to_string() })
            }
        }
    }
}
