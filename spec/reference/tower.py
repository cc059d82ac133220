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


def square12(a):
    m = mul6(a[0], a[1])
    s = mul6(add6(a[0], a[1]), add6(a[0], times_v(a[1])))
    return reduced12((sub6(s, add6(m, times_v(m))), add6(m, m)))


def conjugate12(a):
    """The power p^6: the inverse of an element of norm 1 over Fq6."""
    return reduced12((a[0], sub6(ZERO6, a[1])))


def pow12(a, n):
    """a^n, n >= 0, four bits at a time."""
    powers = [ONE12, a]
    for _ in range(14):
        powers.append(mul12(powers[-1], a))
    out = ONE12
    for digit in "%x" % n:
        if out is not ONE12:
            out = square12(square12(square12(square12(out))))
        if digit != "0":
            out = mul12(out, powers[int(digit, 16)])
    return out


# a^p: of sum c_i w^i, c_i in Fq2, it is sum conj(c_i) (w^(p-1))^i w^i, and w^(p-1) = (1 + u)^((p-1)/6).
_STEP = pow2((1, 1), (P - 1) // 6)
_W = [ONE2]
for _ in range(5):
    _W.append(mul2(_W[-1], _STEP))


def frobenius12(a):
    def half(c, odd):
        return tuple(mul2((c[k][0], -c[k][1]), _W[2 * k + odd]) for k in range(3))
    return half(a[0], 0), half(a[1], 1)
