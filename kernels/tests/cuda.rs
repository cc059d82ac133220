//! Decides that the CUDA backend equals the CPU backend through NVIDIA's driver, whether that drives a GPU or is the
//! stand-in that `tools/cuda-check.sh` gives it.

mod verbs;

use std::sync::LazyLock;

use zkllm_kernels::cuda::Cuda;
use zkllm_kernels::{Cpu, Dual};

fn checked() -> Dual<Cuda, Cpu> {
    static CUDA: LazyLock<Cuda> = LazyLock::new(|| Cuda::open().expect("a GPU"));
    Dual { first: CUDA.clone(), second: Cpu }
}
