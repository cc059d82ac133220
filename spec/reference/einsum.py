"""Claims on products become claims on their operands (einsum.md)."""

from claims import Eq, Reader, Vector
from groups import R
from multilinear import eq_table
from program import Rotary
from refuse import require
from sumcheck import sumcheck


def reduce(claim, value, ledger, claims):
    product, points = claim
    left, right = product.left, product.right
    point = dict(zip(product.axes, points))

    # Spec: einsum.shared
    if isinstance(product.kind, Rotary):
        free = product.kind.t, product.kind.half, product.kind.pair
        shared = [a for a in left.axes if a in free]
    else:
        free = ()
        also = right.axes + ([product.axes[-2]] if product.kind == "scores" else [])
        shared = [a for a in left.axes if a in also]

    # Spec: einsum.sumcheck
    coordinates = []
    for a in shared:
        coordinates += point[a] if a in point and a not in free else [None] * a.bits
    result, value = sumcheck(ledger, value, coordinates)
    at = dict(point)
    for a in shared:
        at[a], result = result[:a.bits], result[a.bits:]

    def reader(operand):
        require(all(a in at for a in operand.axes), "bad-card")
        return Reader(operand.axes, [Eq(at[a]) for a in operand.axes])

    if isinstance(product.kind, Rotary):
        # Spec: einsum.rotary
        (a,) = ledger.slots(1)
        w = rotary_weight(product.kind, point, at)
        ledger.zero(value - w * a)
        claims.claim(left.sum, reader(left), a)
    elif product.kind == "einsum" and left == right:
        # Spec: einsum.end
        (a,) = ledger.slots(1)
        ledger.gate(a, a, value)
        claims.claim(left.sum, reader(left), a)
    else:
        a, b = ledger.slots(2)
        ledger.gate(a, b, value)
        claims.claim(left.sum, reader(left), a)
        right_reader = reader(right)
        if product.kind == "scores":
            t, u = product.axes[-2:]
            right_reader.weights[u] = causal_weight(t.length, point[u], at[t])
        claims.claim(right.sum, right_reader, b)


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
