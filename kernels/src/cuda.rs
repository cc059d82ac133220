//! Decides how an NVIDIA GPU is used: the driver loaded at run time, one context, everything in order on one stream.
//!
//! The kernels are in `kernels/cuda/`.

mod image;
mod staging;

use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::sys::{CUdevice_attribute as Attribute, CUmemPool_attribute_enum as PoolAttribute};
use cudarc::driver::{CudaContext, DriverError, result, sys};

use crate::device::array::copy;
use crate::device::keep::Keeper;
use crate::device::{Argument, BLOCK, Device, Fault, OnDevice};
use image::{image, sources};
use staging::Staging;

pub use image::compile;

/// The verbs on an NVIDIA GPU.
pub type Cuda = OnDevice<Gpu>;

impl Cuda {
    /// On this machine's GPU.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn open() -> Result<Self, Fault> {
        Gpu::open().map(OnDevice::on)
    }
}

/// The stream on which launches and copies are in order.
const STREAM: sys::CUstream = std::ptr::null_mut();

/// The first GPU that the driver shows; CUDA_VISIBLE_DEVICES says which that is.
pub struct Gpu {
    context: Arc<CudaContext>,
    module: sys::CUmodule,
    pool: sys::CUmemoryPool,
    staging: Staging,
    keeper: Keeper<Gpu>,
    functions: Mutex<HashMap<&'static str, sys::CUfunction>>,
    name: String,
}

// SAFETY: the driver's handles may be used from any thread to which the context is bound, which every call does first.
unsafe impl Send for Gpu {}
// SAFETY: as above.
unsafe impl Sync for Gpu {}

/// What a GPU could do in a second at most, by its attributes and at its highest clock.
#[derive(Clone, Copy, Debug)]
pub struct Ceilings {
    /// Multiply-adds of 32 bits: 64 a clock on each multiprocessor. Source: throughput of arithmetic instructions in the
    /// CUDA programming guide, compute capability 7.0 to 9.0.
    pub multiply_adds: f64,
    /// Bytes of memory, to it and from it: two for each clock and byte of the bus.
    pub bytes: f64,
}

/// Memory of the GPU.
pub struct Memory {
    address: sys::CUdeviceptr,
    context: Arc<CudaContext>,
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated on this stream. A device that is lost has no memory to give back.
        let _ = self.context.bind_to_thread().and_then(|()| unsafe { result::free_async(self.address, STREAM) });
    }
}

fn failed(what: &str) -> impl Fn(DriverError) -> Fault {
    // The driver tells of a kernel that failed when it is next called.
    move |error| Fault::Failed { what: format!("{what}, or in a kernel before it"), why: describe(error) }
}

fn unusable(why: &str) -> Fault {
    Fault::NoDevice(format!("no usable NVIDIA GPU: {why}"))
}

fn describe(error: DriverError) -> String {
    let text = error.error_string().map(|text| text.to_string_lossy().into_owned());
    text.unwrap_or_else(|_| format!("error {}", error.0 as u32))
}

impl Gpu {
    /// Opens the GPU and loads the kernels.
    ///
    /// # Errors
    /// No driver, no device, no kernels.
    pub fn open() -> Result<Gpu, Fault> {
        // A library that is there and lacks what is looked for makes the loader panic.
        catch_unwind(Self::try_open)
            .unwrap_or_else(|_| Err(unusable("the driver is too old; install one for CUDA 12 or newer")))
    }

