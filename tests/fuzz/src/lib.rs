//! Decides how bytes of a fuzzer become cards, receipts and proofs that get past the first checks.
//!
//! Three ways in, from the outside to the inside: raw bytes (`parse`), changed copies of honest seeds with the fingerprint
//! put right again (`verify`), and well-formed cards of any shape with a channel that answers anything (`proof`), which
//! drives the verifier to its last line without one honest proof.

use ark_bls12_381::{Fr, G1Affine, G2Affine};
use ark_ec::pairing::PairingOutput;
use ark_ec::{AffineRepr, PrimeGroup};
use ark_ff::AdditiveGroup;
use std::path::Path;
use std::sync::LazyLock;
use zkllm_verifier::Refusal;
use zkllm_verifier::card::{Architecture, COMMITMENT_BYTES, Card, Precision};
use zkllm_verifier::channel::{Ask, Channel};
use zkllm_verifier::dory::Setup;
use zkllm_verifier::groups::{G1, G2, Gt, write_g1, write_g2, write_gt, write_scalar};
use zkllm_verifier::limits;
use zkllm_verifier::transcript::Transcript;

/// The bytes of the fuzzer, read as numbers; zeros when they are used up.
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// All of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether any is left.
    pub fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let (&first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        first
    }

    /// Eight bytes.
    pub fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// A number of at least 1 and at most `limit`: small, a power of two or a neighbour of one, or the limit itself.
    pub fn size(&mut self, limit: u32) -> u32 {
        let (kind, value) = (self.byte(), u32::from(self.byte()));
        let power = 1u32.checked_shl(value % 21).unwrap_or(1);
        match kind / 16 {
            12 => power.saturating_sub(1),
            13 => power,
            14 => power.saturating_add(1),
            15 => limit,
            // Small is the rule, so that most cards get far.
            _ => value % 7 + 1,
        }
        .clamp(1, limit)
    }
}

/// A card of any shape, with `chunks` commitments to zero.
pub fn card(choices: &mut Choices<'_>) -> Card {
    let mut sizes = || choices.size(limits::WIDTH);
    let (width, kv_heads, group, pairs, hidden) = (sizes(), sizes(), sizes(), sizes(), sizes());
    Card {
        name: "fuzz".into(),
        architecture: Architecture::Llama,
        layers: choices.size(limits::LAYERS),
        width, kv_heads, group, pairs, hidden,
        vocabulary: choices.size(limits::VOCABULARY),
        context: limits::TOKENS as u32,
        tied: choices.byte() % 2 == 0,
        biases: choices.byte() % 2 == 0,
        rotary_base: if choices.byte() % 2 == 0 { 10_000 } else { choices.word() },
        epsilon: if choices.byte() % 2 == 0 { 1 } else { choices.word() },
        precision: precision(choices),
        tokenizer: [0; 32],
        // Mostly such that there are few chunks: each costs a power in the target group.
        chunk_log: match u32::from(choices.byte()) {
            any @ 240.. => any - 239,
            usual => usual % 3 + 6,
        },
        commitments: Vec::new(),
    }
}

/// Precisions that the program builder accepts, some of them then changed to anything.
fn precision(choices: &mut Choices<'_>) -> Precision {
    let mut precision = Precision {
        digit_bits: 12, residual_fraction: 8, norm_fraction: 10, query_fraction: 10, value_fraction: 10, attention_fraction: 10,
        gate_fraction: 8, swish_fraction: 8, up_fraction: 8, hidden_fraction: 8, weight_fraction: 12, rotary_fraction: 14,
        score_fraction: 8, score_scale: 3, exp_precision: 14, gap_bits: 8, norm_shift: 12, norm_width: 60, inverse_bits: 24,
        logit_width: 40, embedding_bits: 16, norm_bits: 16, query_bits: 16, value_bits: 16, top_bits: 16, attention_bits: 16,
        projection_bits: 20, gate_bits: 8, up_bits: 16, hidden_bits: 16, down_bits: 20,
    };
    let fields: [&mut u32; 31] = [
        &mut precision.digit_bits, &mut precision.residual_fraction, &mut precision.norm_fraction, &mut precision.query_fraction,
        &mut precision.value_fraction, &mut precision.attention_fraction, &mut precision.gate_fraction, &mut precision.swish_fraction,
        &mut precision.up_fraction, &mut precision.hidden_fraction, &mut precision.weight_fraction, &mut precision.rotary_fraction,
        &mut precision.score_fraction, &mut precision.score_scale, &mut precision.exp_precision, &mut precision.gap_bits,
        &mut precision.norm_shift, &mut precision.norm_width, &mut precision.inverse_bits, &mut precision.logit_width,
        &mut precision.embedding_bits, &mut precision.norm_bits, &mut precision.query_bits, &mut precision.value_bits,
        &mut precision.top_bits, &mut precision.attention_bits, &mut precision.projection_bits, &mut precision.gate_bits,
        &mut precision.up_bits, &mut precision.hidden_bits, &mut precision.down_bits,
    ];
    let (changes, count) = (usize::from(choices.byte() % 6), fields.len());
    let picked: Vec<(usize, u32)> = (0..changes).map(|_| (usize::from(choices.byte()) % count, u32::from(choices.byte()) % (limits::BITS + 1))).collect();
    for (index, field) in fields.into_iter().enumerate() {
        for (_, value) in picked.iter().filter(|(at, _)| *at == index) {
            *field = *value;
        }
    }
    precision
}

