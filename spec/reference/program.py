"""Programs: what is computed, and the builder's functions (program.md). A verifier needs no rules and no names."""

from dataclasses import dataclass, field

import rules
import tables
from multilinear import bits_of
from refuse import require


# Spec: program.objects

@dataclass(eq=False)
class Axis:
    name: str
    length: int

    @property
    def bits(self):
        return bits_of(self.length)


def bits(axes):
    return sum(a.bits for a in axes)


@dataclass(eq=False)
class Column:
    number: int
    axes: list
    causal: bool
    origin: str                         # "model", "witness", "multiplicity"
    name: str                           # no meaning
    rule: object = None                 # of rules.py; only witness columns have one


@dataclass(eq=False)
class Product:
    number: int
    axes: list
    kind: object                        # "einsum", "scores", or a Rotary
    left: "Operand"
    right: "Operand"                    # None for Rotary

    def operands(self):
        return [operand for operand in (self.left, self.right) if operand is not None]


@dataclass(eq=False)
class Rotary:
    t: Axis
    half: Axis
    pair: Axis
    base: int
    fraction: int

    def tables(self):
        return tables.rotary(self.t.length, self.pair.length, self.base, self.fraction)


@dataclass(eq=False)
class List:
    entries: list


@dataclass(eq=False)
class Below:
    """The public matrix [i < list[t]]."""
    list: List


@dataclass(eq=False)
class Lookup:
    axes: list
    causal: bool
    table: int
    values: list
    name: str


@dataclass(eq=False)
class Zero:
    axes: list
    sum: "Sum"
    name: str


@dataclass
class Operand:
    axes: list
    sum: "Sum"


# Spec: program.sums

@dataclass(frozen=True)
class At:
    axis: Axis


@dataclass(frozen=True)
class All:
    pass


@dataclass(frozen=True)
class Before:
    axis: Axis


@dataclass(frozen=True)
class Pick:
    axis: Axis
    list: List


@dataclass(frozen=True)
class Term:
    coefficient: int
    source: object
    indices: tuple


@dataclass
class Sum:
    constant: int = 0
    terms: list = field(default_factory=list)

    def __add__(self, other):
        if isinstance(other, int):
            return Sum(self.constant + other, self.terms)
        return Sum(self.constant + other.constant, self.terms + other.terms)

    def __rmul__(self, k):
        return Sum(k * self.constant, [Term(k * t.coefficient, t.source, t.indices) for t in self.terms])

    def __sub__(self, other):
        return self + (-other if isinstance(other, int) else -1 * other)


def read(source, *indices):
    """1 * source[index, ..]; an axis stands for At of it."""
    return Sum(0, [Term(1, source, tuple(At(i) if isinstance(i, Axis) else i for i in indices))])


def no_wrap(n):
    """Spec: program.wrap"""
    require(n < 250, "could-wrap")


