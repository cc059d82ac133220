//! Decides what NVIDIA's driver is on a machine without one: `libcuda.so`, of the functions that the CUDA backend calls, over
//! memory of the process and the kernels compiled for its processor.
//!
//! With this library's folder in `LD_LIBRARY_PATH`, `zkllm --backend cuda` runs here as it does on a GPU: for tests only.
//! The stand-in is as hard on its caller as a driver may be:
//!
//! - a call from a thread without a context, of size 0, or outside what is allocated is refused;
//! - memory has any contents at first, and what is freed counts as used until something waits for the stream;
//! - a copy that need not be waited for is made as late as it may be;
//! - a kernel that fails says so when something waits, and then to every call.
//!
//! `ZKLLM_STANDIN` says what the GPU is like, words in any order: `bytes=N` its memory, `launches=N` how many end well before
//! one fails, `code=N` the error of that (719 if not said), `none` that there is none.

#![allow(clippy::missing_safety_doc)] // The driver's documentation has them.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::{CStr, c_char, c_int, c_uchar, c_uint, c_void};
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use cudarc::driver::sys::{
    CUcontext, CUdevice, CUdevice_attribute as Attribute, CUdeviceptr, CUevent, CUfunction,
    CUmemPool_attribute as PoolAttribute, CUmemoryPool, CUmodule, CUresult, CUstream,
};
use zkllm_cuda_shim::{IMAGE, run};

/// What a GPU of compute capability 8.0 has at least.
const THREADS_OF_A_BLOCK: c_uint = 1024;
/// The memory of the pool grows by so much.
const GRAIN: usize = 2 << 20;
/// Any address that is not 0: of the context, the pool and the module there is one each.
const HANDLE: usize = 0x100;

thread_local!(static CURRENT: Cell<usize> = const { Cell::new(0) });

/// The one GPU.
struct Gpu {
    bytes: usize,
    launches: Option<u64>,
    code: CUresult,
    none: bool,
    /// Of the pool, whether used or not.
    reserved: usize,
    live: BTreeMap<CUdeviceptr, Layout>,
    /// Freed on the stream, and nothing has waited since.
    freed: Vec<(CUdeviceptr, Layout)>,
    /// Memory of the host that is pinned.
    pinned: BTreeMap<usize, Layout>,
    /// Copies that nobody has waited for.
    copies: VecDeque<Copy>,
    /// How many copies were asked for, and for every event how many of them before it.
    asked: usize,
    events: BTreeMap<usize, usize>,
    /// What a kernel failed with.
    failed: Option<CUresult>,
    /// Something has waited since.
    shown: bool,
}

struct Copy {
    to: usize,
    from: usize,
    bytes: usize,
}

type Outcome<T = ()> = Result<T, CUresult>;

fn gpu() -> MutexGuard<'static, Gpu> {
    static GPU: OnceLock<Mutex<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| Mutex::new(Gpu::of_environment())).lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a function of the driver returns.
fn code(outcome: Outcome) -> CUresult {
    outcome.err().unwrap_or(CUresult::CUDA_SUCCESS)
}

fn require(condition: bool, otherwise: CUresult) -> Outcome {
    if condition { Ok(()) } else { Err(otherwise) }
}

fn valid(condition: bool) -> Outcome {
    require(condition, CUresult::CUDA_ERROR_INVALID_VALUE)
}

/// The GPU, for a call that needs a context and is told of what failed.
fn bound() -> Outcome<MutexGuard<'static, Gpu>> {
    require(CURRENT.get() == HANDLE, CUresult::CUDA_ERROR_INVALID_CONTEXT)?;
    let gpu = gpu();
    match gpu.failed.filter(|_| gpu.shown) {
        Some(failed) => Err(failed),
        None => Ok(gpu),
    }
}

/// The same, for a call that waits for the stream.
fn waited() -> Outcome<MutexGuard<'static, Gpu>> {
    let mut gpu = bound()?;
    gpu.shown = true;
    match gpu.failed {
        Some(failed) => return Err(failed),
        None => gpu.release(),
    }
    Ok(gpu)
}

