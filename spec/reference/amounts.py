"""What the program of a LLaMA model amounts to (Spec: inference.llama): the logits by formulas, without a program.

For small models: the numbers are Python's integers. invented.py compares it with what inference.py gets."""

from math import isqrt

import numpy as np

import tables


def rd(a, k):
    return (a + (1 << (k - 1))) >> k


def norm(card, x):
    ss = card.epsilon + (x * x).sum(axis=-1)
    k = card.width * 4 ** (card.norm_fraction + card.norm_shift)
    inv = np.array([isqrt(k // s) for s in ss], dtype=object)
    return rd(x * inv[:, None], card.norm_shift)


def rotary(card, a):
    """a[t, .., h, e]"""
    turn = tables.rotary(len(a), card.pairs, card.rotary_base, card.rotary_fraction)
    cos, sin = (np.array(x, dtype=object).reshape([len(a)] + [1] * (a.ndim - 3) + [card.pairs]) for x in turn)
    x, y = a[..., 0, :], a[..., 1, :]
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-2)


def logits(card, model, tokens, prompt):
    """model: the model columns by name, as objects."""
    c, E = card, model["embedding"]
    exp = np.array(tables.Exp(c.gap_bits, c.score_fraction, c.exp_precision).outputs()[0], dtype=object)
    G = max(c.gate_bits, 1)
    silu = np.array(tables.Silu(G, c.gate_fraction, c.swish_fraction).outputs()[0], dtype=object)
    weight = c.norm_fraction + c.weight_fraction
    x = E[tokens]
    for l in range(c.layers):
        def linear(name, a, outer):
            out = np.einsum(a, [0, 9], model[name + ".weight"][l].reshape([*outer, -1]), [*range(1, 1 + len(outer)), 9])
            return out + model[name + ".bias"][l] if c.biases and name in ("query", "key", "value") else out

        a = norm(c, x)
        head, turned = [c.kv_heads, 2, c.pairs], weight + c.rotary_fraction
        q = rd(rotary(c, linear("query", a, [c.kv_heads, c.group, 2, c.pairs])), turned - c.query_fraction)
        k = rd(rotary(c, linear("key", a, head)), turned - c.query_fraction)
        w = rd(linear("value", a, head), weight - c.value_fraction)
        o = np.zeros_like(q)
        for t in range(len(tokens)):
            s = np.einsum("cghe,uche->cgu", q[t], k[:t + 1]) >> 2 * c.query_fraction + c.score_scale - c.score_fraction
            p = exp[(s.max(axis=-1, keepdims=True) - s).astype(int)]
            sigma = p.sum(axis=-1)[..., None, None]
            mix = np.einsum("cgu,uche->cghe", p, w[:t + 1])
            o[t] = ((mix << c.attention_fraction - c.value_fraction + 1) + sigma) // (2 * sigma)
        out = linear("attention_out", o.reshape(len(tokens), -1), [c.width])
        x = x + rd(out, c.attention_fraction + c.weight_fraction - c.residual_fraction)
        b = norm(c, x)
        gate = rd(linear("gate", b, [c.hidden]), weight - c.gate_fraction)
        up = rd(linear("up", b, [c.hidden]), weight - c.up_fraction)
        swish = silu[(gate + (1 << (G - 1))).astype(int)]
        hidden = rd(swish * up, c.swish_fraction + c.up_fraction - c.hidden_fraction)
        x = x + rd(linear("down", hidden, [c.width]), c.hidden_fraction + c.weight_fraction - c.residual_fraction)
    last = norm(c, x[prompt - 1:len(tokens) - 1])
    if c.tied:
        return rd(last * model["final_gain"], c.weight_fraction) @ E.T
    return last @ model["head"].T
