#!/bin/sh
# Makes tests/models/tiny-kjv.gguf anew: fetches the text and the Python libraries, then trains (about 15 minutes of two cores).
# Usage: tools/train-tiny/run.sh [seconds of training]     Needs: apt-get, dpkg-deb, python3 with venv, libreadline8.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work="$root/target/train-tiny"
mkdir -p "$work"
cd "$work"

if [ ! -s kjv.txt ]; then
    apt-get download bible-kjv bible-kjv-text
    for deb in bible-kjv_*.deb bible-kjv-text_*.deb; do dpkg-deb -x "$deb" package; done
    ./package/usr/bin/bible -p "$work/package/usr/lib" -l2000 'Gen1:1-Rev22:21' </dev/null >kjv.txt.part
    mv kjv.txt.part kjv.txt
fi
# The text that the committed model was trained on; another packaging of it trains as well, but not to the same model.
echo "6f74f5589333c56c263963e6347dba662bae2d96861302e690aaae0b4a855eda  kjv.txt" | sha256sum -c - || echo "warning: the text differs from the one the committed model was trained on" >&2

[ -x venv/bin/python ] || python3 -m venv venv
venv/bin/pip install --quiet -r "$here/requirements.txt"
nice venv/bin/python "$here/train.py" --text kjv.txt --out "$root/tests/models/tiny-kjv.gguf" --seconds "${1:-840}"
