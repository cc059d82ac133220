#!/usr/bin/env bash
# Runs the CUDA kernels on the CPU under GCC's sanitizers: no access outside an array, no undefined shift or overflow. Every
# array of the stand-in for a device is an allocation of its own, so this finds what compute-sanitizer's memcheck would.
set -euo pipefail
cd "$(dirname "$0")/.."

runtime=$(cc -print-file-name=libasan.so)
[ -e "$runtime" ] || { echo "sanitize: cc has no libasan.so; install gcc" >&2; exit 1; }
# What Rust itself keeps until the end is no leak.
runner="target.'cfg(unix)'.runner = ['env', 'LD_PRELOAD=$runtime', 'ASAN_OPTIONS=detect_leaks=0']"
ZKLLM_SANITIZE=address,undefined exec cargo --config "$runner" test --release -p zkllm-cuda-shim --tests
