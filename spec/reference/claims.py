"""Sums under weights become claims on columns (the pool) and on products (the queue) (claim.md)."""

from dataclasses import dataclass

from groups import R
from ledger import Form, total
from multilinear import causal, eq, eq_table, extension, lt
from program import All, At, Before, Below, Column, Pick, bits
from refuse import require


# Weights of a reader's axes, and factors of a column's: the same functions of an index.

@dataclass(frozen=True)
class Eq:
    """x -> eq(point, x), on all indices of the axis' bits."""
    point: tuple

    def values(self, n):
        return eq_table(self.point)[:n]

    def total(self, n):
        return lt(n, self.point)

    def extension(self, q):
        return eq(self.point, q)


@dataclass(frozen=True)
class Vector:
    """x -> entries[x], 0 from the end on."""
    entries: list

    def values(self, n):
        return self.entries[:n] + [0] * (n - len(self.entries))

    def total(self, n):
        return sum(self.entries) % R

    def extension(self, q):
        return extension(self.entries, q)


@dataclass(frozen=True)
class Lengths:
    """x -> [x < n] eq(point, x)"""
    n: int
    point: tuple

    def extension(self, q):
        return lt(self.n, self.point, q)


@dataclass(frozen=True)
class Causal:
    """(t, u) -> [u <= t < n] eq(p_t, t) eq(p_u, u), a factor of two axes"""
    n: int
    p_t: tuple
    p_u: tuple

    def extension(self, q):
        k = len(self.p_t)
        return causal(self.n, self.p_t, self.p_u, q[:k], q[k:])


def cut(point, axes):
    """The last coordinates of the point, cut into the axes' points."""
    out, at = [], len(point) - bits(axes)
    for a in axes:
        out.append(tuple(point[at:at + a.bits]))
        at += a.bits
    return out


class Reader:
    """Spec: claim.readers"""

    def __init__(self, axes, weights, pair=None):
        self.axes, self.weights, self.pair = axes, dict(zip(axes, weights)), pair

    @staticmethod
    def at(axes, is_causal, point):
        return Reader(axes, [Eq(p) for p in cut(point, axes)], tuple(axes[-2:]) if is_causal else None)

    def mass(self, read):
        """Spec: claim.mass"""
        out, pair = 1, self.pair or ()
        for a in self.axes:
            if a not in read and a not in pair:
                out = out * self.weights[a].total(a.length) % R
        if pair and pair[0] not in read and pair[1] not in read:
            t, u = pair
            out = out * causal(t.length, self.weights[t].point, self.weights[u].point) % R
        return out

    def factor(self, index, axis, read):
        """The factor of a source's axis. Spec: claim.factors"""
        if isinstance(index, All):
            return Vector([1] * axis.length)
        a = index.axis
        weight = self.weights[a]
        if isinstance(index, At):
            if self.pair and a is self.pair[0] and self.pair[1] not in read:
                others, sums, so_far = self.weights[self.pair[1]].values(a.length), [], 0
                for x, w in enumerate(weight.values(a.length)):
                    so_far += others[x]
                    sums.append(w * so_far % R)
                return Vector(sums)
            require(not (self.pair and a is self.pair[1] and self.pair[0] not in read), "bad-card")
            return weight
        require(not (self.pair and a in self.pair), "bad-card")         # not defined; no program does this
        w = weight.values(a.length)
        if isinstance(index, Before):
            sums, so_far = [0] * a.length, 0
            for x in reversed(range(a.length)):
                sums[x] = so_far
                so_far = (so_far + w[x]) % R
            return Vector(sums)
        assert isinstance(index, Pick)
        sums = [0] * axis.length
        for i, x in enumerate(index.list.entries):
            sums[x] = (sums[x] + w[i]) % R
        return Vector(sums)


class Parts:
    """Spec: claim.parts"""

    def __init__(self, public=0):
        self.public = public
        self.columns = []               # (coefficient, column, factors)
        self.products = {}              # (product, its points): coefficient; in the order of arrival

    def add(self, factor, total_, reader):
        if total_.constant:
            self.public = (self.public + factor * total_.constant * reader.mass(())) % R
        for term in total_.terms:
            k = factor * term.coefficient % R
            read = {i.axis for i in term.indices if not isinstance(i, All)}
            if isinstance(term.source, Below):
                require(all(isinstance(index, At) for index in term.indices), "bad-card")
                t, i = (index.axis for index in term.indices)
                w = reader.weights[t].values(t.length)
                point = reader.weights[i].point
                self.public += k * sum(w[x] * lt(n, point) for x, n in enumerate(term.source.list.entries))
                self.public %= R
                continue
            k = k * reader.mass(read) % R
            factors = [reader.factor(i, a, read) for i, a in zip(term.indices, term.source.axes)]
            if isinstance(term.source, Column):
                self.columns.append((k, term.source, factors))
            else:
                require(all(isinstance(f, Eq) for f in factors), "bad-card")
                claim = term.source, tuple(f.point for f in factors)
                self.products[claim] = (self.products.get(claim, 0) + k) % R


class Claims:
    def __init__(self, ledger):
        self.ledger = ledger
        self.pool = []                  # (column terms, form)
        self.queue = []                 # ((product, points), form)

    def split(self, parts, value):
        """Spec: claim.split"""
        slots = self.ledger.slots(len(parts.products))
        rest = total([value, Form(-parts.public)] + [-k * slot for k, slot in zip(parts.products.values(), slots)])
        self.queue.extend(zip(parts.products, slots))
        if parts.columns:
            self.pool.append((parts.columns, rest))
        else:
            self.ledger.zero(rest)

    def claim(self, total_, reader, value):
        parts = Parts()
        parts.add(1, total_, reader)
        self.split(parts, value)
