#!/bin/sh
# Measures what docs/accuracy.md reports: the real model and the one in the repository, each against f32 inference by candle.
set -eu
cd "$(dirname "$0")/../.."
tools/setup.sh --demo
tools/fetch-model.sh
tools/accuracy/text.sh
measure() {
    cargo run --release --manifest-path tools/accuracy/Cargo.toml --target-dir target/accuracy/build -- "$@" --own-float
}
measure target/models/SmolLM2-135M-Instruct.Q4_1.gguf target/accuracy/kjv.txt
measure tests/models/tiny-kjv.gguf target/accuracy/kjv.txt --question "And the LORD said unto"
