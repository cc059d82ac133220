//! Decides that the CUDA backend, its kernels compiled for this processor, equals the CPU backend.

#[path = "../../tests/tensors/mod.rs"]
mod tensors;
#[path = "../../tests/verbs/mod.rs"]
mod verbs;

use zkllm_cuda_shim::Shim;
use zkllm_kernels::device::OnDevice;
use zkllm_kernels::{Cpu, Dual};

fn checked() -> Dual<OnDevice<Shim>, Cpu> {
    Dual { first: OnDevice::on(Shim::default()), second: Cpu }
}

#[test]
fn a_tree_that_does_not_fit_is_made_as_it_is_read() {
    verbs::a_tall_tree(&Dual { first: OnDevice::on(Shim::with_bytes(2 << 20)), second: Cpu });
}
