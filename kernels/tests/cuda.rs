//! Decides that the CUDA backend equals the CPU backend through NVIDIA's driver, whether that drives a GPU or is the
//! stand-in that `tools/cuda-check.sh` gives it.

mod tensors;
mod verbs;

use std::sync::LazyLock;

use zkllm_kernels::cuda::{Cuda, Gpu};
use zkllm_kernels::device::Device;
use zkllm_kernels::{Backend, Cpu, Dual, Ints, Piece};

fn checked() -> Dual<Cuda, Cpu> {
    static CUDA: LazyLock<Cuda> = LazyLock::new(|| Cuda::open().expect("a GPU"));
    Dual { first: CUDA.clone(), second: Cpu }
}

/// Many copies that nobody waits for, of one portion or many, from many threads.
#[test]
fn what_is_copied_comes_back() {
    let gpu = Cuda::open().expect("a GPU");
    let portion = 192usize << 16;
    let sizes = [0, 1, 255, 256, 257, portion - 1, portion, portion + 1, 9 * portion + 12_345, 3];
    let copied = |seed: usize| {
        let value = |at: usize| (at ^ at >> 8 ^ at >> 16).wrapping_mul(seed) as u8;
        let bytes: Vec<Vec<u8>> = sizes.iter().map(|size| (0..*size).map(value).collect()).collect();
        let device: &Gpu = gpu.device();
        let offset = 16;
        let write = |bytes: &Vec<u8>| {
            let memory = device.allocate(offset + bytes.len()).expect("memory");
            device.write(&memory, offset, bytes).expect("written");
            memory
        };
        let memories: Vec<_> = bytes.iter().map(write).collect();
        for (memory, bytes) in memories.iter().zip(&bytes) {
            let mut read = vec![0xff; bytes.len()];
            device.read(memory, offset, &mut read).expect("read");
            assert!(read == *bytes, "{} bytes, seed {seed}", bytes.len());
        }
    };
    copied(1);
    std::thread::scope(|scope| {
        let threads = [3, 5, 7].map(|seed| scope.spawn(move || copied(seed)));
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
    // Given back with a copy on its way.
    let memory = gpu.device().allocate(portion).expect("memory");
    gpu.device().write(&memory, 0, &vec![1; portion]).expect("written");
}

/// Runs across the ends of portions, and nothing between some.
#[test]
fn a_matrix_of_many_portions_is_gathered() {
    const COLUMNS: usize = 1 << 12;
    let values: Vec<i16> = (0..9_000_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 16) as i16).collect();
    let (mut pieces, mut rest, mut row) = (Vec::new(), &values[..], 0);
    while rest.len() > COLUMNS {
        let (values, tail) = rest.split_at(1 + row * 37 % COLUMNS);
        pieces.push(Piece { row, column: row % (COLUMNS - values.len() + 1), values: Ints::I16(values) });
        (rest, row) = (tail, row + 1);
    }
    let weights: Vec<_> = (1..=COLUMNS as u64).map(Into::into).collect();
    checked().contract_right(&pieces, &weights, row);
}
