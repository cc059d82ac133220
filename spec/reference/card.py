"""The card of a model (card.md)."""

import hashlib

from encoding import Reader
from refuse import Refused, require

SIZES = [  # Spec: card.layout, verify.limits
    ("layers", 1 << 10), ("width", 1 << 17), ("kv_heads", 1 << 17), ("group", 1 << 17), ("pairs", 1 << 17),
    ("hidden", 1 << 17), ("vocabulary", 1 << 20), ("context", 1 << 16)]

PRECISION = """digit_bits residual_fraction norm_fraction query_fraction value_fraction attention_fraction
    gate_fraction swish_fraction up_fraction hidden_fraction weight_fraction rotary_fraction score_fraction
    score_scale exp_precision gap_bits norm_shift norm_width inverse_bits logit_width embedding_bits norm_bits
    query_bits value_bits top_bits attention_bits projection_bits gate_bits up_bits hidden_bits down_bits""".split()


class Card:
    def __init__(self, data):
        """Spec: card.layout, card.precision"""
        self.bytes = data
        self.fingerprint = hashlib.sha3_256(data).digest()              # Spec: card.fingerprint
        r = Reader(data)
        require(r.take(8) == b"ZKLLMCRD", "wrong-magic")
        require(r.integer(2) == 1, "unknown-version")
        require(r.integer(1) == 1, "unknown-architecture")
        length = r.integer(1)
        require(length <= 128, "over-limit")
        self.name = _name(r.take(length))
        for field, limit in SIZES:
            size = r.integer(4)
            require(size != 0, "bad-card")
            require(size <= limit, "over-limit")
            setattr(self, field, size)
        for field in ("tied", "biases"):
            flag = r.integer(1)
            require(flag <= 1, "bad-card")
            setattr(self, field, flag == 1)
        self.rotary_base = r.integer(8)
        self.epsilon = r.integer(8)
        precision = r.take(len(PRECISION))
        require(max(precision) <= 100, "bad-card")
        for field, value in zip(PRECISION, precision):
            setattr(self, field, value)
        self.tokenizer = r.take(32)
        self.chunk_log = r.integer(1)
        n = r.integer(2)
        require(1 <= self.chunk_log <= 16 and n <= 1 << 10, "over-limit")
        commitments = r.take(192 * n)
        self.commitments = [commitments[192 * i:192 * i + 192] for i in range(n)]
        r.end()


# Spec: card.name
HIDDEN = [
    (0, 0x1f), (0x7f, 0xa0), (0xad, 0xad), (0x34f, 0x34f), (0x600, 0x605), (0x61c, 0x61c), (0x6dd, 0x6dd), (0x70f, 0x70f),
    (0x890, 0x891), (0x8e2, 0x8e2), (0x115f, 0x1160), (0x1680, 0x1680), (0x17b4, 0x17b5), (0x180b, 0x180f),
    (0x2000, 0x200f), (0x2028, 0x202f), (0x205f, 0x206f), (0x2800, 0x2800), (0x3000, 0x3000), (0x3164, 0x3164),
    (0xe000, 0xf8ff), (0xfdd0, 0xfdef), (0xfe00, 0xfe0f), (0xfeff, 0xfeff), (0xffa0, 0xffa0), (0xfff0, 0xfffb),
    (0xfffe, 0xffff), (0x110bd, 0x110bd), (0x110cd, 0x110cd), (0x13430, 0x1345f), (0x16fe4, 0x16fe4), (0x1bca0, 0x1bca3),
    (0x1d159, 0x1d159), (0x1d173, 0x1d17a), (0x1fffe, 0x1ffff), (0x2fffe, 0x2ffff), (0x3fffe, 0x10ffff)]


def _name(data):
    try:
        name = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("bad-card") from None
    require(is_name(name), "bad-card")
    return name


def is_name(text):
    """Nothing in it is hidden or reorders the rest, and spaces stand one by one between words."""
    hidden = any(low <= ord(c) <= high for c in text for low, high in HIDDEN)
    return not hidden and text == text.strip(" ") and "  " not in text
