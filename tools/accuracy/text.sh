#!/bin/sh
# Makes the texts that accuracy is measured on, out of Debian packages: target/accuracy/kjv.txt and target/accuracy/constitution.txt.
# kjv.txt has every 20th chapter of the King James Bible from the 8th on, a verse a line: those that tests/models/tiny-kjv.gguf
# was not trained on. constitution.txt is the constitution of the Debian project, version 1.6. Needs: apt-get, dpkg-deb, libreadline8.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
work="$root/target/accuracy"
mkdir -p "$work"
cd "$work"
if [ ! -s kjv.txt ] || [ ! -s constitution.txt ]; then
    apt-get download -q bible-kjv bible-kjv-text doc-debian >&2
    for deb in bible-kjv_*.deb bible-kjv-text_*.deb doc-debian_*.deb; do dpkg-deb -x "$deb" package; done
    ./package/usr/bin/bible -p "$work/package/usr/lib" -l2000 'Gen1:1-Rev22:21' </dev/null >whole.txt
    # A heading is a line like "Isaiah 40", a verse one like "  1 Comfort ye".
    awk '/^[A-Z0-9].*[0-9] *$/ { chapter++ } /^ +[0-9]+ / && chapter % 20 == 8 { sub(/^ +[0-9]+ /, ""); print }' whole.txt >kjv.txt.part
    gzip -dc package/usr/share/doc/debian/constitution.1.6.txt.gz | sed 's/^   //' >constitution.txt.part
    mv constitution.txt.part constitution.txt
    mv kjv.txt.part kjv.txt
fi
sha256sum -c --status - <<'SUMS' || echo "text.sh: the texts differ from those of docs/accuracy.md, and figures will" >&2
5328e06223e21154e789abd4ff3500dd95e85f69b88b5acbcb006df69b2f17a8  kjv.txt
dc1b8e99ee3ac2e007a51051e843b28cf3b5bf9f55812c29fcc06673b0926bda  constitution.txt
SUMS
