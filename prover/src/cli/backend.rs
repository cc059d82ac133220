//! Decides which backend proves: what `--backend` asks for, of what this machine has.

use super::{gib, memory_bytes, tell};
use crate::cost::Cost;
use anyhow::{Result, bail};
use clap::ValueEnum;
use zkllm_kernels::Cpu;
use zkllm_kernels::cuda::Cuda;
use zkllm_kernels::device::{Device, Fault, OnDevice, catch};
use zkllm_kernels::selftest::{differences, seconds};
use zkllm_kernels::wgpu::{self, Adapter, Wgpu};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// An NVIDIA GPU that passes its self-test, else a GPU that does and is faster than the CPU, else the CPU; says on
    /// stderr which and why.
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU through CUDA, or an error.
    Cuda,
    /// Any GPU through Vulkan, Metal, DX12 or OpenGL, or an error.
    Wgpu,
}

#[derive(clap::Args)]
pub struct Options {
    /// What computes the proof.
    #[arg(long = "backend", value_enum, default_value_t = Choice::Auto)]
    choice: Choice,
    /// Words in the name of the adapter that --backend wgpu takes; `zkllm doctor` lists the names.
    #[arg(long, value_name = "NAME")]
    adapter: Option<String>,
}

/// What there is.
pub enum Chosen {
    Cpu(Cpu),
    Cuda(Cuda),
    Wgpu(Wgpu),
}

/// Evaluates `$body` with `$backend` the chosen backend, whichever its type.
macro_rules! with_backend {
    ($chosen:expr, $backend:ident => $body:expr) => {
        match $chosen {
            $crate::cli::backend::Chosen::Cpu($backend) => $body,
            $crate::cli::backend::Chosen::Cuda($backend) => $body,
            $crate::cli::backend::Chosen::Wgpu($backend) => $body,
        }
    };
}
pub(super) use with_backend;

impl Options {
    /// The chosen backend; a GPU has passed its self-test.
    pub fn open(&self) -> Result<Chosen> {
        if self.adapter.is_some() && self.choice != Choice::Wgpu {
            bail!("--adapter is for --backend wgpu");
        }
        match self.choice {
            Choice::Cpu => Ok(Chosen::Cpu(Cpu)),
            Choice::Cuda => match tested(Cuda::open()) {
                Ok(cuda) => Ok(Chosen::Cuda(cuda)),
                Err(why) => bail!("--backend cuda: {why:#}; --backend cpu needs no GPU"),
            },
            Choice::Wgpu => match tested(self.wgpu()) {
                Ok(wgpu) => Ok(Chosen::Wgpu(wgpu)),
                Err(why) => bail!("--backend wgpu: {why:#}; --backend cpu needs no GPU"),
            },
            Choice::Auto => Ok(self.best()),
        }
    }

    fn wgpu(&self) -> Result<Wgpu, Fault> {
        Wgpu::open(&wgpu::Options { adapter: self.adapter.clone(), ..Default::default() })
    }

    /// What `auto` takes; says so.
    fn best(&self) -> Chosen {
        let no_cuda = match tested(Cuda::open()) {
            Ok(cuda) => {
                tell!("backend: cuda ({})", cuda.device().name());
                return Chosen::Cuda(cuda);
            }
            Err(why) => why,
        };
        match self.faster() {
            Ok(wgpu) => {
                tell!("backend: wgpu ({})", wgpu.device().name());
                Chosen::Wgpu(wgpu)
            }
            Err(no_wgpu) => {
                tell!("backend: cpu ({no_cuda:#}; {no_wgpu:#})");
                Chosen::Cpu(Cpu)
            }
        }
    }

    /// The best adapter, if it is a device, computes rightly and is faster than the CPU.
    fn faster(&self) -> Result<Wgpu> {
        if Adapter::all().first().is_some_and(Adapter::is_software) {
            bail!("the only other adapters are software");
        }
        let wgpu = tested(self.wgpu())?;
        let (there, here) = (catch(|| seconds(&wgpu))?, seconds(&Cpu));
        if there >= here {
            bail!("{} takes {there:.2} s for what the CPU does in {here:.2} s", wgpu.device().name());
        }
        Ok(wgpu)
    }
}

/// The device, if it could be opened and computes rightly.
fn tested<D: Device>(opened: Result<OnDevice<D>, Fault>) -> Result<OnDevice<D>> {
    let backend = opened?;
    let wrong = catch(|| differences(&backend))?;
    if !wrong.is_empty() {
        bail!("{} computes wrongly, in {}: report this as a bug", backend.device().name(), wrong.join(", "));
    }
    Ok(backend)
}

impl Chosen {
    /// What is free of a GPU's memory, in bytes.
    pub fn free_bytes(&self) -> Option<u64> {
        let free = match self {
            Chosen::Cpu(_) => return None,
            Chosen::Cuda(cuda) => cuda.device().free_bytes(),
            Chosen::Wgpu(wgpu) => wgpu.device().free_bytes(),
        };
        free.ok().map(|bytes| bytes as u64)
    }

    /// Why a proof of this cost would not fit the machine, if so.
    pub fn shortage(&self, cost: &Cost) -> Option<String> {
        let on_gpu = self.free_bytes();
        let (host, gpu) = cost.least_bytes(on_gpu.is_some());
        let short = |wanted: u64, there: Option<u64>, of: &str, has: &str| {
            let there = there.filter(|&there| there < wanted)?;
            Some(format!("it takes about {} GiB of {of}'s memory, which has {} {has}", gib(wanted), there >> 30))
        };
        short(host, memory_bytes(), "the machine", "in all").or_else(|| short(gpu, on_gpu, "the GPU", "free"))
    }

    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Chosen::Cpu(_) => "cpu",
            Chosen::Cuda(_) => "cuda",
            Chosen::Wgpu(_) => "wgpu",
        }
    }
}
