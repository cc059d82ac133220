"""Compares this verifier with another one on mutated cards and receipts.

    differential.py OTHER CARD RECEIPT COUNT [SEED [early]]

OTHER is a program that is called as OTHER CARD RECEIPT, begins its output with "proved" or "refused: code" and exits as
verify.codes says.
With "early" the receipts end before the proof: fast, for parsing, program and plan.
Prints every disagreement (and writes it to the current folder), and every mutant that both accept and that is not the original; exit 1 if there are any.
"""

import hashlib
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import transcript
from card import PRECISION, SIZES
from groups import P, R
from refuse import UNUSABLE, Refused
from verify import verify

HEADER = 42                             # magic, version, fingerprint
TAIL = len(PRECISION) + 32 + 3          # from the precision to the commitments
SLOWEST = 120                           # seconds of this process


def elements(card, receipt):
    """(label, offset, size) of all elements of an honest proof."""
    found, original = [], transcript.Proof._read

    def traced(self, label, size, decode):
        found.append((label, self.reader.position, size))
        return original(self, label, size, decode)
    transcript.Proof._read = traced
    try:
        verify(card, receipt)
    finally:
        transcript.Proof._read = original
    return found


class Mutator:
    def __init__(self, card, receipt, seed):
        self.card, self.receipt, self.random = card, receipt, random.Random(seed)
        self.elements = elements(card, receipt)
        n = next(n for n in range(1, 4097) if int.from_bytes(card[-192 * n - 2:-192 * n], "little") == n)
        self.fields = len(card) - 192 * n

    def other(self, byte):
        r = self.random
        return r.choice([byte ^ (1 << r.randrange(8)), r.randrange(256), 0, 1, 255, (byte + 1) % 256, (byte - 1) % 256])

    def flip(self, data, low, high, times=1):
        data = bytearray(data)
        for _ in range(times):
            i = self.random.randrange(low, min(high, len(data)))
            data[i] = self.other(data[i])
        return bytes(data)

    def bound(self, card, receipt):
        return receipt[:10] + hashlib.sha3_256(card).digest() + receipt[HEADER:]

    def length(self, data):
        r = self.random
        if r.random() < 0.3:
            return data + r.randbytes(r.choice([1, 2, 32, 48]))
        return data[:r.randrange(len(data))]

    def element(self):
        """Another value in place of an element of the proof."""
        r, data = self.random, self.receipt
        label = r.choice(["scalar", "g1", "g1", "g2", "gt", "gt"])
        _, at, size = r.choice([e for e in self.elements if e[0] == label])
        old = data[at:at + size]
        kind = r.randrange(8)
        if kind == 0:                                       # of the same kind, from elsewhere
            _, a, _ = r.choice([e for e in self.elements if e[0] == label])
            new = data[a:a + size]
        elif kind == 1:                                     # the identity, or zero
            new = (b"\xc0" if label in ("g1", "g2") else b"\0") + bytes(size - 1)
        elif kind == 2:                                     # nearly the identity
            new = self.flip((b"\xc0" if label in ("g1", "g2") else b"\0") + bytes(size - 1), 0, size)
        elif kind == 3:                                     # other flags, or the other sign
            new = bytes([old[0] ^ r.choice([0x20, 0x40, 0x80, 0xe0])]) + old[1:]
        elif kind == 4:                                     # a coefficient over p
            c = P + r.randrange(3)
            if label in ("g1", "g2"):
                new = bytes([c.to_bytes(48, "big")[0] | 0x80]) + c.to_bytes(48, "big")[1:] + old[48:]
                if label == "g2" and r.random() < 0.5:
                    new = old[:48] + c.to_bytes(48, "big")
            elif label == "scalar":
                new = (R + r.randrange(3)).to_bytes(32, "little")
            else:
                i = 48 * r.randrange(max(1, size // 48))
                new = (old[:i] + c.to_bytes(48, "little") + old[i + 48:])[:size]
        elif kind == 5:                                     # a small x: on the curve half of the time, rarely in the group
            new = bytearray(size)
            new[-1] = r.randrange(256)
            if label in ("g1", "g2"):
                new[0] |= r.choice([0x80, 0xa0])
        elif kind == 6:                                     # random coefficients below p
            c = [r.randrange(P) for _ in range(max(1, size // 48))]
            new = b"".join(x.to_bytes(48, "big" if label[0] == "g" and label != "gt" else "little") for x in c)[:size]
            if label in ("g1", "g2"):
                new = bytes([new[0] | r.choice([0x80, 0xa0])]) + new[1:]
        else:
            new = self.flip(old, 0, size)
        return data[:at] + bytes(new) + data[at + size:]

    def early(self):
        """A card with other sizes and precision, a receipt with another statement and no proof."""
        r, card = self.random, bytearray(self.card)
        shape = 12 + len(card[12:12 + card[11]])            # the first size
        for _ in range(r.choice([0, 0, 0, 1, 2])):
            i = shape + 4 * r.randrange(len(SIZES))
            limit = dict(enumerate(x for _, x in SIZES))[(i - shape) // 4]
            size = r.choice([0, 1, 2, 3, limit, limit + 1, limit - 1, 1 << r.randrange(33)]
                            + [r.randrange(1, 1 << r.randrange(1, 20))] * 9)
            card[i:i + 4] = min(size, 2 ** 32 - 1).to_bytes(4, "little")
        flags = shape + 4 * len(SIZES)
        if r.random() < 0.2:
            card[flags + r.randrange(2)] = r.choice([0, 1, 1, 2])
        if r.random() < 0.1:
            i = flags + 2 + r.randrange(16)
            card[i] = r.randrange(256)
        precision = flags + 18
        for _ in range(r.choice([0, 1, 2, 5, 9])):
            i = precision + r.randrange(len(PRECISION))
            card[i] = r.choice([0, 1, 2, 20, 21, 30, 31, 40, 41, 100, 101, r.randrange(101)]
                               + [max(0, min(100, card[i] + r.randint(-3, 3)))] * 30)
        if r.random() < 0.1:
            card[precision + len(PRECISION) + 32] = r.choice([0, 1, 2, 3, 15, 16, 17, r.randrange(1, 17)])
        if r.random() < 0.2:
            n = r.choice([0, 1, 2, 3, 4, 7])
            card = card[:self.fields - 2] + n.to_bytes(2, "little") + (card[self.fields:self.fields + 192] * n)
        if r.random() < 0.1:
            name = r.choice(["", "a" * 127, "a" * 128, "a" * 129, "\u2603", "a\u200bb", "\x7f", "\xa0", "\xad", "\u2010", "\u2027",
                             "\u2028", "\u202e", "\u202f", "\u205f", "\u2060", "\u206f", "\u2070", "\ufeff", "\U0001f600"]).encode()
            name = r.choice([name] * 4 + [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x98"])
            card = card[:11] + bytes([len(name)]) + name + card[shape:]
        card = bytes(card)
        T = r.choice([r.randrange(2, 20)] * 12 + [0, 1, 2, 3, 64, 65, r.randrange(1, 300)])
        prompt = r.choice([r.randrange(1, max(2, T))] * 12 + [0, 1, T - 1, T, T + 1]) % 2 ** 32
        vocabulary = int.from_bytes(self.card[shape + 24:shape + 28], "little")
        tokens = [r.randrange(vocabulary) for _ in range(T)]
        if T and r.random() < 0.05:
            tokens[r.randrange(T)] = r.choice([vocabulary, vocabulary + 1, 2 ** 32 - 1])
        statement = b"".join(x.to_bytes(4, "little") for x in [T, prompt, *tokens])
        return "early", card, self.bound(card, self.receipt[:HEADER] + statement)

    def mutant(self):
        """(name, card, receipt)"""
        r, card, receipt = self.random, self.card, self.receipt
        proof_at = self.elements[0][1]
        kind = r.randrange(12)
        if kind == 0:
            return "receipt byte", card, self.flip(receipt, 0, len(receipt), r.randint(1, 3))
        if kind == 1:
            return "receipt header", card, self.flip(receipt, 0, proof_at, r.randint(1, 2))
        if kind == 2:
            return "statement", card, self.flip(receipt, HEADER, proof_at, r.randint(1, 2))
        if kind == 3:
            return "card byte", self.flip(card, 0, len(card)), receipt
        if kind == 4:
            return "length", *((card, self.length(receipt)) if r.random() < 0.7 else (self.length(card), receipt))
        if kind in (5, 6, 7):
            return "element", card, self.element()
        if kind == 8:
            card = self.flip(card, 0, self.fields, r.randint(1, 3))
        elif kind == 9:                                     # precision, tokenizer, chunk_log, number
            card = self.flip(card, self.fields - TAIL, self.fields, r.randint(1, 4))
        elif kind == 10:
            card = self.flip(card, self.fields, len(card), 1)
        else:                                               # a precision that may be legal
            card = bytearray(card)
            for _ in range(r.randint(1, 5)):
                i = self.fields - TAIL + r.randrange(len(PRECISION))
                card[i] = r.choice([0, 1, 2, 100, 101, r.randrange(101), max(0, min(100, card[i] + r.randint(-3, 3)))])
            card = bytes(card)
        if r.random() < 0.1:
            card = self.length(card)
        return "card, bound", card, self.bound(card, receipt)


def ours(card, receipt):
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, SLOWEST)
        verify(card, receipt)
        return "proved"
    except Refused as refused:
        return refused.code
    except TimeoutError:
        return "slow"
    except Exception as error:                              # a fault of this verifier
        return f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def theirs(program, card, receipt, folder):
    paths = [folder / "card", folder / "receipt"]
    for path, data in zip(paths, (card, receipt)):
        path.write_bytes(data)
    out = subprocess.run([program, *paths], capture_output=True, text=True)
    first = (out.stdout or out.stderr).splitlines()[:1]
    line = first[0] if first else f"exit {out.returncode}"
    code = line.removeprefix("refused: ").split()[0] if line.startswith("refused: ") else line.split(":")[0]
    expected = 0 if code == "proved" else 2 if code in UNUSABLE else 1
    return code if out.returncode == expected else f"{code}, exit {out.returncode}"


def main(program, card_path, receipt_path, count, seed="1", mode=""):
    stopped = []                                            # by a signal: the summary is printed all the same

    def late(*_):
        raise TimeoutError
    signal.signal(signal.SIGVTALRM, late)
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    card, receipt = Path(card_path).read_bytes(), Path(receipt_path).read_bytes()
    mutator, codes, bad = Mutator(card, receipt, int(seed)), Counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(int(count)):
            if stopped:
                break
            name, c, r = mutator.early() if mode == "early" else mutator.mutant()
            a, b = ours(c, r), theirs(program, c, r, Path(folder))
            codes[name, a] += 1
            if a != b or (a == "proved" and (c, r) != (card, receipt)):
                bad += 1
                at = [f"card {i}" for i in range(min(len(c), len(card))) if c[i] != card[i]][:5]
                at += [f"receipt {i}" for i in range(min(len(r), len(receipt))) if r[i] != receipt[i]][:5]
                print(f"{number} {name}: here {a}, there {b}; first differences {at}", flush=True)
                keep = Path(f"disagreement-{seed}-{number}")
                keep.with_suffix(".card").write_bytes(c)
                keep.with_suffix(".receipt").write_bytes(r)
    for (name, code), n in sorted(codes.items()):
        print(f"{n:6} {name}: {code}")
    print(f"{sum(codes.values())} mutants, {bad} to look at")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
