"""Every sumcheck of a proof (sumcheck.md)."""

from groups import R

HALF = pow(2, -1, R)


def sumcheck(ledger, claim, coordinates):
    """`coordinates`: for each variable a number or None. Gives the point and the form of h there.
    Spec: sumcheck.round"""
    point = [None] * len(coordinates)
    for i in reversed(range(len(coordinates))):
        c1, c2 = ledger.slots(2)
        r = ledger.transcript.challenge("sumcheck")
        rho = coordinates[i]
        if rho is not None:
            claim = claim + (r - rho) % R * c1 + (r * r - rho) % R * c2
        else:
            claim = HALF * claim + (r - HALF) % R * c1 + (r * r - HALF) % R * c2
        point[i] = r
    return tuple(point), claim
