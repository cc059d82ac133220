"""Exact integers in numpy arrays: int64 where a bound shows that it suffices, else Python's integers."""

from functools import reduce
from itertools import product

import numpy as np

WORD = 1 << 63
FLOAT = 1 << 53                         # every integer up to 2^53 in absolute value is a float64


def size(a):
    """The largest absolute value."""
    return max(int(a.max()), -int(a.min()), 0) if a.size else 0


def array(a):
    """As int64 if the numbers fit, else as objects."""
    return np.asarray(a, dtype=object if size(a) >= WORD else np.int64)


def _ready(bound, *arrays):
    """Arrays whose numbers, whose results, and results on the way, have at most this absolute value."""
    if bound < WORD:
        return [np.asarray(a, dtype=np.int64) for a in arrays]
    return [np.asarray(a).astype(object) for a in arrays]


def number(n):
    return np.array(n, dtype=np.int64 if -WORD < n < WORD else object)


def _shrink(a):
    a = np.asarray(a)
    return a.astype(np.int64) if a.dtype == object and size(a) < WORD else a


def add(a, b):
    a, b = _ready(size(a) + size(b), a, b)
    return _shrink(a + b)


def multiply(a, b):
    if isinstance(b, int):
        b = number(b)
    a, b = _ready(max(size(a) * size(b), size(a), size(b)), a, b)
    return _shrink(a * b)


def divide(a, b):
    """floor(a / b), b > 0"""
    if isinstance(b, int):
        b = number(b)
    a, b = _ready(max(size(a), size(b)) + 1, a, b)
    return _shrink(a // b)


def total(a, axis):
    (a,) = _ready(size(a) * a.shape[axis], a)
    return _shrink(a.sum(axis=axis))


def matmul(a, b):
    """Of stacks of matrices, [.., m, k] and [.., k, n].

    Floating-point matrix products are exact here: if all |a| <= A and |b| <= B with k A B <= 2^53, then every partial
    sum, in whatever order, is an integer of at most 2^53, which float64 holds. Larger numbers are cut into digits of
    `w` bits with k 2^(2w) <= 2^53; the products of digits are added as integers."""
    k, bound = a.shape[-1], a.shape[-1] * size(a) * size(b)
    if bound <= FLOAT:
        return np.matmul(a.astype(np.float64), b.astype(np.float64)).astype(np.int64)
    w = (53 - (k - 1).bit_length()) // 2
    parts = []
    for (i, x), (j, y) in product(enumerate(_digits(a, w)), enumerate(_digits(b, w))):
        parts.append(multiply(np.matmul(x, y).astype(np.int64), 1 << w * (i + j)))
    return reduce(add, parts)


def _digits(a, w):
    """a = sum_i digit_i 2^(w i) with |digit_i| <= 2^w, as float64; the last digit has the sign."""
    digits = []
    while size(a) > 1 << w:
        digits.append((a & ((1 << w) - 1)).astype(np.float64))
        a = a >> w
    return digits + [a.astype(np.float64)]
