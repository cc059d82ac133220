#!/usr/bin/env python3
"""Writes web/samples/list.json from the samples there: titles below, digests and fingerprints from the files.

Usage: page-samples.py
"""
import gzip
import hashlib
import json
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "web" / "samples"
SAMPLES = [
    {"id": "smollm2", "title": "SmolLM2-135M: the capital of France", "card": "smollm2.card", "receipt": "smollm2.receipt", "expect": "proved"},
    {"id": "tiny", "title": "A small model that knows one book", "card": "tiny.card", "receipt": "tiny.receipt", "expect": "proved"},
    {"id": "forged", "title": "A forged answer", "card": "tiny.card", "receipt": "tiny-forged.receipt", "expect": "refused"},
]


def name(card: bytes) -> str:
    # magic 8, version 2, architecture 1, length of the name 1, name
    return card[12 : 12 + card[11]].decode()


def main() -> None:
    cards = [{"card": path.name, "name": name(path.read_bytes()), "fingerprint": hashlib.sha3_256(path.read_bytes()).hexdigest()} for path in sorted(FOLDER.glob("*.card"))]
    vocabularies = [{"file": path.name, "digest": hashlib.sha3_256(gzip.decompress(path.read_bytes())).hexdigest()} for path in sorted(FOLDER.glob("*.vocabulary.gz"))]
    (FOLDER / "list.json").write_text(json.dumps({"samples": SAMPLES, "cards": cards, "vocabularies": vocabularies}, indent=1) + "\n")


if __name__ == "__main__":
    main()
