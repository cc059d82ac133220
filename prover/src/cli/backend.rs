//! Decides which backend proves: what `--backend` asks for, of what this machine has.

use anyhow::{Result, bail};
use clap::ValueEnum;
use zkllm_kernels::Cpu;
use zkllm_kernels::cuda::{Cuda, Device, Gpu, catch};
use zkllm_kernels::selftest::differences;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// The GPU if there is one that passes its self-test, else the CPU; says on stderr which and why.
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU, or an error.
    Cuda,
}

#[derive(clap::Args)]
pub struct Options {
    /// What computes the proof.
    #[arg(long = "backend", value_enum, default_value_t = Choice::Auto)]
    choice: Choice,
}

/// What there is.
pub enum Chosen {
    Cpu(Cpu),
    Cuda(Cuda<Gpu>),
}

/// Evaluates `$body` with `$backend` the chosen backend, whichever its type.
macro_rules! with_backend {
    ($chosen:expr, $backend:ident => $body:expr) => {
        match $chosen {
            $crate::cli::backend::Chosen::Cpu($backend) => $body,
            $crate::cli::backend::Chosen::Cuda($backend) => $body,
        }
    };
}
pub(super) use with_backend;

impl Options {
    /// The chosen backend.
    pub fn open(&self) -> Result<Chosen> {
        self.choice.open()
    }
}

impl Choice {
    /// The chosen backend.
    pub fn open(self) -> Result<Chosen> {
        let why = match self {
            Choice::Cpu => return Ok(Chosen::Cpu(Cpu)),
            Choice::Auto | Choice::Cuda => match gpu() {
                Ok(cuda) => {
                    if self == Choice::Auto {
                        eprintln!("backend: cuda ({})", cuda.device().name());
                    }
                    return Ok(Chosen::Cuda(cuda));
                }
                Err(error) => error,
            },
        };
        if self == Choice::Cuda {
            bail!("--backend cuda: {why:#}; --backend cpu needs no GPU");
        }
        eprintln!("backend: cpu ({why:#})");
        Ok(Chosen::Cpu(Cpu))
    }
}

/// The GPU, if it can be used and computes rightly.
pub fn gpu() -> Result<Cuda<Gpu>> {
    let cuda = Cuda::open()?;
    let wrong = catch(|| differences(&cuda))?;
    if !wrong.is_empty() {
        bail!("the GPU does not compute what the CPU does, in {}: report this as a bug", wrong.join(", "));
    }
    Ok(cuda)
}

impl Chosen {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Chosen::Cpu(_) => "cpu",
            Chosen::Cuda(_) => "cuda",
        }
    }
}
