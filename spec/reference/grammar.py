"""Compares the wire grammar (spec/grammar) with this verifier's parsers on the test vectors.

    grammar.py PARSERS FOLDER       PARSERS: what the Kaitai Struct compiler made; FOLDER: tests/vectors; exit 1 if they differ

Cards and receipts that a parser here refuses must not follow the grammar, but for the characters of a name; accepted ones must, with equal
fields, and all that is well formed up to its proof's end. Every cut of an honest card must fail too.
"""

import sys
from pathlib import Path

from card import PRECISION, SIZES, Card, is_name
from receipt import Receipt
from refuse import Refused
from vectors import Case

SCHNORR = 2 * 48 + 10 * 32


def parsed(grammar, data):
    """The object, or None for bytes that do not follow the grammar."""
    from kaitaistruct import KaitaiStructError
    try:
        return grammar.from_bytes(data)
    except (KaitaiStructError, EOFError, ValueError):
        return None


def card_fields(card):
    fields = {name: getattr(card, name) for name, _ in SIZES} | {name: getattr(card, name) for name in PRECISION}
    fields |= {name: getattr(card, name) for name in ("name", "rotary_base", "epsilon", "tokenizer", "chunk_log", "commitments")}
    return fields | {"tied": card.tied, "biases": card.biases}


def grammar_card_fields(card):
    fields = {name: getattr(card, name) for name, _ in SIZES} | dict(zip(PRECISION, card.precision))
    fields |= {name: getattr(card, name) for name in ("name", "rotary_base", "epsilon", "tokenizer", "chunk_log")}
    fields["commitments"] = [b"".join(c.coefficients) for c in card.commitments]
    return fields | {"tied": card.tied == 1, "biases": card.biases == 1}


def receipt_fields(receipt):
    return receipt.fingerprint, receipt.prompt, receipt.tokens, receipt.data[receipt.proof_at:]


def grammar_receipt_fields(receipt):
    def point(g):
        return bytes([g.compressed << 7 | g.identity << 6 | g.larger_y << 5 | g.x_high]) + g.x_low
    statement, end = receipt.statement, receipt.proof.schnorr
    proof = receipt.proof.messages + point(end.slots) + point(end.value) + b"".join(end.responses)
    return receipt.fingerprint, statement.prompt_length, statement.tokens, proof


def compare(name, grammar, ours, fields, grammar_fields, data, accepted):
    """What is wrong, or None."""
    by_grammar = parsed(grammar, data)
    try:
        own = ours(data)
    except Refused as refused:
        return f"{name}: follows the grammar, and is {refused.code}" if by_grammar else None
    if by_grammar is None:
        return f"{name}: accepted, and does not follow the grammar" if accepted else None
    return None if fields(own) == grammar_fields(by_grammar) else f"{name}: other fields by the grammar"


def main(parsers, folder):
    sys.path.insert(0, parsers)
    from zkllm_card import ZkllmCard
    from zkllm_receipt import ZkllmReceipt

    faults, cards, receipts = [], set(), set()
    for path in sorted(Path(folder).glob("*/*/case.json")):
        case, name = Case(path.parent), f"{path.parent.parent.name}/{path.parent.name}"
        accepted = case["outcome"] == "accept"
        if isinstance(case.json.get("card"), dict):
            by_grammar = parsed(ZkllmCard, case.bytes("card"))
            if by_grammar and not is_name(by_grammar.name):
                continue  # What characters a name has (card.name) is no business of the grammar.
            cards.add(case.bytes("card"))
            faults.append(compare(name, ZkllmCard, Card, card_fields, grammar_card_fields, case.bytes("card"), accepted))
        if "receipt" in case.json:
            receipts.add(case.bytes("receipt"))
            faults.append(compare(name, ZkllmReceipt, Receipt, receipt_fields, grammar_receipt_fields,
                                  case.bytes("receipt"), accepted))
    honest = (Path(folder) / "card" / "honest" / "model.card").read_bytes()
    cuts = [n for n in range(len(honest)) if parsed(ZkllmCard, honest[:n])]
    faults += [f"a card cut to {n} bytes follows the grammar" for n in cuts]
    faults = [fault for fault in faults if fault]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{len(cards)} cards, {len(receipts)} receipts, {len(honest)} cuts of a card, {len(faults)} faults")
    return faults != []


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
