//! Decides how any GPU is used, through Vulkan, Metal, DX12 or OpenGL: one buffer for all memory, everything in order on
//! one queue, launches cut into dispatches short enough for a desktop's watchdog.
//!
//! The kernels are in `kernels/wgsl/`.

mod arena;
mod shaders;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ::wgpu as api;
use api::{AdapterInfo, Backends, DeviceType};
use pollster::block_on;

use crate::device::keep::Keeper;
use crate::device::{Argument, BLOCK, Device, Fault, OnDevice};
use arena::Arena;
pub use shaders::{Words, source};

/// The verbs on any GPU.
pub type Wgpu = OnDevice<Gpu>;

/// What is asked of the machine. The defaults are for use, other values for tests of what goes wrong.
#[derive(Clone, Debug)]
pub struct Options {
    /// Words in the adapter's name or its interface's, in any case; none for the best adapter.
    pub adapter: Option<String>,
    /// Bytes of memory at most.
    pub bytes: usize,
    /// How long the GPU may take to answer.
    pub patience: Duration,
    /// Whether products of words may use words of 64 bits.
    pub long_words: bool,
    /// After how many launches the GPU is given back to the driver, which is a lost device; for tests.
    pub launches: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            adapter: None,
            bytes: usize::MAX,
            patience: Duration::from_secs(60),
            long_words: true,
            launches: usize::MAX,
        }
    }
}

impl Wgpu {
    /// On the adapter that is asked for.
    ///
    /// # Errors
    /// Why there is none that can be used.
    pub fn open(options: &Options) -> Result<Self, Fault> {
        Gpu::open(options).map(OnDevice::on)
    }
}

/// What a machine has: the adapters that can be opened, the best first. OpenGL's only where there are no others, or where
/// its `interfaces` are asked for.
#[derive(Debug)]
pub struct Adapter {
    adapter: api::Adapter,
    info: AdapterInfo,
}

impl std::fmt::Display for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let AdapterInfo { name, backend, device_type, .. } = &self.info;
        let kind = if *device_type == DeviceType::Cpu { "software on the CPU" } else { "GPU" };
        write!(f, "{name}, {backend}, {kind}, {} MiB a buffer", self.bytes() >> 20)
    }
}

impl Adapter {
    /// The adapters of this machine.
    pub fn all() -> Vec<Adapter> {
        let found = Self::of(Backends::PRIMARY);
        if found.is_empty() { Self::of(Backends::GL) } else { found }
    }

    fn of(interfaces: Backends) -> Vec<Adapter> {
        let mut description = api::InstanceDescriptor::new_without_display_handle();
        description.backends = interfaces;
        let instance = api::Instance::new(description);
        let adapters = block_on(instance.enumerate_adapters(interfaces)).into_iter();
        let mut adapters: Vec<_> = adapters.map(|adapter| Adapter { info: adapter.get_info(), adapter }).collect();
        adapters.sort_by_key(|adapter| match adapter.info.device_type {
            DeviceType::DiscreteGpu => 0,
            DeviceType::IntegratedGpu => 1,
            DeviceType::VirtualGpu => 2,
            DeviceType::Other => 3,
            DeviceType::Cpu => 4,
        });
        adapters
    }

    /// The adapter that `words` name, or the best.
    fn find(words: Option<&str>) -> Result<Adapter, Fault> {
        let Some(words) = words else {
            return Self::all().into_iter().next().ok_or_else(|| {
                Fault::NoDevice("no GPU was found: there is no driver for Vulkan, Metal, DX12 or OpenGL".to_string())
            });
        };
        let named = |adapter: &Adapter| {
            let name = format!("{} {}", adapter.info.name, adapter.info.backend).to_lowercase();
            words.to_lowercase().split_whitespace().all(|word| name.contains(word))
        };
        let (mut first, mut others) = (Self::of(Backends::PRIMARY), Vec::new());
        if !first.iter().any(named) {
            others = Self::of(Backends::GL);
        }
        first.append(&mut others);
        let names: Vec<String> = first.iter().map(|adapter| format!("\"{adapter}\"")).collect();
        first.into_iter().find(named).ok_or_else(|| {
            let there = if names.is_empty() { "there is none".to_string() } else { names.join(", ") };
            Fault::NoDevice(format!("no adapter has \"{words}\" in its name; the adapters are: {there}"))
        })
    }

    /// Whether it is a program and no device.
    pub fn is_software(&self) -> bool {
        self.info.device_type == DeviceType::Cpu
    }