class Program:
    def __init__(self, digit_bits):
        """Spec: program.start"""
        require(1 <= digit_bits <= 20, "bad-card")
        self.digit_bits = digit_bits
        self.columns, self.products, self.tables, self.lookups, self.zeros = [], [], [], [], []
        self.multiplicity = []          # of each table, after finish()
        self.filled = []                # witness columns in the order in which they get their rules
        self.layer = self.logits = None  # the axis of the layers, the product whose arg max is the answer

    # Spec: program.builder

    def _column(self, name, axes, causal, origin):
        self.columns.append(Column(len(self.columns), list(axes), causal, origin, name))
        return self.columns[-1]

    def model(self, name, axes):
        return self._column(name, axes, False, "model")

    def declare(self, name, axes, causal=False):
        return self._column(name, axes, causal, "witness")

    def witness(self, name, axes, rule, causal=False):
        return self._rule(self.declare(name, axes, causal), rule)

    def _rule(self, column, rule):
        column.rule = rule
        self.filled.append(column)
        return column

    def product(self, axes, left, kind, right=None):
        self.products.append(Product(len(self.products), list(axes), kind, left, right))
        return self.products[-1]

    def table(self, t):
        if t not in self.tables:
            self.tables.append(t)
        return self.tables.index(t)

    def lookup(self, name, axes, causal, table, values):
        self.lookups.append(Lookup(list(axes), causal, table, values, name))

    def zero(self, name, axes, total):
        self.zeros.append(Zero(list(axes), total, name))

    def exact(self, name, axes, total):
        y = self.witness(name, axes, rules.Exact(total))
        self.zero(name, axes, read(y, *axes) - total)
        return y

    def round(self, name, axes, total, shift, n):
        y = self.declare(name, axes)
        self.round_into(y, total, shift, n)
        return y

    def round_into(self, y, total, shift, n):
        self.remainder(y, total, shift, n)
        self.signed(y.name, y.axes, read(y, *y.axes), n)

    def rounded(self, name, axes, total, shift, n):
        y = self.declare(name, axes)
        self.remainder(y, total, shift, n)
        return y

    def remainder(self, y, total, shift, n):
        require(shift != 0, "bad-card")
        no_wrap(shift + n + 1)
        self._rule(y, rules.Round(total, shift))
        total = total + (1 << (shift - 1)) - (1 << shift) * read(y, *y.axes)
        self.unsigned(y.name + ".remainder", y.axes, total, shift)

    def unsigned(self, name, axes, total, n, causal=False):
        """Spec: program.unsigned"""
        d = self.digit_bits
        no_wrap(n)
        if n > d:
            high = self.witness(name + ".high", axes, rules.Digit(total, d), causal)
            self.unsigned(high.name, axes, read(high, *axes), n - d, causal)
            total = total - (1 << d) * read(high, *axes)
        k = self.table(tables.Range(min(n, d)))
        self.lookup(name, axes, causal, k, [total])

    def signed(self, name, axes, total, n, causal=False):
        """Spec: program.signed"""
        no_wrap(n)
        require(n != 0, "bad-card")
        low = min(self.digit_bits, n)
        total = total + (1 << (low - 1))
        if n > low:
            high = self.witness(name + ".high", axes, rules.Digit(total, low), causal)
            self.signed(high.name, axes, read(high, *axes), n - low, causal)
            total = total - (1 << low) * read(high, *axes)
        k = self.table(tables.Range(low))
        self.lookup(name, axes, causal, k, [total])

    def finish(self):
        """Spec: program.finish"""
        for t in self.tables:
            require(t.representable(), "bad-card")
            axis = Axis("row", 1 << t.bits)
            name = f"multiplicity{len(self.multiplicity)}"
            self.multiplicity.append(self._column(name, [axis], False, "multiplicity"))
        self.check()

    def check(self):
        """What the claims rely on. Spec: program.finish"""
        self._check_numbers()
        self._check_order()
        self._check_rows()
        self._check_constrained()
        self._check_products()
        self._check_axes()

    def _statements(self):
        """(sum, axes, causal pair) of all lookups and zeros."""
        readers = [(value, x.axes, x.axes[-2:] if x.causal else []) for x in self.lookups for value in x.values]
        return readers + [(z.sum, z.axes, []) for z in self.zeros]

    def _check_numbers(self):
        """Spec: program.wrap"""
        sums = [total for total, _, _ in self._statements()] + [o.sum for p in self.products for o in p.operands()]
        numbers = [total.constant for total in sums] + [term.coefficient for total in sums for term in total.terms]
        require(all(abs(number) < 1 << 120 for number in numbers), "could-wrap")

    def _check_order(self):
        """Axes are distinct, products read earlier ones. Spec: program.axes"""
        for thing in self.columns + self.products + self.lookups + self.zeros:
            require(_distinct(thing.axes), "bad-card")
        for product in self.products:
            for operand in product.operands():
                require(_distinct(operand.axes), "bad-card")
                read = [term.source.number for term in operand.sum.terms if isinstance(term.source, Product)]
                require(all(number < product.number for number in read), "bad-card")

    def _check_rows(self):
        """Spec: program.rows"""
        for lookup in self.lookups:
            require(0 <= lookup.table < len(self.tables), "bad-card")
            require(len(lookup.values) == self.tables[lookup.table].ENTRIES, "bad-card")

    def _check_constrained(self):
        """Spec: program.constrained"""
        seen = set()
        for total, axes, pair in self._statements():
            sources = [term.source for term in total.terms]
            subjects = [t.source.number for t in total.terms
                        if isinstance(t.source, Column) and t.source.origin == "witness" and abs(t.coefficient) == 1
                        and t.source.axes == axes and t.source.causal == bool(pair) and t.indices == tuple(map(At, axes))
                        and sources.count(t.source) == 1]
            seen.update(sorted(subjects)[-1:])
        require(all(c.number in seen for c in self.columns if c.origin == "witness"), "bad-card")

    def _check_products(self):
        """Spec: program.products"""
        for product in self.products:
            left, axes, kind = product.left.axes, product.axes, product.kind
            if isinstance(kind, Rotary):
                require(axes == left and axes[-2:] == [kind.half, kind.pair] and kind.t in axes[:-2], "bad-card")
                require(kind.half.length == 2 and kind.fraction <= 30, "bad-card")
                continue
            right = product.right.axes
            require(all(a in left or a in right for a in axes), "bad-card")
            require(all(a in axes or (a in left and a in right) for a in left + right), "bad-card")
            if kind == "scores":
                _check_pair(axes)
                t, u = axes[-2:]
                require(t in left and t not in right and u in right and u not in left, "bad-card")

    def _check_axes(self):
        """Spec: program.axes"""
        for total, axes, pair in self._statements():
            _check_terms(total, axes, pair)
        for product in self.products:
            for operand in product.operands():
                keys = product.axes[-1] if product.kind == "scores" and operand is product.right else None
                _check_terms(operand.sum, operand.axes, [], keys, public=False)
        for causal in [x for x in self.columns + self.lookups if x.causal]:
            _check_pair(causal.axes)
        widest = max((bits(c.axes) for c in self.columns), default=0)
        require(all(bits(zero.axes) <= widest for zero in self.zeros), "bad-card")


