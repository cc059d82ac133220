//! Decides what a LLaMA model computes: RMSNorm, rotary embedding, grouped-query attention, SwiGLU. Spec: program.llama.

use super::builder::{no_wrap, power};
use super::*;
use alloc::format;
use alloc::vec;

use Index::{All, At, Before, Pick};
use Source::{Column, Product};

/// The program of `statement` about the model of `card`.
pub fn program(card: &Card, statement: &Statement) -> Result<Program, Refusal> {
    if statement.tokens().len().saturating_mul(card.pairs as usize) > limits::ROTARY {
        return Err(Refusal::OverLimit);
    }
    if card.precision.rotary_fraction > limits::ROTARY_FRACTION || card.epsilon == 0 {
        return Err(Refusal::BadCard);
    }
    let mut llama = Llama::new(card, statement);
    llama.layers()?;
    llama.head()?;
    llama.builder.finish()
}

/// Axes and columns that several parts share.
struct Llama<'a> {
    card: &'a Card,
    builder: Builder,
    /// Layer, token, earlier token.
    l: AxisId,
    t: AxisId,
    u: AxisId,
    /// Output token.
    p: AxisId,
    /// Key-value head, query head of it, half and pair of a head.
    c: AxisId,
    g: AxisId,
    h: AxisId,
    e: AxisId,
    /// Residual width, feed-forward width, vocabulary.
    j: AxisId,
    f: AxisId,
    v: AxisId,
    /// Token of every position; position and token before every output; token of every output.
    tokens: ListId,
    positions: ListId,
    before: ListId,
    outputs: ListId,
    embedding: ColumnId,
    /// Attention and feed-forward outputs, the terms of the residual stream; columns over `(l, t, j)`.
    branches: Vec<ColumnId>,
}

impl<'a> Llama<'a> {
    fn new(card: &'a Card, statement: &Statement) -> Self {
        let mut builder = Builder::new(card.precision.digit_bits);
        let (tokens, prompt) = (statement.tokens(), statement.prompt_length());
        let list = |tokens: &[u32]| tokens.iter().map(|&token| token as usize).collect::<Vec<_>>();
        let outputs = tokens.len() - prompt;
        let l = builder.axis("layer", card.layers as usize);
        let t = builder.axis("token", tokens.len());
        let u = builder.axis("earlier", tokens.len());
        let p = builder.axis("output", outputs);
        let c = builder.axis("kv_head", card.kv_heads as usize);
        let g = builder.axis("group", card.group as usize);
        let h = builder.axis("half", 2);
        let e = builder.axis("pair", card.pairs as usize);
        let j = builder.axis("width", card.width as usize);
        let f = builder.axis("hidden", card.hidden as usize);
        let v = builder.axis("vocabulary", card.vocabulary as usize);
        let embedding = builder.model("embedding", &[v, j]);
        Self {
            tokens: builder.list(list(tokens)),
            positions: builder.list((prompt - 1..tokens.len() - 1).collect()),
            before: builder.list(list(&tokens[prompt - 1..tokens.len() - 1])),
            outputs: builder.list(list(&tokens[prompt..])),
            card,
            builder,
            l,
            t,
            u,
            p,
            c,
            g,
            h,
            e,
            j,
            f,
            v,
            embedding,
            branches: Vec::new(),
        }
    }

    /// The residual stream before layer `l`: embedding and the branches of the layers below; with `inner` the
    /// attention's branch of the layer itself too.
    fn residual(&self, inner: Option<ColumnId>) -> Operand {
        let Self { l, t, j, .. } = *self;
        let mut sum = Sum::term(1, Column(self.embedding), &[Pick(t, self.tokens), At(j)]);
        for &branch in &self.branches {
            sum = sum.plus(Sum::term(1, Column(branch), &[Before(l), At(t), At(j)]));
        }
        if let Some(branch) = inner {
            sum = sum.plus(Sum::of(1, branch, &[l, t, j]));
        }
        sum.over(&[l, t, j])
    }

