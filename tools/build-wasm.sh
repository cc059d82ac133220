#!/usr/bin/env bash
# Builds the verifier as WebAssembly and packs it for npm: target/npm/ and target/npm/zkllm-verifier-VERSION.tgz.
# Usage: tools/build-wasm.sh
# Takes rustup's library of the target where it is installed; else Debian's compiler (packages rustc-web, cargo-web,
# rust-web-src, lld), which builds the library from source. Takes the tool wasm-bindgen of the crate's version where there is
# one; else installs it into the build directory.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
say() { echo "build-wasm: $*" >&2; }
fail() { echo "build-wasm: $*" >&2; exit 2; }

target=wasm32-unknown-unknown
built="${CARGO_TARGET_DIR:-$root/target}"
out="$root/target/npm"
bindgen_version="$(sed -nE 's/^wasm-bindgen = "=([0-9.]+)"$/\1/p' verifier-wasm/Cargo.toml)"
[ -n "$bindgen_version" ] || fail "verifier-wasm/Cargo.toml names no exact version of wasm-bindgen"
command -v node >/dev/null && command -v npm >/dev/null || tools/apt.sh nodejs npm

# The tool that writes the JavaScript side must be of the version that the crate was compiled with.
bindgen="$(command -v wasm-bindgen || true)"
[ -n "$bindgen" ] && [ "$("$bindgen" --version)" = "wasm-bindgen $bindgen_version" ] || bindgen="$built/wasm-tools/bin/wasm-bindgen"
if [ ! -x "$bindgen" ] || [ "$("$bindgen" --version)" != "wasm-bindgen $bindgen_version" ]; then
    say "installing wasm-bindgen-cli $bindgen_version into $built/wasm-tools (once)"
    # Without its features: they are for fetching browsers' drivers.
    CARGO_TARGET_DIR="$built/wasm-tools/build" cargo install wasm-bindgen-cli --version "=$bindgen_version" --no-default-features --debug --quiet --root "$built/wasm-tools"
    rm -rf "$built/wasm-tools/build"
fi

# Fast code: the whole is small. One unit and no unwinding tables make it smaller still.
export CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 CARGO_PROFILE_RELEASE_PANIC=abort CARGO_PROFILE_RELEASE_DEBUG=false
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
CARGO_TARGET_DIR="$built/wasm" "${cargo[@]}" build --release -p zkllm-verifier-wasm --lib --target "$target" "${extra[@]}"

rm -rf "$out"
mkdir -p "$out"
"$bindgen" --target web --remove-name-section --remove-producers-section --out-dir "$out" --out-name zkllm_verifier "$built/wasm/$target/release/zkllm_verifier_wasm.wasm"
rm -f "$out/zkllm_verifier_bg.wasm.d.ts"
mv "$out/zkllm_verifier.js" "$out/web.js"
mv "$out/zkllm_verifier.d.ts" "$out/web.d.ts"
cp verifier-wasm/npm/* LICENSE-MIT LICENSE-APACHE "$out/"
version="$(sed -nE '/^\[workspace.package\]/,/^\[/s/^version = "(.*)"$/\1/p' Cargo.toml)"
sed -i "s/@VERSION@/$version/" "$out/package.json"
(cd "$out" && npm pack --silent >/dev/null)

bytes() { wc -c <"$1"; }
say "target/npm/zkllm_verifier_bg.wasm: $(bytes "$out/zkllm_verifier_bg.wasm") bytes, $(gzip -9nc "$out/zkllm_verifier_bg.wasm" | wc -c) gzipped"
say "target/npm/zkllm-verifier-$version.tgz: $(bytes "$out/zkllm-verifier-$version.tgz") bytes"