/// Tokens of the vocabulary, mostly few, and the length of the prompt.
pub fn tokens(choices: &mut Choices<'_>, card: &Card) -> (Vec<u32>, usize) {
    let count = choices.size(limits::TOKENS as u32).max(2) as usize;
    let stride = choices.word() as u32;
    let tokens = (0..count as u32).map(|at| at.wrapping_mul(stride) % card.vocabulary).collect();
    (tokens, (choices.byte() as usize % (count - 1)) + 1)
}

/// The commitment to zero without blinding: the identity.
pub const ZERO: [u8; COMMITMENT_BYTES] = [0; COMMITMENT_BYTES];

/// The verifier's constants, read once.
pub static SETUP: LazyLock<Setup> = LazyLock::new(|| Setup::shipped(limits::CHUNK_LOG).expect("the constants that come with the verifier"));

/// A generator of the target group: a pairing, computed once.
static GENERATOR: LazyLock<Gt> = LazyLock::new(PairingOutput::generator);

/// A channel that answers every question, mostly with 0 and identities, and absorbs what it answered.
pub struct AnyAnswer<'a, 'c> {
    choices: &'a mut Choices<'c>,
    transcript: Transcript,
}

impl<'a, 'c> AnyAnswer<'a, 'c> {
    /// Answers picked by `choices`.
    pub fn new(choices: &'a mut Choices<'c>, transcript: Transcript) -> Self {
        Self { choices, transcript }
    }
}

impl Channel for AnyAnswer<'_, '_> {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.transcript.absorb(label, bytes);
    }
    fn challenge(&mut self, label: &'static str) -> Fr {
        self.transcript.challenge(label)
    }
    fn scalar(&mut self, _: Ask<'_>) -> Result<Fr, Refusal> {
        let scalar = match self.choices.byte() {
            255 => -Fr::from(1u64),
            small => Fr::from(small),
        };
        self.transcript.absorb("scalar", &write_scalar(&scalar));
        Ok(scalar)
    }
    fn g1(&mut self, _: Ask<'_>) -> Result<G1, Refusal> {
        let point = if self.choices.byte() % 2 == 0 { G1Affine::zero() } else { G1Affine::generator() };
        self.transcript.absorb("g1", &write_g1(&point));
        Ok(point)
    }
    fn g2(&mut self, _: Ask<'_>) -> Result<G2, Refusal> {
        let point = if self.choices.byte() % 2 == 0 { G2Affine::zero() } else { G2Affine::generator() };
        self.transcript.absorb("g2", &write_g2(&point));
        Ok(point)
    }
    fn gt(&mut self, _: Ask<'_>) -> Result<Gt, Refusal> {
        let element = if self.choices.byte() % 2 == 0 { Gt::ZERO } else { *GENERATOR };
        self.transcript.absorb("gt", &write_gt(&element));
        Ok(element)
    }
    fn entries(&mut self, ask: Ask<'_>, slots: usize) -> Result<Vec<G1>, Refusal> {
        (0..slots.div_ceil(8)).map(|_| self.g1(ask)).collect()
    }
}

/// Honest cards with their receipts: `seeds/NAME.card` beside `seeds/NAME.receipt`.
pub static SEEDS: LazyLock<Vec<(Vec<u8>, Vec<u8>)>> = LazyLock::new(|| {
    let folder = std::env::var_os("ZKLLM_FUZZ_SEEDS").unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/seeds").into());
    let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
    let mut cards: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "card")).collect();
    cards.sort();
    let pair = |card: &Path| Some((std::fs::read(card).ok()?, std::fs::read(card.with_extension("receipt")).ok()?));
    cards.iter().filter_map(|card| pair(card)).collect()
});

/// Where the receipt names its card.
const FINGERPRINT: std::ops::Range<usize> = 10..42;

/// Makes the receipt name `card`, where the card can be read: otherwise every changed card is refused at the first check.
pub fn rename(card: &[u8], receipt: &mut [u8]) {
    if let (Ok(card), Some(fingerprint)) = (Card::parse(card), receipt.get_mut(FINGERPRINT)) {
        fingerprint.copy_from_slice(&card.fingerprint());
    }
}

/// Changes `bytes` in place as `choices` say: single bits, bytes, numbers of 4 bytes, whole elements, cuts, and repeats.
pub fn change(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    let at = choices.word() as usize % bytes.len().max(1);
    let kind = choices.byte();
    let value = choices.word();
    let unit = [1usize, 4, 32, 48, 96, 192][usize::from(choices.byte()) % 6];
    match kind % 8 {
        0 => if let Some(byte) = bytes.get_mut(at) { *byte ^= 1 << (value % 8) },
        1 => if let Some(byte) = bytes.get_mut(at) { *byte = value as u8 },
        2 => if let Some(number) = bytes.get_mut(at..at.saturating_add(4)) { number.copy_from_slice(&(value as u32).to_le_bytes()) },
        3 => bytes.truncate(at),
        4 => bytes.extend(std::iter::repeat_n(value as u8, unit)),
        5 => if let Some(element) = bytes.get_mut(at..at.saturating_add(unit)) { element.fill(value as u8) },
        // swap two elements
        6 => {
            let other = value as usize % bytes.len().max(1);
            if at.abs_diff(other) >= unit && at.max(other) + unit <= bytes.len() {
                for offset in 0..unit {
                    bytes.swap(at + offset, other + offset);
                }
            }
        }
        // the encoding of the identity of G1
        _ => if let Some(element) = bytes.get_mut(at..at.saturating_add(48)) { element.fill(0); element[0] = 0xc0 },
    }
}
