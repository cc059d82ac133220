#!/usr/bin/env bash
# Builds the verifier as WebAssembly and packs it for npm: target/npm/ and target/npm/zkllm-verifier-VERSION.tgz.
# Usage: tools/build-wasm.sh
# Takes rustup's library of the target where it is installed; else Debian's compiler (packages rustc-web, cargo-web,
# rust-web-src, lld), which builds the library from source.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
say() { echo "build-wasm: $*" >&2; }

target=wasm32-unknown-unknown
built="${CARGO_TARGET_DIR:-$root/target}"
out="$root/target/npm"
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then tools/apt.sh nodejs npm; fi

# The tool that writes the JavaScript side, built meanwhile; it refuses a crate that was compiled with another version of wasm-bindgen.
CARGO_TARGET_DIR="$built/wasm-tools" cargo build --release --locked --quiet --manifest-path tools/wasm-bindgen/Cargo.toml &
tool=$!
bindgen="$built/wasm-tools/release/zkllm-wasm-bindgen"

# Small code: it is half as long as the fastest and hardly slower (docs/benchmarks.md). One unit and no unwinding tables make it
# smaller still.
export CARGO_PROFILE_RELEASE_OPT_LEVEL=s CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 CARGO_PROFILE_RELEASE_PANIC=abort CARGO_PROFILE_RELEASE_DEBUG=false
# No path of this machine goes into the file.
flags="--remap-path-prefix=$root=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
cargo=(cargo)
extra=()
if command -v rustup >/dev/null && rustup target list --installed 2>/dev/null | grep -qx "$target"; then
    say "$target with rustup's library"
else
    tools/apt.sh rustc-web cargo-web rust-web-src lld
    cargo=(/usr/bin/cargo)
    extra=("-Zbuild-std=std,panic_abort")
    # -Z is for nightly compilers; Debian's is told to accept it.
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld
    unset RUSTUP_TOOLCHAIN
    flags="$flags -C linker-flavor=wasm-ld --remap-path-prefix=$(/usr/bin/rustc --print sysroot)=rust"
    say "$target with $("$RUSTC" --version), library from source"
fi
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="$flags"
CARGO_TARGET_DIR="$built/wasm" "${cargo[@]}" build --release --locked -p zkllm-verifier-wasm --lib --target "$target" "${extra[@]}"

wait "$tool"
rm -rf "$out"
mkdir -p "$out"
"$bindgen" "$built/wasm/$target/release/zkllm_verifier_wasm.wasm" "$out" zkllm_verifier
rm -f "$out/zkllm_verifier_bg.wasm.d.ts"
cp verifier-wasm/npm/* LICENSE-MIT LICENSE-APACHE "$out/"
version="$(sed -nE '/^\[workspace.package\]/,/^\[/s/^version = "(.*)"$/\1/p' Cargo.toml)"
sed -i "s/@VERSION@/$version/" "$out/package.json"
# What it was made with, and its digest: who builds the same sources with the same tools gets the same file.
{
    echo "rustc: $("${RUSTC:-rustc}" --version)"
    echo "wasm-bindgen: $(sed -nE 's/^wasm-bindgen-cli-support = "=(.*)"$/\1/p' tools/wasm-bindgen/Cargo.toml)"
    echo "sha256: $(sha256sum "$out/zkllm_verifier_bg.wasm" | cut -d' ' -f1)"
} >"$out/BUILD"
(cd "$out" && npm pack --silent >/dev/null)

bytes() { wc -c <"$1"; }
say "target/npm/zkllm_verifier_bg.wasm: $(bytes "$out/zkllm_verifier_bg.wasm") bytes, $(gzip -9nc "$out/zkllm_verifier_bg.wasm" | wc -c) gzipped"
say "target/npm/zkllm-verifier-$version.tgz: $(bytes "$out/zkllm-verifier-$version.tgz") bytes"
