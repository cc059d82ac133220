#!/usr/bin/env bash
# Checks the syntax of every script, and with shellcheck where it is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash_scripts=(.ci/run)
for script in tools/*.sh; do
    case "$(head -n 1 "$script")" in
        *bash) bash_scripts+=("$script") ;;
        *) sh -n "$script" ;;
    esac
done
for script in "${bash_scripts[@]}"; do bash -n "$script"; done
for script in tools/*.py; do python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$script"; done
if command -v shellcheck >/dev/null; then shellcheck "${bash_scripts[@]}"; fi
