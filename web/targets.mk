# What is made for browsers and Node. Included by the Makefile.
.PHONY: wasm wasm-test page-build page page-test page-bench web-test-fast

wasm: ## the verifier for browsers and Node: target/npm/ and its tarball
	@tools/build-wasm.sh

wasm-test: wasm ## use the packed npm package in a project of its own, and compare it with the native verifier
	$(CARGO) build --release --workspace --example verdicts
	@tools/page-node.sh
	ZKLLM_SLOW=1 node --test web/tests/package.test.mjs

page-build: wasm
	@tools/page-build.sh

page: page-build ## serve the verify page on a loopback port, which is printed
	@node tools/page-serve.mjs target/site

page-test: page-build ## drive the verify page in Debian's Chromium; screenshots in target/page/
	@ZKLLM_SLOW=1 tools/page-test.sh

# The same tests with fewer cases.
web-test-fast: page-build
	$(CARGO) build --profile quick --workspace --example verdicts
	@tools/page-node.sh
	ZKLLM_VERDICTS=target/quick/examples/verdicts node --test web/tests/package.test.mjs
	@tools/page-test.sh

page-bench: page-build ## verify the SmolLM2 sample natively, in Node and in Chromium, side by side
	$(CARGO) build --release -p zkllm-verifier-wasm --example verdicts
	@tools/apt.sh chromium && tools/page-node.sh && node web/tests/bench.mjs
