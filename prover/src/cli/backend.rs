//! Decides which backend proves: what `--backend` asks for, of what this machine has.

use anyhow::{Result, bail};
use clap::ValueEnum;
use zkllm_kernels::Cpu;
use zkllm_kernels::cuda::{Cuda, Device, Gpu, catch};
use zkllm_kernels::selftest::differences;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
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
    /// The chosen backend; a GPU has passed its self-test.
    pub fn open(&self) -> Result<Chosen> {
        if self.choice == Choice::Cpu {
            return Ok(Chosen::Cpu(Cpu));
        }
        match (gpu(), self.choice) {
            (Ok(cuda), choice) => {
                if choice == Choice::Auto {
                    eprintln!("backend: cuda ({})", cuda.device().name());
                }
                Ok(Chosen::Cuda(cuda))
            }
            (Err(why), Choice::Cuda) => bail!("--backend cuda: {why:#}; --backend cpu needs no GPU"),
            (Err(why), _) => {
                eprintln!("backend: cpu ({why:#})");
                Ok(Chosen::Cpu(Cpu))
            }
        }
    }
}

/// The GPU, if it can be used and computes rightly.
fn gpu() -> Result<Cuda<Gpu>> {
    let cuda = Cuda::open()?;
    let wrong = catch(|| differences(&cuda))?;
    if !wrong.is_empty() {
        bail!("the GPU computes wrongly, in {}: report this as a bug", wrong.join(", "));
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
