//! A verification takes no more memory than it says before it begins, whatever the card; counted by the allocator.

use peak_alloc::PeakAlloc;
use zkllm_tests::hostile::{self, TOGETHER};
use zkllm_tests::{Case, SHAPE};
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::{Refusal, Work, verify};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The most bytes that were allocated at once while `work` ran, beside those before.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let made = work();
    (ALLOCATOR.peak_usage() - before, made)
}

/// One test: others beside it would be counted too.
#[test]
fn no_verification_takes_more_memory_than_it_says() {
    let check = |name: &str, work: Work, most: usize| {
        println!("{name}: {most} of {}", work.bytes);
        assert!(most as u64 <= work.bytes, "{name}: {most} of {work:?}");
        // And what it says is no idle number.
        assert!(work.bytes <= 4 * most as u64 + (4 << 20), "{name}: {most} of {work:?}");
        assert!(most < 64 << 20, "{name}: {most}");
    };
    let case = Case::new(SHAPE, 1, &[3, 1], 2);
    let (card, receipt) = (case.card.to_bytes(), case.receipt("memory"));
    let (most, verdict) = peak(|| verify(&card, &receipt));
    assert!(verdict.is_ok());
    check("an honest card", Work::of(&case.plan), most);
    for hostile in hostile::all() {
        let (work, card) = (Work::of(&hostile.plan), hostile.card.to_bytes());
        if hostile.name == TOGETHER {
            let receipt = Receipt::to_bytes(&hostile.card, &hostile.statement, &[]);
            let (most, verdict) = peak(|| verify(&card, &receipt));
            assert_eq!(verdict, Err(Refusal::OverWork));
            assert!(most < 4 << 20, "{most}");
        } else {
            check(hostile.name, work, peak(|| hostile.receipt()).0);
        }
    }
}
