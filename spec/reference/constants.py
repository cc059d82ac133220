"""The generators, and the constants of the opening (dory.md, dory.generators, dory.constants)."""

from functools import cached_property
from pathlib import Path

from py_arkworks_bls12381 import G1Point, G2Point

from groups import pairing, read_g1, read_g2, read_gt

FILE = Path(__file__).resolve().parent.parent.parent / "verifier" / "src" / "constants.bin"

DST1 = b"ZKLLM-V1-BLS12381G1_XMD:SHA-256_SSWU_RO_"
DST2 = b"ZKLLM-V1-BLS12381G2_XMD:SHA-256_SSWU_RO_"


def hash1(name, number):
    """Spec: dory.generators"""
    return G1Point.hash_to_curve(name + number.to_bytes(4, "little"), DST1)


def hash2(name, number):
    return G2Point.hash_to_curve(name + number.to_bytes(4, "little"), DST2)


class Constants:
    def __init__(self, data):
        """Spec: dory.constants"""
        assert len(data) == 10272
        self.data = data
        points = [read_g1(data[48 * i:48 * i + 48]) for i in range(12)]
        self.g, self.g_v, self.h = points[:8], points[8], points[9]
        self.H1, self.Gamma1_0 = points[10:]
        self.H2, self.Gamma2_0, self.G2y = (read_g2(data[576 + 96 * i:672 + 96 * i]) for i in range(3))
        self.chi_1 = read_gt(data[864:1056])

    @cached_property
    def HT(self):
        return pairing((self.H1, self.H2))

    def level(self, k):
        """chi_n, Delta1_n, Delta2_n for n = 2^k; k = 0 has chi_1 only."""
        if k == 0:
            return self.chi_1, None, None
        at = 1056 + 576 * (k - 1)
        return tuple(read_gt(self.data[at + 192 * i:at + 192 * i + 192]) for i in range(3))

    def check(self, levels):
        """The file is what the generators give, for the first levels."""
        assert all(self.g[i] == hash1(b"ledger", i) for i in range(8))
        assert self.g_v == hash1(b"ledger", 8) and self.h == hash1(b"ledger", 9)
        assert self.H1 == hash1(b"blinding", 0) and self.H2 == hash2(b"blinding", 0) and self.G2y == hash2(b"value", 0)
        n = 1 << levels
        one, two = [hash1(b"vector", j) for j in range(n)], [hash2(b"vector", i) for i in range(n)]
        assert self.Gamma1_0 == one[0] and self.Gamma2_0 == two[0] and self.chi_1 == pairing((one[0], two[0]))
        for k in range(1, levels + 1):
            n, m = 1 << k, 1 << (k - 1)
            assert self.level(k) == (pairing(*zip(one[:n], two[:n])), pairing(*zip(one[m:n], two[:m])),
                                     pairing(*zip(one[:m], two[m:n]))), k


CONSTANTS = Constants(FILE.read_bytes())

if __name__ == "__main__":
    import sys
    CONSTANTS.check(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
    print("the constants are those of the generators")
