"""Decides how the tiny test model is made: a LLaMA-shaped network of about a million weights, trained on the King James Bible.

Writes one GGUF file (weights F16, norms F32) with its own byte-level BPE vocabulary. Width, heads, head dimension, hidden and
vocabulary are not powers of two, so that padding is exercised. Weights are trained in the "half" rotary layout and stored, as GGUF does for `llama`,
with the rows of a rotary pair next to each other.
"""

import argparse
import json
import re
import time

import gguf
import jax
import jax.numpy as jnp
import numpy as np
import tokenizers

LAYERS, WIDTH, HEADS, KV_HEADS, HEAD_DIM, HIDDEN, VOCABULARY, CONTEXT = 4, 144, 6, 2, 24, 384, 1000, 256
ROPE_BASE, EPSILON = 10000.0, 1e-5
END = "<|endoftext|>"
MATRICES = ("q", "k", "v", "o", "gate", "up", "down")


def chapters(path):
    """The text as a list of chapters, one verse a line, without numbers and headings."""
    found, verses = [], []
    for line in open(path, encoding="ascii"):
        verse = re.match(r"\s+\d+ (.*\S)", line)
        if verse:
            verses.append(verse.group(1))
        elif re.match(r"[A-Z0-9].*\d+\s*$", line) and verses:
            found.append("\n".join(verses) + "\n")
            verses = []
    return found + ["\n".join(verses) + "\n"]


def train_tokenizer(texts):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    assert tokenizer.get_vocab_size() == VOCABULARY
    return tokenizer


def initial(key):
    def normal(*shape):
        nonlocal key
        key, part = jax.random.split(key)
        return jax.random.normal(part, shape) * shape[-1] ** -0.5

    block = lambda: {
        "attention_norm": jnp.ones(WIDTH),
        "q": normal(HEADS * HEAD_DIM, WIDTH),
        "k": normal(KV_HEADS * HEAD_DIM, WIDTH),
        "v": normal(KV_HEADS * HEAD_DIM, WIDTH),
        "o": normal(WIDTH, HEADS * HEAD_DIM) / 3,
        "feed_forward_norm": jnp.ones(WIDTH),
        "gate": normal(HIDDEN, WIDTH),
        "up": normal(HIDDEN, WIDTH),
        "down": normal(WIDTH, HIDDEN) / 3,
    }
    return {"embedding": normal(VOCABULARY, WIDTH), "final_norm": jnp.ones(WIDTH), "blocks": [block() for _ in range(LAYERS)]}


def rms_norm(x, gain):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + EPSILON) * gain


def rotate(x):
    """x: [batch, token, head, head_dim]; element i turns with element i + head_dim / 2."""
    half = HEAD_DIM // 2
    angle = jnp.arange(x.shape[1])[:, None] * ROPE_BASE ** (-jnp.arange(half) / half)
    cos, sin = jnp.cos(angle)[:, None, :], jnp.sin(angle)[:, None, :]
    low, high = x[..., :half], x[..., half:]
    return jnp.concatenate([low * cos - high * sin, high * cos + low * sin], -1)


