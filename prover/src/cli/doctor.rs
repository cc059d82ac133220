//! Decides `zkllm doctor`: what is on this machine, what would be used, how fast it is, and whether it computes rightly.

use super::backend::{Chosen, Options, with_backend};
use super::say;
use crate::commit::setup::Generators;
use crate::cost;
use anyhow::{Result, bail};
use ark_bls12_381::Fr;
use ark_ff::Field;
use clap::Args;
use std::time::{Duration, Instant};
use zkllm_kernels::cuda::{Ceilings, Cuda};
use zkllm_kernels::device::array::Array;
use zkllm_kernels::device::{Device, Fault};
use zkllm_kernels::memory::Memory;
use zkllm_kernels::wgpu::Adapter;
use zkllm_kernels::{Backend, Ints, Piece, Rows, Sumcheck as _, selftest};

#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    backend: Options,
}

impl Doctor {
    pub fn run(self) -> Result<()> {
        say!("program    zkllm {}", env!("CARGO_PKG_VERSION"));
        say!("cores      {}", rayon::current_num_threads());
        say!("processor  {}", processor());
        match Memory::now() {
            Some(memory) => say!("memory     {} GiB, {} GiB free", memory.total >> 30, memory.free >> 30),
            None => say!("memory     unknown: what fits is not checked before a proof"),
        }
        match Cuda::open() {
            Ok(cuda) => say!("CUDA       {}", cuda.device().name()),
            Err(why) => say!("CUDA       {why}"),
        }
        let adapters = Adapter::all();
        adapters.iter().for_each(|adapter| say!("wgpu       {adapter}"));
        if adapters.is_empty() {
            say!("wgpu       no adapter: there is no driver for Vulkan, Metal, DX12 or OpenGL");
        }
        let chosen = self.backend.open()?;
        match &chosen {
            Chosen::Cpu(_) => say!("backend    cpu"),
            Chosen::Cuda(cuda) => say!("backend    cuda: {}", cuda.device().name()),
            Chosen::Wgpu(wgpu) => say!("backend    wgpu: {}", wgpu.device().name()),
        }
        let ceilings = match &chosen {
            Chosen::Cuda(cuda) => Some(cuda.device().ceilings()?),
            _ => None,
        };
        with_backend!(&chosen, backend => speeds(backend, ceilings));
        match &chosen {
            Chosen::Cpu(_) => {}
            Chosen::Cuda(cuda) => memory(cuda.device(), ceilings.map(|most| most.bytes))?,
            Chosen::Wgpu(wgpu) => memory(wgpu.device(), None)?,
        }
        // A GPU has passed when it is opened.
        if let Chosen::Cpu(cpu) = &chosen {
            let wrong = selftest::differences(cpu);
            if !wrong.is_empty() {
                bail!("self-test: wrong results in {}", wrong.join(", "));
            }
        }
        say!("self-test  every verb gives what the reference gives");
        Ok(())
    }
}

