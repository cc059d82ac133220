//! Prints the unit speeds of the CPU backend on this machine, in processor time.
//!
//! `cargo run --release -p zkllm-kernels --example speeds [verb]`.

use std::{hint::black_box, sync::Arc, time::Instant};

use ark_bls12_381::Fq;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::Field;
use zkllm_kernels::cpu::Tree;
use zkllm_kernels::{
    Backend, Block, Cpu, Denominators, Entries, Factor, Fr, FractionTree, G1Affine, Ints, Numerators, Piece, Sumcheck,
};

struct Source(u64);

impl Source {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn frs(&mut self, count: usize) -> Vec<Fr> {
        let mut x = Fr::from(self.word());
        let step = Fr::from(self.word()).square().square() + Fr::from(self.word());
        (0..count)
            .map(|_| {
                x *= step;
                x
            })
            .collect()
    }

    /// Signed values of `bits` bits.
    fn i16s(&mut self, count: usize, bits: u32) -> Vec<i16> {
        (0..count).map(|_| (self.word() as i16) >> (16 - bits)).collect()
    }

    fn points(&mut self, count: usize) -> Vec<G1Affine> {
        let step = G1Affine::generator() * Fr::from(self.word());
        let mut point = G1Affine::generator() * Fr::from(self.word());
        let points: Vec<_> = (0..count)
            .map(|_| {
                point += step;
                point
            })
            .collect();
        ark_ec::short_weierstrass::Projective::normalize_batch(&points)
    }
}

/// Processor seconds this process has used, all threads; wall-clock seconds times cores where they cannot be read.
fn processor_seconds(begin: Instant) -> f64 {
    let ticks = std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| {
        let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
        Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
    });
    match ticks {
        Some(ticks) => ticks as f64 / 100.0,
        None => begin.elapsed().as_secs_f64() * rayon::current_num_threads() as f64,
    }
}

/// Processor nanoseconds a unit, and wall-clock seconds.
fn report(what: &str, units: usize, run: impl FnOnce()) {
    let start = Instant::now();
    let before = processor_seconds(start);
    run();
    let used = processor_seconds(start) - before;
    println!("{what:<58} {:9.2} ns a unit {:9.3} s", used * 1e9 / units as f64, start.elapsed().as_secs_f64());
}

fn single(what: &str, units: usize, run: impl FnOnce()) {
    let start = Instant::now();
    run();
    println!("{what:<58} {:9.2} ns", start.elapsed().as_secs_f64() * 1e9 / units as f64);
}

fn field(source: &mut Source) {
    let x = source.frs(1024);
    single("Fr product", 1024 * 1000, || {
        let mut y = x.clone();
        for _ in 0..1000 {
            y.iter_mut().zip(&x).for_each(|(y, x)| *y *= x);
        }
        black_box(y);
    });
    let x: Vec<Fq> = (0..1024).map(|_| Fq::from(source.word()).inverse().unwrap()).collect();
    single("Fq product", 1024 * 1000, || {
        let mut y = x.clone();
        for _ in 0..1000 {
            y.iter_mut().zip(&x).for_each(|(y, x)| *y *= x);
        }
        black_box(y);
    });
}

fn commit(source: &mut Source) {
    for (log_columns, rows) in [(12, 64), (11, 128), (16, 4)] {
        let columns = 1usize << log_columns;
        let bases = Cpu.prepare_bases(&source.points(columns));
        for bits in [16, 12, 10, 8, 3] {
            let values = source.i16s(columns * rows, bits);
            let pieces: Vec<Piece> = values
                .chunks(columns)
                .enumerate()
                .map(|(row, values)| Piece { row, column: 0, values: Ints::I16(values) })
                .collect();
            Cpu.commit_rows(&bases, rows, &pieces[..1]);
            report(&format!("commit_rows 2^{log_columns} columns, {bits} bits: a value"), values.len(), || {
                black_box(Cpu.commit_rows(&bases, rows, &pieces));
            });
        }
    }
}

