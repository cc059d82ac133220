//! Decides that a receipt made by the kernels' PTX is the same. `tools/cuda-check.sh` runs it.

use zkllm_cuda_shim::ptx::Ptx;
use zkllm_kernels::device::OnDevice;
use zkllm_tests::{Case, SHAPE};
use zkllm_verifier::verify;

#[test]
fn a_receipt_by_ptx_has_the_same_bytes() {
    let ptx = Ptx::of_environment().expect("the kernels' PTX");
    let case = Case::new(SHAPE, 2, &[3, 1, 4], 2);
    let receipt = case.receipt_by(&OnDevice::on(ptx), "blinding");
    assert!(receipt == case.receipt("blinding"));
    assert!(verify(&case.card.to_bytes(), &receipt).is_ok());
}