impl Gpu {
    fn of_environment() -> Gpu {
        let mut gpu = Gpu {
            bytes: 16 << 30,
            launches: None,
            code: CUresult::CUDA_ERROR_LAUNCH_FAILED,
            none: false,
            reserved: 0,
            live: BTreeMap::new(),
            freed: Vec::new(),
            pinned: BTreeMap::new(),
            copies: VecDeque::new(),
            asked: 0,
            events: BTreeMap::new(),
            failed: None,
            shown: false,
        };
        for word in std::env::var("ZKLLM_STANDIN").unwrap_or_default().split_whitespace() {
            let number = |digits: &str| digits.parse::<u64>().unwrap_or_else(|_| panic!("ZKLLM_STANDIN: {word}"));
            match word.split_once('=') {
                Some(("bytes", digits)) => gpu.bytes = number(digits) as usize,
                Some(("launches", digits)) => gpu.launches = Some(number(digits)),
                Some(("code", "2")) => gpu.code = CUresult::CUDA_ERROR_OUT_OF_MEMORY,
                Some(("code", "46")) => gpu.code = CUresult::CUDA_ERROR_DEVICE_UNAVAILABLE,
                Some(("code", "700")) => gpu.code = CUresult::CUDA_ERROR_ILLEGAL_ADDRESS,
                None if word == "none" => gpu.none = true,
                _ => panic!("ZKLLM_STANDIN: {word}"),
            }
        }
        gpu
    }

    fn used(&self) -> usize {
        let freed = self.freed.iter().map(|(_, layout)| layout.size());
        self.live.values().map(Layout::size).sum::<usize>() + freed.sum::<usize>()
    }

    /// All is copied, and what was freed is free.
    fn release(&mut self) {
        self.copy_all();
        for (address, layout) in self.freed.drain(..) {
            // SAFETY: allocated with this layout, and no longer in `live`.
            unsafe { dealloc(address as *mut u8, layout) };
        }
    }

    fn allocate(&mut self, bytes: usize) -> Outcome<CUdeviceptr> {
        valid(bytes > 0)?;
        let layout = Layout::from_size_align(bytes.next_multiple_of(256), 256).expect("a size");
        // What the stream has freed it may use again.
        let live: usize = self.live.values().map(Layout::size).sum();
        require(layout.size() <= self.bytes - live, CUresult::CUDA_ERROR_OUT_OF_MEMORY)?;
        if self.used() + layout.size() > self.bytes {
            self.release();
        }
        self.reserved = self.reserved.max((self.used() + layout.size()).next_multiple_of(GRAIN)).min(self.bytes);
        // SAFETY: the size is not 0.
        let memory = unsafe { alloc(layout) };
        assert!(!memory.is_null(), "memory of the host");
        // SAFETY: just allocated. What uses memory as it finds it is found out.
        unsafe { memory.write_bytes(0xa5, layout.size()) };
        self.live.insert(memory as CUdeviceptr, layout);
        Ok(memory as CUdeviceptr)
    }

    /// Copies, later, between memory of the GPU at `address` and memory of the host at `host`, which is pinned.
    fn copy_later(&mut self, address: CUdeviceptr, host: usize, copy: Copy) -> Outcome {
        self.holds(address, copy.bytes)?;
        let (start, layout) = self.pinned.range(..=host).next_back().ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        valid(host - start + copy.bytes <= layout.size())?;
        self.copies.push_back(copy);
        self.asked += 1;
        Ok(())
    }

    fn copy_all(&mut self) {
        self.copy_until(self.asked);
    }

    /// The first copies, so many of all that were asked for.
    fn copy_until(&mut self, count: usize) {
        while self.asked - self.copies.len() < count {
            let Copy { to, from, bytes } = self.copies.pop_front().expect("asked for");
            // SAFETY: allocated and pinned: what was freed meanwhile is kept until all is copied.
            unsafe { (to as *mut u8).copy_from_nonoverlapping(from as *const u8, bytes) };
        }
    }

