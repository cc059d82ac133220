#!/usr/bin/env bash
# Compiles every CUDA kernel for sm_80 and sm_90, without a GPU, and counts registers and spills: a spill is an error. Then
# runs the compiler's PTX, which is what a GPU's driver is given, instruction by instruction on the CPU, for all tests of verbs;
# and the program itself with a stand-in for the driver, whose kernels are compiled for the CPU.
# Usage: tools/cuda-check.sh [--nvrtc]     with --nvrtc also the way of a machine without nvcc, which takes minutes
# The compiler comes from PyPI (NVIDIA's wheels, all of one version), into the build directory.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
wheels="nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-nvrtc==13.0.88 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85"
toolkit="$root/target/cuda-13.0"
if [ ! -x "$toolkit/nvidia/cu13/bin/nvcc" ]; then
    rm -rf "$toolkit.part"
    # shellcheck disable=SC2086 # one argument a wheel
    tools/python.sh -m pip install --quiet --no-deps --target "$toolkit.part" $wheels
    rm -rf "$toolkit"
    mv "$toolkit.part" "$toolkit"
fi
export CUDA_HOME="$toolkit/nvidia/cu13"

report="$root/target/cuda-check.txt"
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT

compile() {
    local source="$1" name
    name="$(basename "$source" .cu)"
    if ! "$CUDA_HOME/bin/nvcc" -std=c++17 -O3 -fatbin -Xptxas -v -gencode arch=compute_80,code=sm_80 \
        -gencode arch=compute_90,code=sm_90 -o "$out/$name.fatbin" "$source" >"$out/$name.log" 2>&1; then
        cat "$out/$name.log" >&2
        echo "cuda-check: $source does not compile" >&2
        return 1
    fi
    awk -v file="$name" '
        /Compiling entry function/ { split($0, word, "\047"); kernel = word[2]; target = word[4]; spills = 0 }
        /bytes spill stores/ { for (i = 2; i <= NF; i++) if ($i == "bytes" && $(i + 1) == "spill") spills += $(i - 1) }
        /Used [0-9]+ registers/ { for (i = 1; i < NF; i++) if ($i == "Used") used = $(i + 1)
            printf "%-10s %-18s %s %4d registers %4d bytes spilled\n", file, kernel, target, used, spills
        }
        ' "$out/$name.log" >"$out/$name.txt"
}

# What was checked before and has not changed is not compiled again.
if [ ! -s "$report" ] || [ -n "$(find kernels/cuda tools/cuda-check.sh -newer "$report")" ]; then
    rm -f "$report"
    export -f compile
    export out
    # shellcheck disable=SC2016 # The inner shell expands it.
    find kernels/cuda -name '*.cu' ! -name kernels.cu -print0 | xargs -0 -n 1 -P "$(nproc)" bash -c 'compile "$0"'
    sort "$out"/*.txt >"$report.part"
    mv "$report.part" "$report"
fi
cat "$report"
kernels="$(cat kernels/cuda/*.cu | grep -cE '^KERNEL\(')"
lines="$(wc -l <"$report")"
[ "$lines" -eq $((2 * kernels)) ] || { echo "cuda-check: $kernels kernels for 2 targets, but $lines were compiled" >&2; exit 1; }
if spilled="$(grep -v ' 0 bytes spilled$' "$report")"; then
    echo "$spilled" >&2
    echo "cuda-check: registers are spilled" >&2
    exit 1
fi
echo "cuda-check: $kernels kernels for sm_80 and sm_90, no register spills" >&2

ptx="$root/target/kernels.ptx"
if [ ! -s "$ptx" ] || [ -n "$(find kernels/cuda kernels/shim/src/*.cu tools/cuda-check.sh -newer "$ptx")" ]; then
    "$CUDA_HOME/bin/nvcc" -std=c++17 -O3 -ptx -arch=compute_80 -o "$ptx.part" kernels/shim/src/ptx.cu
    mv "$ptx.part" "$ptx"
fi
# Without the compiler: nothing that is built already is built again with kernels for GPUs in it.
cargo() { env -u CUDA_HOME "${CARGO:-cargo}" "$@"; }
ZKLLM_PTX="$ptx" cargo test --profile quick --workspace --test ptx
cargo build --profile quick --workspace --example cuda --example nvrtc
LD_LIBRARY_PATH="$root/target/quick/examples${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" cargo test --profile quick --workspace --test cuda

if [ "${1:-}" = --nvrtc ]; then
    LD_LIBRARY_PATH="$CUDA_HOME/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \
        ${CARGO:-cargo} run --release --quiet -p zkllm-kernels --example compile-kernels -- 80 90
fi
