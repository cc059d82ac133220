//! Decides that a device with little memory gives the same results in portions, and one with too little a clear fault.

use std::sync::Arc;

use ark_bls12_381::{Fr, G1Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::Field;
use zkllm_cuda_shim::Shim;
use zkllm_kernels::cuda::Cuda;
use zkllm_kernels::device::{Device, Fault, OnDevice, catch};
use zkllm_kernels::selftest::differences;
use zkllm_kernels::{Backend, Block, Cpu, Denominators, Dual, Integers, Ints, Numerators, Piece, Rows};

fn elements(count: usize) -> Vec<Fr> {
    let mut x = Fr::from(3u64).inverse().unwrap();
    std::iter::repeat_with(|| {
        x = x.square() + Fr::from(5u64);
        x
    })
    .take(count)
    .collect()
}

fn small(bytes: usize) -> Dual<OnDevice<Shim>, Cpu> {
    Dual { first: OnDevice::on(Shim::with_bytes(bytes)), second: Cpu }
}

#[test]
fn what_does_not_fit_goes_in_portions() {
    let (rows, columns) = (40, 500);
    let integers: Vec<i64> = elements(rows * columns).iter().map(|x| x.0.0[0] as i64 >> (x.0.0[1] % 60)).collect();
    let pieces: Vec<Piece> = integers
        .chunks(columns)
        .enumerate()
        .map(|(row, values)| Piece { row, column: 0, values: Ints::I64(values) })
        .collect();
    // 160 kB of integers; a quarter of what is free goes at once.
    let both = small(256 << 10);
    both.contract_left(&pieces, &elements(rows), columns);
    both.contract_right(&pieces, &elements(columns), rows);
    both.contract(Ints::I64(&integers).into(), 10, 5, &elements(400));
    both.contract(Ints::I64(&integers).into(), 1, 20, &elements(1000));
    both.contract(Ints::I64(&integers).into(), 2, 20, &elements(500));
    let points: Vec<G1Affine> = elements(columns).iter().map(|x| (G1Affine::generator() * x).into_affine()).collect();
    let vectors: Vec<&[G1Affine]> = points.chunks(100).collect();
    both.combine_rows(&vectors, &elements(5));
    // Portions of the rows on either side, and of both.
    let narrow: Vec<i32> = integers.iter().map(|x| *x as i32).collect();
    let short: Vec<i16> = integers.iter().map(|x| *x as i16).collect();
    for (left, right) in [(&narrow[..7 * 501], &short[..]), (&narrow, &short[..7 * 501]), (&narrow, &short[..39 * 501])]
    {
        let rows = |values: usize| values / 501 * 501;
        both.multiply(&left[..rows(left.len())], Rows::I16(&right[..rows(right.len())]), 501).expect("no overflow");
    }
    both.multiply(&narrow[..3000], Rows::I16(&short[..6000]), 3).expect("no overflow");
    // Digits of 3 bits, whose tables fit.
    let both = small(512 << 10);
    let bases = both.prepare_bases(&points[..32]);
    let pieces: Vec<Piece> = pieces.iter().map(|piece| Piece { values: piece.values.slice(0..32), ..*piece }).collect();
    both.commit_rows(&bases, rows, &pieces);
}

#[test]
fn columns_are_kept_where_there_is_room() {
    let cuda = OnDevice::on(Shim::with_bytes(2 << 20));
    let column = |bytes: usize| Arc::new(Integers::U8((0..bytes).map(|at| at as u8).collect()));
    let columns = [column(200 << 10), column(200 << 10), column(500 << 10)];
    let (free, kept) = (|| cuda.device().free_bytes().unwrap(), cuda.keep(&columns));
    let sum = |column: &Integers| {
        let part = column.view().slice(1..4001);
        assert_eq!(
            cuda.values(&cuda.contract(part.into(), 1, 1, &elements(4000))),
            Cpu.contract(part.into(), 1, 1, &elements(4000))
        );
    };
    sum(&columns[0]);
    assert_eq!(free(), (2 << 20) - (200 << 10), "it is copied whole, once");
    sum(&columns[0]);
    columns.iter().for_each(|column| sum(column));
    assert_eq!(free(), (2 << 20) - (400 << 10), "so is the second; there is no room for the third");
    // What needs the memory has it.
    let table = cuda.table(elements(55_000));
    assert_eq!(free(), (2 << 20) - 32 * 55_000);
    sum(&columns[1]);
    drop(table);
    sum(&columns[1]);
    drop(kept);
    assert_eq!(free(), 2 << 20, "nothing is left");
    sum(&columns[1]);
    assert_eq!(free(), 2 << 20, "and nothing is kept any more");
}

#[test]
fn too_little_memory_is_a_fault_that_says_so() {
    let cuda = OnDevice::on(Shim::with_bytes(16 << 10));
    let leaves = |count: usize| Block {
        offset: 0,
        lengths: vec![count],
        bits: vec![12],
        numerators: Numerators::One,
        denominators: Denominators::Rows { rows: vec![1; count].into_iter().collect(), table: Arc::new(elements(2)) },
    };
    let free = cuda.device().free_bytes();
    let fault = catch(|| cuda.tree(12, vec![leaves(4000)])).err();
    assert!(matches!(fault, Some(Fault::OutOfMemory { .. })), "{fault:?}");
    assert!(fault.is_some_and(|fault| fault.to_string().contains("--backend cpu")));
    // Nothing is kept, and it goes on.
    assert_eq!(cuda.device().free_bytes(), free);
    assert!(catch(|| cuda.tree(12, vec![leaves(100)])).is_ok());
}

#[test]
fn a_panic_that_is_no_fault_stays_one() {
    let panic = std::panic::catch_unwind(|| catch(|| OnDevice::on(Shim::default()).histogram(&[0, 1, 2], 2)));
    assert!(panic.is_err(), "row 2 is not below 2");
}

#[test]
fn a_kernel_that_is_not_there_is_a_fault() {
    // SAFETY: there is no such kernel.
    let fault = unsafe { Shim::default().launch("no_such_kernel", 1, &[]) };
    assert!(matches!(fault, Err(Fault::Failed { .. })));
}

#[test]
fn the_self_test_finds_no_difference() {
    assert!(differences(&OnDevice::on(Shim::default())).is_empty());
}

#[test]
fn a_machine_without_a_gpu_is_told_so() {
    // Where there is one, it computes rightly.
    match Cuda::open() {
        Ok(cuda) => assert!(differences(&cuda).is_empty()),
        Err(fault) => assert!(!fault.to_string().is_empty(), "{fault:?}"),
    }
}
