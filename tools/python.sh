#!/usr/bin/env bash
# Runs the build directory's own Python, made on first use, so that pip installs nothing into the system.
# Usage: tools/python.sh ARGUMENT..        e.g. tools/python.sh -m pip install PACKAGE==VERSION
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/target/venv"
if [ ! -x "$venv/bin/python" ]; then
    "$root/tools/setup.sh" --demo >&2
    python3 -m venv "$venv.part"
    rm -rf "$venv"
    # A virtual environment cannot be moved with its scripts; its interpreter can.
    mv "$venv.part" "$venv"
fi
exec "$venv/bin/python" "$@"
