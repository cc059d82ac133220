#!/usr/bin/env bash
# Sees to it that the tools the build needs are there: Rust, a linker, make, and Python with pip for the demo's model.
# For tests also two drivers that do on the CPU what a GPU does: lavapipe (Vulkan) and llvmpipe (OpenGL).
# Usage: tools/setup.sh [--demo | --test]
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

command -v cargo >/dev/null || { echo "setup.sh: no cargo: install Rust 1.90 or newer from https://rustup.rs and run this again" >&2; exit 2; }

need=()
command -v cc >/dev/null || need+=(gcc libc6-dev)
command -v c++ >/dev/null || need+=(g++)
command -v make >/dev/null || need+=(make)
command -v python3 >/dev/null || need+=(python3)
if [ "${1:-}" = --demo ]; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || need+=(python3-venv)
fi
if [ "${1:-}" = --test ] && command -v apt-get >/dev/null; then
    need+=(libvulkan1 mesa-vulkan-drivers libegl1 libgl1-mesa-dri)
fi
[ ${#need[@]} -eq 0 ] || "$here/apt.sh" "${need[@]}"
