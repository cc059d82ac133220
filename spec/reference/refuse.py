"""How a verification ends that does not accept (verify.md, verify.codes)."""

MALFORMED, UNSUPPORTED, FALSE = "malformed", "unsupported", "false"

# Spec: verify.codes
BLAME = {
    "truncated": MALFORMED, "trailing-bytes": MALFORMED, "wrong-magic": MALFORMED,
    "unknown-version": UNSUPPORTED, "unknown-architecture": UNSUPPORTED, "over-limit": UNSUPPORTED, "over-work": UNSUPPORTED,
    "bad-card": MALFORMED, "could-wrap": MALFORMED,
    "token-out-of-range": MALFORMED, "bad-prompt-length": MALFORMED,
    "other-card": FALSE,
    "bad-scalar": MALFORMED, "bad-point": MALFORMED, "wrong-subgroup": MALFORMED,
    "degenerate-challenge": FALSE, "ledger-value": FALSE, "ledger-opening": FALSE,
    "opening-link": FALSE, "opening-vmv": FALSE, "opening-final": FALSE,
}

# Nothing to judge: the exit code is 2, of all other refusals 1.
UNUSABLE = {code for code, blame in BLAME.items() if blame == UNSUPPORTED} | {"wrong-magic", "bad-card", "could-wrap"}


class Refused(Exception):
    def __init__(self, code):
        super().__init__(code)
        assert code in BLAME
        self.code = code


def require(condition, code):
    """The condition holds, or the verification ends with the code."""
    if not condition:
        raise Refused(code)
