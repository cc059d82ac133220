//! Decides that a receipt made through NVIDIA's driver is the same. `tools/cuda-check.sh` runs it with a stand-in.

use zkllm_kernels::cuda::Cuda;
use zkllm_tests::{Case, SHAPE};
use zkllm_verifier::verify;

#[test]
fn a_receipt_by_the_driver_has_the_same_bytes() {
    let cuda = Cuda::open().expect("a GPU");
    let case = Case::new(SHAPE, 2, &[3, 1, 4], 2);
    let receipt = case.receipt_by(&cuda, "blinding");
    assert!(receipt == case.receipt("blinding"));
    assert!(verify(&case.card.to_bytes(), &receipt).is_ok());
}
