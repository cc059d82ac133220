"""All claims of the pool become one value of one committed matrix (opening.md)."""

from claims import Causal, Eq, Lengths, cut
from dory import dory
from groups import IDENTITY, R
from ledger import Form, total
from multilinear import eq, index_point
from program import bits
from sumcheck import sumcheck


def support_claims(program, claims, columns):
    """Each column is 0 outside its support. Spec: opening.support"""
    for column in program.columns:
        axes = column.axes
        if all(a.length & (a.length - 1) == 0 for a in axes) and not column.causal:
            continue
        p = cut(columns, axes)
        inside = [Lengths(a.length, p_a) for a, p_a in zip(axes, p)]
        if column.causal:
            inside[-2:] = [Causal(axes[-2].length, p[-2], p[-1])]
        claims.pool.append(([(1, column, [Eq(p_a) for p_a in p]), (R - 1, column, inside)], Form(0)))


def open_pool(plan, pool, commitments, ledger):
    """Spec: opening.sumcheck"""
    transcript = ledger.transcript
    gamma = transcript.challenge("opening.gamma")
    powers = [1]
    for _ in pool:
        powers.append(powers[-1] * gamma % R)
    claim = total(power * value for power, (_, value) in zip(powers, pool))
    point, value = sumcheck(ledger, claim, [None] * (2 * plan.s))
    P = ledger.slots(plan.chunks)
    F = weights(plan, pool, powers, point)
    ledger.zero(value - total(f * slot for f, slot in zip(F, P)))
    mu = transcript.challenge("opening.mu")
    (y,) = ledger.slots(1)
    link = ledger.entries[-1]
    mus = [pow(mu, c, R) for c in range(plan.chunks)]
    ledger.zero(y - total(m * slot for m, slot in zip(mus, P)))
    # Spec: opening.dory
    matrix = IDENTITY
    for m, commitment in zip(mus, commitments):
        matrix = matrix + m * commitment
    dory(ledger.proof, plan.s, matrix, point[:plan.s], point[plan.s:], link)


def weights(plan, pool, powers, point):
    """F_c for every chunk. Spec: opening.weights"""
    F = [0] * plan.chunks
    size = 2 * plan.s
    for power, (terms, _) in zip(powers, pool):
        for coefficient, column, factors in terms:
            k = power * coefficient % R
            chunk, offset = plan.places[column.number]
            b = bits(column.axes)
            if b <= size:
                k = k * eq(point[:size - b], index_point(offset >> b, size - b)) % R
                F[chunk] = (F[chunk] + k * _factors(column, factors, point[size - b:])) % R
            else:
                f = b - size
                for i in range(1 << f):
                    F[chunk + i] = (F[chunk + i] + k * _factors(column, factors, index_point(i, f) + point)) % R
    return F


def _factors(column, factors, point):
    """The product of the factors' extensions, at the point cut by the column's axes."""
    coordinates = cut(point, column.axes)
    out = 1
    for factor in factors:
        q = coordinates.pop(0)
        if isinstance(factor, Causal):
            q = q + coordinates.pop(0)
        out = out * factor.extension(q) % R
    return out
