//! Decides that the CUDA backend, its kernels compiled for this processor, equals the CPU backend.

#[path = "../../tests/verbs/mod.rs"]
mod verbs;

use zkllm_cuda_shim::Shim;
use zkllm_kernels::device::OnDevice;
use zkllm_kernels::{Cpu, Dual};

fn checked() -> Dual<OnDevice<Shim>, Cpu> {
    Dual { first: OnDevice::on(Shim::default()), second: Cpu }
}
