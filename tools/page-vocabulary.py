#!/usr/bin/env python3
"""Writes the vocabulary file of a GGUF model: the record whose SHA3-256 is in the model's card.

Usage: page-vocabulary.py MODEL.gguf OUT[.gz]        Prints the digest.

The record is defined in prover/src/model/digest.rs. Files that end in .gz are packed, without a time stamp.
"""
import gzip
import hashlib
import struct
import sys

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


def record(values):
    def count(number):
        return struct.pack("<Q", number)

    def text(data):
        return count(len(data)) + data

    def special(key):
        number = values.get(f"tokenizer.ggml.{key}_token_id")
        return b"\0" if number is None else b"\1" + struct.pack("<I", number)

    model = values["tokenizer.ggml.model"]
    tokens = values["tokenizer.ggml.tokens"]
    kinds = values.get("tokenizer.ggml.token_type", [1] * len(tokens))
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
    out += [special("bos"), special("eos"), bytes([values.get("tokenizer.ggml.add_bos_token", model == b"llama")])]
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
