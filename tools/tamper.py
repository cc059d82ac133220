#!/usr/bin/env python3
"""Makes a forged copy of a receipt: one bit of the proof, or the last token, changed.

Usage: tamper.py byte|token RECEIPT OUT        Says on stdout what was changed.
"""
import struct
import sys

# magic 8, version 2, card's fingerprint 32, number of tokens 4, length of the prompt 4, tokens 4 each, proof
COUNT, TOKENS = 42, 50


def main() -> int:
    if len(sys.argv) != 4 or sys.argv[1] not in ("byte", "token"):
        print(__doc__, file=sys.stderr)
        return 2
    data = bytearray(open(sys.argv[2], "rb").read())
    if len(data) < TOKENS or data[:8] != b"ZKLLMRCP":
        print(f"tamper.py: {sys.argv[2]} is no receipt", file=sys.stderr)
        return 2
    (count,) = struct.unpack_from("<I", data, COUNT)
    proof = TOKENS + 4 * count
    if sys.argv[1] == "byte":
        at = (proof + len(data)) // 2
        data[at] ^= 1
        print(f"bit 0 of byte {at} of {len(data)}, in the proof")
    else:
        at = proof - 4
        (token,) = struct.unpack_from("<I", data, at)
        struct.pack_into("<I", data, at, token ^ 1)
        print(f"the last token, {token}, is now {token ^ 1}")
    with open(sys.argv[3], "wb") as out:
        out.write(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
