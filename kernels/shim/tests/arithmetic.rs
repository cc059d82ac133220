//! Decides that the CUDA kernels' fields and curve, compiled for this processor, are ark's.

#[path = "../../tests/arithmetic/mod.rs"]
mod arithmetic;

use std::sync::LazyLock;

use zkllm_cuda_shim::Shim;

const ELEMENTS: usize = 20_000;

fn devices() -> &'static [Shim] {
    static DEVICES: LazyLock<[Shim; 1]> = LazyLock::new(|| [Shim::default()]);
    &*DEVICES
}
