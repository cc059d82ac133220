//! Decides that the kernels' PTX, what a driver is given for a GPU, does what the CPU backend does and nothing a GPU
//! forbids. `tools/cuda-check.sh` makes it and runs this.

#[path = "../../tests/arithmetic/mod.rs"]
mod arithmetic;
#[path = "../../tests/tensors/mod.rs"]
mod tensors;
#[path = "../../tests/verbs/mod.rs"]
mod verbs;

use std::sync::LazyLock;

use zkllm_cuda_shim::ptx::Ptx;
use zkllm_kernels::device::OnDevice;
use zkllm_kernels::{Cpu, Dual};

const ELEMENTS: usize = 500;

fn devices() -> &'static [Ptx] {
    static DEVICES: LazyLock<[Ptx; 1]> = LazyLock::new(|| [Ptx::of_environment().expect("the kernels' PTX")]);
    &*DEVICES
}

/// One device for each test: what is kept on it is only there, and no other test waits for it.
fn checked() -> Dual<OnDevice<Ptx>, Cpu> {
    thread_local!(static DEVICE: OnDevice<Ptx> = OnDevice::on(devices()[0].another()));
    Dual { first: DEVICE.with(OnDevice::clone), second: Cpu }
}
