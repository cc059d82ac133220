#!/usr/bin/env bash
# Drives the page in Debian's Chromium, headless, and leaves screenshots and figures in target/page/.
# Usage: tools/page-test.sh          (after tools/page-build.sh; with ZKLLM_SLOW=1 every screen and colour, else one)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools/apt.sh chromium
tools/page-node.sh
exec node --test web/tests/page.test.mjs
