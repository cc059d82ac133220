//! Decides how large anything that comes from outside may be, and why.

/// Layers: far above any model published.
pub const LAYERS: u32 = 1 << 10;
/// Model width, feed-forward width, heads, head size: their contractions are computed by the verifier.
pub const WIDTH: u32 = 1 << 17;
/// Vocabulary: the verifier evaluates vectors over it.
pub const VOCABULARY: u32 = 1 << 20;
/// Tokens of a statement.
pub const TOKENS: usize = 1 << 16;
/// log2 of the rows of a lookup table: the verifier makes tables with outputs itself.
pub const TABLE_BITS: usize = 20;
/// log2 of the leaves of the lookup tree: the largest shapes there are need 40, and an address is 64 bits.
pub const LEAF_BITS: usize = 48;
/// Tokens times rotary pairs: the verifier evaluates a table of that size.
pub const ROTARY: usize = 1 << 22;
/// Fractional bits of cosine and sine.
pub const ROTARY_FRACTION: u32 = 30;
/// log2 of the rows and of the columns of a chunk: the generators there are constants for.
pub const CHUNK_LOG: usize = 16;
/// Chunks of the model and of a witness: each costs the verifier an exponentiation.
pub const CHUNKS: usize = 1 << 10;
/// Bytes of a model's name.
pub const NAME: usize = 128;
/// Bits of a fraction or a range.
pub const BITS: u32 = 100;
/// Bytes of a card's or a receipt's file: 64 MiB, far above any that the other limits allow.
pub const FILE: u64 = 64 << 20;
/// Coefficients and constants of a program are below: the builder computes with 128 bits.
pub const COEFFICIENT: u128 = 1 << 120;
/// Units of work that a verification may take, some 30 ns each: the longest statements of published models take two thirds.
pub const WORK: u64 = 3 << 24;
