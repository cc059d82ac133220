//! Decides that every way in which this processor can compute makes the same weights, card and receipt, by any number of threads.

use rayon::ThreadPoolBuilder;
use std::io::Write;
use zkllm_kernels::Cpu;
use zkllm_kernels::path::Path;
use zkllm_kernels::selftest::differences;
use zkllm_prover::quantise::{Tiny, tiny};
use zkllm_prover::session;
use zkllm_tests::Case;

/// Rows that are longer than vectors, and no multiples of their lengths.
const SHAPE: Tiny = Tiny {
    layers: 2,
    width: 37,
    kv_heads: 2,
    group: 2,
    pairs: 5,
    hidden: 70,
    vocabulary: 101,
    tied: false,
    biases: true,
    digit_bits: 7,
};

/// The weights' digest, the card and a receipt.
fn made() -> [Vec<u8>; 3] {
    let (mut card, columns) = tiny(5, SHAPE).expect("a model");
    card.chunk_log = 8;
    let digest = session::digest(&columns).to_vec();
    let prompt: Vec<u32> = (0..41).map(|place| (place * place + 7) % 101).collect();
    let case = Case::of(card, columns, &prompt, 3);
    [digest, case.card.to_bytes(), case.receipt("paths")]
}

// One test: the choice is the process's.
#[test]
fn all_paths_and_numbers_of_threads_make_the_same_weights_card_and_receipt() {
    let mut expected = None;
    for path in Path::ALL {
        if !path.choose() {
            // Past the capture of what tests print: nothing was compared.
            writeln!(std::io::stderr(), "skipped: this processor has no {path:?}").expect("stderr");
            continue;
        }
        assert_eq!(Path::used(), path);
        // Threads share the work alike on every path.
        let is_widest = Path::ALL.into_iter().all(|other| other <= path || !other.is_there());
        for &threads in if is_widest { &[1, 2, 3, 7][..] } else { &[2] } {
            let threads_of = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let (wrong, made) = threads_of.install(|| (differences(&Cpu), made()));
            assert!(wrong.is_empty(), "{path:?} with {threads} threads: {wrong:?}");
            let same = *expected.get_or_insert_with(|| made.clone()) == made;
            assert!(same, "{path:?} with {threads} threads makes other bytes");
        }
    }
}
