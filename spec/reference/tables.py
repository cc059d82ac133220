"""The integer tables (tables.md)."""

from dataclasses import dataclass
from functools import lru_cache

ONE = 1 << 62


def mul(a, b):
    return (a * b) >> 62


@dataclass(frozen=True)
class Range:
    ENTRIES = 1                         # of a row
    bits: int

    def representable(self):
        return self.bits <= 20

    def outputs(self):
        return []


@dataclass(frozen=True)
class Exp:
    ENTRIES = 3
    bits: int
    fraction: int
    precision: int

    def representable(self):
        return self.bits <= 20 and self.fraction <= 40 and self.precision < 40

    def outputs(self):
        """Spec: tables.exp"""
        p = self.precision
        out = [(e + (1 << (61 - p))) >> (62 - p) for e in powers(self.fraction, 1 << self.bits)]
        return [out, [1] + [0] * ((1 << self.bits) - 1)]


@dataclass(frozen=True)
class Silu:
    ENTRIES = 2
    bits: int
    fraction: int
    out: int

    def representable(self):
        return 1 <= self.bits <= 20 and self.fraction <= 40 and self.out <= 40

    def outputs(self):
        """Spec: tables.silu"""
        half = 1 << (self.bits - 1)
        e = powers(self.fraction, half + 1)
        column = []
        for row in range(1 << self.bits):
            x = row - half
            a, factor = (x, ONE) if x >= 0 else (-x, e[-x])
            numerator = (a * (factor >> 22)) << self.out
            denominator = ((ONE >> 22) + (e[a] >> 22)) << self.fraction
            m = (2 * numerator + denominator) // (2 * denominator)
            column.append(m if x >= 0 else -m)
        return [column]


def step(fraction):
    """Spec: tables.exp_step"""
    x, sums, term, n = ONE >> fraction, [0, 0], ONE, 0
    while term > 0:
        sums[n % 2] += term
        n += 1
        term = mul(term, x) // n
    return sums[0] - sums[1]


def powers(fraction, n):
    """e[0 .. n - 1]. Spec: tables.exp"""
    s = step(fraction)
    e = [ONE]
    while len(e) < n:
        e.append(mul(e[-1], s))
    return e


@lru_cache(maxsize=4)
def rotary(length, pairs, base, fraction):
    """(cos, sin), each [t][e]. Spec: tables.rotary"""
    target = ONE // max(base, 1)

    def power(x):
        y = x
        for _ in range(pairs - 1):
            if y == 0:
                break
            y = mul(y, x)
        return y

    low, high = 0, ONE                  # power(low) <= target, the largest is in [low, high]
    while low < high:
        middle = (low + high + 1) // 2
        if power(middle) <= target:
            low = middle
        else:
            high = middle - 1

    cosines = [[0] * pairs for _ in range(length)]
    sines = [[0] * pairs for _ in range(length)]
    frequency = ONE
    for e in range(pairs):
        big_c, big_s = cos_sin(frequency)
        c, s = ONE, 0
        for t in range(length):
            cosines[t][e] = (c + (1 << (61 - fraction))) >> (62 - fraction)
            sines[t][e] = (s + (1 << (61 - fraction))) >> (62 - fraction)
            c, s = (c * big_c - s * big_s) >> 62, (s * big_c + c * big_s) >> 62
        frequency = mul(frequency, low)
    return cosines, sines


def cos_sin(x):
    sums, term, n = [0] * 4, ONE, 0
    while term > 0:
        sums[n % 4] += term
        n += 1
        term = mul(term, x) // n
    return sums[0] - sums[2], sums[1] - sums[3]