    fn try_open() -> Result<Gpu, Fault> {
        // SAFETY: only opens the library.
        if !unsafe { sys::is_culib_present() } {
            return Err(Fault::NoDevice("no NVIDIA driver: libcuda was not found on this machine".to_string()));
        }
        let no_device = |error| unusable(&describe(error));
        let context = CudaContext::new(0).map_err(no_device)?;
        let capability = context.compute_capability().map_err(no_device)?;
        let name = context.name().map_err(no_device)?;
        let total = context.total_mem().map_err(no_device)?;
        if !context.has_async_alloc() {
            return Err(unusable(&format!("{name} has no memory pools")));
        }
        // SAFETY: the device of the context.
        let pool = unsafe { result::device::get_default_mem_pool(context.cu_device()) }.map_err(no_device)?;
        let mut all = u64::MAX;
        // SAFETY: the attribute is a u64. Memory stays with the process between verbs.
        unsafe {
            let value = std::ptr::from_mut(&mut all).cast::<c_void>();
            result::mem_pool::set_attribute(pool, PoolAttribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, value)
        }
        .map_err(no_device)?;
        let (module, origin) = Self::load(capability)?;
        let name = format!(
            "{name}, compute capability {}.{}, {} GiB, kernels {origin}",
            capability.0,
            capability.1,
            total >> 30
        );
        let staging = Staging::new(context.clone());
        Ok(Gpu { context, module, pool, staging, keeper: Keeper::default(), functions: Mutex::default(), name })
    }

    /// What the GPU could do at most.
    ///
    /// # Errors
    /// The driver does not say.
    pub fn ceilings(&self) -> Result<Ceilings, Fault> {
        let number = |attribute| match self.context.attribute(attribute) {
            Ok(number) => Ok(f64::from(number)),
            Err(error) => Err(failed("a look at its attributes")(error)),
        };
        // Clocks are in kHz, the bus in bits.
        let multiprocessors = number(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let clock = 1e3 * number(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?;
        let memory_clock = 1e3 * number(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)?;
        let bus = number(Attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)? / 8.0;
        Ok(Ceilings { multiply_adds: 64.0 * multiprocessors * clock, bytes: 2.0 * memory_clock * bus })
    }

    /// The kernels of the first source whose the driver takes; if there is none, what is wrong with the first one's.
    fn load(capability: (i32, i32)) -> Result<(sys::CUmodule, &'static str), Fault> {
        let load = |source| -> Result<_, Fault> {
            let image = image(capability, source)?;
            // Aligned, and followed by zeroes.
            let mut words = vec![0u64; image.bytes.len() / 8 + 2];
            for (word, bytes) in words.iter_mut().zip(image.bytes.chunks(8)) {
                let mut whole = [0; 8];
                whole[..bytes.len()].copy_from_slice(bytes);
                *word = u64::from_ne_bytes(whole);
            }
            // SAFETY: an image that a compiler made; the driver copies it.
            let module = unsafe { result::module::load_data(words.as_ptr().cast()) };
            Ok((module.map_err(|error| Fault::NoKernels(describe(error)))?, image.origin))
        };
        let mut first = None;
        for source in sources(capability) {
            match load(source) {
                Ok(loaded) => return Ok(loaded),
                Err(fault) => first = first.or(Some(fault)),
            }
        }
        Err(first.expect("there are sources"))
    }

    fn function(&self, kernel: &'static str) -> Result<sys::CUfunction, Fault> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(kernel) {
            return Ok(*function);
        }
        let name = CString::new(kernel).map_err(|error| Fault::NoKernels(error.to_string()))?;
        // SAFETY: the module is loaded as long as this lives.
        let function = unsafe { result::module::get_function(self.module, name) }.map_err(failed(kernel))?;
        functions.insert(kernel, function);
        Ok(function)
    }

    fn pool_bytes(&self, attribute: PoolAttribute) -> Result<usize, Fault> {
        let mut bytes = 0u64;
        // SAFETY: the attribute is a u64.
        unsafe { result::mem_pool::get_attribute(self.pool, attribute, std::ptr::from_mut(&mut bytes).cast()) }
            .map_err(failed("a look at the memory"))?;
        Ok(bytes as usize)
    }

    fn bind(&self, what: &str) -> Result<(), Fault> {
        self.context.bind_to_thread().map_err(failed(what))
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // SAFETY: loaded by `open`; nothing is launched any more.
        let _ = self.context.bind_to_thread().and_then(|()| unsafe { result::module::unload(self.module) });
    }
}

impl Device for Gpu {
    type Memory = Memory;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn keeper(&self) -> &Keeper<Gpu> {
        &self.keeper
    }