    /// RMSNorm of `x` over its last axis: `ss = epsilon + sum x^2`, `inverse = floor(sqrt(K / ss))`,
    /// `y = round(x * inverse / 2^norm_shift)` with `K = width * 4^(norm_fraction + norm_shift)`.
    /// `r1 = K - inverse * M >= 0` and `r2 = 2 * M + ss - 1 - r1 >= 0` for `M = inverse * ss` leave one inverse.
    fn norm(&mut self, name: &str, x: Operand) -> Result<ColumnId, Refusal> {
        let precision = self.card.precision;
        let axes = x.axes.clone();
        let rows = &axes[..axes.len() - 1];
        let scale = 2 * (precision.norm_fraction + precision.norm_shift);
        if scale > 100 {
            return Err(Refusal::CouldWrap);
        }
        let constant = i128::from(self.card.width) << scale;
        let x_bits = precision.embedding_bits.max(precision.projection_bits).max(precision.down_bits)
            + self.card.layers.ilog2()
            + 3;
        no_wrap(2 * precision.inverse_bits + (2 * x_bits + self.card.width.ilog2() + 2).max(66))?;
        let square = self.builder.einsum(&format!("{name}.square"), rows, x.clone(), x.clone());
        let ss = Sum::product(1, square, rows).plus(Sum::constant(i128::from(self.card.epsilon)));
        let ss = self.builder.exact(&format!("{name}.sum_of_squares"), rows, ss);
        let inverse =
            self.builder.witness(&format!("{name}.inverse"), rows, false, Rule::InverseSqrt { constant, of: ss });
        self.builder.unsigned(
            &format!("{name}.inverse.range"),
            rows,
            false,
            Sum::of(1, inverse, rows),
            precision.inverse_bits,
        )?;
        let both = |id| Sum::of(1, id, rows).over(rows);
        let m = self.builder.einsum(&format!("{name}.m"), rows, both(inverse), both(ss));
        let m = self.builder.exact(&format!("{name}.inverse_times_sum"), rows, Sum::product(1, m, rows));
        let k = self.builder.einsum(&format!("{name}.k"), rows, both(inverse), both(m));
        let r1 = Sum::constant(constant).plus(Sum::product(-1, k, rows));
        let r2 = Sum::of(2, m, rows).plus(Sum::of(1, ss, rows)).plus(Sum::constant(-1)).plus(r1.clone().times(-1));
        self.builder.unsigned(&format!("{name}.below"), rows, false, r1, precision.norm_width)?;
        self.builder.unsigned(&format!("{name}.above"), rows, false, r2, precision.norm_width)?;
        let scaled = self.builder.einsum(&format!("{name}.scaled"), &axes, x, both(inverse));
        self.builder.round(name, &axes, Sum::product(1, scaled, &axes), precision.norm_shift, precision.norm_bits)
    }

    /// `sum over inner of x * weight`, for a new column of the model `weight` over `(l, outer.., inner..)`.
    fn project(&mut self, name: &str, x: ColumnId, outer: &[AxisId], inner: &[AxisId]) -> (ProductId, Vec<AxisId>) {
        let axes = |middle: &[AxisId], last: &[AxisId]| [&[self.l], middle, last].concat();
        let (of_x, of_weight, of_result) = (axes(&[self.t], inner), axes(outer, inner), axes(&[self.t], outer));
        let weight = self.builder.model(&format!("{name}.weight"), &of_weight);
        let x = Sum::of(1, x, &of_x).over(&of_x);
        let weight = Sum::of(1, weight, &of_weight).over(&of_weight);
        (self.builder.einsum(&format!("{name}.product"), &of_result, x, weight), of_result)
    }

    /// A projection of the normalised residual with its bias, where the card has biases.
    fn biased(&mut self, name: &str, x: ColumnId, outer: &[AxisId]) -> (Sum, Vec<AxisId>) {
        let (product, axes) = self.project(name, x, outer, &[self.j]);
        let mut sum = Sum::product(1, product, &axes);
        if self.card.biases {
            let of_bias = [&[self.l], outer].concat();
            let bias = self.builder.model(&format!("{name}.bias"), &of_bias);
            sum = sum.plus(Sum::of(1, bias, &of_bias));
        }
        (sum, axes)
    }

    /// Queries or keys: projection, rotary embedding, one rounding.
    fn rotated(&mut self, name: &str, x: ColumnId, outer: &[AxisId]) -> Result<ColumnId, Refusal> {
        let p = self.card.precision;
        let (sum, axes) = self.biased(name, x, outer);
        let (base, fraction) = (self.card.rotary_base, p.rotary_fraction);
        let rotary = Rotary { time: self.t, half: self.h, pair: self.e, base, fraction };
        let rotated =
            self.builder.product(&format!("{name}.rotary"), &axes, sum.over(&axes), ProductKind::Rotary(rotary));
        let shift = shift(p.norm_fraction + p.weight_fraction + p.rotary_fraction, p.query_fraction)?;
        self.builder.round(name, &axes, Sum::product(1, rotated, &axes), shift, p.query_bits)
    }

