//! Decides which model sizes exist, which tensors a model of a given shape has, and how large each is.

use super::error::ModelError;

/// Sizes of a LLaMA-shaped model. Counts are true sizes, not padded.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Transformer blocks.
    pub layers: usize,
    /// Length of the residual vector.
    pub width: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Length of one head's query, key and value; even.
    pub head_dim: usize,
    /// Length of the feed-forward vectors gate and up.
    pub hidden: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Longest token sequence the model was trained for.
    pub context: usize,
    /// Rotary base: pair `i` turns by `position * rope_base^(-2i / head_dim)` radians.
    pub rope_base: f64,
    /// Added to the mean square inside RMSNorm.
    pub norm_epsilon: f64,
    /// Whether the output head is the embedding matrix.
    pub tied: bool,
}

/// The sizes of a shape, by name: layers, width, heads, kv_heads, head_dim, hidden, vocabulary, tied.
type Named = (&'static str, [usize; 7], bool);

/// Shapes to measure with random weights. The LLaMA-2 shapes are those of Touvron et al., arXiv 2307.09288; `llama-1.3b` is
/// that of Xia et al., arXiv 2310.06694; `llama-125m` is a LLaMA block in the place of OPT-125M's.
const NAMED: [Named; 7] = [
    ("tiny", [2, 48, 3, 3, 16, 80, 300], false),
    ("smollm2-135m", [30, 576, 9, 3, 64, 1536, 49152], true),
    ("llama-125m", [12, 768, 12, 12, 64, 2048, 32000], false),
    ("tinyllama-1.1b", [22, 2048, 32, 4, 64, 5632, 32000], false),
    ("llama-1.3b", [24, 2048, 16, 16, 128, 5504, 32000], false),
    ("llama2-7b", [32, 4096, 32, 32, 128, 11008, 32000], false),
    ("llama2-13b", [40, 5120, 40, 40, 128, 13824, 32000], false),
];

/// A tensor's role. All but `Embedding`, `Head` and `FinalNorm` exist once a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Embedding,
    Head,
    FinalNorm,
    AttentionNorm,
    Query,
    Key,
    Value,
    AttentionOut,
    FeedForwardNorm,
    Gate,
    Up,
    Down,
    QueryBias,
    KeyBias,
    ValueBias,
}

impl Kind {
    /// Every kind, in the order of the enumeration.
    pub const ALL: [Kind; 15] = [
        Kind::Embedding,
        Kind::Head,
        Kind::FinalNorm,
        Kind::AttentionNorm,
        Kind::Query,
        Kind::Key,
        Kind::Value,
        Kind::AttentionOut,
        Kind::FeedForwardNorm,
        Kind::Gate,
        Kind::Up,
        Kind::Down,
        Kind::QueryBias,
        Kind::KeyBias,
        Kind::ValueBias,
    ];

    /// Whether there is one tensor of this kind in each layer.
    pub fn per_layer(self) -> bool {
        !matches!(self, Kind::Embedding | Kind::Head | Kind::FinalNorm)
    }

    /// Whether models of the family may lack it.
    pub fn optional(self) -> bool {
        matches!(self, Kind::Head | Kind::QueryBias | Kind::KeyBias | Kind::ValueBias)
    }

    /// The tensor's name in a GGUF file.
    pub fn gguf_name(self, layer: usize) -> String {
        let stem = match self {
            Kind::Embedding => return "token_embd.weight".into(),
            Kind::Head => return "output.weight".into(),
            Kind::FinalNorm => return "output_norm.weight".into(),
            Kind::AttentionNorm => "attn_norm.weight",
            Kind::Query => "attn_q.weight",
            Kind::Key => "attn_k.weight",
            Kind::Value => "attn_v.weight",
            Kind::AttentionOut => "attn_output.weight",
            Kind::FeedForwardNorm => "ffn_norm.weight",
            Kind::Gate => "ffn_gate.weight",
            Kind::Up => "ffn_up.weight",
            Kind::Down => "ffn_down.weight",
            Kind::QueryBias => "attn_q.bias",
            Kind::KeyBias => "attn_k.bias",
            Kind::ValueBias => "attn_v.bias",
        };
        format!("blk.{layer}.{stem}")
    }
}

