"""Every sumcheck of a proof (sumcheck.md)."""

from groups import R

HALF = pow(2, -1, R)
PAIRED = 16


def sumchecks(ledger, claims, coordinates, tree=False):
    """Sums side by side. `coordinates`: for each sum, for each of its variables a number or None.
    Gives the point of the longest, whose last coordinates are those of the others, and the form of each h there.
    Spec: sumcheck.message, sumcheck.round"""
    claims, drawn = list(claims), []
    n = max(map(len, coordinates), default=0)
    while len(drawn) < n:
        left = n - len(drawn)
        v = 2 if tree and left <= PAIRED and left % 2 == 0 else 1
        # The coordinates of the variables that the message binds, the last first; none where a sum has ended.
        rhos = [own[::-1][len(drawn):len(drawn) + v] for own in coordinates]
        running = [k for k in range(len(claims)) if rhos[k]]
        message = iter(ledger.slots((3 ** v - 1) * len(running)))
        r = [ledger.transcript.challenge("sumcheck") for _ in range(v)]
        for k in running:
            monomials = [(1, 1)]
            for rho, x in zip(rhos[k], r):
                t = HALF if rho is None else rho
                monomials = [(at * y % R, total * s % R) for at, total in monomials for y, s in ((1, 1), (x, t), (x * x, t))]
                if rho is None:
                    claims[k] = HALF * claims[k]
            for at, total in monomials[1:]:
                claims[k] = claims[k] + (at - total) % R * next(message)
        drawn += r
    return tuple(reversed(drawn)), claims


def sumcheck(ledger, claim, coordinates, tree=False):
    """One sum alone. Spec: sumcheck.round"""
    point, (claim,) = sumchecks(ledger, [claim], [coordinates], tree)
    return point, claim