fn contract(source: &mut Source) {
    for (outer, middle, inner) in
        [(8192, 4096, 1), (2, 4096, 4096), (1 << 19, 64, 1), (512, 64, 1024), (1 << 18, 16, 8)]
    {
        let x = source.i16s(outer * middle * inner, 16);
        let weights = source.frs(middle);
        report(&format!("contract i16 {outer} x {middle} x {inner}"), x.len(), || {
            black_box(Cpu.contract(Ints::I16(&x).into(), outer, inner, &weights));
        });
    }
    let x: Vec<i32> = (0..1 << 23).map(|_| source.word() as i32).collect();
    let weights = source.frs(1 << 12);
    report("contract i32 2048 x 4096 x 1", x.len(), || {
        black_box(Cpu.contract(Ints::I32(&x).into(), 2048, 1, &weights));
    });
    let x = source.frs(1 << 20);
    report("contract_field 256 x 4096 x 1", x.len(), || {
        black_box(Cpu.contract(Entries::Table(&x), 256, 1, &weights));
    });
    report("contract_field 1 x 4096 x 256", x.len(), || {
        black_box(Cpu.contract(Entries::Table(&x), 1, 256, &weights));
    });
    let x = source.i16s(1 << 24, 16);
    let pieces: Vec<Piece> =
        x.chunks(4096).enumerate().map(|(row, values)| Piece { row, column: 0, values: Ints::I16(values) }).collect();
    report("contract_left 4096 x 4096", x.len(), || {
        black_box(Cpu.contract_left(&pieces, &weights, 4096));
    });
    report("contract_right 4096 x 4096", x.len(), || {
        black_box(Cpu.contract_right(&pieces, &weights, 4096));
    });
}

fn combine(source: &mut Source) {
    let vectors: Vec<Vec<G1Affine>> = (0..24).map(|_| source.points(4096)).collect();
    let slices: Vec<&[G1Affine]> = vectors.iter().map(|vector| vector.as_slice()).collect();
    let scalars = source.frs(24);
    report("combine_rows 24 vectors of 2^12: a point", 24 * 4096, || {
        black_box(Cpu.combine_rows(&slices, &scalars));
    });
}

fn tree(source: &mut Source) {
    let (n, axes) = (23, ([30usize, 9, 64, 300], [5usize, 4, 6, 9]));
    let n = n.max(axes.1.iter().sum());
    let leaves: usize = axes.0.iter().product();
    let table = Arc::new(source.frs(1 << 16));
    let block = Block {
        offset: 0,
        lengths: axes.0.to_vec(),
        bits: axes.1.to_vec(),
        numerators: Numerators::One,
        denominators: Denominators::Rows { rows: (0..leaves).map(|_| source.word() as u32 & 0xffff).collect(), table },
    };
    for (stored, bytes) in [
        ("", usize::MAX),
        (", lowest stored level 3 above", 22 * leaves),
        (", 4 above", 12 * leaves),
        (", 7 above", 2 * leaves),
    ] {
        one_tree(source, n, block.clone(), leaves, (stored, bytes));
    }
}

fn one_tree(source: &mut Source, n: usize, block: Block, leaves: usize, (stored, bytes): (&str, usize)) {
    let mut built = None;
    report(&format!("tree build{stored}: a leaf"), leaves, || built = Some(Tree::build(n, vec![block], bytes)));
    let mut tree = built.expect("built");
    let (mut coarse, begin) = (0.0, Instant::now());
    for depth in 0..n {
        let rho = source.frs(depth);
        let lambda = source.frs(1)[0];
        let run = |tree: &mut Tree| {
            let mut layer = tree.layer(depth, &rho, lambda);
            for r in &rho {
                black_box(layer.round());
                layer.bind(*r);
            }
            black_box(layer.finish());
        };
        if depth == n - 1 {
            report("tree finest layer: a leaf", leaves, || run(&mut tree));
        } else {
            let before = processor_seconds(begin);
            run(&mut tree);
            coarse += processor_seconds(begin) - before;
        }
    }
    println!("{:<58} {:9.2} ns a unit", "tree other layers: a leaf", coarse * 1e9 / leaves as f64);
}

fn product(source: &mut Source) {
    let (lengths, bits) = ([30usize, 64, 1152], [5usize, 6, 11]);
    let size = lengths.iter().product();
    let (a, b) = (source.frs(size), source.frs(size));
    let eq: Vec<_> = bits.iter().map(|bits| Some(source.frs(*bits))).collect();
    let rs = source.frs(22);
    report("product sumcheck 30 x 64 x 1152: an element", size, || {
        let mut product = Cpu.product(&lengths, &bits, Factor::Table(a), Some(Factor::Table(b)), eq);
        for r in rs {
            black_box(product.round());
            product.bind(r);
        }
        black_box(product.finish());
    });
}

fn main() {
    let wanted = std::env::args().nth(1);
    let mut source = Source(88_172_645_463_325_252);
    let verbs: [(&str, fn(&mut Source)); 6] = [
        ("field", field),
        ("contract", contract),
        ("commit", commit),
        ("combine", combine),
        ("tree", tree),
        ("product", product),
    ];
    for (name, verb) in verbs {
        if wanted.as_ref().is_none_or(|wanted| wanted == name) {
            verb(&mut source);
        }
    }
}
