#!/usr/bin/env python3
"""Writes the vocabulary file of a GGUF model: the record whose SHA3-256 is in the model's card.

Usage: page-vocabulary.py MODEL.gguf OUT[.gz]        Prints the digest.

The record is defined in prover/src/model/digest.rs, the kinds of tokens in prover/src/model/special.rs. Files that end in .gz are packed, without a time stamp.
"""
import gzip
import hashlib
import pathlib
import struct
import sys

LISTED = pathlib.Path(__file__).parent.parent / "prover/src/model/special-tokens.txt"
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


class Gguf:
    """The metadata of a GGUF file, versions 2 and 3."""

    def __init__(self, file):
        self.file = file
        if file.read(4) != b"GGUF" or self.one("I") not in (2, 3):
            raise ValueError("not a GGUF file of version 2 or 3")
        self.one("Q")
        self.values = {}
        for _ in range(self.one("Q")):
            key = self.text().decode()
            self.values[key] = self.value(self.one("I"))

    def one(self, kind):
        return struct.unpack("<" + kind, self.file.read(struct.calcsize("<" + kind)))[0]

    def text(self):
        return self.file.read(self.one("Q"))

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            inner, count = self.one("I"), self.one("Q")
            if inner in SCALARS:
                form = f"<{count}{SCALARS[inner]}"
                return list(struct.unpack(form, self.file.read(struct.calcsize(form))))
            return [self.value(inner) for _ in range(count)]
        return self.one(SCALARS[kind])


def named(values, *names):
    """The token that the last of these keys names."""
    given = [values.get(f"tokenizer.ggml.{name}_token_id") for name in names]
    return next((token for token in reversed(given) if token is not None), None)


def review(values, tokens, kinds, eos):
    """Kinds as llama.cpp works with them: those of tokens that end an answer, and of others, are known by their texts."""
    ids = {text: token for token, text in enumerate(tokens)}
    listed = {}
    for line in LISTED.read_text("utf-8").splitlines():
        role, text = line.split(" ", 1)
        if text.encode() in ids:
            listed.setdefault(role, []).append(ids[text.encode()])
    ends = set()
    for role, keys in {"fim_pre": ["prefix"], "fim_suf": ["suffix"], "fim_mid": ["middle"], "fim_pad": [], "fim_rep": [],
                       "fim_sep": []}.items():
        token = named(values, role, *keys)
        if token is None and role in listed:
            token = min(listed[role])
            kinds[token] = CONTROL
        if role in ("fim_pad", "fim_rep", "fim_sep"):
            ends.add(token)
    for token in listed.get("end", []):
        kinds[token] = CONTROL
        ends.add(token)
    for token in listed.get("text", []):
        kinds[token] = USER_DEFINED
    ends |= {eos, named(values, "eot"), named(values, "eom")}

    def ending(text):
        return ids.get(text.encode(), -1) in ends

    if (ending("<|call|>") or ending("<|calls|>")) and (ending("<|flush|>") or ending("<|return|>")) and ending("<|end|>"):
        kinds[ids[b"<|end|>"]] = USER_DEFINED
    if (ending("<|tool_response>") or ending("<|plamo:eos|>")) and ending("</s>"):
        kinds[ids[b"</s>"]] = NORMAL


def record(values):
    def count(number):
        return struct.pack("<Q", number)

    def text(data):
        return count(len(data)) + data

    def special(number):
        return b"\0" if number is None else b"\1" + struct.pack("<I", number)

    model = values["tokenizer.ggml.model"]
    tokens = values["tokenizer.ggml.tokens"]
    kinds = list(values.get("tokenizer.ggml.token_type", [NORMAL] * len(tokens)))
    bos, eos = named(values, "bos"), named(values, "eos")
    if model == b"llama":
        bos = 1 if bos is None and len(tokens) > 1 else bos
        eos = 2 if eos is None and len(tokens) > 2 else eos
    review(values, tokens, kinds, eos)
    first = model == b"llama" or values.get("tokenizer.ggml.pre") == b"llama-bpe"
    out = [b"zkllm tokenizer 1\n", text(model), count(len(tokens))]
    out += [text(token) + bytes([kind]) for token, kind in zip(tokens, kinds)]
    if model == b"gpt2":
        merges = values["tokenizer.ggml.merges"]
        out += [text(values["tokenizer.ggml.pre"]), count(len(merges))] + [text(merge) for merge in merges]
    elif model == b"llama":
        scores = values["tokenizer.ggml.scores"]
        out += [text(b"sentencepiece"), count(len(scores)), struct.pack(f"<{len(scores)}f", *scores)]
        out.append(bytes([values.get("tokenizer.ggml.add_space_prefix", True)]))
    else:
        raise ValueError(f"tokenizer model {model!r} is not known")
    out += [special(bos), special(eos), bytes([values.get("tokenizer.ggml.add_bos_token", first)])]
    return b"".join(out)


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1], "rb") as file:
        data = record(Gguf(file).values)
    with open(sys.argv[2], "wb") as out:
        out.write(gzip.compress(data, 9, mtime=0) if sys.argv[2].endswith(".gz") else data)
    print(hashlib.sha3_256(data).hexdigest())
    return 0


if __name__ == "__main__":
    sys.exit(main())
