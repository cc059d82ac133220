//! Decides `zkllm doctor`: what is on this machine, what would be used, how fast it is, and whether it computes rightly.

use super::backend::{Chosen, Options, with_backend};
use super::memory_bytes;
use crate::commit::setup::Generators;
use crate::cost;
use anyhow::{Result, bail};
use ark_bls12_381::Fr;
use ark_ff::Field;
use clap::Args;
use std::time::{Duration, Instant};
use zkllm_kernels::cuda::Cuda;
use zkllm_kernels::device::Device;
use zkllm_kernels::integer::{Rows, multiply};
use zkllm_kernels::wgpu::Adapter;
use zkllm_kernels::{Backend, Ints, Piece, Sumcheck as _, selftest};

#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    backend: Options,
}

impl Doctor {
    pub fn run(self) -> Result<()> {
        println!("program    zkllm {}", env!("CARGO_PKG_VERSION"));
        println!("cores      {}", rayon::current_num_threads());
        println!("processor  {}", processor());
        println!("memory     {} GiB", memory_bytes().unwrap_or(0) >> 30);
        match Cuda::open() {
            Ok(cuda) => println!("CUDA       {}", cuda.device().name()),
            Err(why) => println!("CUDA       {why}"),
        }
        let adapters = Adapter::all();
        adapters.iter().for_each(|adapter| println!("wgpu       {adapter}"));
        if adapters.is_empty() {
            println!("wgpu       no adapter: there is no driver for Vulkan, Metal, DX12 or OpenGL");
        }
        let chosen = self.backend.open()?;
        match &chosen {
            Chosen::Cpu(_) => println!("backend    cpu"),
            Chosen::Cuda(cuda) => println!("backend    cuda: {}", cuda.device().name()),
            Chosen::Wgpu(wgpu) => println!("backend    wgpu: {}", wgpu.device().name()),
        }
        with_backend!(&chosen, backend => speeds(backend));
        // A GPU has passed when it is opened.
        if let Chosen::Cpu(cpu) = &chosen {
            let wrong = selftest::differences(cpu);
            if !wrong.is_empty() {
                bail!("self-test: wrong results in {}", wrong.join(", "));
            }
        }
        println!("self-test  every verb gives what the reference gives");
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

/// Unit speeds, copies to and from a device included. Those of one core say so.
fn speeds<B: Backend>(backend: &B) {
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
        / seconds(|| _ = std::hint::black_box(backend.contract(Ints::I16(&short), 1, 1 << 10, &field[..1 << 12])));
    let bases = backend.prepare_bases(&Generators::new(10).g1);
    let row = [Piece { row: 0, column: 0, values: Ints::I16(&short[..1 << 10]) }];
    let one_row = seconds(|| _ = std::hint::black_box(backend.commit_rows(&bases, 1, &row)));
    let left: Vec<i32> = short[..64 << 10].iter().map(|x| i32::from(*x)).collect();
    let gemm =
        (64usize << 22) as f64 / seconds(|| _ = std::hint::black_box(multiply(&left, Rows::I16(&short), 1 << 10)));
    let copied = seconds(|| _ = std::hint::black_box(short.clone()));
    println!("speeds     (a GPU's with copies to it and back; of the field and of Miller loops for one core)");
    println!("  Fr product                 {:10.1} M/s a core", 1e-6 / unit.product);
    println!("  eq table of 2^18           {:10.1} M/s", eq * 1e-6);
    println!("  sumcheck of 2^18           {:10.1} M/s elements", sumcheck * 1e-6);
    println!("  16-bit integers contracted {:10.1} M/s", contracted * 1e-6);
    println!("  G1 additions, small scalar {:10.1} M/s", 1e-6 * cores / unit.addition);
    println!("  MSM row of 2^10, alone     {:10.3} ms", one_row * 1e3);
    println!("  Miller loop                {:10.1} /s a core", 1.0 / unit.miller_loop);
    println!("  integer products (CPU)     {:10.1} G/s", gemm * 1e-9);
    println!("  memory copied (CPU)        {:10.1} GB/s", 2e-9 * short.len() as f64 * 2.0 / copied);
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
    format!("{} ({})", name.unwrap_or("unknown"), std::env::consts::ARCH)
}
