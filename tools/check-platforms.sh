#!/usr/bin/env bash
# Type-checks the program `zkllm` for Windows and macOS, on which it is not run: nothing is linked.
# Usage: tools/check-platforms.sh [TARGET..]
# Takes rustup's library of a target where it is installed; else Debian's compiler (packages rustc-web, cargo-web, rust-web-src)
# and its library's source, and for Windows the import libraries of binutils-mingw-w64. Everything goes to a build directory of its own.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/platforms"

targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(x86_64-pc-windows-gnu aarch64-apple-darwin)
for target in "${targets[@]}"; do
    if command -v rustup >/dev/null && rustup target list --installed 2>/dev/null | grep -qx "$target"; then
        cargo check --locked -p zkllm-prover --target "$target"
    else
        tools/apt.sh rustc-web cargo-web rust-web-src binutils-mingw-w64-x86-64
        # -Z is for nightly compilers; Debian's is told to accept it.
        env -u RUSTUP_TOOLCHAIN RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
            /usr/bin/cargo check --locked -p zkllm-prover --target "$target" -Zbuild-std=std,panic_unwind
    fi
    echo "check-platforms: the prover type-checks for $target" >&2
done
