//! Decides what a model card says: the shape of the model, how it is computed in integers, and what its weights
//! are committed to. Spec: card.

use crate::bytes::Cursor;
use crate::{Refusal, limits, name};
use alloc::string::String;
use alloc::vec::Vec;
use sha3::{Digest, Sha3_256};

const MAGIC: &[u8; 8] = b"ZKLLMCRD";
const VERSION: u16 = 1;

/// Bytes of a commitment.
pub const COMMITMENT_BYTES: usize = 192;

/// The families of models there are programs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// RMSNorm, rotary embedding, grouped-query attention, SwiGLU.
    Llama,
}

macro_rules! precision {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Fractional bits and ranges of every place where the inference stores a number, one byte each in the card.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Precision { $($(#[$doc])* pub $name: u32,)* }

        impl Precision {
            fn read(cursor: &mut Cursor<'_>) -> Result<Self, Refusal> {
                let precision = Self { $($name: u32::from(cursor.u8()?),)* };
                let fits = [$(precision.$name,)*].iter().all(|&bits| bits <= limits::BITS);
                if fits { Ok(precision) } else { Err(Refusal::BadCard) }
            }

            fn write(&self, out: &mut Vec<u8>) {
                $(out.push(self.$name.min(limits::BITS) as u8);)*
            }

            /// The fields by name, in the card's order.
            pub fn fields(&self) -> Vec<(&'static str, u32)> {
                alloc::vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

precision! {
    /// Rows of the widest range table: `2^digit_bits`.
    digit_bits,
    /// Fraction of the residual stream: embedding, attention and feed-forward outputs.
    residual_fraction,
    /// Fraction of the normalised activations.
    norm_fraction,
    /// Fraction of queries and keys.
    query_fraction,
    /// Fraction of values.
    value_fraction,
    /// Fraction of the attention's result.
    attention_fraction,
    /// Fraction of the gate.
    gate_fraction,
    /// Fraction of silu(gate).
    swish_fraction,
    /// Fraction of the up projection.
    up_fraction,
    /// Fraction of silu(gate) * up.
    hidden_fraction,
    /// Fraction of all weights but the embedding and the output head, which have the residual's.
    weight_fraction,
    /// Fraction of cosine and sine.
    rotary_fraction,
    /// Fraction of the attention scores, in natural-log units.
    score_fraction,
    /// `score_scale`: the score is `q.k / 2^score_scale`; what is left of `1/sqrt(head_dim)` is in the query weights.
    score_scale,
    /// Bits of the exponential: `exp(0) = 2^exp_precision`.
    exp_precision,
    /// Rows of the exponential's table: `2^gap_bits`.
    gap_bits,
    /// Shift of the normalisation's product.
    norm_shift,
    /// Width of the two range checks of the inverse square root.
    norm_width,
    /// Unsigned range of the inverse root mean square.
    inverse_bits,
    /// Width of the range check of the arg max.
    logit_width,
    /// Signed range of the embedding.
    embedding_bits,
    /// Signed range of the normalised activations.
    norm_bits,
    /// Signed range of queries and keys.
    query_bits,
    /// Signed range of values.
    value_bits,
    /// Signed range of the row maximum of the scores.
    top_bits,
    /// Signed range of the attention's result.
    attention_bits,
    /// Signed range of the output projection.
    projection_bits,
    /// Rows of the silu table: the signed range of the gate.
    gate_bits,
    /// Signed range of the up projection.
    up_bits,
    /// Signed range of silu(gate) * up.
    hidden_bits,
    /// Signed range of the down projection.
    down_bits,
}

/// A model card. Parsing is the only way to one for who did not make the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The model's name, as its owner gives it; nothing is proved about it.
    pub name: String,
    /// The family.
    pub architecture: Architecture,
    /// Number of layers.
    pub layers: u32,
    /// Width of the residual stream.
    pub width: u32,
    /// Key-value heads.
    pub kv_heads: u32,
    /// Query heads for each key-value head.
    pub group: u32,
    /// Half the size of a head: the number of rotary pairs.
    pub pairs: u32,
    /// Feed-forward width.
    pub hidden: u32,
    /// Number of tokens.
    pub vocabulary: u32,
    /// Most tokens of a statement.
    pub context: u32,
    /// Whether the output head is the embedding.
    pub tied: bool,
    /// Whether queries, keys and values have biases.
    pub biases: bool,
    /// Base of the rotary frequencies.
    pub rotary_base: u64,
    /// What is added to a sum of squares: `width * epsilon * 4^residual_fraction`, rounded, at least 1.
    pub epsilon: u64,
    /// Fractional bits and ranges.
    pub precision: Precision,
    /// SHA3-256 of the tokenizer's canonical form.
    pub tokenizer: [u8; 32],
    /// log2 of the rows and of the columns of a chunk.
    pub chunk_log: u32,
    /// One commitment for each chunk of the model's columns.
    pub commitments: Vec<[u8; COMMITMENT_BYTES]>,
}

impl Card {
    /// Parses a card. Spec: card.layout.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut cursor = Cursor::new(bytes);
        if cursor.array()? != *MAGIC {
            return Err(Refusal::WrongMagic);
        }
        if cursor.u16()? != VERSION {
            return Err(Refusal::UnknownVersion);
        }
        let architecture = match cursor.u8()? {
            1 => Architecture::Llama,
            _ => return Err(Refusal::UnknownArchitecture),
        };
        let name_length = usize::from(cursor.u8()?);
        if name_length > limits::NAME {
            return Err(Refusal::OverLimit);
        }
        let text = core::str::from_utf8(cursor.slice(name_length)?).map_err(|_| Refusal::BadCard)?;
        if name::fault(text).is_some() {
            return Err(Refusal::BadCard);
        }
        let mut size = |limit: u32| match cursor.u32()? {
            0 => Err(Refusal::BadCard),
            size if size > limit => Err(Refusal::OverLimit),
            size => Ok(size),
        };
        let layers = size(limits::LAYERS)?;
        let [width, kv_heads, group, pairs, hidden] = [
            size(limits::WIDTH)?,
            size(limits::WIDTH)?,
            size(limits::WIDTH)?,
            size(limits::WIDTH)?,
            size(limits::WIDTH)?,
        ];
        let vocabulary = size(limits::VOCABULARY)?;
        let context = size(limits::TOKENS as u32)?;
        let mut flag = || match cursor.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Refusal::BadCard),
        };
        let (tied, biases) = (flag()?, flag()?);
        let (rotary_base, epsilon) = (cursor.u64()?, cursor.u64()?);
        let precision = Precision::read(&mut cursor)?;
        let tokenizer = cursor.array()?;
        let chunk_log = u32::from(cursor.u8()?);
        let count = usize::from(cursor.u16()?);
        if chunk_log == 0 || chunk_log as usize > limits::CHUNK_LOG || count > limits::CHUNKS {
            return Err(Refusal::OverLimit);
        }
        let mut commitments = Vec::new();
        for _ in 0..count {
            commitments.push(cursor.array()?);
        }
        cursor.finish()?;
        Ok(Self {
            name: text.into(),
            architecture,
            layers,
            width,
            kv_heads,
            group,
            pairs,
            hidden,
            vocabulary,
            context,
            tied,
            biases,
            rotary_base,
            epsilon,
            precision,
            tokenizer,
            chunk_log,
            commitments,
        })
    }

    /// The card's bytes; `parse` gives it back.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        out.push(match self.architecture {
            Architecture::Llama => 1,
        });
        out.push(self.name.len() as u8);
        out.extend(self.name.as_bytes());
        let sizes = [
            self.layers,
            self.width,
            self.kv_heads,
            self.group,
            self.pairs,
            self.hidden,
            self.vocabulary,
            self.context,
        ];
        for size in sizes {
            out.extend(size.to_le_bytes());
        }
        out.extend([u8::from(self.tied), u8::from(self.biases)]);
        out.extend(self.rotary_base.to_le_bytes());
        out.extend(self.epsilon.to_le_bytes());
        self.precision.write(&mut out);
        out.extend(self.tokenizer);
        out.push(self.chunk_log as u8);
        out.extend((self.commitments.len() as u16).to_le_bytes());
        for commitment in &self.commitments {
            out.extend(commitment);
        }
        out
    }

    /// The model's fingerprint: SHA3-256 of the card's bytes. Receipts name their card by it.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha3_256::digest(self.to_bytes()).into()
    }
}
