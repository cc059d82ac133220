#!/usr/bin/env bash
# Measures a prover's backend where one binary is all there is: self-test and unit speeds, then the shapes of
# docs/benchmarks.md from commitment to verified receipt, a line of JSON each on stdout. A shape that fails or takes more
# than LIMIT seconds is named and passed over. Where compute-sanitizer is found, the smallest proof runs under it last.
#
#   tools/bench-gpu.sh [ZKLLM]            ZKLLM: the binary, target/release/zkllm if not given
#   BACKEND=cpu SHAPES="tiny:64 smollm2-135m:64" LIMIT=300 tools/bench-gpu.sh
set -uo pipefail

zkllm=${1:-target/release/zkllm}
backend=${BACKEND:-cuda}
shapes=${SHAPES:-smollm2-135m:64 smollm2-135m:256 smollm2-135m:1024 smollm2-135m:2048 llama-125m:2048 llama-1.3b:2048 llama2-7b:2048 llama2-13b:2048}

"$zkllm" doctor --backend "$backend" >&2 || exit 1
failed=0
run() {
    echo "== $*" >&2
    timeout "${LIMIT:-600}" "$@" || { echo "failed: $*" >&2; failed=1; }
}
for shape in $shapes; do
    run "$zkllm" bench --shape "${shape%:*}" --tokens "${shape#*:}" --backend "$backend" --json
done
if [ "$backend" = cuda ] && command -v compute-sanitizer > /dev/null; then
    run compute-sanitizer --error-exitcode 1 "$zkllm" bench --shape tiny --backend cuda >&2
fi
exit $failed
