"""Every sumcheck of a proof (sumcheck.md)."""

from groups import R

HALF = pow(2, -1, R)


def sumchecks(ledger, claims, coordinates):
    """Sums side by side. `coordinates`: for each sum, for each of its variables a number or None.
    Gives the point of the longest, whose last coordinates are those of the others, and the form of each h there.
    Spec: sumcheck.round"""
    claims, drawn = list(claims), []
    for i in range(max(map(len, coordinates), default=0)):
        running = [k for k, own in enumerate(coordinates) if len(own) > i]
        message = iter(ledger.slots(2 * len(running)))
        r = ledger.transcript.challenge("sumcheck")
        for k in running:
            c1, c2 = next(message), next(message)
            rho = coordinates[k][-1 - i]
            if rho is not None:
                claims[k] = claims[k] + (r - rho) % R * c1 + (r * r - rho) % R * c2
            else:
                claims[k] = HALF * claims[k] + (r - HALF) % R * c1 + (r * r - HALF) % R * c2
        drawn.append(r)
    return tuple(reversed(drawn)), claims


def sumcheck(ledger, claim, coordinates):
    """One sum alone. Spec: sumcheck.round"""
    point, (claim,) = sumchecks(ledger, [claim], [coordinates])
    return point, claim
