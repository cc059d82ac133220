"""Fiat-Shamir (transcript.md), and the proof as a stream that absorbs what it gives."""

import hashlib

from encoding import Reader
from groups import R, read_g1, read_g2, read_gt, read_scalar
from refuse import require


class Transcript:
    def __init__(self, card, statement):
        """Spec: transcript.start"""
        self.state = hashlib.sha3_256(b"zkLLM proof 1").digest()
        self.absorb("card", card)
        self.absorb("statement", statement)

    def absorb(self, label, message):
        """Spec: transcript.absorb"""
        self.state = hashlib.sha3_256(
            b"\x01" + self.state + _short(label) + len(message).to_bytes(8, "little") + message).digest()

    def challenge(self, label):
        """Spec: transcript.challenge"""
        wide = hashlib.sha3_512(b"\x02" + self.state + _short(label)).digest()
        self.state = hashlib.sha3_256(b"\x03" + self.state + _short(label)).digest()
        return int.from_bytes(wide, "little") % R

    def challenges(self, label, n):
        """The first is the most significant coordinate."""
        return tuple(self.challenge(label) for _ in range(n))

    def nonzero(self, label):
        c = self.challenge(label)
        require(c != 0, "degenerate-challenge")
        return c


def _short(label):
    return bytes([len(label)]) + label.encode("ascii")


class Proof:
    """The elements of a proof in their order. Spec: transcript.messages"""

    def __init__(self, data, position, transcript):
        self.reader, self.transcript = Reader(data, position), transcript

    def _read(self, label, size, decode):
        data = self.reader.take(size)
        self.transcript.absorb(label, data)
        return decode(data)

    def scalar(self):
        return self._read("scalar", 32, read_scalar)

    def g1(self):
        return self._read("g1", 48, read_g1)

    def g2(self):
        return self._read("g2", 96, read_g2)

    def gt(self):
        return self._read("gt", 192, read_gt)

    def end(self):
        self.reader.end()