impl Shape {
    /// Names that [`Shape::named`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, ..)| *name)
    }

    /// The shape of that name, for statements of up to 4096 tokens.
    pub fn named(name: &str) -> Option<Shape> {
        let (_, sizes, tied) = NAMED.iter().find(|(own, ..)| *own == name)?;
        let [layers, width, heads, kv_heads, head_dim, hidden, vocabulary] = *sizes;
        Some(Shape {
            layers,
            width,
            heads,
            kv_heads,
            head_dim,
            hidden,
            vocabulary,
            context: 4096,
            rope_base: 10_000.0,
            norm_epsilon: 1e-5,
            tied: *tied,
        })
    }

    /// Dimensions of a tensor, `[out, in]` or `[length]`.
    pub fn dims(&self, kind: Kind) -> Vec<usize> {
        let queries = self.heads * self.head_dim;
        let keys = self.kv_heads * self.head_dim;
        match kind {
            Kind::Embedding | Kind::Head => vec![self.vocabulary, self.width],
            Kind::FinalNorm | Kind::AttentionNorm | Kind::FeedForwardNorm => vec![self.width],
            Kind::Query => vec![queries, self.width],
            Kind::Key | Kind::Value => vec![keys, self.width],
            Kind::AttentionOut => vec![self.width, queries],
            Kind::Gate | Kind::Up => vec![self.hidden, self.width],
            Kind::Down => vec![self.width, self.hidden],
            Kind::QueryBias => vec![queries],
            Kind::KeyBias | Kind::ValueBias => vec![keys],
        }
    }

    /// Weights in the whole model, biases not counted.
    pub fn weights(&self) -> usize {
        let size =
            |kind: Kind| self.dims(kind).iter().product::<usize>() * if kind.per_layer() { self.layers } else { 1 };
        let mandatory: usize = Kind::ALL.into_iter().filter(|kind| !kind.optional()).map(size).sum();
        mandatory + if self.tied { 0 } else { size(Kind::Head) }
    }

    /// Refuses sizes outside the limits, so that no product of two of them overflows and no allocation surprises.
    ///
    /// # Errors
    /// `Metadata` naming the size.
    pub fn check(&self) -> Result<(), ModelError> {
        let limits = [
            ("block_count", self.layers, 1 << 10),
            ("embedding_length", self.width, 1 << 16),
            ("attention.head_count", self.heads, 1 << 10),
            ("attention.head_count_kv", self.kv_heads, 1 << 10),
            ("attention.key_length", self.head_dim, 1 << 12),
            ("feed_forward_length", self.hidden, 1 << 20),
            ("vocab_size", self.vocabulary, 1 << 20),
            ("context_length", self.context, 1 << 26),
        ];
        let refuse = |key: &str, reason: String| Err(ModelError::Metadata { key: key.into(), reason });
        for (key, value, limit) in limits {
            if value == 0 || value > limit {
                return refuse(key, format!("{value} is not in 1..={limit}"));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return refuse(
                "attention.head_count_kv",
                format!("{} does not divide {} heads", self.kv_heads, self.heads),
            );
        }
        if !self.head_dim.is_multiple_of(2) {
            return refuse(
                "attention.key_length",
                format!("{} is odd, rotary pairs need an even length", self.head_dim),
            );
        }
        if !(self.rope_base > 1.0 && self.rope_base < 1e12) {
            return refuse("rope.freq_base", format!("{} is not in 1..1e12", self.rope_base));
        }
        if !(self.norm_epsilon > 0.0 && self.norm_epsilon < 1.0) {
            return refuse("attention.layer_norm_rms_epsilon", format!("{} is not in 0..1", self.norm_epsilon));
        }
        Ok(())
    }
}
