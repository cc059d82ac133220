"""Computes the table of soundness.errors from the programs of its two statements, and compares it with the chapter.

    errors.py       exit 1 if a figure differs
"""

import math
import re
import sys
from pathlib import Path

import llama
from card import Card
from groups import R
from plan import Plan
from work import Work

ROOT = Path(__file__).resolve().parent.parent.parent
LARGE = dict(layers=40, width=5120, kv_heads=40, group=1, pairs=64, hidden=13824, vocabulary=32000, tied=False, context=2048, chunk_log=16)


def statement(card, tokens, prompt):
    """Rows of the table: an upper bound of the number of challenges, or of pairs, that do harm."""
    program = llama.build(card, [1] * tokens, prompt)
    plan = Plan(program, card.chunk_log)
    work = Work(program, plan)
    n, s = plan.leaf_bits, plan.s
    supports = sum(c.causal or any(a.length & (a.length - 1) for a in c.axes) for c in program.columns)
    return {
        "lookups: alpha, beta": 3 << n,
        "tree: lambda, mu": 2 * n,
        "all sumchecks (tree, products, opening)": 2 * work.variables,
        "`columns`": plan.column_bits,
        "`gamma`": work.pooled + supports - 1,
        "`mu`": plan.chunks - 1,
        "Dory: `dory.vmv`; alpha, beta each round; gamma, final, batch": 1 + 6 * s + 6,
        "ledger: gates": 2 * work.gates,
        "ledger: constraints": work.zeros - 1,
        "ledger: folding, Schnorr": 2 * work.folds + 1,
    }


def figure(text):
    """`3 * 2^27`, `79 (..)`"""
    return eval(re.match(r"[0-9 *^]+", text.strip().strip("`")).group().replace("^", "**"))


def main():
    chapter = (ROOT / "spec/soundness.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in chapter.splitlines() if line.startswith("|")]
    small = Card((ROOT / "web/samples/smollm2.card").read_bytes())
    large = Card((ROOT / "web/samples/smollm2.card").read_bytes())
    for field, value in LARGE.items():
        setattr(large, field, value)
    faults = 0
    for column, (card, tokens, prompt) in enumerate([(small, 64, 48), (large, 2048, 1024)], 2):
        rows = statement(card, tokens, prompt)
        for name, ours in rows.items():
            said = next((figure(row[column]) for row in cells if row[0] == name), None)
            if said != ours:
                faults += 1
                print(f"soundness.errors, {name}: {said}, and it is {ours}", file=sys.stderr)
        total = math.log2(sum(rows.values()))
        (said,) = [row[column] for row in cells if row[0] == "**sum**"]
        sum_, error = map(float, re.match(r"`< 2\^([0-9.]+) / r < 2\^-([0-9]+)`", said).groups())
        if not total < sum_ < total + 0.1 or not error < math.log2(R) - sum_ < error + 1:
            faults += 1
            print(f"soundness.errors, sum: {said}, and it is 2^{total:.2f}", file=sys.stderr)
    print(f"soundness.errors: {faults} faults")
    return faults != 0


if __name__ == "__main__":
    sys.exit(main())