    /// Bytes that kernels can reach, by the library's limits, 2 GiB or, through Metal, 4: addresses have 32 bits.
    fn bytes(&self) -> usize {
        let limits = self.adapter.limits();
        let most = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(u64::from(u32::MAX));
        usize::try_from(most).unwrap_or(usize::MAX)
    }
}

/// Bytes of one launch's arguments, the first thread and the number of threads before them.
const SLOT: usize = 256;
/// Dispatches of one submission.
const SLOTS: usize = 256;
/// Bytes that are copied from the GPU at once; before them the count of dispatches.
const STAGE: usize = 1 << 20;
/// Bytes of that count, by the alignment of what is mapped.
const COUNT: u64 = 8;
/// Bytes that are copied to the GPU at once, and how many of those copies are under way.
const PORTION: (usize, usize) = (1 << 24, 8);
/// Fewest bytes that are of any use.
const LEAST: usize = 1 << 20;
/// Work groups of a dispatch at most, by the interfaces' common limit.
const GROUPS: usize = 65_535;
/// Threads of a first dispatch, and of any that is not a rest: fewer take a GPU as long.
const LEAST_AT_ONCE: usize = 16 * BLOCK;
/// Threads of a dispatch at most where they add points: how many they add depends on scalars, and what one dispatch took says
/// little of the next.
const MOST_POINTS: usize = 1 << 15;
/// A dispatch should take longer than the first and not longer than the second.
const DISPATCH: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(100));

struct Kernel {
    pipeline: api::ComputePipeline,
    /// Threads of a dispatch, a multiple of [`BLOCK`]; grows and shrinks with the time it takes.
    at_once: usize,
    /// At most.
    most: usize,
}

/// What is recorded and not submitted.
#[derive(Default)]
struct Pending {
    encoder: Option<api::CommandEncoder>,
    arguments: Vec<u8>,
    /// Of the time that a dispatch may take.
    load: f64,
    /// Dispatches so far, those submitted too: the GPU counts them as well.
    count: u32,
}

/// What changes with use. Whoever talks to the driver holds it: OpenGL has one thread at a time.
#[derive(Default)]
struct State {
    kernels: HashMap<&'static str, Kernel>,
    pending: Pending,
    launches: usize,
}

/// An opened adapter.
pub struct Gpu {
    device: api::Device,
    queue: api::Queue,
    memory: api::Buffer,
    arguments: api::Buffer,
    stage: api::Buffer,
    group: api::BindGroup,
    layout: api::PipelineLayout,
    words: Words,
    options: Options,
    name: String,
    software: bool,
    arena: Arc<Mutex<Arena>>,
    state: Mutex<State>,
    keeper: Keeper<Gpu>,
    /// What the driver said when something went wrong.
    trouble: Arc<OnceLock<String>>,
}

/// A range of the buffer.
pub struct Memory {
    range: (usize, usize),
    arena: Arc<Mutex<Arena>>,
}

