"""Claims on products become claims on their operands (einsum.md)."""

from claims import Eq, Reader, Vector
from groups import R
from multilinear import eq_table
from program import Rotary
from refuse import require
from sumcheck import sumchecks


class Reduction:
    """One claim on its way."""

    def __init__(self, claim):
        self.product, points = claim
        product = self.product
        self.point = dict(zip(product.axes, points))
        # Spec: einsum.shared
        if isinstance(product.kind, Rotary):
            free = product.kind.t, product.kind.half, product.kind.pair
            self.shared = [a for a in product.left.axes if a in free]
        else:
            free = ()
            also = product.right.axes + ([product.axes[-2]] if product.kind == "scores" else [])
            self.shared = [a for a in product.left.axes if a in also]
        # Spec: einsum.sumcheck
        self.coordinates = []
        for a in self.shared:
            self.coordinates += self.point[a] if a in self.point and a not in free else [None] * a.bits
        self.square = product.kind == "einsum" and product.left == product.right
        self.ends = 1 if self.square or isinstance(product.kind, Rotary) else 2

    def finish(self, result, value, end, ledger, claims):
        """Spec: einsum.end"""
        product, point = self.product, self.point
        at = dict(point)
        for a in self.shared:
            at[a], result = result[:a.bits], result[a.bits:]

        def reader(operand):
            require(all(a in at for a in operand.axes), "bad-card")
            return Reader(operand.axes, [Eq(at[a]) for a in operand.axes])

        left, right = product.left, product.right
        if isinstance(product.kind, Rotary):
            # Spec: einsum.rotary
            (a,) = end
            w = rotary_weight(product.kind, point, at)
            ledger.zero(value - w * a)
            claims.claim(left.sum, reader(left), a)
        elif self.square:
            (a,) = end
            ledger.gate(a, a, value)
            claims.claim(left.sum, reader(left), a)
        else:
            a, b = end
            ledger.gate(a, b, value)
            claims.claim(left.sum, reader(left), a)
            right_reader = reader(right)
            if product.kind == "scores":
                t, u = product.axes[-2:]
                right_reader.weights[u] = causal_weight(t.length, point[u], at[t])
            claims.claim(right.sum, right_reader, b)


def reduce(wave, ledger, claims):
    """All claims of a wave side by side. Spec: einsum"""
    reductions = [Reduction(claim) for claim, _ in wave]
    point, values = sumchecks(ledger, [value for _, value in wave], [r.coordinates for r in reductions])
    ends = ledger.slots(sum(r.ends for r in reductions))
    for reduction, value in zip(reductions, values):
        own, ends = ends[:reduction.ends], ends[reduction.ends:]
        reduction.finish(point[len(point) - len(reduction.coordinates):], value, own, ledger, claims)


def causal_weight(n, p_u, bound_t):
    """u -> eq(point(u), u) * sum_{u <= x < n} eq(bound(t), x). Spec: einsum.scores"""
    eq_u, eq_t, out, so_far = eq_table(p_u), eq_table(bound_t), [0] * n, 0
    for u in reversed(range(n)):
        so_far = (so_far + eq_t[u]) % R
        out[u] = eq_u[u] * so_far % R
    return Vector(out)


def rotary_weight(kind, point, bound):
    """W~(bound(t)|bound(half)|bound(pair)). Spec: einsum.rotary"""
    cosines, sines = kind.tables()
    (w1,), (b1,) = point[kind.half], bound[kind.half]
    # W[x, 0, e] = z (w0 cos + w1 sin), W[x, 1, e] = z (w1 cos - w0 sin): collect cos and sin
    times_cos = (1 - b1) * (1 - w1) + b1 * w1
    times_sin = (1 - b1) * w1 - b1 * (1 - w1)
    n, pairs = kind.t.length, kind.pair.length
    on_t = [a * b % R for a, b in zip(eq_table(point[kind.t])[:n], eq_table(bound[kind.t]))]
    on_e = [a * b % R for a, b in zip(eq_table(point[kind.pair])[:pairs], eq_table(bound[kind.pair]))]
    out = 0
    for x, wx in enumerate(on_t):
        out += wx * sum(we * (times_cos * c + times_sin * s) for we, c, s in zip(on_e, cosines[x], sines[x])) % R
    return out % R
