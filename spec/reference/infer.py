"""Runs the integer inference (inference.md) on cases; their files: tests/vectors/inference/format.md.

    infer.py CASE..                 compares with expected.json: exit 0 agree, 1 differ, 2 nothing to compare
    infer.py --check [COUNT] CASE   also evaluates all lookups and zeros from their definitions, at COUNT indices each
    infer.py --generate COUNT CASE  goes on from the prompt with the tokens of the largest logits: a JSON list
    infer.py --write CASE           writes expected.json
"""

import hashlib
import json
import sys
import time
from math import prod
from pathlib import Path

import numpy as np

import llama
from card import Card
from definitions import Definitions
from inference import Inference
from refuse import Refused


class Unusable(Exception):
    """Nothing to compare; says why."""


class Case:
    def __init__(self, folder):
        self.folder = Path(folder)
        try:
            self.card = Card((self.folder / "model.card").read_bytes())
        except Refused as refused:
            raise Unusable(f"model.card: {refused.code}") from None
        statement = self.json("tokens.json")
        self.tokens, self.prompt = statement["tokens"], statement["prompt_len"]
        if not all(type(t) is int and 0 <= t < self.card.vocabulary for t in self.tokens):
            raise Unusable("tokens.json: a token is not below the size of the vocabulary")
        if not (type(self.prompt) is int and 0 < self.prompt < len(self.tokens) <= self.card.context):
            raise Unusable("tokens.json: 0 < prompt_len < number of tokens <= context does not hold")

    def json(self, name):
        try:
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise Unusable(f"{name}: {error}") from None

    def program(self, tokens, prompt):
        try:
            return llama.build(self.card, tokens, prompt)
        except Refused as refused:
            raise Unusable(f"model.card: {refused.code}") from None

    def model(self, program):
        """The model columns, which stay in the file."""
        columns = [c for c in program.columns if c.origin == "model"]
        shapes = [[a.length for a in c.axes] for c in columns]
        entries = sum(map(prod, shapes))
        path = self.folder / "model.columns"
        if path.stat().st_size != 8 * entries:
            raise Unusable(f"model.columns has {path.stat().st_size} bytes, the model's columns have {8 * entries}")
        data, start, model = np.memmap(path, dtype="<i8", mode="r"), 0, {}
        for column, shape in zip(columns, shapes):
            model[column.number] = np.asarray(data[start:start + prod(shape)]).reshape(shape)
            start += prod(shape)
        return model

    def infer(self, tokens, prompt, check):
        program = self.program(tokens, prompt)
        inference = Inference(program, self.model(program)).run(check)
        logits = inference.product(program.logits, {})
        return program, inference, logits


def digest(values, name):
    if values.dtype == object:
        raise Unusable(f"column {name} has an entry that is no 64-bit integer")
    return hashlib.sha3_256(np.ascontiguousarray(values, dtype="<i8").data).hexdigest()


def result(program, inference, logits):
    """What expected.json holds."""
    witness = [c for c in program.columns if c.origin != "model"]
    if inference.failed:
        number = min(inference.failed)
        return {"lookup": number, "outcome": "no-proof", "site": program.lookups[number].name}
    return {
        "outcome": "accept",
        "columns": {c.name: digest(inference.columns[c.number], c.name) for c in witness},
        "logits_sha3": digest(logits, "logits"),
        "next_tokens": arg_max(logits),
    }


def arg_max(logits):
    """The lowest index of the largest logit, of each output. Spec: inference.argmax"""
    return [int(i) for i in np.argmax(logits, axis=-1)]


def differences(got, expected):
    """Columns are compared in the order of their numbers; names have no meaning."""
    if expected["outcome"] != "accept":
        return [] if got["lookup"] == expected["lookup"] else ["lookup"]
    if len(got["columns"]) != len(expected["columns"]):
        return [f"number of columns: {len(got['columns'])}, expected {len(expected['columns'])}"]
    pairs = zip(got["columns"].items(), expected["columns"].items())
    out = [f"column {name}" + f" ({other})" * (name != other) for (name, a), (other, b) in pairs if a != b]
    return out + [what for what in ("logits_sha3", "next_tokens") if got[what] != expected[what]]


def compare(case):
    expected = case.json("expected.json")
    program, inference, logits = case.infer(case.tokens, case.prompt, check=True)
    got = result(program, inference, logits)
    for number, why in inference.failed.items():
        print(f"{case.folder.name}: no proof: lookup {number}, {why}")
    if got["outcome"] != expected["outcome"]:
        found = [f"outcome {got['outcome']}, expected {expected['outcome']}"]
    elif len(inference.failed) > 1:
        found = ["more than one lookup does not hold"]
    else:
        found = differences(got, expected)
    for what in found:
        print(f"{case.folder.name}: differs: {what}")
    if not found:
        accepted = f", {len(got['columns'])} columns, answer {got['next_tokens']}" if "columns" in got else ""
        print(f"{case.folder.name}: agrees: {got['outcome']}{accepted}")
    return 1 if found else 0


def check(case, count):
    program, inference, _ = case.infer(case.tokens, case.prompt, check=True)
    faults = list(inference.failed.values()) + list(Definitions(program, inference.columns).faults(count))
    for fault in faults[:20]:
        print(fault)
    print(f"{len(program.lookups)} lookups, {len(program.zeros)} zeros, {len(faults)} faults")
    return 1 if faults else 0


def generate(case, count):
    """What follows n tokens is the first output after a prompt of n, whatever comes after. Spec: inference.generate"""
    tokens = case.tokens[:case.prompt]
    if len(tokens) + count > case.card.context:
        raise Unusable("the card's context is too short")
    for _ in range(count):
        _, _, logits = case.infer(tokens + [0], len(tokens), check=False)
        tokens += arg_max(logits)
    print(json.dumps(tokens[case.prompt:]))
    return 0


def write(case):
    text = json.dumps(result(*case.infer(case.tokens, case.prompt, check=True)), indent=2)
    (case.folder / "expected.json").write_text(text + "\n", encoding="utf-8")
    return 0


def main(arguments):
    start = time.perf_counter()
    try:
        match arguments:
            case ["--check", folder]:
                code = check(Case(folder), None)
            case ["--check", count, folder]:
                code = check(Case(folder), int(count))
            case ["--generate", count, folder]:
                code = generate(Case(folder), int(count))
            case ["--write", folder]:
                code = write(Case(folder))
            case [first, *_] if not first.startswith("-"):
                code = max(compare(Case(folder)) for folder in arguments)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except (Unusable, OSError, ValueError) as error:
        print(f"unusable: {error}", file=sys.stderr)
        return 2
    except (KeyError, TypeError) as error:
        print(f"unusable: a JSON file is not as it should be: {error!r}", file=sys.stderr)
        return 2
    print(f"{time.perf_counter() - start:.1f} s", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
