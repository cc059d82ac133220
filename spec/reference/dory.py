"""The opening of the polynomial commitment (dory.md)."""

from constants import CONSTANTS as K
from groups import R, G1Point, G2Point, combine, pairing, write_scalar
from refuse import require


def dory(proof, s, matrix, rows, columns, link):
    """The matrix that `matrix` commits to has, at (rows, columns), the value in the ledger's entry `link`.
    Spec: dory.statement"""
    transcript = proof.transcript
    require(1 <= s <= 16 and len(rows) == s and len(columns) == s, "over-limit")
    transcript.absorb("dory.commitment", matrix.encode())
    for coordinate in rows + columns:
        transcript.absorb("dory.point", write_scalar(coordinate))
    transcript.absorb("dory.link", bytes(link.to_compressed_bytes()))
    C, D2, E1, E2 = start(proof, link)
    D1 = matrix
    s1 = s2 = 1
    for k in range(s):
        C, D1, D2, E1, E2, alpha = one_round(proof, s - k, C, D1, D2, E1, E2)
        s1 = s1 * (alpha * (1 - columns[k]) + columns[k]) % R
        s2 = s2 * (pow(alpha, -1, R) * (1 - rows[k]) + rows[k]) % R
    final(proof, C, D1, D2, E1, E2, s1, s2)


def start(proof, link):
    """Spec: dory.vmv, dory.link"""
    C, D2, E1, E2 = proof.gt(), proof.gt(), proof.g1(), proof.g2()
    A, A2, A1 = proof.gt(), proof.g2(), proof.g1()
    x = proof.transcript.nonzero("dory.vmv")
    z1, z2, z3, z4, z5 = (proof.scalar() for _ in range(5))
    # z_1 e(H1, G2y) + z_2 HT = A + x_v (e(E1, G2y) - D2)
    require(z1 * pairing((K.H1, K.G2y)) + z2 * K.HT == A + x * (pairing((E1, K.G2y)) - D2), "opening-vmv")
    # z_3 G2y + z_4 H2 = A2 + x_v E2
    require(combine(G2Point, (K.G2y, z3), (K.H2, z4)) == combine(G2Point, (A2, 1), (E2, x)), "opening-link")
    # z_3 g + z_5 h = A1 + x_v link
    require(combine(G1Point, (K.g[0], z3), (K.h, z5)) == combine(G1Point, (A1, 1), (link, x)), "opening-link")
    return C, D2, E1, E2


def one_round(proof, log, C, D1, D2, E1, E2):
    """From vectors of length n = 2^log to half of it. Spec: dory.round"""
    D1_left, D1_right, D2_left, D2_right = (proof.gt() for _ in range(4))
    E1_beta, E2_beta = proof.g1(), proof.g2()
    beta = proof.transcript.nonzero("dory.beta")
    C_plus, C_minus = proof.gt(), proof.gt()
    E1_plus, E1_minus, E2_plus, E2_minus = proof.g1(), proof.g1(), proof.g2(), proof.g2()
    alpha = proof.transcript.nonzero("dory.alpha")
    over_beta, over_alpha = pow(beta, -1, R), pow(alpha, -1, R)
    chi_n, Delta1, Delta2 = K.level(log)
    chi_m, _, _ = K.level(log - 1)
    return (C + chi_n + beta * D2 + over_beta * D1 + alpha * C_plus + over_alpha * C_minus,
            alpha * D1_left + D1_right + alpha * beta * chi_m + beta * Delta1,
            over_alpha * D2_left + D2_right + over_alpha * over_beta * chi_m + over_beta * Delta2,
            combine(G1Point, (E1, 1), (E1_beta, beta), (E1_plus, alpha), (E1_minus, over_alpha)),
            combine(G2Point, (E2, 1), (E2_beta, over_beta), (E2_plus, alpha), (E2_minus, over_alpha)),
            alpha)


def final(proof, C, D1, D2, E1, E2, s1, s2):
    """Spec: dory.final"""
    gamma = proof.transcript.nonzero("dory.gamma")
    over_gamma = pow(gamma, -1, R)
    C = C + s1 * s2 * K.HT + gamma * pairing((K.H1, E2)) + over_gamma * pairing((E1, K.H2))
    D1 = D1 + gamma * s1 * pairing((K.H1, K.Gamma2_0))
    D2 = D2 + over_gamma * s2 * pairing((K.Gamma1_0, K.H2))
    P1, P2, Q, R_ = (proof.gt() for _ in range(4))
    x = proof.transcript.nonzero("dory.final")
    W1, W2 = proof.g1(), proof.g2()
    z_D1, z_D2, z_C = (proof.scalar() for _ in range(3))
    d = proof.transcript.nonzero("dory.batch")
    over_d = pow(d, -1, R)
    # e(W1 + d Gamma1_0, W2 + d^-1 Gamma2_0) = chi_1 + R + x_f Q + x_f^2 C + d (P2 + x_f D2) + d^-1 (P1 + x_f D1)
    #                                           - (z_C + d z_D2 + d^-1 z_D1) HT
    left = pairing((combine(G1Point, (W1, 1), (K.Gamma1_0, d)), combine(G2Point, (W2, 1), (K.Gamma2_0, over_d))))
    right = (K.chi_1 + R_ + x * Q + x * x * C + d * (P2 + x * D2) + over_d * (P1 + x * D1)
             - (z_C + d * z_D2 + over_d * z_D1) * K.HT)
    require(left == right, "opening-final")
