//! Changed copies of honest cards and receipts: never a panic, and nothing accepted but the honest pair.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zkllm_fuzz::{Choices, SEEDS, change, rename};
use zkllm_verifier::verify;

fuzz_target!(|input: &[u8]| {
    let choices = &mut Choices::new(input);
    let seeds = &*SEEDS;
    let Some((honest_card, honest_receipt)) = seeds.get(usize::from(choices.byte()) % seeds.len().max(1)) else { return };
    let (mut card, mut receipt) = (honest_card.clone(), honest_receipt.clone());
    let renamed = choices.byte() % 2 == 0;
    for _ in 0..=choices.byte() % 4 {
        let of_card = choices.byte() % 2 == 0;
        change(choices, if of_card { &mut card } else { &mut receipt });
    }
    if renamed {
        rename(&card, &mut receipt);
    }
    let changed = card != *honest_card || receipt != *honest_receipt;
    let accepted = verify(&card, &receipt).is_ok();
    assert!(!(changed && accepted), "a changed pair was accepted");
});
