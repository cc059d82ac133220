#!/usr/bin/env bash
# Compares specification, reference programs, wire grammar and test vectors with each other and with the Rust.
# Usage: tools/spec.sh [--fast]        --fast: anchors, and the vectors by the reference but for most of the slow ones
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools/setup.sh --demo

say() { echo "spec: $*" >&2; }

say "anchors"
python3 spec/check-anchors

# Sets $python.
# shellcheck disable=SC2034
here=spec python=
# shellcheck source=/dev/null
. spec/reference/environment.sh
run() { "$python" "spec/reference/$1.py" "${@:2}"; }

if [ "${1:-}" = --fast ]; then
    run vectors --fast tests/vectors
    exit
fi

say "figures of the soundness errors"
run errors
say "vectors by the reference"
run vectors tests/vectors
say "constants of the opening"
run constants 8

say "wire grammar"
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then tools/apt.sh nodejs npm; fi
kaitai=target/kaitai
mkdir -p $kaitai/parsers
npm install --prefix $kaitai --silent --no-audit --no-fund --no-save kaitai-struct-compiler@0.11.0 yaml@2.8.1
node spec/grammar/compile.mjs $kaitai/node_modules $kaitai/parsers spec/grammar/*.ksy
run grammar $kaitai/parsers tests/vectors

say "vectors made again"
rm -rf target/vectors
cargo run --profile quick -q --bin vectors -- all target/vectors
diff -r -x format.md -x README.md target/vectors tests/vectors

say "a model file: receipt and inference"
cargo build --release -q --workspace --bin zkllm
model=tests/models/tiny-kjv.gguf out=target/spec
rm -rf $out
target/release/zkllm commit $model --out $out
target/release/zkllm prove --card $out/model.card --model $model --prompt "In the beginning" --max-tokens 8 --out $out/answer.receipt
spec/verify $out/model.card $out/answer.receipt
cargo run --profile quick -q --bin vectors -- inference --model $model --card $out/model.card --prompt "In the beginning" --max-tokens 8 --out $out/inference
spec/infer $out/inference
if [ -e target/demo/answer.receipt ]; then
    say "the receipt of make demo"
    spec/verify target/demo/model.card target/demo/answer.receipt
fi
say "all agrees"
