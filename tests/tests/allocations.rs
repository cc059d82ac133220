//! Decides that memory is what it is said to be: what a proof allocates is counted, phase by phase, and compared with forecasts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use zkllm_kernels::Cpu;
use zkllm_prover::cost::{Cost, OnHost};
use zkllm_prover::model::{Model, Shape, random_tokens};
use zkllm_prover::prove::blinding::Randomness;
use zkllm_prover::quantise::{Options, STANDARD, quantise, uncalibrated, weights};
use zkllm_prover::{infer, session};
use zkllm_verifier::card::Precision;
use zkllm_verifier::statement::Statement;

/// Counts what is allocated, and the most there was since it was last asked.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn grown(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be there while one is copied to the other.
        grown(size);
        // SAFETY: the caller's.
        let new = unsafe { System.realloc(place, layout, size) };
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        new
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes since the last call.
fn most() -> usize {
    MOST.swap(HELD.load(Ordering::Relaxed), Ordering::Relaxed)
}

/// What is held, in bytes.
fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// One at a time: what is counted is the process's.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A shape in which no size is a power of two, with a large vocabulary.
fn shape() -> Shape {
    Shape {
        layers: 3,
        width: 60,
        heads: 4,
        kv_heads: 2,
        head_dim: 10,
        hidden: 90,
        vocabulary: 9000,
        context: 4096,
        rope_base: 10_000.0,
        norm_epsilon: 1e-5,
        tied: true,
    }
}

fn tiny() -> Shape {
    Shape::named("tiny").expect("a shape")
}

/// What is not forecast: work space of all threads, small vectors.
const SLACK: usize = 3 << 20;

/// Whether a forecast of bytes is neither much less nor much more than what was counted.
fn holds(forecast: u64, counted: usize) -> bool {
    let forecast = forecast as usize;
    counted <= forecast / 100 * 115 + SLACK && forecast <= counted / 100 * 160 + SLACK
}

/// Proves a text of `length` tokens in chunks of `2^log` rows: what was counted in each phase, and what was forecast.
fn compare(name: &str, shape: Shape, length: usize, log: u32) {
    let _alone = alone();
    let model = Model::random(shape, 0).expect("a model");
    let prompt = random_tokens(&model.shape, 0, length - 2);
    let precision = Precision { digit_bits: 14, ..STANDARD };
    let calibration = vec![prompt.clone()];
    let options = Options { chunk_log: log, context: length, calibration, precision, ..Options::default() };
    let before = held();
    let (mut card, columns) = quantise(&model, &options).expect("a card");
    let on_token = |_| ControlFlow::Continue(());
    let answer = infer::generate(&card, &columns, &prompt, 2, &[], on_token).expect("an answer");
    let commit = session::commit(&Cpu, &mut card, &columns, Randomness::known([1; 64]), &|_, _| {});
    let secret = commit.expect("a commitment");
    let statement = Statement::new(&card, [&prompt[..], &answer].concat(), length - 2).expect("a statement");
    let OnHost { held: all, inference, commit, rows, leaves, tree, tables, opening } =
        Cost::of(&session::plan(&card, &statement).expect("a plan")).on_host;

    // The most bytes of each phase.
    let phases = RefCell::new(vec![("start".to_string(), 0)]);
    let progress = |phase: &str| {
        let mut phases = phases.borrow_mut();
        let last = phases.last_mut().expect("a phase");
        last.1 = last.1.max(most() - before);
        if last.0 != phase {
            phases.push((phase.to_string(), 0));
        }
    };
    most();
    session::receipt(&Cpu, &card, &columns, &secret, &statement, Randomness::known([2; 64]), &progress)
        .expect("a receipt");
    progress("end");
    let phases = phases.into_inner();
    let forecasts = [
        ("inference", all + inference),
        ("commit", all + rows + commit),
        ("tlookup", all + rows + leaves + tree[0]),
        ("products", all + tables),
        ("opening", all + opening),
    ];
    let wrong = forecasts.into_iter().filter(|&(phase, forecast)| {
        let counted = phases.iter().filter(|(own, _)| own == phase).map(|(_, most)| *most).max().expect("a phase");
        println!("{name:6} {length:5} {phase:10} forecast {:8} KiB, counted {:8} KiB", forecast >> 10, counted >> 10);
        !holds(forecast, counted)
    });
    let wrong: Vec<_> = wrong.map(|(phase, _)| phase).collect();
    assert!(wrong.is_empty(), "{name}, {length} tokens: what was counted in {wrong:?} is not what was forecast");
}

#[test]
fn forecasts_of_memory_hold() {
    compare("tiny", tiny(), 250, 8);
    compare("large", shape(), 130, 9);
}

#[test]
#[ignore = "proofs of 2,048 tokens take minutes"]
fn forecasts_of_memory_hold_for_long_texts() {
    for length in [64, 512, 2048] {
        compare("tiny", tiny(), length, 11);
        compare("large", shape(), length, 11);
    }
}

#[test]
fn a_prompt_takes_memory_by_its_length_and_not_by_its_square() {
    let _alone = alone();
    let model = Model::random(tiny(), 0).expect("a model");
    let prompt = random_tokens(&model.shape, 0, 1500);
    let options = Options { context: 2048, calibration: vec![prompt[..100].to_vec()], ..Options::default() };
    let (card, columns) = quantise(&model, &options).expect("a card");
    let before = held();
    most();
    infer::generate(&card, &columns, &prompt, 1, &[], |_| ControlFlow::Continue(())).expect("an answer");
    // A score is 8 bytes; those of all pairs, of the heads of one layer, once.
    let squares = 8 * model.shape.heads * prompt.len() * prompt.len();
    let counted = most() - before;
    assert!(counted < squares / 2, "{counted} bytes, and {squares} of scores in all");
}

#[test]
fn weights_are_rounded_without_copies_beside_the_largest_tensor() {
    let _alone = alone();
    let model = Model::random(shape(), 0).expect("a model");
    let card = uncalibrated(&model, &Options::default()).expect("a card");
    let before = held();
    most();
    let columns = weights(&model, &card).expect("weights");
    let kept = held() - before;
    let largest = 4 * model.shape.vocabulary * model.shape.width;
    let counted = most() - before;
    assert!(counted < kept + largest + (1 << 18), "{counted} bytes, {kept} of them kept, {largest} of a tensor");
    assert!(columns.column("embedding").is_some());
}
