//! Decides that the wgpu backend equals the CPU backend on this machine's best adapter, that its arithmetic is right on a
//! second driver too, and that what can go wrong is a fault that says what to do.
//!
//! `make test` installs two drivers that need no GPU: lavapipe for Vulkan and llvmpipe for OpenGL.

mod arithmetic;
mod verbs;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use zkllm_kernels::device::{Device, Fault, OnDevice, catch};
use zkllm_kernels::selftest::differences;
use zkllm_kernels::wgpu::{Adapter, Gpu, Options, Wgpu};
use zkllm_kernels::{Backend, Block, Cpu, Denominators, Dual, Fr, FractionTree as _, Numerators, Rows};

const ELEMENTS: usize = 20_000;

fn open(options: &Options) -> Gpu {
    Gpu::open(options).unwrap_or_else(|why| panic!("{why} (make test installs drivers that need no GPU)"))
}

fn named(name: &str) -> Options {
    Options { adapter: Some(name.to_string()), ..Default::default() }
}

fn checked() -> Dual<Wgpu, Cpu> {
    static OPENED: LazyLock<Wgpu> = LazyLock::new(|| OnDevice::on(open(&Options::default())));
    Dual { first: OPENED.clone(), second: Cpu }
}

/// The best adapter with words of 64 and of 32 bits, and OpenGL, which is another driver.
fn devices() -> &'static [Gpu] {
    static DEVICES: LazyLock<[Gpu; 3]> = LazyLock::new(|| {
        let short = Options { long_words: false, ..Default::default() };
        [Options::default(), short, named("gl")].map(|options| open(&options))
    });
    &*DEVICES
}

fn leaves(count: usize) -> Vec<Block> {
    let table = Arc::new(vec![Fr::from(3u64), Fr::from(5u64)]);
    let denominators = Denominators::Rows { rows: vec![1; count].into_iter().collect(), table };
    vec![Block { offset: 0, lengths: vec![count], bits: vec![16], numerators: Numerators::One, denominators }]
}

#[test]
fn every_verb_is_right_with_short_words_too() {
    let short = Options { long_words: false, ..Default::default() };
    assert!(differences(&OnDevice::on(open(&short))).is_empty());
}

#[test]
fn a_tree_that_does_not_fit_is_made_as_it_is_read() {
    let small = OnDevice::on(open(&Options { bytes: 4 << 20, ..Default::default() }));
    verbs::a_tall_tree(&Dual { first: small, second: Cpu });
}

#[test]
fn integer_products_that_do_not_fit_go_in_portions() {
    let small = OnDevice::on(open(&Options { bytes: 1 << 20, ..Default::default() }));
    let (left, right): (Vec<i32>, Vec<i16>) = (0..300 * 513).map(|at| (at * 7919, at as i16)).unzip();
    assert!(Dual { first: small, second: Cpu }.multiply(&left, Rows::I16(&right), 513).is_ok());
}

#[test]
fn an_adapter_that_is_not_there_is_an_error_that_lists_those_that_are() {
    let fault = Gpu::open(&named("no such adapter")).err().expect("a fault");
    let Fault::NoDevice(why) = &fault else { panic!("{fault}") };
    assert!(why.contains("no such adapter"), "{why}");
    for adapter in Adapter::all() {
        assert!(why.contains(&adapter.to_string()), "{why}");
    }
}

#[test]
fn limits_too_small_are_a_fault_and_what_fits_goes_on() {
    let small = OnDevice::on(open(&Options { bytes: 4 << 20, ..Default::default() }));
    let free = small.device().free_bytes();
    // Denominators that are no rows of a table are stored.
    let mut stored = leaves(1 << 16);
    stored[0].denominators = Denominators::Values(vec![Fr::from(7u64); 1 << 16]);
    let fault = catch(|| small.tree(16, stored)).err().expect("a fault");
    assert!(matches!(fault, Fault::OutOfMemory { .. }), "{fault}");
    assert!(fault.to_string().contains("--backend cpu"), "{fault}");
    assert_eq!(small.device().free_bytes(), free);
    assert!(catch(|| small.tree(16, leaves(1 << 10))).is_ok());
    let none = Gpu::open(&Options { bytes: 1 << 10, ..Default::default() }).err();
    assert!(matches!(none, Some(Fault::OutOfMemory { .. })), "{none:?}");
}

#[test]
fn a_device_lost_in_the_middle_is_a_fault() {
    for launches in [0, 1, 10] {
        let lost = OnDevice::on(open(&Options { launches, ..Default::default() }));
        let fault = catch(|| lost.tree(16, leaves(1 << 12)).root()).expect_err("a fault");
        assert!(matches!(fault, Fault::Failed { .. }), "{fault}");
        assert!(fault.to_string().contains("--backend cpu"), "{fault}");
    }
}

#[test]
fn a_gpu_that_does_not_answer_in_time_is_a_fault() {
    let slow = OnDevice::on(open(&Options { patience: Duration::ZERO, ..Default::default() }));
    let fault = catch(|| slow.tree(16, leaves(1 << 16))).err().expect("a fault");
    assert!(fault.to_string().contains("did not answer"), "{fault}");
}
