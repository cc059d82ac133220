//! Honest receipts verify.

use zkllm_kernels::{Cpu, Reference};
use zkllm_tests::{card, receipt};
use zkllm_verifier::verify;

#[test]
fn a_tiny_receipt_verifies() {
    let (card, receipt) = receipt(&Reference, card(), &[3, 1, 4], 5, 1);
    let verified = verify(&card, &receipt).expect("proved");
    assert_eq!(verified.statement().tokens().len(), 8);
    println!("{} bytes", receipt.len());
}

#[test]
fn backends_make_the_same_bytes() {
    assert!(receipt(&Reference, card(), &[3, 1, 4], 4, 2) == receipt(&Cpu, card(), &[3, 1, 4], 4, 2));
}
