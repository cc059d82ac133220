"""Runs the test vectors by this verifier: every case must have its outcome and code.

    vectors.py [--fast] FOLDER [SUBJECT..]      --fast leaves out most receipts; exit 1 if a case differs

FOLDER is tests/vectors; each subject's format.md says what its cases are.
"""

import contextlib
import hashlib
import io
import json
import struct
import sys
import time
from pathlib import Path

import infer
import tables
from card import PRECISION, SIZES, Card
from constants import hash1, hash2
from dory import dory
from groups import R, read_g1, read_gt
from ledger import Form, Ledger
from plan import Plan
from program import (All, At, Axis, Before, Below, Column, List, Lookup, Operand, Pick, Product, Program, Rotary, Sum,
                     Term, Zero)
from receipt import Receipt
from refuse import UNUSABLE, Refused
from transcript import Proof, Transcript
from verify import run_proof, verify

FAST = 5                                # of the slow subjects all valid cases, and one in so many of the others


class Wrong(Exception):
    """The value of a case is not the specification's: `wrong-value`."""


def same(ours, claimed):
    if ours != claimed:
        raise Wrong


class Case:
    def __init__(self, folder):
        self.folder = folder
        self.json = json.loads((folder / "case.json").read_text(encoding="utf-8"))

    def __getitem__(self, name):
        return self.json[name]

    def bytes(self, name):
        """Hexadecimal, or a file with patches [at, delete, insert]."""
        value = self.json[name]
        if isinstance(value, str):
            return bytes.fromhex(value)
        data = (self.folder / value["file"]).read_bytes()
        for at, delete, insert in value["patches"]:
            assert at + delete <= len(data)
            data = data[:at] + bytes.fromhex(insert) + data[at + delete:]
        return data

    def proof(self):
        return Proof(self.bytes("proof"), 0, Transcript(self.bytes("card"), self.bytes("statement")))


def scalar(text):
    return int.from_bytes(bytes.fromhex(text), "little") % R


# One function a subject: it returns if the case is accepted.

def transcript(case):
    proof = case.proof()
    for kind, *rest in case["steps"]:
        if kind == "absorb":
            proof.transcript.absorb(rest[0], bytes.fromhex(rest[1]))
        elif kind == "challenge":
            same(proof.transcript.challenge(rest[0]), scalar(rest[1]))
        else:
            {"scalar": proof.scalar, "g1": proof.g1, "g2": proof.g2, "gt": proof.gt}[kind]()
    proof.end()


def hash_to_curve(case):
    make = hash1 if case["group"] == "g1" else hash2
    point = make(case["name"].encode("ascii"), case["number"])
    same(bytes(point.to_compressed_bytes()).hex(), case["point"])


def read_table(fields):
    if fields["kind"] == "range":
        return tables.Range(fields["bits"])
    if fields["kind"] == "exp":
        return tables.Exp(fields["bits"], fields["fraction"], fields["precision"])
    return tables.Silu(fields["bits"], fields["fraction"], fields["out"])


def of_tables(case):
    fields = case["table"]
    if fields["kind"] == "rotary":
        both = tables.rotary(fields["length"], fields["pairs"], fields["base"], fields["fraction"])
        columns = [[x for row in one for x in row] for one in both]
    else:
        made = read_table(fields)
        if not made.representable():
            raise Refused("bad-card")
        columns = made.outputs()
    if "outputs" in case.json:
        same(columns, case["outputs"])
    else:
        data = b"".join(struct.pack("<q", x) for column in columns for x in column)
        same(hashlib.sha3_256(data).hexdigest(), case["outputs_sha3"])


def of_cards(case):
    card = Card(case.bytes("card"))
    fields = {name: getattr(card, name) for name in PRECISION + [name for name, _ in SIZES]}
    for name in ("name", "tied", "biases", "rotary_base", "epsilon", "chunk_log"):
        fields[name] = getattr(card, name)
    fields |= {"tokenizer": card.tokenizer.hex(), "commitments": len(card.commitments), "fingerprint": card.fingerprint.hex()}
    same(fields, case["fields"])


def form(value):
    slots = {}
    for slot, factor in value["terms"]:
        slots[slot] = (slots.get(slot, 0) + scalar(factor)) % R
    return Form(scalar(value["constant"]), slots)


def of_ledgers(case):
    proof = case.proof()
    ledger = Ledger(proof)
    for n in case["slots"]:
        ledger.slots(n)
    for zero in case["zeros"]:
        ledger.zero(form(zero))
    for gate in case["gates"]:
        ledger.gate(*map(form, gate))
    ledger.close()
    proof.end()


