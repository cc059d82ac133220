#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing. The lists of packages are fetched once a build directory.
# Usage: tools/apt.sh PACKAGE..
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

missing=()
for package in "$@"; do
    state="$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)"
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null || { echo "apt.sh: no apt-get here; install these by other means: ${missing[*]}" >&2; exit 2; }
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "apt.sh: run as root, or with sudo installed: apt-get install ${missing[*]}" >&2; exit 2; }
    as_root=(sudo)
fi

stamp="$root/target/apt-updated"
if [ ! -e "$stamp" ]; then
    mkdir -p "$root/target"
    echo "apt.sh: apt-get update" >&2
    "${as_root[@]}" apt-get update -qq >&2
    touch "$stamp"
fi
echo "apt.sh: installing ${missing[*]}" >&2
if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2; then
    rm -f "$stamp"
    echo "apt.sh: apt-get could not install ${missing[*]}; the lists are fetched anew next time" >&2
    exit 1
fi
