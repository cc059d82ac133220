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

# name | the module of tests that knows it, or module:test | file under verifier/src | text, which occurs once | what stands in its
# place. @ is a new line, @Q an upright bar.
#
# Not here, for without it nothing more is accepted: the gate of the lookup tree's root, `Q * 1/Q = 1`, because the columns are
# committed before alpha and beta are drawn and no denominator is 0 then but by chance.
mutants=$(cat <<'LIST'
support claims|lies:entries_outside|drive.rs|    driver.supports(&point);|    let _ = &point;
support of causal columns|lies:entries_outside|opening.rs|            if full && !column.causal {|            if full || column.causal {
zero statements|lies|drive.rs|    for zero in &plan.program.zeros {|    for zero in plan.program.zeros.iter().take(0) {
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
gates: left|lies|ledger.rs|self.zero("ledger.left",|let _ = (Form::constant(Fr::ZERO),
gates: right|lies|ledger.rs|self.zero("ledger.right",|let _ = (Form::constant(Fr::ZERO),
gates: product|lies|ledger.rs|        self.zero(@            "ledger.product",|        let _ = (@            "ledger.product",
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
subgroup of G1|groups|groups.rs|section 6).@    if !point.is_in_correct_subgroup_assuming_on_curve() {|section 6).@    if false {
subgroup of G2|groups|groups.rs|section 4).@    if !point.is_in_correct_subgroup_assuming_on_curve() {|section 4).@    if false {
one encoding of the identity of GT|groups|groups.rs|if z.is_zero() { Ok(Gt::ZERO) } else { Err(Refusal::BadPoint) }|Ok(Gt::ZERO)
subgroup of GT|groups|groups.rs|    if in_target_group(&value) {|    if true {
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
axes of columns are distinct|programs|program/check.rs|        self.columns.iter().all(@Qcolumn@Q axes(&column.axes))@            && |        
axes of lookups are distinct|programs|program/check.rs|            && self.lookups.iter().all(@Qlookup@Q axes(&lookup.axes))@|
axes of zeros are distinct|vectors|program/check.rs|            && self.zeros.iter().all(@Qzero@Q axes(&zero.axes))@|
axes of products are distinct|programs|program/check.rs|                axes(&product.axes) && product|                product
axes of operands are distinct|programs|program/check.rs|axes(&operand.axes) && exists(&operand.sum, id)|exists(&operand.sum, id)
products of earlier ones|programs|program/check.rs|Source::Product(id) => id < products,|Source::Product(id) => id < self.products.len() + 0 * products,
lookups are rows|programs|program/check.rs|            && self.lookups_are_rows()@|
lookups are rows, driven|programs|tlookup.rs|                        return Err(Refusal::BadCard);|
witnesses are constrained|programs|program/check.rs|            && self.witnesses_are_constrained()@|
a value constrains one witness|programs|program/check.rs|            if let Some(column) = subjects.max() {|            for column in subjects {
coefficient of a witness|programs|program/check.rs|(term.coefficient.unsigned_abs() == 1 && one_to_one|(one_to_one
a witness one to one|programs|program/check.rs|== 1 && one_to_one && once|== 1 && matches!(one_to_one, _) && once
a witness once|programs|program/check.rs|one_to_one && once && is_own|one_to_one && matches!(once, _) && is_own
axes of a witness|programs|program/check.rs|let is_own = column.axes == axes && column.causal|let is_own = column.causal
causality of a witness|programs|program/check.rs|column.axes == axes && column.causal == causal && matches!|{ let _ = causal; column.axes == axes } && matches!
axes of einsums|programs|program/check.rs|ProductKind::Einsum(right) => contracted(result, left, &right.axes),|ProductKind::Einsum(_) => true,
results of operands|programs|program/check.rs|    result.iter().all(@Qaxis@Q left.contains(axis) @Q@Q right.contains(axis)) && left|    left
sums over both operands|programs|program/check.rs| && left.iter().chain(right).all(shared)| && matches!(shared, _)
pairs of scores|programs|program/check.rs|self.pair(result).is_some_and(apart) && contracted|self.pair(result).is_some() && matches!(apart, _) && contracted
axes of rotary embeddings|programs|program/check.rs|result == left && ordered && two|result == left && matches!(ordered, _) && two
halves of rotary embeddings|programs|program/check.rs|ordered && two && *fraction|ordered && matches!(two, _) && *fraction
angles of rotary embeddings|programs|program/check.rs| && *fraction <= limits::ROTARY_FRACTION| && matches!(fraction, _)
axes agree|programs|program/check.rs|            && self.axes_agree();|;
axes of an operand agree|programs|program/check.rs|        columns && lookups && statements && products && zeros|        columns && lookups && statements && matches!(products, _) && zeros
zeros within columns|vectors|program/check.rs| && products && zeros| && products && matches!(zeros, _)
products at points|programs|program/check.rs|term.index.iter().all(point) && self.follows|matches!(point, _) && self.follows
lists below their axes|programs|program/check.rs|list.iter().all(@Q&end@Q end <= length(*i)) && axes.len() == 2|axes.len() == 2
lists within their axes|vectors|program/check.rs|list.iter().all(@Q&at@Q at < length(axis)) && |
below in no operand|programs|program/check.rs|let (Reading::Whole, [Index::At(t), Index::At(i)]) = (reading, &term.index[..]) else|let (_, [Index::At(t), Index::At(i)]) = (reading, &term.index[..]) else
triangles|programs|program/check.rs|        triangle && term.index.len() == source.len()|        matches!(triangle, _) && term.index.len() == source.len()
points of equal lengths|weights|arith/mle.rs|if p.len() == q.len() { Ok(zip(p, q)) } else { Err(Refusal::BadCard) }|Ok(zip(p, q))
points of the gates|ledger|ledger.rs|            return Err(Refusal::DegenerateChallenge);|
a fold by zero|ledger|ledger.rs|let inverse = x.inverse().ok_or(Refusal::DegenerateChallenge)?;|let inverse = x.inverse().unwrap_or_default();
points of polynomials|ledger|ledger.rs|.inverse().ok_or(Refusal::DegenerateChallenge)?;@            Ok(|.inverse().unwrap_or_default();@            Ok(
work within limits|work|verify.rs|    limits.allow(&Work::of(&plan))?;|
work of the specification|work|work.rs|work.units <= self.work.min(limits::WORK)|work.units <= self.work
memory within limits|work|work.rs| && work.bytes <= self.memory|
hidden characters in names|names|card.rs|        if name::fault(text).is_some() {|        if false {
spaces in names|names|name.rs|    hidden.or(spaced.then_some(Fault::Space))|    { let _ = spaced; hidden }
causal pair in a chunk|programs|plan.rs|pair(&column.axes) > 2 * chunk_log)|{ let _ = pair(&column.axes); false })
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

# Replaces the text in the file, or fails: the list must follow the code.
edit() {
    FILE=$1 OLD=$2 NEW=$3 python3 - <<'PY'
import os, sys
path, old, new = (os.environ[key] for key in ("FILE", "OLD", "NEW"))
text = open(path).read()
old, new = (text.replace("@Q", "|").replace("@", "\n") for text in (old, new))
if text.count(old) != 1:
    sys.exit(f"mutants.sh: {path} has {text.count(old)} times: {old}")
open(path, "w").write(text.replace(old, new))
PY
}

# Quick to build, as the tests themselves are: what takes time in them is in the kernels, which no mutant changes.
quick=()
for crate in verifier prover; do quick+=(--config "profile.release.package.zkllm-$crate.opt-level=1"); done
tests() { # what follows
    (cd "$copy" && cargo "${quick[@]}" test --release -p zkllm-tests --test all "$@") >"$log" 2>&1
}

survived=0
while IFS='|' read -r name first file old new; do
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
    if ! tests --no-run; then
        verdict="does not compile"
        tail -20 "$log" >&2
        survived=1
    else
        for suite in "$first" lies attacks columns frozen dory groups programs bytes end_to_end; do
            [[ $suite == *:* ]] || suite=$suite:
            if ! tests -- "${suite/:/::}"; then
                verdict="killed by $(grep -m1 -oE '^test .* FAILED' "$log" | cut -d' ' -f2 || echo 'a test')"
                # Of several the one whose lie is believed.
                proved=$(grep -m1 -B1 -E 'a false statement was proved|a lie was accepted' "$log" | grep -oE "'[a-z_:]+'" | tr -d "'" || true)
                [ -z "$proved" ] || verdict="killed by $proved"
                break
            fi
        done
    fi
    [ "$verdict" != SURVIVED ] || survived=1
    printf '%-32s %s\n' "$name" "$verdict"
    cp "$copy/original" "$path"
done <<<"$mutants"
exit $survived
