#!/usr/bin/env bash
# Builds the verifier for machines without an operating system: shows that it needs neither std nor threads nor files.
# Usage: tools/build-verifier-targets.sh wasm|firmware
# Takes rustup's library of the target where it is installed; else Debian's compiler (packages rustc-web, cargo-web,
# rust-web-src, lld), which builds the library from source. Everything goes to a build directory of its own.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
case "${1:-}" in
    wasm)
        target=wasm32-unknown-unknown
        libraries=std,panic_abort
        linker=wasm-ld
        builds=("build --release -p zkllm-verifier --lib")
        ;;
    firmware)
        target=thumbv7em-none-eabihf
        libraries=core,alloc
        linker=ld.lld
        builds=("build --release -p zkllm-verifier --lib" "build --release --locked --manifest-path tests/firmware/Cargo.toml")
        ;;
    *)
        echo "usage: tools/build-verifier-targets.sh wasm|firmware" >&2
        exit 2
        ;;
esac
upper="$(tr 'a-z-' 'A-Z_' <<<"$target")"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/bare"

if command -v rustup >/dev/null && rustup target list --installed 2>/dev/null | grep -qx "$target"; then
    cargo=(cargo)
    extra=()
    echo "build-verifier-targets: $target with rustup's library" >&2
else
    tools/apt.sh rustc-web cargo-web rust-web-src lld
    cargo=(/usr/bin/cargo)
    extra=("-Zbuild-std=$libraries")
    # -Z is for nightly compilers; Debian's is told to accept it.
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
    unset RUSTUP_TOOLCHAIN
    export "CARGO_TARGET_${upper}_LINKER=$linker"
    export "CARGO_TARGET_${upper}_RUSTFLAGS=-C linker-flavor=$linker"
    echo "build-verifier-targets: $target with $("$RUSTC" --version), library from source" >&2
fi

for build in "${builds[@]}"; do
    # shellcheck disable=SC2086 # the words of a build are separate arguments
    "${cargo[@]}" $build --target "$target" "${extra[@]}"
done
echo "build-verifier-targets: the verifier builds for $target" >&2
