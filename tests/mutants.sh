#!/usr/bin/env bash
# Deletes one check of the verifier after the other in a copy of the tree, on both sides where the driver is shared, and
# expects the tests to notice. Prints a table; exits with 1 if a mutant survives. Takes a build and a test run a mutant.
#
#   tests/mutants.sh [NAME..]     all mutants, or those whose names contain one of the words
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export CARGO_TARGET_DIR=${MUTANTS_TARGET_DIR:-$root/target/mutants}
export CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_INCREMENTAL=true
(cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf -) | tar -C "$copy" -xf -

# name | file under verifier/src | text | what stands in its place; the text occurs once
mutants=$(cat <<'LIST'
support claims|drive.rs|    driver.supports(&point);|    let _ = &point;
support of causal columns|opening.rs|            if full && !column.causal {|            if full || column.causal {
zero statements|drive.rs|    for zero in &plan.program.zeros {|    for zero in plan.program.zeros.iter().take(0) {
numerators|tlookup.rs|        self.numerators(&point, p)?;|        let _ = p;
denominators|tlookup.rs|        self.denominators(challenges, &point, q)|        { let _ = (q, challenges); Ok(()) }
claims on columns|claim.rs|            self.pool.push(PoolClaim { name, terms: parts.columns, value });|            let _ = value;
opening sum|opening.rs|        self.ledger.zero("opening.sum", rest);|        let _ = rest;
opening value|opening.rs|        self.ledger.zero("opening.value", rest);|        let _ = rest;
rotary|einsum.rs|self.ledger.zero("einsum.rotary", value.plus(-weight, a));|let _ = (value, weight);
einsum operands|einsum.rs|        self.ledger.gate("einsum.operands", a.clone(), b.clone(), value);|        let _ = value;
einsum square|einsum.rs|                self.ledger.gate("einsum.square", a.clone(), a.clone(), value);|                let _ = value;
root|tlookup.rs|        self.ledger.gate("tlookup.root", q.clone(), inverse.clone(), Form::constant(Fr::ONE));|        let _ = inverse;
level left|tlookup.rs|            self.ledger.gate("tlookup.level", p0.clone(), q1.clone(), c.clone());|
level right|tlookup.rs|            self.ledger.gate("tlookup.level", q0.clone(), p1.clone().plus(lambda, q1), value.plus(-Fr::ONE, c));|            let _ = (value, c);
gates: left|ledger.rs|self.zero("ledger.left",|let _ = (Form::constant(Fr::ZERO),
gates: product|ledger.rs|        self.zero(@            "ledger.product",|        let _ = (@            "ledger.product",
ledger opening|ledger.rs|return Err(Refusal::LedgerOpening);|
vector-matrix-vector|dory.rs|return Err(Refusal::OpeningVmv);|
scalar product|dory.rs|return Err(Refusal::OpeningFinal);|
all bytes are read|verify.rs|    channel.finish()?;|
fingerprint|verify.rs|        return Err(Refusal::OtherCard);|
card in the transcript|drive.rs|    transcript.absorb("card", &card.to_bytes());|    let _ = card;
statement in the transcript|drive.rs|    transcript.absorb("statement", &statement.to_bytes());|    let _ = statement;
messages in the transcript|channel.rs|        self.rest = rest;@        self.transcript.absorb(label, bytes);|        self.rest = rest;@        let _ = label;
token range|statement.rs|            return Err(Refusal::TokenOutOfRange);|
LIST
)

# Replaces the text in the file, or fails: the list must follow the code.
edit() {
    FILE=$1 OLD=$2 NEW=$3 python3 - <<'PY'
import os, sys
path, old, new = (os.environ[key] for key in ("FILE", "OLD", "NEW"))
text = open(path).read()
old, new = old.replace("@", "\n"), new.replace("@", "\n")
if text.count(old) != 1:
    sys.exit(f"mutants.sh: {path} has {text.count(old)} times: {old}")
open(path, "w").write(text.replace(old, new))
PY
}

# Quick to build: what takes time in these tests is in the kernels, which no mutant changes.
quick=()
for crate in verifier prover tests; do quick+=(--config "profile.release.package.zkllm-$crate.opt-level=1"); done
test_suite() { # suite, what follows
    (cd "$copy" && cargo "${quick[@]}" test --release -p zkllm-tests --test "$@") >"$log" 2>&1
}

survived=0
while IFS='|' read -r name file old new; do
    if [ $# -gt 0 ]; then
        wanted=
        for word in "$@"; do [[ $name == *"$word"* ]] && wanted=yes; done
        [ -n "$wanted" ] || continue
    fi
    path=$copy/verifier/src/$file
    log=$copy/log
    cp "$path" "$copy/original"
    edit "$path" "$old" "$new"
    log=$copy/log
    verdict=SURVIVED
    # What finds most comes first; a suite is built only when those before it found nothing.
    for suite in attacks columns:every_committed frozen dory columns:every_padding bytes end_to_end groups; do
        if ! test_suite "${suite%%:*}" --no-run; then
            verdict="does not compile"
            tail -20 "$log" >&2
            survived=1
            break
        elif ! test_suite "${suite%%:*}" -- "$([[ $suite != *:* ]] || echo "${suite#*:}")"; then
            verdict="killed by ${suite%%:*}: $(grep -m1 -oE '^test .* FAILED' "$log" | cut -d' ' -f2 || echo 'a test')"
            break
        fi
    done
    [ "$verdict" != SURVIVED ] || survived=1
    printf '%-32s %s\n' "$name" "$verdict"
    cp "$copy/original" "$path"
done <<<"$mutants"
exit $survived
