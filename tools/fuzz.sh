#!/usr/bin/env bash
# Fuzzes the verifier. Usage: tools/fuzz.sh build|run
# FUZZ_SECONDS (600) goes to the target `proof`, FUZZ_OTHER_SECONDS (120) to each other one; FUZZ_RSS_MB (2048) bounds memory.
# Needs nightly Rust; cargo-fuzz is installed into target/tools when it is missing. Inputs that broke something are left in
# tests/fuzz/artifacts, the corpora in target/fuzz/corpus.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
version=0.13.2
targets=(parse verify proof)
build="${CARGO_TARGET_DIR:-$root/target}/fuzz"

if ! rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
    echo "fuzz.sh: cargo-fuzz needs nightly Rust: rustup toolchain install nightly" >&2
    exit 2
fi
fuzz="$(command -v cargo-fuzz || true)"
if [ -z "$fuzz" ]; then
    fuzz="${CARGO_TARGET_DIR:-$root/target}/tools/bin/cargo-fuzz"
    [ -x "$fuzz" ] || cargo install cargo-fuzz --version "$version" --locked --root "${fuzz%/bin/cargo-fuzz}" >&2
fi

cd tests/fuzz
# Without the address sanitizer: the verifier forbids unsafe code, and the field arithmetic is many times faster.
run() {
    local command="$1"
    shift
    RUSTUP_TOOLCHAIN=nightly "$fuzz" fuzz "$command" --sanitizer none --fuzz-dir . --target-dir "$build" "$@"
}
for target in "${targets[@]}"; do
    run build "$target"
done
[ "${1:-run}" = run ] || exit 0

for target in "${targets[@]}"; do
    seconds="${FUZZ_OTHER_SECONDS:-120}"
    [ "$target" != proof ] || seconds="${FUZZ_SECONDS:-600}"
    corpus="$build/corpus/$target"
    mkdir -p "$corpus" "artifacts/$target"
    echo "fuzz.sh: $target for $seconds s" >&2
    run run "$target" "$corpus" -- -max_total_time="$seconds" -rss_limit_mb="${FUZZ_RSS_MB:-2048}" \
        -malloc_limit_mb="${FUZZ_RSS_MB:-2048}" -timeout=60 -max_len=4096 -len_control=0 \
        -print_final_stats=1
done
echo "fuzz.sh: clean" >&2
