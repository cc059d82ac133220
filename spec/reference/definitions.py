"""Lookups and zeros at single indices, word for word from their definitions in Python's integers.

A check of inference.py that shares none of its arithmetic. Slow: for small models, or some indices of a large one."""

from collections import Counter
from itertools import product as indices_of
from random import Random

import numpy as np

from program import All, At, Before, Below, Column, Pick, Rotary


class Definitions:
    def __init__(self, program, columns):
        self.program, self.columns = program, columns
        self.known = {}                 # values of products

    def faults(self, count=None, seed=0):
        """Statements that do not hold, at all indices, or (but for multiplicities) at `count` random ones of each."""
        q, random = self.program, Random(seed)
        seen = [Counter() for _ in q.tables]
        rows = [list(zip(*([range(1 << t.bits)] + t.outputs()))) for t in q.tables]
        for x in q.lookups:
            for at in _indices(x.axes, x.causal, count, random):
                row = tuple(self.sum(v, at) for v in x.values)
                seen[x.table][row[0]] += 1
                if not (0 <= row[0] < len(rows[x.table]) and rows[x.table][row[0]] == row):
                    yield f"lookup {x.name}: {row} is no row of {q.tables[x.table]}"
        for z in q.zeros:
            for at in _indices(z.axes, False, count, random):
                if self.sum(z.sum, at) != 0:
                    yield f"zero {z.name}"
        for c in q.columns:             # Spec: program.objects: outside its support a column is 0
            if c.causal and np.triu(self.columns[c.number], 1).any():
                yield f"column {c.name} is not 0 where u > t"
        for c, table, counter in zip(q.multiplicity, q.tables, seen):
            if count is None and [counter[x] for x in range(1 << table.bits)] != self.columns[c.number].tolist():
                yield f"column {c.name}"

    def sum(self, total, at):
        """Spec: program.sums. `at`: the reader's index on each of its axes."""
        out = total.constant
        for term in total.terms:
            out += term.coefficient * sum(self.value(term.source, i) for i in _reads(term, at))
        return out

    def value(self, source, index):
        if isinstance(source, Column):
            return int(self.columns[source.number][index])
        if isinstance(source, Below):
            return int(index[1] < source.list.entries[index[0]])
        if (source.number, index) not in self.known:
            self.known[source.number, index] = self.product(source, dict(zip(source.axes, index)))
        return self.known[source.number, index]

    def product(self, product, at):
        """Spec: program.products"""
        left, right, kind = product.left, product.right, product.kind
        if isinstance(kind, Rotary):
            cosines, sines = kind.tables()
            c, s = cosines[at[kind.t]][at[kind.pair]], sines[at[kind.t]][at[kind.pair]]
            x, y = (self.sum(left.sum, {**at, kind.half: i}) for i in (0, 1))
            return s * x + c * y if at[kind.half] else c * x - s * y
        if kind == "scores" and at[product.axes[-1]] > at[product.axes[-2]]:
            return 0
        over = [a for a in dict.fromkeys(left.axes + right.axes) if a not in at]
        out = 0
        for index in indices_of(*(range(a.length) for a in over)):
            here = {**at, **dict(zip(over, index))}
            out += self.sum(left.sum, here) * self.sum(right.sum, here)
        return out


def _reads(term, at):
    """The indices of the source that a term adds."""
    ranges = []
    for place, index in enumerate(term.indices):
        match index:
            case At(a):
                ranges.append([at[a]])
            case Pick(a, picked):
                ranges.append([picked.entries[at[a]]])
            case Before(a):
                ranges.append(range(at[a]))
            case All():
                ranges.append(range(term.source.axes[place].length))
    return indices_of(*ranges)


def _indices(axes, causal, count, random):
    lengths = [a.length for a in axes]
    if count is None:
        chosen = indices_of(*map(range, lengths))
    else:
        chosen = (tuple(map(random.randrange, lengths)) for _ in range(count))
    for index in chosen:
        if not causal or index[-1] <= index[-2]:
            yield dict(zip(axes, index))