def _distinct(axes):
    return len(set(axes)) == len(axes)


def _check_pair(axes):
    require(len(axes) >= 2 and axes[-2].length == axes[-1].length, "bad-card")


def _check_terms(total, axes, pair, keys=None, public=True):
    """The terms of a sum that a reader of these axes reads. Spec: program.axes"""
    for term in total.terms:
        named = [index.axis for index in term.indices if not isinstance(index, All)]
        require(all(a in axes for a in named) and _distinct(named), "bad-card")
        if isinstance(term.source, Below):
            require(len(term.indices) == 2 and all(isinstance(index, At) for index in term.indices), "bad-card")
            require(len(axes) == 2 and not pair and public, "bad-card")
            entries = term.source.list.entries
            require(len(entries) == named[0].length and all(0 <= n <= named[1].length for n in entries), "bad-card")
            continue
        require(len(term.indices) == len(term.source.axes), "bad-card")
        if isinstance(term.source, Product):
            vector = pair[0] if pair and pair[1] not in named else keys
            require(all(isinstance(index, At) and index.axis is not vector for index in term.indices), "bad-card")
        if pair and pair[1] in named:
            causal = term.source.causal if isinstance(term.source, Column) else term.source.kind == "scores"
            require(causal and term.indices[-2:] == (At(pair[0]), At(pair[1])), "bad-card")
        for index, axis in zip(term.indices, term.source.axes):
            if isinstance(index, (At, Before)):
                require(index.axis.length == axis.length, "bad-card")
            if isinstance(index, Pick):
                require(len(index.list.entries) == index.axis.length, "bad-card")
                require(all(0 <= i < axis.length for i in index.list.entries), "bad-card")
            if isinstance(index, (Before, Pick)):
                require(index.axis not in pair, "bad-card")