def logits(weights, tokens):
    """tokens [batch, token] -> logits [batch, token, vocabulary]."""
    batch, length = tokens.shape
    x = weights["embedding"][tokens]
    causal = jnp.tril(jnp.ones((length, length), bool))
    for block in weights["blocks"]:
        a = rms_norm(x, block["attention_norm"])
        q = rotate((a @ block["q"].T).reshape(batch, length, HEADS, HEAD_DIM))
        k = rotate((a @ block["k"].T).reshape(batch, length, KV_HEADS, HEAD_DIM))
        v = (a @ block["v"].T).reshape(batch, length, KV_HEADS, HEAD_DIM)
        q = q.reshape(batch, length, KV_HEADS, HEADS // KV_HEADS, HEAD_DIM)
        scores = jnp.einsum("btkge,buke->bkgtu", q, k) * HEAD_DIM**-0.5
        p = jax.nn.softmax(jnp.where(causal, scores, -jnp.inf))
        o = jnp.einsum("bkgtu,buke->btkge", p, v).reshape(batch, length, HEADS * HEAD_DIM)
        x = x + o @ block["o"].T
        a = rms_norm(x, block["feed_forward_norm"])
        x = x + (jax.nn.silu(a @ block["gate"].T) * (a @ block["up"].T)) @ block["down"].T
    return rms_norm(x, weights["final_norm"]) @ weights["embedding"].T


def loss(weights, tokens):
    """Mean negative log-likelihood in nats a token."""
    chosen = jax.nn.log_softmax(logits(weights, tokens[:, :-1]))
    return -jnp.mean(jnp.take_along_axis(chosen, tokens[:, 1:, None], -1))


def orthogonal(m):
    """Newton-Schulz: nearly the orthogonal factor of m (Muon, Jordan et al. 2024)."""
    wide = m if m.shape[0] <= m.shape[1] else m.T
    x = wide / (jnp.linalg.norm(wide) + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x if m.shape[0] <= m.shape[1] else x.T


def is_matrix(path):
    return getattr(path[-1], "key", None) in MATRICES


@jax.jit
def step(weights, first, second, count, tokens, rate):
    """One step: Muon for the projections, Adam for embedding and norms. `rate` falls from 1 to 0."""
    value, gradient = jax.value_and_grad(loss)(weights, tokens)

    def update(path, w, m, s, g):
        if is_matrix(path):
            m = 0.95 * m + g
            turned = orthogonal(g + 0.95 * m) * max(1.0, w.shape[0] / w.shape[1]) ** 0.5
            return (1 - 0.002 * rate) * w - 0.02 * rate * turned, m, s
        m, s = 0.9 * m + 0.1 * g, 0.98 * s + 0.02 * g * g
        return w - 0.004 * rate * (m / (1 - 0.9**count)) / (jnp.sqrt(s / (1 - 0.98**count)) + 1e-9), m, s

    parts = jax.tree_util.tree_map_with_path(update, weights, first, second, gradient)
    pick = lambda i: jax.tree_util.tree_map(lambda p: p[i], parts, is_leaf=lambda p: isinstance(p, tuple))
    return pick(0), pick(1), pick(2), value


def train(weights, tokens, held_out, seconds, rng, batch=16, length=192):
    """Trains until `seconds` have passed, the rate falling with the clock."""
    zeros = jax.tree_util.tree_map(jnp.zeros_like, weights)
    first, second, count, start = zeros, zeros, 0, time.time()
    measure = jax.jit(loss)
    while (progress := (time.time() - start) / seconds) < 1:
        count += 1
        starts = rng.integers(0, len(tokens) - length - 1, batch)
        rate = min(1.0, count / 20) * min(1.0, (1 - progress) / 0.6)
        sample = jnp.array(np.stack([tokens[s : s + length + 1] for s in starts]))
        weights, first, second, value = step(weights, first, second, jnp.float32(count), sample, jnp.float32(rate))
        if count % 50 == 0:
            print(f"step {count} {time.time() - start:.0f} s: loss {value:.3f}, held out {measure(weights, held_out):.3f}", flush=True)
    print(f"end: {count} steps, {count * batch * length} tokens, held out {measure(weights, held_out):.4f} nats a token", flush=True)
    return weights


def adjacent_pairs(rows, heads):
    """Rows of one rotary pair from i, i + head_dim / 2 to 2i, 2i + 1."""
    return rows.reshape(heads, 2, HEAD_DIM // 2, -1).swapaxes(1, 2).reshape(rows.shape)


def write(path, weights, tokenizer):
    out = gguf.GGUFWriter(path, "llama")
    out.add_name("tiny-kjv")
    out.add_license("CC0-1.0")
    out.add_description("LLaMA-shaped test model trained on the King James Bible; see tests/models/README.md")
    out.add_block_count(LAYERS)
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_feed_forward_length(HIDDEN)
    out.add_head_count(HEADS)
    out.add_head_count_kv(KV_HEADS)
    out.add_rope_dimension_count(HEAD_DIM)
    out.add_rope_freq_base(ROPE_BASE)
    out.add_layer_norm_rms_eps(EPSILON)
    out.add_vocab_size(VOCABULARY)
    out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    description = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(description["vocab"], key=description["vocab"].get)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(tokens)
    out.add_token_types([gguf.TokenType.CONTROL if t == END else gguf.TokenType.NORMAL for t in tokens])
    out.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in description["merges"]])
    out.add_bos_token_id(0)
    out.add_eos_token_id(0)
    out.add_add_bos_token(True)

    def tensor(name, values, kind):
        out.add_tensor(name + ".weight", np.ascontiguousarray(np.asarray(values, dtype=kind)))

    tensor("token_embd", weights["embedding"], np.float16)
    tensor("output_norm", weights["final_norm"], np.float32)
    for n, block in enumerate(weights["blocks"]):
        tensor(f"blk.{n}.attn_norm", block["attention_norm"], np.float32)
        tensor(f"blk.{n}.attn_q", adjacent_pairs(block["q"], HEADS), np.float16)
        tensor(f"blk.{n}.attn_k", adjacent_pairs(block["k"], KV_HEADS), np.float16)
        tensor(f"blk.{n}.attn_v", block["v"], np.float16)
        tensor(f"blk.{n}.attn_output", block["o"], np.float16)
        tensor(f"blk.{n}.ffn_norm", block["feed_forward_norm"], np.float32)
        for name in ("gate", "up", "down"):
            tensor(f"blk.{n}.ffn_{name}", block[name], np.float16)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def sample(weights, tokenizer, prompt, count):
    """Greedy continuation, without a cache: slow and plain."""
    tokens = [0] + tokenizer.encode(prompt).ids
    run = jax.jit(logits)
    for _ in range(count):
        padded = jnp.array(tokens + [0] * (128 - len(tokens)))[None]
        tokens.append(int(run(weights, padded)[0, len(tokens) - 1].argmax()))
        if tokens[-1] == 0:
            break
    return tokenizer.decode(tokens)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--text", required=True)
    options.add_argument("--out", required=True)
    options.add_argument("--seconds", type=float, default=840)
    options = options.parse_args()
    texts = chapters(options.text)
    tokenizer = train_tokenizer(texts)
    coded = [[0] + tokenizer.encode(text).ids for text in texts]
    train_part = np.array([t for i, c in enumerate(coded) if i % 20 != 7 for t in c], np.int32)
    held_out = np.array([t for i, c in enumerate(coded) if i % 20 == 7 for t in c], np.int32)
    held_out = jnp.array(held_out[: 24 * 193].reshape(24, 193))
    print(f"{len(texts)} chapters, {len(train_part)} tokens to train on", flush=True)
    weights = initial(jax.random.PRNGKey(1))
    print(sum(w.size for w in jax.tree_util.tree_leaves(weights)), "weights", flush=True)
    weights = train(weights, train_part, held_out, options.seconds, np.random.default_rng(1))
    weights = jax.tree_util.tree_map(lambda w: jnp.float32(jnp.float16(w)), weights)
    for prompt in ("In the beginning", "And the LORD said unto", "Blessed are"):
        print(repr(sample(weights, tokenizer, prompt, 60)), flush=True)
    write(options.out, weights, tokenizer)


main()