    fn layers(&mut self) -> Result<(), Refusal> {
        let Self { l, t, j, f, c, g, h, e, .. } = *self;
        let p = self.card.precision;
        let x = Sum::term(1, Column(self.embedding), &[Pick(t, self.tokens), At(j)]);
        self.builder.signed("embedding", &[t, j], false, x, p.embedding_bits)?;

        // The branches are declared before what feeds them: a layer reads those of the layers below.
        let (attention_out, down) =
            (self.builder.declare("attention_out", &[l, t, j]), self.builder.declare("down", &[l, t, j]));
        self.branches = vec![attention_out, down];

        let a = self.norm("attention_norm", self.residual(None))?;
        let query = self.rotated("query", a, &[c, g, h, e])?;
        let key = self.rotated("key", a, &[c, h, e])?;
        let (value, of_value) = self.biased("value", a, &[c, h, e]);
        let value = self.builder.round(
            "value",
            &of_value,
            value,
            shift(p.norm_fraction + p.weight_fraction, p.value_fraction)?,
            p.value_bits,
        )?;
        let attention = self.attention(query, key, value)?;
        let (product, axes) = self.project("attention_out", attention, &[j], &[c, g, h, e]);
        let out_shift = shift(p.attention_fraction + p.weight_fraction, p.residual_fraction)?;
        self.builder.round_into(attention_out, Sum::product(1, product, &axes), out_shift, p.projection_bits)?;

        let b = self.norm("feed_forward_norm", self.residual(Some(attention_out)))?;
        let in_fraction = p.norm_fraction + p.weight_fraction;
        let (product, axes) = self.project("gate", b, &[f], &[j]);
        let gate = self.builder.rounded(
            "gate",
            &axes,
            Sum::product(1, product, &axes),
            shift(in_fraction, p.gate_fraction)?,
            p.gate_bits,
        )?;
        let silu = Table::Silu { bits: p.gate_bits.max(1), fraction: p.gate_fraction, out: p.swish_fraction };
        let silu = self.builder.table(silu);
        let row = Sum::of(1, gate, &axes).plus(Sum::constant(power(p.gate_bits.max(1) - 1)));
        let swish =
            self.builder.witness("swish", &axes, false, Rule::Output { table: silu, of: row.clone(), output: 0 });
        self.builder.lookup("swish", &axes, false, silu, vec![row, Sum::of(1, swish, &axes)]);
        let (product, axes) = self.project("up", b, &[f], &[j]);
        let up = self.builder.round(
            "up",
            &axes,
            Sum::product(1, product, &axes),
            shift(in_fraction, p.up_fraction)?,
            p.up_bits,
        )?;
        let operand = |id| Sum::of(1, id, &axes).over(&axes);
        let product = self.builder.einsum("hidden.product", &axes, operand(swish), operand(up));
        let hidden_shift = shift(p.swish_fraction + p.up_fraction, p.hidden_fraction)?;
        let hidden =
            self.builder.round("hidden", &axes, Sum::product(1, product, &axes), hidden_shift, p.hidden_bits)?;
        let (product, axes) = self.project("down", hidden, &[j], &[f]);
        let down_shift = shift(p.hidden_fraction + p.weight_fraction, p.residual_fraction)?;
        self.builder.round_into(down, Sum::product(1, product, &axes), down_shift, p.down_bits)
    }

