"""The program of a LLaMA model (program-llama.md), statement by statement."""

import rules
from program import All, Axis, Before, Below, List, Operand, Pick, Program, Rotary, no_wrap, read
from refuse import require
from tables import Exp, Silu


def shift(start, to):
    require(start >= to, "bad-card")
    require(start - to <= 100, "could-wrap")
    return start - to


def build(card, tokens, prompt):
    """Spec: program.start, program.llama"""
    return _Llama(card, tokens, prompt).program


class _Llama:
    def __init__(self, card, tokens, prompt):
        self.card = card
        self.program = Program(card.digit_bits)
        self.start(tokens, prompt)
        self.layers()
        self.head()
        self.program.finish()

    def start(self, tokens, prompt):
        """Spec: program.llama.start"""
        card, n = self.card, len(tokens)
        require(n * card.pairs <= 1 << 22, "over-limit")
        require(card.rotary_fraction <= 30 and card.epsilon != 0, "bad-card")
        self.l, self.t, self.u = Axis("layer", card.layers), Axis("token", n), Axis("earlier", n)
        self.p = Axis("output", n - prompt)
        self.c, self.g = Axis("kv_head", card.kv_heads), Axis("group", card.group)
        self.h, self.e = Axis("half", 2), Axis("pair", card.pairs)
        self.j, self.f, self.v = Axis("width", card.width), Axis("hidden", card.hidden), Axis("vocabulary", card.vocabulary)
        self.tokens = List(tokens)
        self.positions = List([prompt - 1 + i for i in range(n - prompt)])
        self.before = List(tokens[prompt - 1:n - 1])
        self.outputs = List(tokens[prompt:])
        self.program.layer = self.l
        self.embedding = self.program.model("embedding", [self.v, self.j])

    def layers(self):
        """Spec: program.llama.layers"""
        card, q = self.card, self.program
        l, t, c, g, h, e, j, f = self.l, self.t, self.c, self.g, self.h, self.e, self.j, self.f

        embedded = read(self.embedding, Pick(t, self.tokens), j)
        q.signed("embedding", [t, j], embedded, card.embedding_bits)
        A = self.attention_out = q.declare("attention_out", [l, t, j])
        W = self.down = q.declare("down", [l, t, j])

        x = embedded + read(A, Before(l), t, j) + read(W, Before(l), t, j)
        a = self.norm("attention_norm", x, [l, t, j])
        query = self.rotated("query", a, [c, g, h, e])
        key = self.rotated("key", a, [c, h, e])
        s, axes = self.biased("value", a, [c, h, e])
        value = q.round("value", axes, s, shift(card.norm_fraction + card.weight_fraction, card.value_fraction),
                        card.value_bits)
        o = self.attention(query, key, value)
        m, axes = self.project("attention_out", o, [j], [c, g, h, e])
        q.round_into(A, read(m, *axes),
                     shift(card.attention_fraction + card.weight_fraction, card.residual_fraction), card.projection_bits)

        x2 = x + read(A, l, t, j)
        b = self.norm("feed_forward_norm", x2, [l, t, j])
        m, axes = self.project("gate", b, [f], [j])
        gate = q.rounded("gate", axes, read(m, *axes),
                         shift(card.norm_fraction + card.weight_fraction, card.gate_fraction), card.gate_bits)
        G = max(card.gate_bits, 1)
        S = q.table(Silu(G, card.gate_fraction, card.swish_fraction))
        row = read(gate, *axes) + (1 << (G - 1))
        swish = q.witness("swish", axes, rules.Output(S, row, 0))
        q.lookup("swish", axes, False, S, [row, read(swish, *axes)])
        m, axes = self.project("up", b, [f], [j])
        up = q.round("up", axes, read(m, *axes),
                     shift(card.norm_fraction + card.weight_fraction, card.up_fraction), card.up_bits)
        m = q.product(axes, Operand(axes, read(swish, *axes)), "einsum", Operand(axes, read(up, *axes)))
        hidden = q.round("hidden", axes, read(m, *axes),
                         shift(card.swish_fraction + card.up_fraction, card.hidden_fraction), card.hidden_bits)
        m, axes = self.project("down", hidden, [j], [f])
        q.round_into(W, read(m, *axes),
                     shift(card.hidden_fraction + card.weight_fraction, card.residual_fraction), card.down_bits)

    # Spec: program.llama.project

    def project(self, name, x, outer, inner):
        q, l, t = self.program, self.l, self.t
        M = q.model(name + ".weight", [l, *outer, *inner])
        m = q.product([l, t, *outer],
                      Operand([l, t, *inner], read(x, l, t, *inner)), "einsum",
                      Operand([l, *outer, *inner], read(M, l, *outer, *inner)))
        return m, [l, t, *outer]

    def biased(self, name, x, outer):
        m, axes = self.project(name, x, outer, [self.j])
        total = read(m, *axes)
        if self.card.biases:
            B = self.program.model(name + ".bias", [self.l, *outer])
            total = total + read(B, self.l, *outer)
        return total, axes

    def rotated(self, name, x, outer):
        card, q = self.card, self.program
        total, axes = self.biased(name, x, outer)
        m = q.product(axes, Operand(axes, total), Rotary(self.t, self.h, self.e, card.rotary_base, card.rotary_fraction))
        return q.round(name, axes, read(m, *axes),
                       shift(card.norm_fraction + card.weight_fraction + card.rotary_fraction, card.query_fraction),
                       card.query_bits)

    def norm(self, name, x, axes):
        """Spec: program.norm"""
        card, q = self.card, self.program
        rows = axes[:-1]
        n = 2 * (card.norm_fraction + card.norm_shift)
        require(n <= 100, "could-wrap")
        K = card.width << n
        X = max(card.embedding_bits, card.projection_bits, card.down_bits) + (card.layers.bit_length() - 1) + 3
        no_wrap(2 * card.inverse_bits + max(2 * X + (card.width.bit_length() - 1) + 2, 66))
        m1 = q.product(rows, Operand(axes, x), "einsum", Operand(axes, x))
        ss = q.exact(name + ".sum_of_squares", rows, read(m1, *rows) + card.epsilon)
        inv = q.witness(name + ".inverse", rows, rules.InverseSqrt(K, read(ss, *rows)))
        q.unsigned(inv.name + ".range", rows, read(inv, *rows), card.inverse_bits)
        m2 = q.product(rows, Operand(rows, read(inv, *rows)), "einsum", Operand(rows, read(ss, *rows)))
        M = q.exact(name + ".inverse_times_sum", rows, read(m2, *rows))
        m3 = q.product(rows, Operand(rows, read(inv, *rows)), "einsum", Operand(rows, read(M, *rows)))
        r1 = -1 * read(m3, *rows) + K
        r2 = 2 * read(M, *rows) + read(ss, *rows) - 1 - r1
        q.unsigned(name + ".below", rows, r1, card.norm_width)
        q.unsigned(name + ".above", rows, r2, card.norm_width)
        m4 = q.product(axes, Operand(axes, x), "einsum", Operand(rows, read(inv, *rows)))
        return q.round(name, axes, read(m4, *axes), card.norm_shift, card.norm_bits)

    def attention(self, query, key, value):
        """Spec: program.attention"""
        card, q = self.card, self.program
        l, t, u, c, g, h, e = self.l, self.t, self.u, self.c, self.g, self.h, self.e
        pair, row, out = [l, c, g, t, u], [l, c, g, t], [l, t, c, g, h, e]
        S = q.product(pair, Operand(out, read(query, *out)), "scores",
                      Operand([l, u, c, h, e], read(key, l, u, c, h, e)))
        n = shift(2 * card.query_fraction + card.score_scale, card.score_fraction)
        require(n != 0, "bad-card")
        no_wrap(2 * card.query_bits + h.bits + e.bits + 1)
        no_wrap(n + max(card.top_bits, card.gap_bits) + 2)
        top = q.witness("top", row, rules.RowMax(read(S, *pair), u, n))
        q.signed("top", row, read(top, *row), card.top_bits)
        gap = q.witness("gap", pair, rules.Gap(top, read(S, *pair), n), True)
        below_top = read(S, *pair) - (1 << n) * read(top, *row) + (1 << n) * read(gap, *pair)
        q.unsigned("scores.remainder", pair, below_top, n, True)
        X = q.table(Exp(card.gap_bits, card.score_fraction, card.exp_precision))
        exp = q.witness("exp", pair, rules.Output(X, read(gap, *pair), 0), True)
        is_top = q.witness("is_top", pair, rules.Output(X, read(gap, *pair), 1), True)
        q.lookup("exp", pair, True, X, [read(gap, *pair), read(exp, *pair), read(is_top, *pair)])
        b = t.bits
        q.unsigned("top.reached", row, read(is_top, l, c, g, t, All()) - 1, max(b, 1))

        mix = q.product(out, Operand(pair, read(exp, *pair)), "einsum",
                        Operand([l, u, c, h, e], read(value, l, u, c, h, e)))
        raised = shift(card.attention_fraction, card.value_fraction)
        sigma = read(exp, l, c, g, t, All())
        o = q.witness("attention", out, rules.Divide((1 << raised) * read(mix, *out), sigma))
        q.signed("attention", out, read(o, *out), card.attention_bits)
        sc = q.product(out, Operand(out, read(o, *out)), "einsum", Operand(row, sigma))
        wide = b + card.exp_precision + 2
        no_wrap(wide + raised + max(card.value_bits, card.attention_bits) + 2)
        r = (2 << raised) * read(mix, *out) + sigma - 2 * read(sc, *out)
        r2 = 2 * sigma - 1 - r
        q.unsigned("attention.remainder", out, r, wide)
        q.unsigned("attention.rest", out, r2, wide)
        return o

    def head(self):
        """Spec: program.llama.head"""
        card, q, p, j, v = self.card, self.program, self.p, self.j, self.v
        E = self.embedding
        x = (read(E, Pick(p, self.before), j)
             + read(self.attention_out, All(), Pick(p, self.positions), j)
             + read(self.down, All(), Pick(p, self.positions), j))
        a = self.norm("final_norm", x, [p, j])
        if card.tied:
            N = q.model("final_gain", [j])
            m = q.product([p, j], Operand([p, j], read(a, p, j)), "einsum", Operand([j], read(N, j)))
            a = q.round("final", [p, j], read(m, p, j), card.weight_fraction, card.norm_bits)
            H = E
        else:
            H = q.model("head", [v, j])
        logits = q.logits = q.product([p, v], Operand([p, j], read(a, p, j)), "einsum", Operand([v, j], read(H, v, j)))
        top = q.product([p], Operand([p, j], read(a, p, j)), "einsum",
                        Operand([p, j], read(H, Pick(p, self.outputs), j)))
        no_wrap(card.logit_width + 1)
        margin = read(top, p) - read(logits, p, v) - read(Below(self.outputs), p, v)
        q.unsigned("margin", [p, v], margin, card.logit_width)
