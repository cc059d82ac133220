"""Every looked-up tuple is a row of its table (tlookup.md)."""

from claims import Eq, Parts, Reader
from groups import R
from ledger import Form
from multilinear import eq, extension, identity, index_point
from program import Sum
from sumcheck import sumcheck


def tlookup(program, plan, ledger, claims):
    transcript = ledger.transcript
    alpha, beta = transcript.challenge("tlookup"), transcript.challenge("tlookup")      # Spec: tlookup.leaves
    point, p, q = tree(plan, ledger)
    numerators(program, plan, claims, point, p)
    denominators(program, plan, claims, point, q, alpha, beta)


def tree(plan, ledger):
    """Spec: tlookup.root, tlookup.tree"""
    transcript = ledger.transcript
    Q, I = ledger.slots(2)
    ledger.gate(Q, I, 1)
    point, p, q = (), Form(0), Q
    for _ in range(plan.leaf_bits):
        lam = transcript.challenge("tlookup.lambda")
        r, value = sumcheck(ledger, p + lam * q, point, tree=True)
        p0, p1, q0, q1, c = ledger.slots(5)
        ledger.gate(p0, q1, c)
        ledger.gate(q0, p1 + lam * q1, value - c)
        mu = transcript.challenge("tlookup.mu")
        p = (1 - mu) % R * p0 + mu * p1
        q = (1 - mu) % R * q0 + mu * q1
        point = r + (mu,)
    return point, p, q


def _blocks(plan, point):
    """Each block with its weight and suffix of the point."""
    for block in plan.blocks:
        prefix, suffix = point[:len(point) - block.bits], point[len(point) - block.bits:]
        yield block, eq(prefix, index_point(block.offset >> block.bits, len(prefix))), suffix


def numerators(program, plan, claims, point, p):
    """Spec: tlookup.numerators"""
    parts = Parts()
    for block, weight, suffix in _blocks(plan, point):
        if block.lookup:
            parts.add(weight, Sum(1), Reader.at(block.lookup.axes, block.lookup.causal, suffix))
        else:
            parts.columns.append((-weight % R, program.multiplicity[block.table], [Eq(suffix)]))
    claims.split(parts, p)


def denominators(program, plan, claims, point, q, alpha, beta):
    """Spec: tlookup.denominators"""
    def base(table):
        return (alpha + beta ** 3 * (table + 1)) % R

    parts = Parts(public=1)
    for block, weight, suffix in _blocks(plan, point):
        if block.lookup:
            lookup = block.lookup
            reader = Reader.at(lookup.axes, lookup.causal, suffix)
            parts.add(weight * (base(lookup.table) - 1) % R, Sum(1), reader)
            for i, value in enumerate(lookup.values):
                parts.add(weight * pow(beta, i, R) % R, value, reader)
        else:
            row = base(block.table) - 1 + identity(suffix)
            for i, out in enumerate(program.tables[block.table].outputs()):
                row += pow(beta, i + 1, R) * extension(out, suffix)
            parts.public = (parts.public + weight * row) % R
    claims.split(parts, q)
