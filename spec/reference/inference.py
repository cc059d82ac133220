"""The integer inference (inference.md): from model columns and tokens to the witness columns and multiplicities.

It interprets the program: every column has a rule, every rule reads sums, sums read columns and products. Nothing in it
knows of LLaMA. What has the axis of the layers is computed for one layer after the other."""

from functools import lru_cache
from math import isqrt, prod

import numpy as np

import exact
import rules
from program import All, At, Before, Below, Column, Pick, Product, Rotary


class Inference:
    def __init__(self, program, model):
        """`model`: for each model column's number its entries, over the true lengths of its axes."""
        self.program = program
        self.columns = dict(model)
        self.products = {}              # what was computed of products at the present layer
        self.failed = {}                # lookups that fail, by number: what is no row. If any, there is no proof.

    # Spec: inference.order

    def run(self, check=True):
        """Fills all witness columns and, with `check`, shows all lookups and zeros and fills the multiplicities."""
        q, layer = self.program, self.program.layer
        for column in q.filled:
            self.columns[column.number] = np.zeros([a.length for a in column.axes], np.int64)
        for table, number in zip(q.tables, (c.number for c in q.multiplicity)):
            self.columns[number] = np.zeros(1 << table.bits, np.int64)
        in_layers = [c for c in q.filled if layer in c.axes]
        first, last = q.filled.index(in_layers[0]), q.filled.index(in_layers[-1])
        outside = [(i, c) for i, c in enumerate(q.filled) if layer not in c.axes]
        assert not any(first < i < last for i, _ in outside)
        self._fill([c for i, c in outside if i < first], {})
        for i in range(layer.length):
            self._fill(in_layers, {layer: i})
            if check:
                self._show({layer: i})
            self.products.clear()
        self._fill([c for i, c in outside if i > last], {})
        if check:
            self._show({})
        return self

    def _fill(self, columns, fixed):
        for column in columns:
            free = [a for a in column.axes if a not in fixed]
            values = self.rule(column, free, fixed)
            if column.causal:
                values = exact.multiply(values, causal_mask(free))
            at = tuple(fixed.get(a, slice(None)) for a in column.axes)
            if values.dtype == object and self.columns[column.number].dtype != object:
                self.columns[column.number] = self.columns[column.number].astype(object)
            self.columns[column.number][at] = values

    def _show(self, fixed):
        """The lookups and zeros of a layer, or those that have no layers. Spec: inference.multiplicity"""
        q = self.program
        for number, lookup in enumerate(q.lookups):
            if (q.layer in lookup.axes) == bool(fixed):
                self._look_up(number, lookup, fixed)
        for zero in q.zeros:
            if (q.layer in zero.axes) == bool(fixed):
                free = [a for a in zero.axes if a not in fixed]
                assert not self.sum(zero.sum, free, fixed).any()        # Spec: inference.exact

    def _look_up(self, number, lookup, fixed):
        table = self.program.tables[lookup.table]
        free = [a for a in lookup.axes if a not in fixed]
        support = np.broadcast_to(causal_mask(free) if lookup.causal else True, [a.length for a in free])
        row, *outputs = [self.full(v, free, fixed)[support] for v in lookup.values]
        wrong = ~is_row(row, table)
        if wrong.any():
            self.failed.setdefault(number, f"{lookup.name}: {row[wrong][0]} is no row of {table}")
        row = np.where(wrong, 0, row).astype(np.int64)
        for value, output in zip(outputs, table_outputs(table), strict=True):
            assert wrong.any() or (value == output[row]).all()          # Spec: inference.output
        counts = self.columns[self.program.multiplicity[lookup.table].number]
        counts += np.bincount(row[~wrong], minlength=1 << table.bits)

    # Spec: inference.rules

    def rule(self, column, free, fixed):
        """The values of a column over the axes free, at the indices fixed of the others."""
        rule = column.rule

        def of(total, axes=free):
            return self.full(total, axes, fixed)

        match rule:
            case rules.Round():         # Spec: inference.round
                half = exact.number(1 << (rule.shift - 1))
                return exact.divide(exact.add(of(rule.of), half), 1 << rule.shift)
            case rules.Exact():         # Spec: inference.exact
                return of(rule.of)
            case rules.InverseSqrt():   # Spec: inference.inverse_sqrt: i^2 of <= K iff i^2 <= floor(K / of)
                sums = of(rule.of)
                roots = [isqrt(rule.k // int(x)) for x in sums.flat]
                return exact.array(np.array(roots, dtype=object).reshape(sums.shape))
            case rules.RowMax():        # Spec: inference.row_max
                axes = free + [rule.over]
                scores = exact.divide(of(rule.of, axes), 1 << rule.shift)
                low = scores.min()
                return np.where(causal_mask(axes), scores, low).max(axis=-1)
            case rules.Gap():           # Spec: inference.gap
                top = self.term(rule.top, [At(a) for a in rule.top.axes], free, fixed)
                return exact.add(top, exact.multiply(exact.divide(of(rule.of), 1 << rule.shift), -1))
            case rules.Output():        # Spec: inference.output
                table, row = self.program.tables[rule.table], of(rule.of)
                found = is_row(row, table)                              # if not, the lookup fails whatever stands here
                return np.where(found, table_outputs(table)[rule.i][np.where(found, row, 0).astype(np.int64)], 0)
            case rules.Divide():        # Spec: inference.divide
                twice, below = exact.multiply(of(rule.numerator), 2), of(rule.denominator)
                return exact.divide(exact.add(twice, below), exact.multiply(below, 2))
            case rules.Digit():         # Spec: inference.digit
                return exact.divide(of(rule.of), 1 << rule.shift)

    # Spec: program.sums

    def full(self, total, free, fixed):
        return np.broadcast_to(self.sum(total, free, fixed), [a.length for a in free])

    def sum(self, total, free, fixed):
        """A sum over the axes free, at the indices fixed of the others. Of length 1 on axes on which it is constant."""
        out = exact.number(total.constant)
        for t in total.terms:
            out = exact.add(out, exact.multiply(self.term(t.source, t.indices, free, fixed), t.coefficient))
        return out.reshape([1] * (len(free) - out.ndim) + list(out.shape))

    def term(self, source, indices, free, fixed):
        values, left = self.source(source, indices, fixed)
        axes, d = [], 0                 # the first d axes of values are those, of the reader
        for index in left:
            match index:
                case All():
                    values = exact.total(values, d)
                case Before(a):
                    values = exact.total(values[(slice(None),) * d + (slice(0, fixed[a]),)], d)
                case At(a) if a in fixed:
                    values = values[(slice(None),) * d + (fixed[a],)]
                case At(a):
                    axes, d = axes + [a], d + 1
                case Pick(a, picked):
                    values = np.take(values, picked.entries, axis=d)
                    axes, d = axes + [a], d + 1
        assert len(set(axes)) == len(axes)
        values = values.transpose([axes.index(a) for a in free if a in axes])
        return values.reshape([a.length if a in axes else 1 for a in free])

    def source(self, source, indices, fixed):
        """The values of a source, and the indices at which they are still to be read."""
        match source:
            case Column():
                return self.columns[source.number], indices
            case Below():
                below = np.arange(indices[1].axis.length) < np.array(source.list.entries)[:, None]
                return below.astype(np.int64), indices
            case Product():             # computed at the present layer only
                read = list(zip(source.axes, indices))
                at = {a: fixed[i.axis] for a, i in read if isinstance(i, At) and i.axis in fixed}
                rest = [i for a, i in read if a not in at]
                return self.product(source, at), rest

    # Spec: program.products

    def product(self, product, fixed):
        """The product over its axes that are not fixed."""
        key = product.number, *fixed.values()
        if key not in self.products:
            free = [a for a in product.axes if a not in fixed]
            operands = []
            for operand in (product.left, product.right):
                if operand is not None:
                    axes = [a for a in operand.axes if a not in fixed]
                    operands.append((axes, self.full(operand.sum, axes, fixed)))
            if isinstance(product.kind, Rotary):
                values = rotate(product.kind, *operands[0])
            else:
                values = einsum(*operands, free)
            if product.kind == "scores":
                values = exact.multiply(values, causal_mask(free))
            self.products[key] = values
        return self.products[key]


def einsum(left, right, axes):
    """The sum over all axes of left and right that the result lacks, as a stack of matrix products."""
    (left_axes, left), (right_axes, right) = left, right
    both = [a for a in left_axes if a in right_axes]
    stack, inner = [a for a in both if a in axes], [a for a in both if a not in axes]
    rows, columns = [a for a in left_axes if a not in both], [a for a in right_axes if a not in both]
    assert set(stack + rows + columns) == set(axes)

    def arranged(values, have, *groups):
        values = values.transpose([have.index(a) for group in groups for a in group])
        return values.reshape([prod(a.length for a in group) for group in groups])

    left, right = arranged(left, left_axes, stack, rows, inner), arranged(right, right_axes, stack, columns, inner)
    right = right.swapaxes(1, 2)
    out = exact.matmul(left, right) if inner else exact.multiply(left, right)
    have = stack + rows + columns
    return out.reshape([a.length for a in have]).transpose([have.index(a) for a in axes])


def rotate(kind, axes, values):
    cosines, sines = (np.array(x, dtype=np.int64) for x in kind.tables())
    half = axes.index(kind.half)
    rest = axes[:half] + axes[half + 1:]
    order = sorted((kind.t, kind.pair), key=rest.index)
    shape = [a.length if a in order else 1 for a in rest]
    if order[0] is kind.pair:
        cosines, sines = cosines.T, sines.T
    cosines, sines = cosines.reshape(shape), sines.reshape(shape)
    x, y = (np.take(values, i, axis=half) for i in (0, 1))
    a = exact.add(exact.multiply(x, cosines), exact.multiply(exact.multiply(y, sines), -1))
    b = exact.add(exact.multiply(x, sines), exact.multiply(y, cosines))
    return np.stack([a, b], axis=half)


def causal_mask(axes):
    """[u <= t], to be broadcast to axes that end with t, u."""
    return np.tri(axes[-2].length, axes[-1].length, dtype=bool)


@lru_cache(maxsize=None)
def table_outputs(table):
    return [np.array(column, dtype=np.int64) for column in table.outputs()]


def is_row(row, table):
    return (row >= 0) & (row < 1 << table.bits)
