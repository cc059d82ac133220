"""The layout of a receipt, and the statement in it (receipt.md, statement.md)."""

from encoding import Reader
from refuse import require


class Receipt:
    def __init__(self, data):
        """Spec: receipt.layout"""
        r = Reader(data)
        require(r.take(8) == b"ZKLLMRCP", "wrong-magic")
        require(r.integer(2) == 1, "unknown-version")
        self.fingerprint = r.take(32)
        start = r.position
        count = r.integer(4)
        self.prompt = r.integer(4)
        require(count <= 1 << 16, "over-limit")
        self.tokens = [r.integer(4) for _ in range(count)]
        self.statement = data[start:r.position]                         # Spec: statement.bytes
        self.data, self.proof_at = data, r.position

    def check(self, card):
        """Steps 3 and 4. Spec: verify.order, statement.checks"""
        require(self.fingerprint == card.fingerprint, "other-card")
        require(len(self.tokens) <= min(1 << 16, card.context), "over-limit")
        require(0 < self.prompt < len(self.tokens), "bad-prompt-length")
        require(all(t < card.vocabulary for t in self.tokens), "token-out-of-range")
