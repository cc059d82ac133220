"""The ledger of secret scalars, and the argument that closes it (ledger.md)."""

from constants import CONSTANTS
from groups import R, G1Point, combine
from refuse import require


class Form:
    """A constant plus a linear combination of slots. Spec: ledger.forms"""

    __slots__ = ("constant", "slots")

    def __init__(self, constant=0, slots=None):
        self.constant, self.slots = constant % R, slots or {}

    def __add__(self, other):
        if isinstance(other, int):
            return Form(self.constant + other, self.slots)
        slots = dict(self.slots)
        for slot, k in other.slots.items():
            slots[slot] = (slots.get(slot, 0) + k) % R
        return Form(self.constant + other.constant, slots)

    def __rmul__(self, k):
        return Form(k * self.constant, {slot: k * v % R for slot, v in self.slots.items()})

    def __sub__(self, other):
        return self + (-other if isinstance(other, int) else -1 * other)


def total(forms):
    """The sum of many forms; faster than adding one by one."""
    constant, slots = 0, {}
    for form in forms:
        constant += form.constant
        for slot, k in form.slots.items():
            slots[slot] = slots.get(slot, 0) + k
    return Form(constant, {slot: k % R for slot, k in slots.items()})


class Ledger:
    def __init__(self, proof):
        self.proof, self.transcript = proof, proof.transcript
        self.entries, self.zeros, self.gates = [], [], []

    def slots(self, n):
        """Spec: ledger.entries"""
        first = 8 * len(self.entries)
        self.entries += [self.proof.g1() for _ in range(-(-n // 8))]
        return [Form(0, {first + i: 1}) for i in range(n)]

    def zero(self, form):
        self.zeros.append(form)

    def gate(self, a, b, c):
        self.gates.append(tuple(x if isinstance(x, Form) else Form(x) for x in (a, b, c)))

    def close(self):
        """Spec: ledger.close"""
        self._close_gates()
        linear, target = self._combine_zeros()
        self._open(linear, target)

    def _close_gates(self):
        """Spec: ledger.gates"""
        n = len(self.gates)
        f0, g0, h0, *h_high = self.slots(n + 3)
        z = self.transcript.challenge("ledger.gates")
        require(z > 2 * n, "degenerate-challenge")
        F, G = self.proof.scalar(), self.proof.scalar()
        L, L2 = lagrange(n, z), lagrange(2 * n, z)
        a, b, c = zip(*self.gates) if n else ((), (), ())
        self.zero(total(x * form for x, form in zip(L, (f0, *a))) - F)
        self.zero(total(x * form for x, form in zip(L, (g0, *b))) - G)
        self.zero(total(x * form for x, form in zip(L2, (h0, *c, *h_high))) - F * G)

    def _combine_zeros(self):
        """Spec: ledger.constraints"""
        rho, power, scaled = self.transcript.challenge("ledger.constraints"), 1, []
        for form in self.zeros:
            scaled.append(power * form)
            power = power * rho % R
        combined = total(scaled)
        n = (len(self.entries) - 1).bit_length()
        linear = [[combined.slots.get(8 * i + j, 0) for j in range(8)] for i in range(1 << n)]
        return linear, -combined.constant % R

    def _open(self, linear, target):
        """Spec: ledger.fold, ledger.schnorr"""
        proof, transcript, k = self.proof, self.transcript, CONSTANTS
        T = [(k.g_v, target)]
        X = [1]                                                 # X_i, for the bits of i seen so far
        while len(linear) > 1:
            A, B = proof.g1(), proof.g1()
            x = transcript.nonzero("ledger.fold")
            inverse = pow(x, -1, R)
            half = len(linear) // 2
            linear = [[(a + inverse * b) % R for a, b in zip(linear[i], linear[half + i])] for i in range(half)]
            T += [(A, x), (B, inverse)]
            X = [w * f % R for w in X for f in (1, x)]          # bit 1 of i is the most significant
        C = combine(G1Point, *zip(self.entries, X))
        T = combine(G1Point, *T)
        D, E = proof.g1(), proof.g1()
        c = transcript.challenge("ledger.schnorr")
        z = [proof.scalar() for _ in range(8)]
        z_s, z_tau = proof.scalar(), proof.scalar()
        # sum_j z_j g_(j+1) + z_s h = D + c C*
        require(combine(G1Point, *zip(k.g, z), (k.h, z_s)) == combine(G1Point, (D, 1), (C, c)), "ledger-opening")
        # (sum_j l_j z_j) g_v + z_tau h = E + c T*
        value = sum(a * b for a, b in zip(linear[0], z)) % R
        require(combine(G1Point, (k.g_v, value), (k.h, z_tau)) == combine(G1Point, (E, 1), (T, c)), "ledger-value")


def lagrange(n, z):
    """L_k(z), k = 0 .. n, for the nodes 0 .. n; z is none of them. Spec: ledger.lagrange"""
    product, factorial = 1, [1]
    for i in range(n + 1):
        product = product * (z - i) % R
        factorial.append(factorial[-1] * (i + 1) % R)
    return [product * pow((z - k) * factorial[k] * factorial[n - k] * (-1) ** (n - k), -1, R) % R
            for k in range(n + 1)]
