"""The order of a verification (verify.md) and of a proof (proof.md).

    verify.py CARD RECEIPT      exit 0: proved; 1: refused; 2: nothing to judge
"""

import sys
import time

import einsum
import llama
from card import Card
from claims import Claims, Reader
from groups import read_gt
from ledger import Form, Ledger
from opening import open_pool, support_claims
from plan import Plan
from receipt import Receipt
from refuse import UNUSABLE, Refused, require
from tlookup import tlookup
from transcript import Proof, Transcript
from work import Work

LARGEST_FILE = 64 << 20


def verify(card_bytes, receipt_bytes):
    """Returns card and receipt if the receipt proves its statement, else raises Refused. Spec: verify.order"""
    card = Card(card_bytes)
    receipt = Receipt(receipt_bytes)
    receipt.check(card)
    program = llama.build(card, receipt.tokens, receipt.prompt)
    plan = Plan(program, card.chunk_log)
    Work(program, plan).check()
    run_proof(card, receipt, program, plan)
    return card, receipt


def run_proof(card, receipt, program, plan):
    """Spec: proof.order"""
    transcript = Transcript(card.bytes, receipt.statement)
    proof = Proof(receipt.data, receipt.proof_at, transcript)
    require(len(card.commitments) == plan.model_chunks, "bad-card")
    commitments = [read_gt(c) for c in card.commitments]
    commitments += [proof.gt() for _ in range(plan.witness_chunks)]
    ledger = Ledger(proof)
    claims = Claims(ledger)
    tlookup(program, plan, ledger, claims)
    columns = transcript.challenges("columns", plan.column_bits)
    for zero in program.zeros:
        claims.claim(zero.sum, Reader.at(zero.axes, False, columns), Form(0))
    while claims.queue:
        wave, claims.queue = claims.queue, []
        einsum.reduce(wave, ledger, claims)
    support_claims(program, claims, columns)
    open_pool(plan, claims.pool, commitments, ledger)
    ledger.close()
    proof.end()


def main(arguments):
    """Spec: verify.codes"""
    if len(arguments) != 2:
        print("usage: verify CARD RECEIPT", file=sys.stderr)
        return 2
    contents = []
    for path in arguments:
        try:
            with open(path, "rb") as file:
                contents.append(file.read(LARGEST_FILE + 1))
        except OSError as error:
            print(f"cannot read {path}: {error.strerror}", file=sys.stderr)
            return 2
        if len(contents[-1]) > LARGEST_FILE:
            print(f"{path} is over 64 MiB", file=sys.stderr)
            return 2
    start = time.perf_counter()
    try:
        card, receipt = verify(*contents)
    except Refused as refused:
        print(f"refused: {refused.code}")
        return 2 if refused.code in UNUSABLE else 1
    print(f"proved: card {card.fingerprint.hex()} answers {receipt.tokens[:receipt.prompt]} "
          f"with {receipt.tokens[receipt.prompt:]}")
    print(f"{time.perf_counter() - start:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