/// Seconds of one run, over at least 200 ms and after one that does not count.
fn seconds(mut work: impl FnMut()) -> f64 {
    work();
    let (start, mut runs) = (Instant::now(), 0);
    while runs == 0 || start.elapsed() < Duration::from_millis(200) {
        work();
        runs += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(runs)
}

/// Multiply-adds of 32 bits in a product modulo r: 8 x 8 limbs of the factors, and as many of the modulus.
const FR_PRODUCT: f64 = 128.0;

/// The share of a ceiling, where there is one.
fn share(speed: f64, ceiling: Option<f64>) -> String {
    ceiling.filter(|most| *most > 0.0).map_or(String::new(), |most| format!(" {:6.2} %", 100.0 * speed / most))
}

/// Unit speeds, copies to and from a device included. Those of one core say so.
fn speeds<B: Backend>(backend: &B, ceilings: Option<Ceilings>) {
    let unit = cost::measure(backend);
    let cores = rayon::current_num_threads() as f64;
    let size = 1 << 18;
    let point: Vec<Fr> = (0..18u64).map(|k| Fr::from(k + 2).square()).collect();
    let eq = size as f64 / seconds(|| _ = std::hint::black_box(backend.eq_table(&point, size)));
    let field = backend.eq_table(&point, size);
    let sumcheck = size as f64
        / seconds(|| {
            let mut sum = backend.pairs(17, vec![(field[..size / 2].to_vec(), field[size / 2..].to_vec())]);
            for r in &point[..17] {
                std::hint::black_box(sum.round());
                sum.bind(*r);
            }
        });
    let short: Vec<i16> = (0..1 << 22).map(|at: i64| (at * 104_729 % 32_768 - 16_384) as i16).collect();
    let contracted = short.len() as f64
        / seconds(|| {
            _ = std::hint::black_box(backend.values(&backend.contract(
                Ints::I16(&short).into(),
                1,
                1 << 10,
                &field[..1 << 12],
            )))
        });
    let bases = backend.prepare_bases(&Generators::new(10).g1);
    let row = [Piece { row: 0, column: 0, values: Ints::I16(&short[..1 << 10]) }];
    let one_row = seconds(|| _ = std::hint::black_box(backend.commit_rows(&bases, 1, &row)));
    let left: Vec<i32> = short[..64 << 10].iter().map(|x| i32::from(*x)).collect();
    let gemm = (64usize << 22) as f64
        / seconds(|| _ = std::hint::black_box(backend.multiply(&left, Rows::I16(&short), 1 << 10)));
    let (from, mut to) = (vec![1u8; 1 << 27], vec![0u8; 1 << 27]);
    let copied = seconds(|| std::hint::black_box(&mut to).copy_from_slice(std::hint::black_box(&from)));
    // A 16-bit integer is multiplied with 8 limbs. The sumcheck takes 5 products for two elements: 3 in the round, 2 in
    // the fold.
    let of = |speed: f64, each: f64| share(speed * each, ceilings.map(|most| most.multiply_adds));
    if let Some(most) = ceilings {
        let (multiply_adds, bytes) = (most.multiply_adds * 1e-12, most.bytes * 1e-12);
        say!("ceilings   {multiply_adds:.1} T/s multiply-adds of 32 bits, {bytes:.1} TB/s of memory; shares in %");
    }
    say!("speeds     (a GPU's with copies to it and back; of the field and of Miller loops for one core)");
    say!("  Fr product                 {:10.1} M/s a core", 1e-6 / unit.product);
    say!("  eq table of 2^18           {:10.1} M/s{}", eq * 1e-6, of(eq, FR_PRODUCT));
    say!("  sumcheck of 2^18           {:10.1} M/s elements{}", sumcheck * 1e-6, of(sumcheck, 2.5 * FR_PRODUCT));
    say!("  16-bit integers contracted {:10.1} M/s{}", contracted * 1e-6, of(contracted, 8.0));
    say!("  G1 additions, small scalar {:10.1} M/s", 1e-6 * cores / unit.addition);
    say!("  MSM row of 2^10, alone     {:10.3} ms", one_row * 1e3);
    say!("  Miller loop                {:10.1} /s a core", 1.0 / unit.miller_loop);
    say!("  integer products           {:10.1} G/s{}", gemm * 1e-9, of(gemm, 1.0));
    // Read and written.
    say!("  memory copied (CPU)        {:10.1} GB/s a core", 2e-9 * from.len() as f64 / copied);
}

/// How fast a device's memory is, from outside as the verbs use it.
fn memory<D: Device>(device: &D, ceiling: Option<f64>) -> Result<(), Fault> {
    let bytes = (device.free_bytes()? / 4).min(1 << 30);
    let values = vec![1u8; bytes / 4];
    let array = Array::of(device, &values);
    // A read waits for what was asked for before.
    let cleared = bytes as f64 / seconds(|| _ = Array::<D, u8>::zeroed(device, bytes).read(device, 0, 4));
    let written = values.len() as f64 / seconds(|| _ = Array::of(device, &values).read(device, 0, 4));
    let read = values.len() as f64 / seconds(|| _ = array.all(device));
    say!("  memory cleared (GPU)       {:10.1} GB/s{}", cleared * 1e-9, share(cleared, ceiling));
    say!("  copied to the GPU          {:10.1} GB/s", written * 1e-9);
    say!("  copied from the GPU        {:10.1} GB/s", read * 1e-9);
    Ok(())
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
    format!("{} ({})", name.unwrap_or("unknown"), std::env::consts::ARCH)
}
