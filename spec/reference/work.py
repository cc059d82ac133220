"""How much work a verification takes, from its plan alone (verify.md, verify.work), and what the soundness errors count."""

from program import All, At, Below, Before, Column, Product, Rotary, bits
from refuse import require
from tables import Exp, Silu

LARGEST = 3 << 24                       # Spec: verify.limits
GREATEST = (1 << 64) - 1                # numbers saturate


class Work:
    def __init__(self, program, plan):
        """Spec: verify.work"""
        self.program, self.plan = program, plan
        self.units = self.pooled = self.zeros = 0   # claims in the pool, zeros of the ledger: soundness.errors
        self.variables = sum(range(plan.leaf_bits)) + 2 * plan.s
        self.gates = 1 + 2 * plan.leaf_bits
        self.entries = 1 + sum(_messages(level) + 1 for level in range(plan.leaf_bits))
        for table in program.tables:
            self.units += (type(table) in (Exp, Silu)) << table.bits
        wave = self._statements()
        while any(wave):
            wave = self._wave(wave)
        self._opening()

    def check(self):
        require(min(self.units, GREATEST) <= LARGEST, "over-work")

    def _statements(self):
        wave = [0] * len(self.program.products)
        values = [(value, x.axes, x.axes[-2:] if x.causal else []) for x in self.program.lookups for value in x.values]
        self._split(values, 1, wave)
        self.pooled += 1                # the numerators
        for zero in self.program.zeros:
            self._split([(zero.sum, zero.axes, [])], 1, wave)
        return wave

    def _wave(self, wave):
        """The claims of a wave side by side; those of the next. Spec: einsum"""
        following, rounds, ends = [0] * len(wave), [], 0
        for product, claims in zip(self.program.products, wave):
            if claims == 0:
                continue
            rotary, scores = isinstance(product.kind, Rotary), product.kind == "scores"
            operands = product.operands()
            if not rotary and not scores and product.left == product.right:
                operands = [product.left]
            if rotary:
                kind = product.kind
                shared = [kind.t, kind.half, kind.pair]
                self.units += claims * (kind.t.length + 64) * kind.pair.length
                self.zeros += claims
            else:
                shared = [a for a in product.left.axes if a in product.right.axes or (scores and a is product.axes[-2])]
                self.gates += claims
            variables = bits(shared)
            self.variables += claims * variables
            rounds += [0] * (variables - len(rounds))
            rounds[:variables] = [count + claims for count in rounds[:variables]]
            ends += claims * len(operands)
            for operand in operands:
                keys = [product.axes[-1]] if scores and operand is product.right else []
                self._split([(operand.sum, operand.axes, keys)], claims, following)
        self.entries += sum(-(-2 * count // 8) for count in rounds) - (-ends // 8)
        return following

    def _split(self, readings, times, wave):
        """Sums that one split adds up, `times` times. Spec: claim.split"""
        claims, columns = set(), False
        for total, axes, special in readings:
            for term in total.terms:
                if isinstance(term.source, Product):
                    claims.add((term.source.number, tuple(_place(index.axis, axes) for index in term.indices)))
                elif isinstance(term.source, Below):
                    self.units += times * 80 * len(term.source.list.entries)
                else:
                    columns = True
                    self.units += times * self._term(term, special)
        for number, _ in claims:
            wave[number] += times
        self.entries += times * -(-len(claims) // 8)
        if columns:
            self.pooled += times
        else:
            self.zeros += times

    def _term(self, term, special):
        """A term that reads a column. `special` is the causal pair of its reader, or the axis of the keys."""
        named = [index.axis for index in term.indices if not isinstance(index, All)]
        vector = None
        if len(special) == 1:
            vector = special[0]
        elif special and special[1] not in named:
            vector = special[0]
        units = 300
        for index, axis in zip(term.indices, term.source.axes):
            if isinstance(index, All):
                units += 4 * axis.length
            elif isinstance(index, Before) or (isinstance(index, At) and index.axis is vector):
                units += 4 * index.axis.length
            elif not isinstance(index, At):
                units += 10 * index.axis.length
        across = min(bits(term.source.axes) - 2 * self.plan.s, 32)
        return units + (8 << across if across > 0 else 0)

    def _opening(self):
        chunks, s = self.plan.chunks, self.plan.s
        self.entries += 2 * s - (-chunks // 8) + 1 - (-(self.gates + 3) // 8)
        self.zeros += 5                 # of the opening and the gates
        self.folds = (self.entries - 1).bit_length()
        points = self.entries + 2 * self.folds + 2
        statements = len(self.program.lookups) + len(self.program.columns)
        self.units += 300000 * (s + 1) + 18000 * chunks + 6000 * points + 1000 * statements
        self.proof_bytes = 192 * self.plan.witness_chunks + 48 * points + 32 * 12 + 2032 + 1584 * s


def _messages(variables):
    """Messages of a level of the lookup tree. Spec: sumcheck.message"""
    count = 0
    while variables:
        variables -= 2 if variables <= 16 and variables % 2 == 0 else 1
        count += 1
    return count


def _place(axis, axes):
    """Where the point of an axis is cut from that of its reader: equal places are equal points. Spec: claim.parts"""
    return (bits(axes[axes.index(axis) + 1:]), axis.bits) if axis.bits else None
