//! Decides that the CUDA backend, its kernels compiled for this processor, equals the CPU backend.

#[path = "../../tests/verbs/mod.rs"]
mod verbs;

use zkllm_cuda_shim::Shim;
use zkllm_kernels::cuda::Cuda;
use zkllm_kernels::{Cpu, Dual};

fn checked() -> Dual<Cuda<Shim>, Cpu> {
    Dual { first: Cuda::on(Shim::default()), second: Cpu }
}
