"""Multilinear extensions (multilinear.md). Points are tuples; the first coordinate is the most significant bit."""

from functools import lru_cache

from groups import R


def bits_of(n):
    """ceil(log2 n), n >= 1"""
    return (n - 1).bit_length()


def eq(p, q):
    assert len(p) == len(q)
    out = 1
    for a, b in zip(p, q):
        out = out * (1 - a - b + 2 * a * b) % R
    return out


def index_point(x, n):
    """The point of the n bits of x."""
    return tuple((x >> (n - 1 - i)) & 1 for i in range(n))


@lru_cache(maxsize=16)
def eq_table(p):
    """eq(p, x) for all x < 2^n."""
    table = [1]
    for a in p:
        table = [v for t in table for v in ((t - t * a) % R, t * a % R)]
    return table


def extension(vector, p):
    """sum_x eq(p, x) vector[x]; vectors are continued with 0."""
    if not any(vector):
        return 0
    return sum(v * e for v, e in zip(vector, eq_table(p)) if v) % R


def lt(n, p, q=None):
    """LT_n(p), LT_n(p, q). Spec: multilinear.eq"""
    if n == 0:
        return 0
    tied, less = 1, 0
    for c, (e0, e1) in zip(index_point(n - 1, len(p)), _both(p, q)):
        less = (less * (e0 + e1) + (tied * e0 if c else 0)) % R
        tied = tied * (e1 if c else e0) % R
    return (tied + less) % R


def causal(n, p, p2, q=None, q2=None):
    """CAUSAL_n(p, p'), CAUSAL_n(p, p'; q, q'). Spec: multilinear.eq"""
    states = {(True, True): 1}          # (u is tied to t, t is tied to n - 1): weight
    for c, t_factor, u_factor in zip(index_point(n - 1, len(p)), _both(p, q), _both(p2, q2)):
        after = {}
        for (a, b), weight in states.items():
            for x in (0, 1):
                for y in (0, 1):
                    if (a and y > x) or (b and x > c):
                        continue
                    state = a and x == y, b and x == c
                    after[state] = (after.get(state, 0) + weight * t_factor[x] * u_factor[y]) % R
        states = after
    return sum(states.values()) % R


def _both(p, q):
    """For each coordinate the factors of the bits 0 and 1."""
    if q is None:
        return [(1 - a, a) for a in p]
    return [((1 - a) * (1 - b) % R, a * b % R) for a, b in zip(p, q)]


def identity(p):
    """ID(p) = sum_x x eq(p, x)"""
    return sum(a << (len(p) - 1 - i) for i, a in enumerate(p)) % R
