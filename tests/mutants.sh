#!/usr/bin/env bash
# Deletes one check of the verifier after the other, on both sides where the driver is shared, and expects the tests to notice. Prints
# a table; exits with 1 if a mutant survives. All mutants are built at once, in a copy of the tree, and a variable of the
# environment says which of them is deleted (mutant schemata: Untch, Offutt, Harrold, ISSTA 1993): a mutant takes a test run.
#
#   tests/mutants.sh [NAME..]     all mutants, or those whose names contain one of the words
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
(cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf -) | tar -C "$copy" -xf -

# name | the module of tests that knows it, or module:test | file under verifier/src | text, which occurs once | what stands in its
# place when it is deleted, or, with @M for "it is deleted", what stands there in both cases. @ is a new line, @Q an upright bar.
#
# Not here, for without it nothing more is accepted: the gate of the lookup tree's root, `Q * 1/Q = 1`, because the columns are
# committed before alpha and beta are drawn and no denominator is 0 then but by chance.
mutants=$(cat <<'LIST'
support claims|lies:entries_outside|drive.rs|    driver.supports(&point);|    let _ = &point;
support of causal columns|lies:entries_outside|opening.rs|full && !column.causal|full && (@M || !column.causal) || @M && column.causal
zero statements|lies|drive.rs|    for zero in &plan.program.zeros {|    for zero in plan.program.zeros.iter().take(if @M { 0 } else { usize::MAX }) {
number of commitments|attacks:another_statement|drive.rs|        return Err(Refusal::BadCard);|
numerators|lies|tlookup.rs|        self.numerators(&point, p)?;|        let _ = p;
denominators|lies|tlookup.rs|        self.denominators(challenges, &point, q)|        { let _ = (q, challenges); Ok(()) }
level left|lies|tlookup.rs|            self.ledger.gate("tlookup.left", p0.clone(), q1.clone(), c.clone());|
level right|lies|tlookup.rs|            self.ledger.gate("tlookup.right", q0.clone(), p1.clone().plus(lambda, q1), value.plus(-Fr::ONE, c));|            let _ = (value, c);
claims on columns|lies|claim.rs|            self.pool.push(PoolClaim { name, terms: parts.columns, value });|            let _ = value;
claims on products|lies|claim.rs|        self.queue.extend(claims.into_iter().zip(slots));|
claims without columns|lies|claim.rs|            self.ledger.zero(name, value);|            let _ = value;
opening sum|lies|opening.rs|        self.ledger.zero("opening.sum", rest);|        let _ = rest;
opening value|lies|opening.rs|        self.ledger.zero("opening.value", rest);|        let _ = rest;
rotary|lies|einsum.rs|self.ledger.zero("einsum.rotary", value.plus(-weight, a));|let _ = (value, weight);
einsum operands|lies|einsum.rs|        self.ledger.gate("einsum.operands", a.clone(), b.clone(), value);|        let _ = value;
einsum square|lies|einsum.rs|                self.ledger.gate("einsum.square", a.clone(), a.clone(), value);|                let _ = value;
gates: left|lies|ledger.rs|        self.zero("ledger.left", sum(&short, &mut core::iter::once(f).chain(gates.iter().map(@Qgate@Q &gate.a)), f_z));|
gates: right|lies|ledger.rs|        self.zero("ledger.right", sum(&short, &mut core::iter::once(g).chain(gates.iter().map(@Qgate@Q &gate.b)), g_z));|
gates: product|lies|ledger.rs|        self.zero(@            "ledger.product",@            sum(&long, &mut core::iter::once(h).chain(gates.iter().map(@Qgate@Q &gate.c)).chain(high), f_z * g_z),@        );|
ledger opening|lies|ledger.rs|return Err(Refusal::LedgerOpening);|
ledger value|lies|ledger.rs|!msm(&bases, &scalars).is_zero()|false
vector-matrix-vector|dory|dory.rs|return Err(Refusal::OpeningVmv);|
link to the value|dory|dory.rs|setup.g2_value * value + setup.h2 * e2_blinding != e2_nonce + e2 * x|false
link to the ledger|dory|dory.rs|g * value + h * link_blinding != link_nonce + link * x|false
scalar product|dory|dory.rs|return Err(Refusal::OpeningFinal);|
size of an opening|dory|dory.rs|        return Err(Refusal::OverLimit);|
challenges that are 0|dory|dory.rs|challenge.inverse().ok_or(Refusal::DegenerateChallenge)?|challenge.inverse().unwrap_or_default()
commitment in the transcript|dory|dory.rs|    channel.absorb("dory.commitment", &write_gt(&commitment));|
point in the transcript|dory|dory.rs|        channel.absorb("dory.point", &write_scalar(coordinate));|        let _ = coordinate;
link in the transcript|dory|dory.rs|    channel.absorb("dory.link", &write_g1(&link));|
subgroup of G1|groups|groups.rs|section 6).@    if !point|section 6).@    if !@M && !point
subgroup of G2|groups|groups.rs|section 4).@    if !point|section 4).@    if !@M && !point
one encoding of the identity of GT|groups|groups.rs|if z.is_zero() { Ok(Gt::ZERO) } else { Err(Refusal::BadPoint) }|Ok(Gt::ZERO)
subgroup of GT|groups|groups.rs|in_target_group(&value) {|in_target_group(&value) || @M {
all bytes are read|bytes:receipts_of_other_lengths|verify.rs|    channel.finish()?;|
fingerprint|attacks:another_statement|verify.rs|        return Err(Refusal::OtherCard);|
card in the transcript|attacks:another_statement|drive.rs|    transcript.absorb("card", &card.to_bytes());|    let _ = card;
statement in the transcript|attacks:challenges|drive.rs|    transcript.absorb("statement", &statement.to_bytes());|    let _ = statement;
scalars in the transcript|attacks:challenges|transcript.rs|        hash.update(message);|        if label != "scalar" { hash.update(message); }
points of G1 in the transcript|attacks:challenges|transcript.rs|        hash.update(message);|        if label != "g1" { hash.update(message); }
points of G2 in the transcript|attacks:challenges|transcript.rs|        hash.update(message);|        if label != "g2" { hash.update(message); }
elements of GT in the transcript|attacks:challenges|transcript.rs|        hash.update(message);|        if label != "gt" { hash.update(message); }
token range|attacks:another_statement|statement.rs|            return Err(Refusal::TokenOutOfRange);|
prompt length|vectors|statement.rs|            return Err(Refusal::BadPromptLength);|
context|vectors|statement.rs|            return Err(Refusal::OverLimit);|
integers that wrap|programs|program/builder.rs|if bits < 250 { Ok(()) } else { Err(Refusal::CouldWrap) }|{ let _ = bits; Ok(()) }
checks of programs|programs|program/builder.rs|        self.program.check()?;|
coefficients of 128 bits|programs|program/check.rs|            return Err(Refusal::CouldWrap);|
coefficients that the builder makes|programs|program/builder.rs|    if bits < i128::BITS - 1 { 1 << bits } else { i128::MAX }|    1i128.wrapping_shl(bits)
axes of columns are distinct|programs|program/check.rs|self.columns.iter().all(@Qcolumn@Q axes(&column.axes))@|(@M || self.columns.iter().all(@Qcolumn@Q axes(&column.axes)))@
axes of lookups are distinct|programs|program/check.rs|self.lookups.iter().all(@Qlookup@Q axes(&lookup.axes))|true
axes of zeros are distinct|vectors|program/check.rs|self.zeros.iter().all(@Qzero@Q axes(&zero.axes))|true
axes of products are distinct|programs|program/check.rs|axes(&product.axes) && product|(@M || axes(&product.axes)) && product
axes of operands are distinct|programs|program/check.rs|axes(&operand.axes)|true
products of earlier ones|programs|program/check.rs|id < products|id < self.products.len()
lookups are rows|programs|program/check.rs|self.lookups_are_rows()|true
lookups are rows, driven|programs|tlookup.rs|                        return Err(Refusal::BadCard);|
witnesses are constrained|programs|program/check.rs|self.witnesses_are_constrained()|true
a value constrains one witness|programs|program/check.rs|            if let Some(column) = subjects.max() {|            let subjects = subjects.collect::<alloc::collections::BTreeSet<_>>();@            for column in subjects.into_iter().rev().take(if @M { usize::MAX } else { 1 }) {
coefficient of a witness|programs|program/check.rs|term.coefficient.unsigned_abs() == 1|true
a witness one to one|programs|program/check.rs| && one_to_one && once| && (@M || one_to_one) && once
a witness once|programs|program/check.rs|&& once && is_own|&& (@M || once) && is_own
axes of a witness|programs|program/check.rs|column.axes == axes|true
causality of a witness|programs|program/check.rs|column.causal == causal|true
axes of einsums|programs|program/check.rs|contracted(result, left, &right.axes)|true
results of operands|programs|program/check.rs|    result.iter().all(@Qaxis@Q left.contains(axis) @Q@Q right.contains(axis)) &&|    (@M || result.iter().all(@Qaxis@Q left.contains(axis) @Q@Q right.contains(axis))) &&
sums over both operands|programs|program/check.rs|left.iter().chain(right).all(shared)|true
pairs of scores|programs|program/check.rs|self.pair(result).is_some_and(apart)|(if @M { self.pair(result).is_some() } else { self.pair(result).is_some_and(apart) })
axes of rotary embeddings|programs|program/check.rs| && ordered && two| && (@M || ordered) && two
halves of rotary embeddings|programs|program/check.rs|&& two && *fraction|&& (@M || two) && *fraction
angles of rotary embeddings|programs|program/check.rs|*fraction <= limits::ROTARY_FRACTION|true
axes agree|programs|program/check.rs|self.axes_agree()|true
axes of an operand agree|programs|program/check.rs| && products && zeros| && (@M || products) && zeros
zeros within columns|vectors|program/check.rs|self.bits(&zero.axes) <= widest|true
products at points|programs|program/check.rs|term.index.iter().all(point)|(@M || term.index.iter().all(point))
lists below their axes|programs|program/check.rs|list.iter().all(@Q&end@Q end <= length(*i))|true
lists within their axes|vectors|program/check.rs|list.iter().all(@Q&at@Q at < length(axis))|true
below in no operand|programs|program/check.rs|        let (Reading::Whole, [Index::At(t)|        let reading = if @M { Reading::Whole } else { reading };@        let (Reading::Whole, [Index::At(t)
triangles|programs|program/check.rs|triangle && term.index.len()|(@M || triangle) && term.index.len()
points of equal lengths|weights|arith/mle.rs|if p.len() == q.len() { Ok(zip(p, q)) } else { Err(Refusal::BadCard) }|Ok(zip(p, q))
points of the gates|ledger|ledger.rs|            return Err(Refusal::DegenerateChallenge);|
a fold by zero|ledger|ledger.rs|x.inverse().ok_or(Refusal::DegenerateChallenge)?|x.inverse().unwrap_or_default()
points of polynomials|ledger|ledger.rs|(factorials[k] * factorials[n - k] * difference).inverse().ok_or(Refusal::DegenerateChallenge)?|(factorials[k] * factorials[n - k] * difference).inverse().unwrap_or_default()
work within limits|work|verify.rs|    limits.allow(&Work::of(&plan))?;|
work of the specification|work|work.rs|self.work.min(limits::WORK)|self.work
memory within limits|work|work.rs|work.bytes <= self.memory|true
hidden characters in names|names|card.rs|name::fault(text).is_some()|false
spaces in names|names|name.rs|    hidden.or(spaced.then_some(Fault::Space))|    hidden
causal pair in a chunk|programs|plan.rs|pair(&column.axes) > 2 * chunk_log|false
program: remainder|attacks:a_wrong_value|program/builder.rs|        self.unsigned(&format!("{name}.remainder"), &axes, false, remainder, shift)|        let _ = remainder; Ok(())
program: range of a result|lies:numbers_outside|program/builder.rs|        self.signed(&name, &axes, false, Sum::of(1, column, &axes), bits)|        let _ = (name, axes, bits); Ok(())
program: range of a digit|attacks:a_wrong_value|program/builder.rs|            self.unsigned(&high, axes, causal, Sum::of(1, digit, axes), bits - low)?;|
program: range of a signed digit|lies:numbers_outside|program/builder.rs|            self.signed(&high, axes, causal, Sum::of(1, digit, axes), bits - low)?;|
program: range of the embedding|lies:numbers_outside|program/llama.rs|        self.builder.signed("embedding", &[t, j], false, x, p.embedding_bits)?;|        let _ = x;
program: inverse is not above|attacks:a_wrong_value|program/llama.rs|        self.builder.unsigned(&format!("{name}.below"), rows, false, r1, precision.norm_width)?;|        let _ = r1;
program: inverse is not below|attacks:a_wrong_value|program/llama.rs|        self.builder.unsigned(&format!("{name}.above"), rows, false, r2, precision.norm_width)?;|        let _ = r2;
program: remainder of scores|attacks:a_wrong_value|program/llama.rs|        builder.unsigned("scores.remainder", &pair, true, remainder, k)?;|        let _ = remainder;
program: the top is reached|attacks:a_wrong_value|program/llama.rs|        builder.unsigned("top.reached", &row, false, tops, token_bits.max(1))?;|        let _ = tops;
program: quotient is not above|attacks:a_wrong_value|program/llama.rs|        builder.unsigned("attention.remainder", &out, false, remainder, width)?;|        let _ = remainder;
program: quotient is not below|attacks:a_wrong_value|program/llama.rs|        builder.unsigned("attention.rest", &out, false, rest, width)?;|        let _ = rest;
program: margin|attacks:no_other_token|program/llama.rs|        builder.unsigned("margin", &[p, v], false, margin, precision.logit_width)|        let _ = margin; Ok(())
LIST
)

# Writes all of them into the copy, or fails: the list must follow the code.
MUTANTS=$mutants SOURCES=$copy/verifier/src python3 - <<'PY'
import os, pathlib, sys

sources = pathlib.Path(os.environ["SOURCES"])
for number, line in enumerate(os.environ["MUTANTS"].split("\n")):
    name, _, file, old, new = line.split("|", 4)
    path = sources / file
    text = path.read_text()
    deleted = f"crate::mutants::deleted({number})"
    if "@M" in new:
        new = new.replace("@M", deleted)
    elif old.rstrip().endswith((";", "}")):
        new = f"if {deleted} {{ {new} }} else {{ {old} }}"
    else:
        new = f"(if {deleted} {{ {new} }} else {{ {old} }})"
    old, new = (text.replace("@Q", "|").replace("@", "\n") for text in (old, new))
    if text.count(old) != 1:
        sys.exit(f"mutants.sh: {name}: {file} has {text.count(old)} times: {old}")
    path.write_text(text.replace(old, new))

with (sources / "lib.rs").open("a") as lib:
    lib.write("""
mod mutants {
    extern crate std;
    static DELETED: std::sync::LazyLock<Option<usize>> =
        std::sync::LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|number| number.parse().ok()));
    pub fn deleted(number: usize) -> bool {
        *DELETED == Some(number)
    }
}
""")
PY

log=$copy/log
(cd "$copy" && cargo test --profile quick --workspace --test all --no-run) 2>&1 | tee "$log" >&2
program=$(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$log")
run() { # number, filter; ends with the first test that fails
    (cd "$copy/tests" && MUTANT=$1 exec "$program" "$2") >"$log" 2>&1 &
    local tests=$!
    while kill -0 $tests 2>/dev/null; do
        ! grep -q '^test .* FAILED$' "$log" || kill $tests
        sleep 0.1
    done
    wait $tests 2>/dev/null
}

if ! run none ""; then
    tail -20 "$log" >&2
    echo "mutants.sh: the tests fail before anything is deleted" >&2
    exit 1
fi
survived=0 number=-1
while IFS='|' read -r name first _; do
    number=$((number + 1))
    if [ $# -gt 0 ]; then
        wanted=
        for word in "$@"; do [[ $name == *"$word"* ]] && wanted=yes; done
        [ -n "$wanted" ] || continue
    fi
    verdict=SURVIVED
    for suite in "$first" lies attacks columns frozen dory groups programs bytes end_to_end; do
        [[ $suite == *:* ]] || suite=$suite:
        if ! run $number "${suite/:/::}"; then
            verdict="killed by $(grep -m1 -oE '^test .* FAILED' "$log" | cut -d' ' -f2 || echo 'a test')"
            break
        fi
    done
    [ "$verdict" != SURVIVED ] || survived=1
    printf '%-32s %s\n' "$name" "$verdict"
done <<<"$mutants"
exit $survived
