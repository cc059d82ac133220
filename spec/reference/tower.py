"""The field of 12th degree over BLS12-381's base field (dory.md, encoding), in plain integers.

Fq2 = Fq[u]/(u^2 + 1), pairs;  Fq6 = Fq2[v]/(v^3 - (1 + u)), triples;  Fq12 = Fq6[w]/(w^2 - v), pairs.
"""

P = 0x1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab
X_ABS = 0xd201000000010000                      # |x|; x is negative

ZERO2, ONE2 = (0, 0), (1, 0)
ZERO6, ONE6, V6 = (ZERO2,) * 3, (ONE2, ZERO2, ZERO2), (ZERO2, ONE2, ZERO2)
ONE12 = (ONE6, ZERO6)


# Fq2

def add2(a, b):
    return a[0] + b[0], a[1] + b[1]             # sums are reduced by the next product


def sub2(a, b):
    return a[0] - b[0], a[1] - b[1]


def mul2(a, b):
    x, y = a[0] * b[0], a[1] * b[1]
    return (x - y) % P, ((a[0] + a[1]) * (b[0] + b[1]) - x - y) % P


def xi(a):
    """Times 1 + u, which is v^3."""
    return a[0] - a[1], a[0] + a[1]


def inv2(a):
    n = pow(a[0] * a[0] + a[1] * a[1], -1, P)
    return a[0] * n % P, -a[1] * n % P


def pow2(a, n):
    out = ONE2
    for bit in bin(n)[2:]:
        out = mul2(out, out)
        if bit == "1":
            out = mul2(out, a)
    return out


# Fq6

def add6(a, b):
    return add2(a[0], b[0]), add2(a[1], b[1]), add2(a[2], b[2])


def sub6(a, b):
    return sub2(a[0], b[0]), sub2(a[1], b[1]), sub2(a[2], b[2])


def mul6(a, b):
    x, y, z = mul2(a[0], b[0]), mul2(a[1], b[1]), mul2(a[2], b[2])
    yz = sub2(mul2(add2(a[1], a[2]), add2(b[1], b[2])), add2(y, z))
    xy = sub2(mul2(add2(a[0], a[1]), add2(b[0], b[1])), add2(x, y))
    xz = sub2(mul2(add2(a[0], a[2]), add2(b[0], b[2])), add2(x, z))
    return add2(x, xi(yz)), add2(xy, xi(z)), add2(xz, y)


def times_v(a):
    return xi(a[2]), a[0], a[1]


def inv6(a):
    x = sub2(mul2(a[0], a[0]), xi(mul2(a[1], a[2])))
    y = sub2(xi(mul2(a[2], a[2])), mul2(a[0], a[1]))
    z = sub2(mul2(a[1], a[1]), mul2(a[0], a[2]))
    n = inv2(add2(mul2(a[0], x), xi(add2(mul2(a[2], y), mul2(a[1], z)))))
    return mul2(x, n), mul2(y, n), mul2(z, n)


def reduced6(a):
    return tuple((x % P, y % P) for x, y in a)


# Fq12

def reduced12(a):
    return reduced6(a[0]), reduced6(a[1])


def mul12(a, b):
    x, y = mul6(a[0], b[0]), mul6(a[1], b[1])
    cross = mul6(add6(a[0], a[1]), add6(b[0], b[1]))
    return reduced12((add6(x, times_v(y)), sub6(cross, add6(x, y))))


def conjugate12(a):
    """The power p^6: the inverse of an element of norm 1 over Fq6."""
    return reduced12((a[0], sub6(ZERO6, a[1])))


# a^p: of sum c_i w^i, c_i in Fq2, it is sum conj(c_i) (w^(p-1))^i w^i, and w^(p-1) = (1 + u)^((p-1)/6).
_STEP = pow2((1, 1), (P - 1) // 6)
_W = [ONE2]
for _ in range(5):
    _W.append(mul2(_W[-1], _STEP))


def frobenius12(a):
    def half(c, odd):
        return tuple(mul2((c[k][0], -c[k][1]), _W[2 * k + odd]) for k in range(3))
    return half(a[0], 0), half(a[1], 1)


def square_cyclotomic(a):
    """a^2 for an element with a^(p^4) a = a^(p^2) (Granger and Scott, eprint 2009/565)."""
    (z0, z4, z3), (z2, z1, z5) = a
    t0, t1 = _square4(z0, z1)
    t2, t3 = _square4(z2, z3)
    t4, t5 = _square4(z4, z5)
    return ((_three_two(t0, z0, -2), _three_two(t2, z4, -2), _three_two(t4, z3, -2)),
            (_three_two(xi(t5), z2, 2), _three_two(t1, z1, 2), _three_two(t3, z5, 2)))


def _square4(a, b):
    """(a + b s)^2 with s^2 = 1 + u"""
    x, y = mul2(a, a), mul2(b, b)
    s = add2(a, b)
    return add2(x, xi(y)), sub2(mul2(s, s), add2(x, y))


def _three_two(t, z, two):
    return (3 * t[0] + two * z[0]) % P, (3 * t[1] + two * z[1]) % P


def pow_x(a):
    """a^|x|, for an element with a^(p^4) a = a^(p^2)."""
    out = a
    for bit in bin(X_ABS)[3:]:
        out = square_cyclotomic(out)
        if bit == "1":
            out = mul12(out, a)
    return out


def pow12(a, n):
    """a^n for 0 <= n < r and an element of order r.

    p = x modulo r and x < 0, so a^|x| is the inverse of a^p: n is written with four digits in base |x|,
    and the four powers are computed at once.
    """
    bases = [a]
    for _ in range(3):
        bases.append(conjugate12(frobenius12(bases[-1])))
    products = [ONE12]                                      # of every subset of the bases
    for base in bases:
        products += [mul12(x, base) if x is not ONE12 else base for x in products]
    digits = [n // X_ABS ** i % X_ABS for i in range(4)]
    out = ONE12
    for bit in range(63, -1, -1):
        if out is not ONE12:
            out = square_cyclotomic(out)
        subset = sum((d >> bit & 1) << i for i, d in enumerate(digits))
        if subset:
            out = mul12(out, products[subset]) if out is not ONE12 else products[subset]
    return out