    fn free_bytes(&self) -> Result<usize, Fault> {
        self.bind("a look at the memory")?;
        // What was freed counts as used until the stream comes to it.
        // SAFETY: the stream is there.
        unsafe { result::stream::synchronize(STREAM) }.map_err(failed("a look at the memory"))?;
        let (free, _) = result::mem_get_info().map_err(failed("a look at the memory"))?;
        // What the pool holds and nobody uses is free too.
        let reserved = self.pool_bytes(PoolAttribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?;
        Ok(free + reserved.saturating_sub(self.pool_bytes(PoolAttribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?))
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, Fault> {
        self.bind("an allocation")?;
        // SAFETY: the stream is there; contents are undefined, as promised.
        let allocate = || unsafe { result::malloc_async(STREAM, bytes) };
        let address = allocate().or_else(|_| {
            // Once more when all that was freed is there, in one piece.
            // SAFETY: the pool is the device's.
            unsafe {
                result::stream::synchronize(STREAM)?;
                result::mem_pool::trim_to(self.pool, 0)?;
            }
            allocate()
        });
        match address {
            Ok(address) => Ok(Memory { address, context: self.context.clone() }),
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                Err(Fault::OutOfMemory { wanted: bytes, free: self.free_bytes().unwrap_or(0) })
            }
            Err(error) => Err(failed("an allocation")(error)),
        }
    }

    fn address(memory: &Memory) -> u64 {
        memory.address
    }

    fn clear(&self, memory: &Memory, bytes: usize) -> Result<(), Fault> {
        if bytes == 0 {
            return Ok(());
        }
        self.bind("a memset")?;
        // SAFETY: the array that calls has so many bytes.
        unsafe { result::memset_d8_async(memory.address, 0, bytes, STREAM) }.map_err(failed("a memset"))
    }

    fn write(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<(), Fault> {
        self.write_filled(memory, offset, bytes.len(), &|start, part| copy(&bytes[start..start + part.len()], part))
    }

    fn write_filled(
        &self,
        memory: &Memory,
        offset: usize,
        bytes: usize,
        fill: &dyn Fn(usize, &mut [u8]),
    ) -> Result<(), Fault> {
        self.bind("a copy to the GPU")?;
        // SAFETY: the array that calls has room.
        unsafe { self.staging.write(memory.address + offset as u64, bytes, fill) }.map_err(failed("a copy to the GPU"))
    }

    fn read(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), Fault> {
        self.bind("a copy from the GPU")?;
        // SAFETY: the array that calls has the bytes.
        unsafe { self.staging.read(memory.address + offset as u64, bytes) }.map_err(failed("a copy from the GPU"))
    }

    unsafe fn launch(&self, kernel: &'static str, threads: usize, arguments: &[Argument]) -> Result<(), Fault> {
        self.bind(kernel)?;
        let function = self.function(kernel)?;
        let blocks = u32::try_from(threads.div_ceil(BLOCK)).ok().filter(|blocks| *blocks < 1 << 31);
        let blocks = blocks.ok_or_else(|| Fault::Failed {
            what: kernel.to_string(),
            why: format!("{threads} threads are more than a launch can have"),
        })?;
        let mut addresses: Vec<*mut c_void> = arguments.iter().map(|argument| argument.address().cast_mut()).collect();
        // SAFETY: the caller's arguments are the kernel's; the driver copies them.
        unsafe { result::launch_kernel(function, (blocks, 1, 1), (BLOCK as u32, 1, 1), 0, STREAM, &mut addresses) }
            .map_err(failed(kernel))
    }
}