    /// zkAttn: for `u <= t`, `d = zeta - floor(S / 2^k)`, `p = exp(-d)`, `z = [d = 0]`; `sum_u z >= 1` makes `zeta` the
    /// row maximum; `o = round(sum_u p v / sum_u p)` by both ends of its remainder. Spec: program.attention.
    fn attention(&mut self, query: ColumnId, key: ColumnId, value: ColumnId) -> Result<ColumnId, Refusal> {
        let Self { l, t, u, c, g, h, e, .. } = *self;
        let p = self.card.precision;
        let pair = [l, c, g, t, u];
        let row = [l, c, g, t];
        let builder = &mut self.builder;

        let of_query = [l, t, c, g, h, e];
        let of_key = [l, u, c, h, e];
        let scores = builder.product(
            "scores",
            &pair,
            Sum::of(1, query, &of_query).over(&of_query),
            ProductKind::Scores(Sum::of(1, key, &of_key).over(&of_key)),
        );
        let k = shift(2 * p.query_fraction + p.score_scale, p.score_fraction)?;
        if k == 0 {
            return Err(Refusal::BadCard);
        }
        no_wrap(2 * p.query_bits + builder.bits(&[h, e]) + 1)?;
        no_wrap(k + p.top_bits.max(p.gap_bits) + 2)?;
        let score = Sum::product(1, scores, &pair);
        let top = builder.witness("top", &row, false, Rule::RowMax { of: score.clone(), over: u, shift: k });
        builder.signed("top", &row, false, Sum::of(1, top, &row), p.top_bits)?;
        let gap = builder.witness("gap", &pair, true, Rule::Gap { top, of: score.clone(), shift: k });
        let remainder = score.plus(Sum::of(-power(k), top, &row)).plus(Sum::of(power(k), gap, &pair));
        builder.unsigned("scores.remainder", &pair, true, remainder, k)?;
        let table =
            builder.table(Table::Exp { bits: p.gap_bits, fraction: p.score_fraction, precision: p.exp_precision });
        let of = Sum::of(1, gap, &pair);
        let exp = builder.witness("exp", &pair, true, Rule::Output { table, of: of.clone(), output: 0 });
        let is_top = builder.witness("is_top", &pair, true, Rule::Output { table, of: of.clone(), output: 1 });
        builder.lookup("exp", &pair, true, table, vec![of, Sum::of(1, exp, &pair), Sum::of(1, is_top, &pair)]);
        let over_u = [At(l), At(c), At(g), At(t), All];
        let tops = Sum::term(1, Column(is_top), &over_u).plus(Sum::constant(-1));
        let token_bits = builder.bits(&[t]);
        builder.unsigned("top.reached", &row, false, tops, token_bits.max(1))?;

        let out = [l, t, c, g, h, e];
        let mix = builder.einsum(
            "mix",
            &out,
            Sum::of(1, exp, &pair).over(&pair),
            Sum::of(1, value, &[l, u, c, h, e]).over(&[l, u, c, h, e]),
        );
        let raise = shift(p.attention_fraction, p.value_fraction)?;
        let sigma = Sum::term(1, Column(exp), &over_u);
        let numerator = Sum::product(power(raise), mix, &out);
        let attention = builder.witness(
            "attention",
            &out,
            false,
            Rule::Divide { numerator: numerator.clone(), denominator: sigma.clone() },
        );
        builder.signed("attention", &out, false, Sum::of(1, attention, &out), p.attention_bits)?;
        let scaled =
            builder.einsum("attention.scaled", &out, Sum::of(1, attention, &out).over(&out), sigma.clone().over(&row));
        let width = token_bits + p.exp_precision + 2;
        no_wrap(width + raise + p.value_bits.max(p.attention_bits) + 2)?;
        let remainder = numerator.times(2).plus(sigma.clone()).plus(Sum::product(-2, scaled, &out));
        let rest = sigma.times(2).plus(Sum::constant(-1)).plus(remainder.clone().times(-1));
        builder.unsigned("attention.remainder", &out, false, remainder, width)?;
        builder.unsigned("attention.rest", &out, false, rest, width)?;
        Ok(attention)
    }

    /// Final norm, output head and arg max: for every output `p` with token `y` and every `v`,
    /// `logit[p, y] - logit[p, v] - [v < y] >= 0`.
    fn head(&mut self) -> Result<(), Refusal> {
        let Self { p, j, v, .. } = *self;
        let mut x = Sum::term(1, Column(self.embedding), &[Pick(p, self.before), At(j)]);
        for &branch in &self.branches {
            x = x.plus(Sum::term(1, Column(branch), &[All, Pick(p, self.positions), At(j)]));
        }
        let precision = self.card.precision;
        let mut a = self.norm("final_norm", x.over(&[p, j]))?;
        let builder = &mut self.builder;
        let head = if self.card.tied {
            // The gain cannot be folded into the head: that would be a second embedding, equal to the first by nobody's proof.
            let gain = builder.model("final_gain", &[j]);
            let (left, right) = (Sum::of(1, a, &[p, j]).over(&[p, j]), Sum::of(1, gain, &[j]).over(&[j]));
            let scaled = builder.einsum("final.product", &[p, j], left, right);
            a = builder.round(
                "final",
                &[p, j],
                Sum::product(1, scaled, &[p, j]),
                precision.weight_fraction,
                precision.norm_bits,
            )?;
            self.embedding
        } else {
            builder.model("head", &[v, j])
        };
        let hidden = Sum::of(1, a, &[p, j]).over(&[p, j]);
        let logits = builder.einsum("logits", &[p, v], hidden.clone(), Sum::of(1, head, &[v, j]).over(&[v, j]));
        let row = Sum::term(1, Column(head), &[Pick(p, self.outputs), At(j)]).over(&[p, j]);
        let top = builder.einsum("top_logit", &[p], hidden, row);
        let margin = Sum::term(1, Product(top), &[At(p)]).plus(Sum::product(-1, logits, &[p, v])).plus(Sum::term(
            -1,
            Source::Below(self.outputs),
            &[At(p), At(v)],
        ));
        no_wrap(precision.logit_width + 1)?;
        builder.unsigned("margin", &[p, v], false, margin, precision.logit_width)
    }
}

/// The shift from `from` to `to` fractional bits.
fn shift(from: u32, to: u32) -> Result<u32, Refusal> {
    match from.checked_sub(to) {
        None => Err(Refusal::BadCard),
        Some(shift) if shift > 100 => Err(Refusal::CouldWrap),
        Some(shift) => Ok(shift),
    }
}
