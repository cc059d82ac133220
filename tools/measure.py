#!/usr/bin/env python3
"""Runs a command and writes how long it took and how much memory it used at its peak.

The peak is at least that of this script itself, about 15 MB: what is smaller cannot be told apart.

Usage: measure.py OUT.json COMMAND [ARGUMENT ..]      Exits as the command does; 128 + n if signal n ended it.
"""
import json
import resource
import subprocess
import sys
import time


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    start = time.monotonic()
    try:
        code = subprocess.run(sys.argv[2:]).returncode
    except FileNotFoundError:
        print(f"measure.py: no such command: {sys.argv[2]}", file=sys.stderr)
        return 127
    seconds = time.monotonic() - start
    # ru_maxrss of the largest child, in KiB on Linux and in bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with open(sys.argv[1], "w") as out:
        json.dump({"seconds": seconds, "peak_bytes": peak, "exit": code}, out)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