impl Drop for Memory {
    fn drop(&mut self) {
        // What still runs on it was launched before whatever comes to lie there.
        lock(&self.arena).release(self.range);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(what: &str, why: impl std::fmt::Display) -> Fault {
    Fault::Failed { what: what.to_string(), why: why.to_string() }
}

impl Gpu {
    /// Opens the adapter that is asked for.
    ///
    /// # Errors
    /// No adapter, or one that cannot run the kernels.
    pub fn open(options: &Options) -> Result<Gpu, Fault> {
        let adapter = Adapter::find(options.adapter.as_deref())?;
        let limits = adapter.adapter.limits();
        let unfit = |why: String| Fault::NoDevice(format!("{adapter} cannot run the kernels: {why}"));
        if (limits.max_compute_invocations_per_workgroup as usize) < BLOCK
            || limits.max_storage_buffers_per_shader_stage < 2
            || limits.max_dynamic_storage_buffers_per_pipeline_layout < 1
        {
            return Err(unfit(format!("it has no work groups of {BLOCK} with two buffers")));
        }
        let long = api::Features::SHADER_INT64;
        let features = if options.long_words { adapter.adapter.features() & long } else { api::Features::empty() };
        let words = if features.contains(long) { Words::Long } else { Words::Short };
        let (device, queue) = block_on(adapter.adapter.request_device(&api::DeviceDescriptor {
            required_features: features,
            required_limits: limits,
            ..Default::default()
        }))
        .map_err(|error| unfit(error.to_string()))?;
        let trouble = Arc::new(OnceLock::new());
        let (lost, error) = (trouble.clone(), trouble.clone());
        device.set_device_lost_callback(move |_, why| {
            let _ = lost.set(format!("it was lost ({why}); a desktop's watchdog ends work that takes too long"));
        });
        device.on_uncaptured_error(Arc::new(move |what: api::Error| _ = error.set(what.to_string())));

        let (memory, bytes) = Self::largest(&device, adapter.bytes().min(options.bytes))
            .ok_or_else(|| Fault::OutOfMemory { wanted: LEAST, free: adapter.bytes().min(options.bytes) })?;
        let buffer = |size: usize, usage| {
            device.create_buffer(&api::BufferDescriptor {
                label: None,
                size: size as u64,
                usage,
                mapped_at_creation: false,
            })
        };
        let arguments = buffer(SLOT * SLOTS, api::BufferUsages::STORAGE | api::BufferUsages::COPY_DST);
        let stage = buffer(COUNT as usize + STAGE, api::BufferUsages::MAP_READ | api::BufferUsages::COPY_DST);
        let entry = |binding, read_only, size| api::BindGroupLayoutEntry {
            binding,
            visibility: api::ShaderStages::COMPUTE,
            ty: api::BindingType::Buffer {
                ty: api::BufferBindingType::Storage { read_only },
                has_dynamic_offset: read_only,
                min_binding_size: size,
            },
            count: None,
        };
        let slot = std::num::NonZeroU64::new(SLOT as u64);
        let bindings = device.create_bind_group_layout(&api::BindGroupLayoutDescriptor {
            label: None,
            entries: &[entry(0, false, None), entry(1, true, slot)],
        });
        let group = device.create_bind_group(&api::BindGroupDescriptor {
            label: None,
            layout: &bindings,
            entries: &[
                api::BindGroupEntry { binding: 0, resource: memory.as_entire_binding() },
                api::BindGroupEntry {
                    binding: 1,
                    resource: api::BindingResource::Buffer(api::BufferBinding {
                        buffer: &arguments,
                        offset: 0,
                        size: slot,
                    }),
                },
            ],
        });
        let layout = device.create_pipeline_layout(&api::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&bindings)],
            ..Default::default()
        });
        let name = format!("{adapter}, words of {} bits", if words == Words::Long { 64 } else { 32 });
        Ok(Gpu {
            memory,
            arguments,
            stage,
            group,
            layout,
            words,
            options: options.clone(),
            name,
            software: adapter.is_software(),
            arena: Arc::new(Mutex::new(Arena::new(bytes))),
            state: Mutex::default(),
            keeper: Keeper::default(),
            trouble,
            device,
            queue,
        })
    }

    /// The largest buffer that can be had, of `most` bytes or a half, a quarter .. of them.
    fn largest(device: &api::Device, most: usize) -> Option<(api::Buffer, usize)> {
        let mut bytes = most / SLOT * SLOT;
        while bytes >= LEAST {
            let scope = device.push_error_scope(api::ErrorFilter::OutOfMemory);
            let buffer = device.create_buffer(&api::BufferDescriptor {
                label: None,
                size: bytes as u64,
                usage: api::BufferUsages::STORAGE | api::BufferUsages::COPY_SRC | api::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            if block_on(scope.pop()).is_none() {
                return Some((buffer, bytes));
            }
            bytes = bytes / 2 / SLOT * SLOT;
        }
        None
    }

    /// Whether the adapter is a program and no device.
    pub fn is_software(&self) -> bool {
        self.software
    }

    fn check(&self, what: &str) -> Result<(), Fault> {
        self.trouble.get().map_or(Ok(()), |why| Err(failed(what, why)))
    }

    fn kernel(&self, name: &'static str) -> Result<Kernel, Fault> {
        let text = source(name, self.words).ok_or_else(|| failed(name, "there is no kernel of that name"))?;
        let most = if text.contains("fn add_affine") { MOST_POINTS } else { GROUPS * BLOCK };
        let description =
            api::ShaderModuleDescriptor { label: Some(name), source: api::ShaderSource::Wgsl(text.into()) };
        // SAFETY: what the kernels reach through their arguments is promised by whoever launches them; their loops end.
        let module =
            unsafe { self.device.create_shader_module_trusted(description, api::ShaderRuntimeChecks::unchecked()) };
        let pipeline = self.device.create_compute_pipeline(&api::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(&self.layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        self.check(name)?;
        Ok(Kernel { pipeline, at_once: LEAST_AT_ONCE, most })
    }

    /// Submits what is recorded.
    fn flush(&self, pending: &mut Pending) {
        if let Some(encoder) = pending.encoder.take() {
            self.queue.write_buffer(&self.arguments, 0, &pending.arguments);
            self.queue.submit([encoder.finish()]);
        }
        pending.arguments.clear();
        pending.load = 0.0;
    }

    /// Until everything that was submitted is done.
    fn wait(&self, what: &str) -> Result<(), Fault> {
        let (start, patience) = (Instant::now(), self.options.patience);
        loop {
            let timeout = Some(patience.saturating_sub(start.elapsed()));
            let poll = || self.device.poll(api::PollType::Wait { submission_index: None, timeout });
            // The library panics where a driver says that the device is lost, after it has told `trouble`.
            let outcome = catch_unwind(AssertUnwindSafe(poll));
            self.check(what)?;
            match outcome {
                Ok(Ok(_)) => return Ok(()),
                // OpenGL waits for two seconds at most.
                Ok(Err(api::PollError::Timeout)) if start.elapsed() < patience => {}
                Ok(Err(api::PollError::Timeout)) => {
                    // The queue, when dropped, would wait for the GPU without end.
                    std::mem::forget((self.device.clone(), self.queue.clone()));
                    return Err(failed(what, format_args!("it did not answer within {patience:?}")));
                }
                Ok(Err(error)) => return Err(failed(what, error)),
                Err(_) => return Err(failed(what, "its driver failed")),
            }
        }
    }

    fn encoder<'a>(&self, pending: &'a mut Pending) -> &'a mut api::CommandEncoder {
        pending.encoder.get_or_insert_with(|| self.device.create_command_encoder(&Default::default()))
    }

    /// Records one dispatch: `threads` threads of a kernel from `first` on, and a tick. Both are one pass: where the system ends
    /// the one without a word, as Metal does, it does not run the other.
    fn dispatch(
        &self,
        pending: &mut Pending,
        [kernel, tick]: [&api::ComputePipeline; 2],
        words: &mut [u32],
        (first, threads): (usize, usize),
    ) {
        let offset = pending.arguments.len();
        words[0] = first as u32;
        pending.arguments.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        pending.arguments.resize(offset + SLOT, 0);
        let mut pass = self.encoder(pending).begin_compute_pass(&Default::default());
        pass.set_pipeline(kernel);
        pass.set_bind_group(0, &self.group, &[offset as u32]);
        pass.dispatch_workgroups(threads.div_ceil(BLOCK) as u32, 1, 1);
        pass.set_pipeline(tick);
        pass.dispatch_workgroups(1, 1, 1);
        drop(pass);
        pending.count = pending.count.wrapping_add(1);
    }
}

/// The words that a kernel gets: room for the first thread, the number of threads, its arguments.
fn words(threads: usize, arguments: &[Argument]) -> Option<Vec<u32>> {
    let mut words = vec![0, u32::try_from(threads).ok().filter(|threads| *threads <= u32::MAX - BLOCK as u32)?];
    for argument in arguments {
        match argument {
            Argument::Word(word) => words.push(u32::try_from(*word).ok()?),
            Argument::Element(limbs) => words.extend(limbs.iter().flat_map(|limb| [*limb as u32, (limb >> 32) as u32])),
        }
    }
    (4 * words.len() <= SLOT).then_some(words)
}

impl Device for Gpu {
    type Memory = Memory;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn least_tensor(&self) -> usize {
        usize::MAX
    }

    fn keeper(&self) -> &Keeper<Gpu> {
        &self.keeper
    }

    fn free_bytes(&self) -> Result<usize, Fault> {
        Ok(lock(&self.arena).longest())
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, Fault> {
        let mut arena = lock(&self.arena);
        let range = arena.allocate(bytes).ok_or_else(|| Fault::OutOfMemory { wanted: bytes, free: arena.longest() })?;
        Ok(Memory { range, arena: self.arena.clone() })
    }

    fn address(memory: &Memory) -> u64 {
        memory.range.0 as u64
    }

    fn clear(&self, memory: &Memory, bytes: usize) -> Result<(), Fault> {
        assert!(bytes <= memory.range.1, "within the memory");
        let pending = &mut lock(&self.state).pending;
        let size = bytes.next_multiple_of(4) as u64;
        self.encoder(pending).clear_buffer(&self.memory, memory.range.0 as u64, Some(size));
        self.check("a memset")
    }

    fn write(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<(), Fault> {
        assert!(offset.is_multiple_of(4) && offset + bytes.len() <= memory.range.1, "whole words within the memory");
        let state = &mut *lock(&self.state);
        self.flush(&mut state.pending);
        let mut at = (memory.range.0 + offset) as u64;
        for (number, portion) in bytes.chunks(PORTION.0).enumerate() {
            let (whole, rest) = portion.split_at(portion.len() / 4 * 4);
            self.queue.write_buffer(&self.memory, at, whole);
            if !rest.is_empty() {
                let mut word = [0; 4];
                word[..rest.len()].copy_from_slice(rest);
                self.queue.write_buffer(&self.memory, at + whole.len() as u64, &word);
            }
            if portion.len() == PORTION.0 {
                // The driver keeps copies of what is not submitted and done.
                self.queue.submit([]);
                if number % PORTION.1 == PORTION.1 - 1 {
                    self.wait("a copy to the GPU")?;
                }
            }
            at += portion.len() as u64;
        }
        self.check("a copy to the GPU")
    }

    fn read(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), Fault> {
        const WHAT: &str = "a copy from the GPU, or in a kernel before it";
        assert!(offset.is_multiple_of(4) && offset + bytes.len() <= memory.range.1, "whole words within the memory");
        let pending = &mut lock(&self.state).pending;
        let mut at = (memory.range.0 + offset) as u64;
        for portion in bytes.chunks_mut(STAGE) {
            let size = portion.len().next_multiple_of(4) as u64;
            let encoder = self.encoder(pending);
            encoder.copy_buffer_to_buffer(&self.memory, 0, &self.stage, 0, 4);
            encoder.copy_buffer_to_buffer(&self.memory, at, &self.stage, COUNT, size);
            self.flush(pending);
            let outcome = Arc::new(OnceLock::new());
            let mapped = outcome.clone();
            self.stage.map_async(api::MapMode::Read, ..COUNT + size, move |result| _ = mapped.set(result));
            self.wait(WHAT)?;
            if outcome.get() != Some(&Ok(())) {
                return Err(failed(WHAT, "its memory cannot be read"));
            }
            let view = self.stage.get_mapped_range(..COUNT + size).map_err(|error| failed(WHAT, error))?;
            let (count, values) = view.split_at(COUNT as usize);
            let done = count[..4] == pending.count.to_le_bytes();
            portion.copy_from_slice(&values[..portion.len()]);
            drop(view);
            self.stage.unmap();
            if !done {
                return Err(failed(WHAT, "it left work undone; a desktop's watchdog ends work that takes too long"));
            }
            at += portion.len() as u64;
        }
        Ok(())
    }

    unsafe fn launch(&self, name: &'static str, threads: usize, arguments: &[Argument]) -> Result<(), Fault> {
        let mut words = words(threads, arguments).ok_or_else(|| failed(name, "more than 2^32 threads or entries"))?;
        let State { kernels, pending, launches } = &mut *lock(&self.state);
        *launches += 1;
        if *launches > self.options.launches {
            self.device.destroy();
        }
        for name in ["tick", name] {
            if !kernels.contains_key(name) {
                kernels.insert(name, self.kernel(name)?);
            }
        }
        let tick = kernels["tick"].pipeline.clone();
        let kernel = kernels.get_mut(name).expect("just put there");
        let pipelines = [&kernel.pipeline, &tick];
        let mut first = 0;
        while first < threads {
            let part = kernel.at_once.min(threads - first);
            if part < kernel.at_once {
                self.dispatch(pending, pipelines, &mut words, (first, part));
                pending.load += part as f64 / kernel.at_once as f64;
                if pending.load >= 1.0 || pending.arguments.len() == SLOT * SLOTS {
                    self.flush(pending);
                }
            } else {
                // A whole dispatch: what it takes decides how long the next ones are.
                self.flush(pending);
                self.wait(name)?;
                let start = Instant::now();
                self.dispatch(pending, pipelines, &mut words, (first, part));
                self.flush(pending);
                self.wait(name)?;
                if start.elapsed() < DISPATCH.0 {
                    kernel.at_once = (2 * part).min(kernel.most);
                } else if start.elapsed() > DISPATCH.1 {
                    kernel.at_once = (part / 2).max(LEAST_AT_ONCE).next_multiple_of(BLOCK);
                }
            }
            first += part;
        }
        self.check(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_was_not_done_is_a_fault() {
        let gpu = Gpu::open(&Options::default()).expect("an adapter");
        let memory = gpu.allocate(64).expect("memory");
        gpu.write(&memory, 0, &[1; 64]).expect("a copy");
        let mut bytes = [0; 64];
        gpu.read(&memory, 0, &mut bytes).expect("nothing was asked for and nothing is undone");
        assert_eq!(bytes, [1; 64]);
        // As if the system had ended a dispatch.
        lock(&gpu.state).pending.count += 1;
        let fault = gpu.read(&memory, 0, &mut bytes).expect_err("a dispatch is undone");
        assert!(fault.to_string().contains("left work undone"), "{fault}");
    }
}
