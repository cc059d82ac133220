"""How an honest prover fills a witness column (inference.md): what a rule is. How it is computed: inference.py."""

from dataclasses import dataclass


# Spec: inference.rules. "of" and the like are sums over the axes of the column, but where it says otherwise.

@dataclass(eq=False)
class Round:
    of: object
    shift: int


@dataclass(eq=False)
class Exact:
    of: object


@dataclass(eq=False)
class InverseSqrt:
    k: int
    of: object


@dataclass(eq=False)
class RowMax:
    of: object                          # over the column's axes and, last, u
    over: object                        # the axis u; the column's last axis is t
    shift: int


@dataclass(eq=False)
class Gap:
    top: object                         # a column over the axes without u
    of: object
    shift: int


@dataclass(eq=False)
class Output:
    table: int
    of: object
    i: int


@dataclass(eq=False)
class Divide:
    numerator: object
    denominator: object


@dataclass(eq=False)
class Digit:
    of: object
    shift: int
