#!/usr/bin/env bash
# Puts the page together in target/site/: the files of web/ and the verifier of target/npm/. Any static server will do for it.
# Usage: tools/page-build.sh          (after tools/build-wasm.sh)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ -r target/npm/zkllm_verifier_bg.wasm ] || { echo "page-build: no target/npm; run make wasm first" >&2; exit 2; }
rm -rf target/site
mkdir -p target/site/pkg
cp web/*.html web/*.css web/*.js web/*.svg target/site/
cp -r web/samples target/site/
cp target/npm/{web,timed,zkllm_verifier}.js target/npm/zkllm_verifier_bg.wasm target/site/pkg/
echo "page-build: target/site, $(du -sk target/site | cut -f1) kB" >&2