def openings(case):
    matrix, link = read_gt(bytes.fromhex(case["commitment"])), read_g1(bytes.fromhex(case["link"]))
    proof = case.proof()
    rows, columns = (tuple(map(scalar, case[name])) for name in ("rows", "columns"))
    dory(proof, case["s"], matrix, rows, columns, link)
    proof.end()


def read_program(value):
    """A program of program.json."""
    axes = [Axis(name, length) for name, length in value["axes"]]
    lists = [List(entries) for entries in value["lists"]]
    program = Program(20)

    def over(numbers):
        return [axes[i] for i in numbers]

    def index(kind, *rest):
        if kind == "all":
            return All()
        if kind == "pick":
            return Pick(axes[rest[0]], lists[rest[1]])
        return {"at": At, "before": Before}[kind](axes[rest[0]])

    def source(kind, number):
        made = {"below": lists, "column": program.columns, "product": program.products}[kind]
        if number >= len(made):
            raise Refused("bad-card")
        return Below(made[number]) if kind == "below" else made[number]

    def total(v):
        return Sum(v["constant"], [Term(t["coefficient"], source(*t["source"]), tuple(index(*i) for i in t["index"]))
                                   for t in v["terms"]])

    def operand(v):
        return Operand(over(v["axes"]), total(v["sum"]))

    program.tables = [read_table(fields) for fields in value["tables"]]
    multiplicity = {}
    for n, v in enumerate(value["columns"]):
        origin = v["origin"]
        column = Column(n, over(v["axes"]), v["causal"], origin if isinstance(origin, str) else "multiplicity", str(n))
        if not isinstance(origin, str):
            multiplicity[origin["multiplicity"]] = column
        program.columns.append(column)
    program.multiplicity = [multiplicity[k] for k in range(len(program.tables))]
    for n, v in enumerate(value["products"]):
        kind = v["kind"]
        if kind == "rotary":
            r = v["rotary"]
            kind = Rotary(axes[r["t"]], axes[r["half"]], axes[r["pair"]], r["base"], r["fraction"])
        right = operand(v["right"]) if "right" in v else None
        program.products.append(Product(n, over(v["axes"]), kind, operand(v["left"]), right))
    program.lookups = [Lookup(over(v["axes"]), v["causal"], v["table"], list(map(total, v["values"])), "")
                       for v in value["lookups"]]
    program.zeros = [Zero(over(v["axes"]), total(v["sum"]), "") for v in value["zeros"]]
    return program


def json_program(case):
    return read_program(json.loads((case.folder / case["program"]).read_text(encoding="utf-8")))


def programs(case):
    card, receipt = Card(case.bytes("card")), Receipt(case.bytes("receipt"))
    program = json_program(case)
    run_proof(card, receipt, program, Plan(program, card.chunk_log))


def receipts(case):
    verify(case.bytes("card"), case.bytes("receipt"))


RUN = {"transcript": transcript, "hash-to-curve": hash_to_curve, "tables": of_tables, "card": of_cards,
       "program": lambda case: json_program(case).check(), "ledger": of_ledgers, "dory": openings, "sumcheck": programs, "tlookup": programs, "receipt": receipts}
SLOW = ["dory", "sumcheck", "tlookup", "receipt"]


def verdict(subject, case):
    try:
        RUN[subject](case)
        return "accept", None
    except Wrong:
        return "refuse", "wrong-value"
    except Refused as refused:
        return ("unusable" if refused.code in UNUSABLE else "refuse"), refused.code


def check(subject, folder):
    """What is wrong with a case, and whether it is a valid one."""
    if subject == "inference":
        expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = infer.compare(infer.Case(folder))
        return said.getvalue() if code else None, expected["outcome"] == "accept"
    case = Case(folder)
    expected = case["outcome"], case.json.get("code")
    found = verdict(subject, case)
    return None if found == expected else f"here {found}, expected {expected}", expected[0] == "accept"


def main(arguments):
    fast = arguments[:1] == ["--fast"]
    folder, *chosen = arguments[fast:]
    faults = 0
    for subject in chosen or sorted(path.parent.name for path in Path(folder).glob("*/format.md")):
        start, valid = time.perf_counter(), []
        cases = sorted(path for path in (Path(folder) / subject).iterdir() if path.is_dir())
        if fast and subject in SLOW:
            cases = [case for n, case in enumerate(cases) if n % FAST == 0 or Case(case)["outcome"] == "accept"]
        for case in cases:
            fault, accepted = check(subject, case)
            valid.append(accepted)
            if fault:
                faults += 1
                print(f"{subject}/{case.name}: {fault}")
        print(f"{subject}: {sum(valid)} valid, {len(valid) - sum(valid)} invalid, {time.perf_counter() - start:.1f} s",
              flush=True)
    return faults != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
