"""Invents small models of all shapes, runs the inference on them, evaluates every lookup and zero by its definition,
and compares the logits with the formulas of inference.llama. Before that it compares exact.py with Python's integers.

    invented.py COUNT [SEED [FOLDER]]   models; they are left in FOLDER as cases (inference.cases) if it is given
"""

import json
import struct
import sys
import tempfile
from pathlib import Path
from random import Random

import numpy as np

import amounts
import exact
import infer
from card import PRECISION, SIZES
from definitions import Definitions


def sizes(r):
    return dict(layers=r.randint(1, 3), width=r.randint(1, 7), kv_heads=r.randint(1, 3), group=r.randint(1, 3),
                pairs=r.randint(1, 3), hidden=r.randint(1, 9), vocabulary=r.randint(1, 11), context=64)


def precision(r):
    """Wide enough for all numbers, fractions of any size, digits small enough that there are several."""
    p = dict.fromkeys(PRECISION, 0)
    for name in ("value", "attention", "gate", "swish", "up", "hidden", "residual", "query"):
        p[name + "_fraction"] = r.randint(3, 7)
    p["value_fraction"] = min(p["value_fraction"], p["attention_fraction"])
    p["hidden_fraction"] = min(p["hidden_fraction"], p["swish_fraction"] + p["up_fraction"] - 1)
    p.update(norm_fraction=r.randint(7, 9), weight_fraction=r.randint(7, 9), rotary_fraction=r.randint(4, 12),
             norm_shift=r.randint(8, 12), score_fraction=r.randint(1, 4), score_scale=r.randint(0, 2),
             exp_precision=r.randint(3, 15), digit_bits=r.randint(3, 13))
    for name in PRECISION[PRECISION.index("embedding_bits"):]:
        p[name] = r.randint(20, 24)
    p.update(norm_width=r.randint(60, 70), inverse_bits=r.randint(28, 32), logit_width=r.randint(34, 38),
             gap_bits=12, gate_bits=12)
    return p


def invent(folder, r):
    s, p = sizes(r), precision(r)
    tied, biases = r.randrange(2), r.randrange(2)
    name = b"invented"
    data = b"ZKLLMCRD" + struct.pack("<HBB", 1, 1, len(name)) + name
    data += b"".join(struct.pack("<I", s[field]) for field, _ in SIZES)
    data += struct.pack("<BBQQ", tied, biases, r.choice([0, 1, 10, 10000]), r.randint(1, 1000))
    data += bytes(p[field] for field in PRECISION) + bytes(32) + struct.pack("<BH", 16, 0)
    (folder / "model.card").write_bytes(data)
    length = r.randint(2, 9)
    tokens = [r.randrange(s["vocabulary"]) for _ in range(length)]
    statement = {"tokens": tokens, "prompt_len": r.randint(1, length - 1)}
    (folder / "tokens.json").write_text(json.dumps(statement))
    case = infer.Case(folder)
    rng = np.random.default_rng(r.getrandbits(32))
    with open(folder / "model.columns", "wb") as file:
        for column in case.program(tokens, 1).columns:
            if column.origin == "model":
                bound = 1 << p["residual_fraction" if column.name in ("embedding", "head") else "weight_fraction"]
                file.write(rng.integers(-bound, bound, [a.length for a in column.axes], dtype=np.int64).tobytes())
    return case, statement


def run(folder, r):
    case, statement = invent(folder, r)
    # The answer is part of the statement: first the tokens with the largest logits.
    tokens, prompt = statement["tokens"][:statement["prompt_len"]], statement["prompt_len"]
    while len(tokens) < len(statement["tokens"]):
        program, inference, logits = case.infer(tokens + [0], len(tokens), check=False)
        tokens += infer.arg_max(logits)
    case.tokens = tokens
    (folder / "tokens.json").write_text(json.dumps({"tokens": tokens, "prompt_len": prompt}))
    program, inference, logits = case.infer(tokens, prompt, check=True)
    assert infer.arg_max(logits) == tokens[prompt:]
    infer.write(case)
    faults = list(inference.failed.values()) + list(Definitions(program, inference.columns).faults())
    model = {c.name: inference.columns[c.number].astype(object) for c in program.columns if c.origin == "model"}
    if (logits != amounts.logits(case.card, model, tokens, prompt)).any():
        faults.append("the logits are not those of inference.llama")
    digits = sum(c.name.endswith(".high") for c in program.columns)
    print(f"{folder.name}: {len(program.columns)} columns, {digits} of digits, tokens {tokens}, faults {faults[:3]}")
    return faults


def compare_arithmetic(r, count):
    def array(shape, bits):
        numbers = [r.choice([r.randint(-1 << bits, 1 << bits), 1 << bits, -1 << bits]) for _ in range(np.prod(shape))]
        return np.array(numbers, dtype=object).reshape(shape)

    def same(operation, *operands):
        ours = {np.add: exact.add, np.multiply: exact.multiply, np.floor_divide: exact.divide, np.matmul: exact.matmul}
        got, want = ours[operation](*map(exact.array, operands)), operation(*operands)
        assert got.shape == want.shape and (got.astype(object) == want).all(), (operation, operands)

    for _ in range(count):
        a, b = array((2, 3), r.randint(0, 75)), array((2, 3), r.randint(0, 75))
        same(np.add, a, b)
        same(np.multiply, a, b)
        same(np.floor_divide, a, abs(b) + 1)
        k = r.choice([1, 2, 3, 7, 64, 500])
        same(np.matmul, array((2, 3, k), r.randint(0, 75)), array((2, k, 2), r.randint(0, 75)))


def main(arguments):
    count, seed = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 0
    compare_arithmetic(Random(seed), 100)
    with tempfile.TemporaryDirectory() as temporary:
        faults = 0
        for i in range(seed, seed + count):
            folder = Path(arguments[2] if len(arguments) > 2 else temporary) / f"invented-{i}"
            folder.mkdir(parents=True, exist_ok=True)
            faults += len(run(folder, Random(i)))
    print(f"{count} models, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