    /// `bytes` from `address` on are allocated, and some.
    fn holds(&self, address: CUdeviceptr, bytes: usize) -> Outcome {
        let (start, layout) = self.live.range(..=address).next_back().ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        let offset = (address - start) as usize;
        valid(bytes > 0 && offset <= layout.size() && bytes <= layout.size() - offset)
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuInit(_: c_uint) -> CUresult {
    code(require(!gpu().none, CUresult::CUDA_ERROR_NO_DEVICE))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGet(device: *mut CUdevice, ordinal: c_int) -> CUresult {
    unsafe { device.write(0) };
    code(require(ordinal == 0, CUresult::CUDA_ERROR_INVALID_DEVICE))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, length: c_int, _: CUdevice) -> CUresult {
    let text = c"Stand-in for a GPU".to_bytes_with_nul();
    unsafe { name.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len().min(length as usize)) };
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, _: CUdevice) -> CUresult {
    unsafe { bytes.write(gpu().bytes) };
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetAttribute(value: *mut c_int, attribute: Attribute, _: CUdevice) -> CUresult {
    let number = match attribute {
        Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR => 9,
        Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED => 1,
        Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT => 132,
        // Of clocks and buses the stand-in has none.
        _ => 0,
    };
    unsafe { value.write(number) };
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut CUcontext, _: CUdevice) -> CUresult {
    unsafe { context.write(HANDLE as CUcontext) };
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRelease_v2(_: CUdevice) -> CUresult {
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetCurrent(context: *mut CUcontext) -> CUresult {
    unsafe { context.write(CURRENT.get() as CUcontext) };
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCurrent(context: CUcontext) -> CUresult {
    CURRENT.set(context as usize);
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleLoadData(module: *mut CUmodule, image: *const c_void) -> CUresult {
    unsafe { module.write(HANDLE as CUmodule) };
    // SAFETY: the caller's image is longer, and ends with zeroes.
    let start = unsafe { std::slice::from_raw_parts(image.cast::<u8>(), 4) };
    // What nvcc makes begins with its magic number.
    let known = start == &IMAGE[..4] || start == 0xba55_ed50_u32.to_le_bytes();
    code(bound().and_then(|_| require(known, CUresult::CUDA_ERROR_INVALID_IMAGE)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleGetFunction(function: *mut CUfunction, _: CUmodule, name: *const c_char) -> CUresult {
    code(bound().and_then(|_| {
        // SAFETY: the caller's name; no thread uses any argument.
        let name = unsafe { CStr::from_ptr(name) };
        require(unsafe { run(name, 0, null_mut()) }, CUresult::CUDA_ERROR_NOT_FOUND)?;
        // Kept for the whole run: a program asks for each function once.
        unsafe { function.write(name.to_owned().into_raw().cast()) };
        Ok(())
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleUnload(_: CUmodule) -> CUresult {
    code(bound().map(drop))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetDefaultMemPool(pool: *mut CUmemoryPool, _: CUdevice) -> CUresult {
    unsafe { pool.write(HANDLE as CUmemoryPool) };
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemPoolSetAttribute(_: CUmemoryPool, attribute: PoolAttribute, _: *mut c_void) -> CUresult {
    code(valid(attribute == PoolAttribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemPoolGetAttribute(
    _: CUmemoryPool,
    attribute: PoolAttribute,
    value: *mut c_void,
) -> CUresult {
    let bytes = match attribute {
        PoolAttribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT => gpu().reserved,
        PoolAttribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT => gpu().used(),
        _ => return CUresult::CUDA_ERROR_INVALID_VALUE,
    };
    unsafe { value.cast::<u64>().write(bytes as u64) };
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemPoolTrimTo(_: CUmemoryPool, least: usize) -> CUresult {
    let mut gpu = gpu();
    gpu.reserved = gpu.reserved.min(gpu.used().max(least).next_multiple_of(GRAIN));
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> CUresult {
    code(bound().map(|gpu| unsafe {
        free.write(gpu.bytes - gpu.reserved);
        total.write(gpu.bytes);
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocAsync(address: *mut CUdeviceptr, bytes: usize, _: CUstream) -> CUresult {
    code(bound().and_then(|mut gpu| gpu.allocate(bytes)).map(|memory| unsafe { address.write(memory) }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeAsync(address: CUdeviceptr, _: CUstream) -> CUresult {
    code(bound().and_then(|mut gpu| {
        let layout = gpu.live.remove(&address).ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        gpu.freed.push((address, layout));
        Ok(())
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemsetD8Async(address: CUdeviceptr, byte: c_uchar, bytes: usize, _: CUstream) -> CUresult {
    code(bound().and_then(|mut gpu| {
        gpu.holds(address, bytes)?;
        gpu.copy_all();
        // SAFETY: allocated.
        unsafe { (address as *mut u8).write_bytes(byte, bytes) };
        Ok(())
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemHostAlloc(memory: *mut *mut c_void, bytes: usize, flags: c_uint) -> CUresult {
    code(bound().and_then(|mut gpu| {
        valid(bytes > 0 && flags == 0)?;
        let layout = Layout::from_size_align(bytes, 4096).expect("a size");
        // SAFETY: the size is not 0.
        let address = unsafe { alloc(layout) };
        assert!(!address.is_null(), "memory of the host");
        gpu.pinned.insert(address as usize, layout);
        unsafe { memory.write(address.cast()) };
        Ok(())
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemFreeHost(memory: *mut c_void) -> CUresult {
    code(bound().and_then(|mut gpu| {
        let layout = gpu.pinned.remove(&(memory as usize)).ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        let within = |at: usize| (memory as usize..memory as usize + layout.size()).contains(&at);
        let waited = !gpu.copies.iter().any(|copy| within(copy.to) || within(copy.from));
        assert!(waited, "pinned memory is freed while it is copied");
        // SAFETY: allocated with this layout.
        unsafe { dealloc(memory.cast(), layout) };
        Ok(())
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyHtoDAsync_v2(
    to: CUdeviceptr,
    from: *const c_void,
    bytes: usize,
    _: CUstream,
) -> CUresult {
    code(bound().and_then(|mut gpu| {
        let from = from as usize;
        gpu.copy_later(to, from, Copy { to: to as usize, from, bytes })
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyDtoHAsync_v2(
    to: *mut c_void,
    from: CUdeviceptr,
    bytes: usize,
    _: CUstream,
) -> CUresult {
    code(bound().and_then(|mut gpu| {
        let to = to as usize;
        gpu.copy_later(from, to, Copy { to, from: from as usize, bytes })
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventCreate(event: *mut CUevent, _: c_uint) -> CUresult {
    code(bound().map(|mut gpu| {
        let handle = gpu.events.last_key_value().map_or(HANDLE, |(last, _)| last + 1);
        gpu.events.insert(handle, 0);
        unsafe { event.write(handle as CUevent) };
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecord(event: CUevent, _: CUstream) -> CUresult {
    code(bound().and_then(|mut gpu| {
        let asked = gpu.asked;
        *gpu.events.get_mut(&(event as usize)).ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)? = asked;
        Ok(())
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventSynchronize(event: CUevent) -> CUresult {
    code(bound().and_then(|mut gpu| {
        let asked = *gpu.events.get(&(event as usize)).ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)?;
        gpu.shown = true;
        gpu.failed.map_or(Ok(()), Err)?;
        gpu.copy_until(asked);
        Ok(())
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventDestroy_v2(event: CUevent) -> CUresult {
    code(
        bound().and_then(|mut gpu| {
            gpu.events.remove(&(event as usize)).map(drop).ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)
        }),
    )
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(_: CUstream) -> CUresult {
    code(waited().map(drop))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuLaunchKernel(
    function: CUfunction,
    blocks: c_uint,
    blocks_y: c_uint,
    blocks_z: c_uint,
    threads: c_uint,
    threads_y: c_uint,
    threads_z: c_uint,
    _: c_uint,
    _: CUstream,
    arguments: *mut *mut c_void,
    _: *mut *mut c_void,
) -> CUresult {
    code(bound().and_then(|mut gpu| {
        valid((blocks_y, blocks_z, threads_y, threads_z) == (1, 1, 1, 1))?;
        valid((1..1 << 31).contains(&blocks) && (1..=THREADS_OF_A_BLOCK).contains(&threads))?;
        if gpu.launches == Some(0) {
            gpu.failed = Some(gpu.code);
        }
        if gpu.failed.is_none() {
            gpu.copy_all();
            gpu.launches = gpu.launches.map(|launches| launches - 1);
            // SAFETY: of cuModuleGetFunction, which leaks it.
            let name = unsafe { CStr::from_ptr(function.cast::<c_char>()) };
            // SAFETY: the caller's arguments.
            unsafe { run(name, blocks as usize * threads as usize, arguments.cast::<*const c_void>()) };
        }
        Ok(())
    }))
}

/// What the driver says of the errors above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(error: CUresult, text: *mut *const c_char) -> CUresult {
    let words = match error {
        CUresult::CUDA_ERROR_OUT_OF_MEMORY => c"out of memory",
        CUresult::CUDA_ERROR_NO_DEVICE => c"no CUDA-capable device is detected",
        CUresult::CUDA_ERROR_INVALID_IMAGE => c"device kernel image is invalid",
        CUresult::CUDA_ERROR_INVALID_CONTEXT => c"invalid device context",
        CUresult::CUDA_ERROR_DEVICE_UNAVAILABLE => c"CUDA-capable device(s) is/are busy or unavailable",
        CUresult::CUDA_ERROR_ILLEGAL_ADDRESS => c"an illegal memory access was encountered",
        CUresult::CUDA_ERROR_LAUNCH_FAILED => c"unspecified launch failure",
        CUresult::CUDA_ERROR_INVALID_VALUE => c"invalid argument",
        CUresult::CUDA_ERROR_INVALID_HANDLE => c"invalid resource handle",
        _ => return CUresult::CUDA_ERROR_INVALID_VALUE,
    };
    unsafe { text.write(words.as_ptr()) };
    CUresult::CUDA_SUCCESS
}
