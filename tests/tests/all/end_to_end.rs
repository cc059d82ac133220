//! Honest receipts verify.

use std::iter::zip;
use std::ops::ControlFlow;
use zkllm_cuda_shim::Shim;
use zkllm_kernels::device::{Fault, OnDevice, catch};
use zkllm_kernels::wgpu::{Options, Wgpu};
use zkllm_kernels::{Backend, Cpu, Integers, Reference, Rows};
use zkllm_prover::infer::{Executor, generate_by, multiply_on, trace_by};
use zkllm_prover::model::{Model, Shape};
use zkllm_prover::prove::blinding::Blinding;
use zkllm_prover::prove::{Witness, prove};
use zkllm_prover::quantise::{Options as Quantise, STANDARD, Tiny, uncalibrated, weights, weights_by};
use zkllm_tests::{Case, SHAPE};
use zkllm_verifier::card::Precision;
use zkllm_verifier::verify;

#[test]
fn tiny_receipts_verify() {
    let shapes = [
        SHAPE,
        Tiny { biases: true, ..SHAPE },
        Tiny { tied: false, layers: 1, pairs: 3, ..SHAPE },
        Tiny { kv_heads: 1, group: 1, hidden: 7, digit_bits: 8, ..SHAPE },
    ];
    for (seed, shape) in shapes.into_iter().enumerate() {
        let case = Case::new(shape, seed as u64, &[3, 1], 3);
        let receipt = case.receipt("blinding");
        let verified = verify(&case.card.to_bytes(), &receipt).expect("proved");
        assert_eq!(verified.statement(), &case.statement);
        println!(
            "{shape:?}: {} bytes, {} columns, {} chunks",
            receipt.len(),
            case.plan.places.len(),
            case.plan.chunks()
        );
    }
}

#[test]
fn backends_make_the_same_bytes() {
    let case = Case::new(SHAPE, 2, &[3, 1, 4], 2);
    let receipt = case.receipt("blinding");
    assert!(case.receipt_by(&Reference, "blinding") == receipt);
    // The CUDA backend with its kernels on the CPU.
    assert!(case.receipt_by(&OnDevice::on(Shim::default()), "blinding") == receipt);
    assert!(case.receipt_by(&Wgpu::open(&Options::default()).expect("an adapter"), "blinding") == receipt);
    assert!(verify(&case.card.to_bytes(), &receipt).is_ok());
}

#[test]
fn causal_columns_stored_whole_make_the_same_bytes() {
    let case = Case::new(SHAPE, 2, &[3, 1, 4], 2);
    let whole = case.cells();
    assert!(zip(&whole, &case.trace.columns).any(|(whole, stored)| whole.len() > stored.len()));
    let witness = Witness { columns: whole.iter().map(Integers::view).collect(), ..case.witness() };
    let receipt = prove(&Cpu, case.generators(), &case.subject(), witness, Blinding::seeded(b"blinding"), &|_| {});
    assert!(receipt.expect("a receipt") == case.receipt("blinding"));
}

#[test]
fn an_inference_on_a_device_is_the_same_and_a_lost_device_a_fault() {
    let even = Tiny { width: 8, hidden: 12, pairs: 2, ..SHAPE };
    let shapes = [
        SHAPE,
        even,
        Tiny { kv_heads: 2, group: 1, tied: false, ..even },
        Tiny { biases: true, layers: 3, group: 3, digit_bits: 8, ..even },
    ];
    // With all tensors there, and with some here and some there.
    for (at, least) in
        [0, 12, 40, 100, 200].into_iter().enumerate().flat_map(|(at, least)| [(at, least), (at + 1, least)])
    {
        let shape = shapes[at % shapes.len()];
        let case = Case::new(shape, at as u64, &[3, 1, 4, 1], 3);
        let shim = OnDevice::on(Shim::with_least(least));
        let machine = multiply_on(&shim);
        let (tokens, prompt) = (case.statement.tokens(), case.statement.prompt_length());
        let go_on = |_| ControlFlow::Continue(());
        let answer = generate_by(&machine, &case.card, &case.columns, &tokens[..prompt], 3, &[], go_on);
        assert_eq!(answer.expect("an answer"), tokens[prompt..], "{shape:?}, {least}");
        let mut executor = Executor::new(&machine, case.plan.program.clone(), &case.columns).expect("an executor");
        executor.run_all().expect("all columns");
        for &id in &case.plan.program.schedule {
            let there = executor.column(id).expect("all are kept");
            let name = &case.plan.program.columns[id].name;
            assert!(there == case.trace.columns[id], "{name} in {shape:?}, {least}");
        }
        let trace = trace_by(&machine, &case.plan.program, &case.columns).expect("an inference");
        assert!(trace == case.trace);
    }
    let case = Case::new(SHAPE, 2, &[3, 1, 4], 2);
    let lost = Wgpu::open(&Options { launches: 3, ..Default::default() }).expect("an adapter");
    let multiply = |l: &[i32], r: Rows<'_>, depth: usize| lost.multiply(l, r, depth);
    let fault = catch(|| trace_by(&multiply, &case.plan.program, &case.columns)).expect_err("a fault");
    assert!(matches!(fault, Fault::Failed { .. }), "{fault}");
}

#[test]
fn random_weights_made_on_a_device_are_the_same() {
    let shape = Shape::named("tiny").expect("a shape");
    // With all tensors there, and with some here and some there.
    let devices = [0, 1 << 13].map(|least| OnDevice::on(Shim::with_least(least)));
    // The second fraction makes weights of more than 16 bits.
    for (tied, weight_fraction) in [(true, 12), (false, 17)] {
        let model = Model::random_biased(Shape { tied, ..shape.clone() }, 5).expect("a model");
        let precision = Precision { weight_fraction, ..STANDARD };
        let card = uncalibrated(&model, &Quantise { precision, ..Quantise::default() }).expect("a card");
        let here = weights(&model, &card).expect("weights");
        for device in &devices {
            assert!(weights_by(&multiply_on(device), &model, &card).expect("weights").iter().eq(here.iter()));
        }
    }
}

#[test]
fn a_device_lost_in_the_middle_leaves_no_receipt() {
    let case = Case::new(SHAPE, 2, &[3, 1, 4], 2);
    for launches in [0, 50, 500] {
        let backend = Wgpu::open(&Options { launches, ..Default::default() }).expect("an adapter");
        let fault = catch(|| case.receipt_by(&backend, "blinding")).expect_err("a fault");
        assert!(matches!(fault, Fault::Failed { .. }), "{fault}");
    }
}
