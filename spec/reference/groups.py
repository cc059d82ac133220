"""The three groups of BLS12-381 and their encodings (encoding.md; dory.md, encoding).

G1, G2 and the pairing are those of py_arkworks_bls12381. Its GT has no encoding and no powers, so
GT is done here, with the arithmetic of tower.py. All groups are written additively.
"""

from py_arkworks_bls12381 import G1Point, G2Point, GT as ArkGT, Scalar

import tower
from refuse import Refused, require
from tower import P

R = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001


def read_scalar(data):
    """Spec: encoding.scalar"""
    n = int.from_bytes(data, "little")
    require(n < R, "bad-scalar")
    return n


def write_scalar(n):
    return (n % R).to_bytes(32, "little")


def _read_point(data, kind, coordinates):
    """Spec: encoding.g1, encoding.g2"""
    flags = data[0] >> 5
    require(flags & 4, "bad-point")                                     # 0x80 is always set
    if flags & 2:                                                       # 0x40: the identity, one encoding
        require(data == b"\xc0" + bytes(len(data) - 1), "bad-point")
        return kind.identity()
    x = bytes([data[0] & 0x1f]) + data[1:]
    for i in range(coordinates):
        require(int.from_bytes(x[48 * i:48 * i + 48], "big") < P, "bad-point")
    try:
        point = kind.from_compressed_bytes_unchecked(data)
    except ValueError:
        raise Refused("bad-point") from None                            # x of no point
    require(bytes(point.to_compressed_bytes()) == data, "bad-point")    # Spec: encoding.unique
    require(point.is_in_subgroup(), "wrong-subgroup")
    return point


def read_g1(data):
    return _read_point(data, G1Point, 1)


def read_g2(data):
    return _read_point(data, G2Point, 2)


def combine(kind, *pairs):
    """The sum of scalar * point over pairs (point, scalar), in G1 or G2."""
    return kind.multiexp_unchecked([p for p, _ in pairs], [Scalar(k % R) for _, k in pairs])


class GT:
    """An element of GT, written additively; `value` is in Fq12, of norm 1 over Fq6."""

    def __init__(self, value):
        self.value = value

    def __add__(self, other):
        return GT(tower.mul12(self.value, other.value))

    def __neg__(self):
        return GT(tower.conjugate12(self.value))

    def __sub__(self, other):
        return self + -other

    def __rmul__(self, scalar):
        return GT(tower.pow12(self.value, scalar % R))

    def __eq__(self, other):
        return tower.reduced12(self.value) == tower.reduced12(other.value)

    def encode(self):
        """y, z of t = (1 + a)/b = x + y v + z v^2 of g = a + b w; 0 for the identity. Spec: encoding.gt"""
        a, b = tower.reduced12(self.value)
        if (a, b) == tower.ONE12:
            return bytes(192)
        t = tower.reduced6(tower.mul6(tower.add6(tower.ONE6, a), tower.inv6(b)))
        return b"".join(c.to_bytes(48, "little") for pair in t[1:] for c in pair)


IDENTITY = GT(tower.ONE12)


def read_gt(data):
    """Spec: encoding.gt"""
    c = [int.from_bytes(data[48 * i:48 * i + 48], "little") for i in range(4)]
    require(all(x < P for x in c), "bad-point")
    y, z = (c[0], c[1]), (c[2], c[3])
    if y == tower.ZERO2:
        require(z == tower.ZERO2, "bad-point")
        return IDENTITY
    # 3 x y = 1 + 3 xi z^2
    three = (3, 0)
    x = tower.add2(tower.ONE2, tower.mul2(three, tower.xi(tower.mul2(z, z))))
    t = tower.mul2(x, tower.inv2(tower.mul2(three, y))), y, z
    # g = ((t^2 + v) + 2 t w) / (t^2 - v); t^2 = v has no solution in Fq6, w is not in it
    square = tower.mul6(t, t)
    d = tower.inv6(tower.sub6(square, tower.V6))
    g = (tower.reduced6(tower.mul6(tower.add6(square, tower.V6), d)),
         tower.reduced6(tower.mul6(tower.add6(t, t), d)))
    # g^p g^|x| = 1
    require(tower.mul12(tower.frobenius12(g), tower.pow_x(g)) == tower.ONE12, "wrong-subgroup")
    return GT(g)


def pairing(*pairs):
    """The sum of e(a, b) over pairs (a in G1, b in G2)."""
    return _from_library(ArkGT.multi_pairing([a for a, _ in pairs], [b for _, b in pairs]))


def _from_library(g):
    """The library shows an element as hexadecimal only: 12 coefficients in the order of the tower,
    48 bytes each, little endian."""
    data = bytes.fromhex(str(g))
    assert len(data) == 576, "the library shows elements of GT in another way"
    c = [int.from_bytes(data[i:i + 48], "little") for i in range(0, 576, 48)]
    c = [(c[i], c[i + 1]) for i in range(0, 12, 2)]
    return GT((tuple(c[:3]), tuple(c[3:])))
