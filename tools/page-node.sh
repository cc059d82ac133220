#!/usr/bin/env bash
# Installs what the page's tests take from npm, by the lock file, into target/page-node/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p target/page-node
if ! cmp -s web/tests/package-lock.json target/page-node/installed.json; then
    cp web/tests/package.json web/tests/package-lock.json target/page-node/
    (cd target/page-node && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent --no-audit --no-fund)
    cp web/tests/package-lock.json target/page-node/installed.json
fi
