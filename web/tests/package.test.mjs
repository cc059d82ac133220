// The packed npm package in a project of its own: it imports, types, verifies, and agrees with the native verifier.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const samples = join(root, "web/samples");
const slow = Boolean(process.env.ZKLLM_SLOW);
const read = (name) => readFileSync(join(samples, name));
const tarball = join(root, "target/npm", readdirSync(join(root, "target/npm")).find((name) => name.endsWith(".tgz")));
const project = mkdtempSync(join(tmpdir(), "zkllm-npm-"));
after(() => rmSync(project, { recursive: true }));
writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }');
execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", "--offline", tarball], { cwd: project });
const zkllm = await import(pathToFileURL(join(project, "node_modules/zkllm-verifier/node.js")));
const native = (...paths) => execFileSync(process.env.ZKLLM_VERDICTS ?? join(root, "target/release/examples/verdicts"), paths, { encoding: "utf8" }).trim().split("\n").map((line) => JSON.parse(line).outcome);

test("the package is found by its name", () => {
  writeFileSync(join(project, "use.mjs"), `import { readFileSync } from "node:fs";
import { verify } from "zkllm-verifier";
const outcome = verify(readFileSync(process.argv[2]), readFileSync(process.argv[3]));
console.log(outcome.verdict);`);
  const said = execFileSync("node", ["use.mjs", join(samples, "tiny.card"), join(samples, "tiny.receipt")], { cwd: project, encoding: "utf8" });
  assert.equal(said.trim(), "proved");
});

test("its types describe it: the example compiles, a careless one does not", () => {
  const tsc = join(root, "target/page-node/node_modules/typescript/bin/tsc");
  const compile = (name, text) => {
    writeFileSync(join(project, name), text);
    execFileSync("node", [tsc, "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", name], { cwd: project, stdio: "pipe" });
  };
  compile("example.ts", readFileSync(join(root, "web/tests/example.ts"), "utf8"));
  assert.throws(() => compile("careless.ts", `import { verify } from "zkllm-verifier";
verify(new Uint8Array(), new Uint8Array()).tokens;`), (error) => /TS2339/.test(error.stdout));
});

test("the program is below 1 MB gzipped", () => {
  const size = gzipSync(readFileSync(join(project, "node_modules/zkllm-verifier/zkllm_verifier_bg.wasm")), { level: 9 }).length;
  assert.ok(size < 1_000_000, `${size} bytes`);
});

test("the package says what its program was made with, and its digest", () => {
  const own = join(project, "node_modules/zkllm-verifier");
  const build = readFileSync(join(own, "BUILD"), "utf8");
  assert.match(build, /^rustc: rustc \d+\.\d+.*\nwasm-bindgen: \d+\.\d+\.\d+\nsha256: [0-9a-f]{64}\n$/);
  const digest = createHash("sha256").update(readFileSync(join(own, "zkllm_verifier_bg.wasm"))).digest("hex");
  assert.ok(build.includes(`sha256: ${digest}`));
});

test("samples have the verdicts that the list expects", () => {
  for (const sample of JSON.parse(read("list.json")).samples) {
    assert.equal(zkllm.verify(read(sample.card), read(sample.receipt)).verdict, sample.expect, sample.id);
  }
});

test("an accepted receipt says what was proved", () => {
  const outcome = zkllm.verify(read("smollm2.card"), read("smollm2.receipt"));
  assert.equal(outcome.verdict, "proved");
  assert.match(outcome.fingerprint, /^[0-9a-f]{64}$/);
  assert.ok(outcome.promptLength > 0 && outcome.promptLength < outcome.tokens.length);
});

test("tokens become text with the card's vocabulary and no other", () => {
  const { tokens, promptLength } = zkllm.inspectReceipt(read("smollm2.receipt"));
  const decoded = zkllm.decodeTokens(read("smollm2.card"), gunzipSync(read("smollm2.vocabulary.gz")), new Uint32Array(tokens));
  const text = new TextDecoder().decode(Uint8Array.from(decoded.tokens.slice(promptLength).flatMap((token) => token.bytes)));
  assert.equal(text, "The capital of France is Paris.");
  assert.equal(zkllm.decodeTokens(read("smollm2.card"), gunzipSync(read("tiny.vocabulary.gz")), tokens).code, "other-vocabulary");
});

test("the steps account for every byte of the proof, and for all of the time", () => {
  for (const name of ["smollm2", "tiny"]) {
    const plan = zkllm.describePlan(read(`${name}.card`), read(`${name}.receipt`));
    const heard = [];
    const outcome = zkllm.verifyTimed(read(`${name}.card`), read(`${name}.receipt`), (step, done, total) => heard.push({ step, done, total }));
    assert.equal(outcome.verdict, "proved");
    assert.equal(outcome.steps.reduce((sum, step) => sum + step.bytes, 0), plan.proofBytes);
    assert.equal(outcome.steps.find((step) => step.name === "opening").bytes, plan.openingBytes);
    assert.equal(outcome.steps.reduce((sum, step) => sum + step.messages, 0), heard.length);
    assert.deepEqual([...new Set(heard.map(({ step }) => step))].sort(), outcome.steps.map((step) => step.name).sort());
    assert.ok(heard.every(({ done, total }, at) => total === plan.proofBytes && done < total && (at === 0 ? done === 0 : done > heard[at - 1].done)));
    assert.deepEqual(Object.keys(outcome.times).sort(), ["setup", ...outcome.steps.map((step) => step.name)].sort());
    const sum = Object.values(outcome.times).reduce((sum, time) => sum + time, 0);
    assert.ok(Math.abs(sum - outcome.milliseconds) < 1e-6 * sum);
  }
});

test("a listener that throws changes nothing", () => {
  const plain = zkllm.verify(read("tiny.card"), read("tiny.receipt"));
  assert.deepEqual(zkllm.verify(read("tiny.card"), read("tiny.receipt"), () => { throw new Error("not now"); }), plain);
  assert.equal(plain.verdict, "proved");
});

test("a refusal says how far it came", () => {
  const forged = zkllm.verify(read("tiny.card"), read("tiny-forged.receipt"));
  assert.equal(forged.verdict, "refused");
  assert.equal(forged.reached, "opening");
  assert.equal(zkllm.verify(read("smollm2.card"), read("tiny.receipt")).reached, null);
});

test("every refusal has a code, a class and words", () => {
  const refusals = zkllm.refusals();
  assert.ok(refusals.length > 10);
  for (const { code, blame, words } of refusals) assert.ok(code && ["malformed", "unsupported", "false"].includes(blame) && words);
});

test("an argument of another kind is a TypeError that names it", () => {
  const [card, receipt, vocabulary] = [read("tiny.card"), read("tiny.receipt"), gunzipSync(read("tiny.vocabulary.gz"))];
  const others = [undefined, null, 7, "a card", {}, [1, 2], new ArrayBuffer(8), new DataView(new ArrayBuffer(8)), new Uint16Array(4), () => 0];
  const throws = (call, ...words) => assert.throws(call, (error) => error instanceof TypeError && words.every((word) => error.message.includes(word)), words.join());
  for (const other of others) {
    for (const name of ["verify", "verifyTimed", "describePlan"]) {
      const says = name === "verifyTimed" ? "verify" : name;
      throws(() => zkllm[name](other, receipt), says, "card must be a Uint8Array");
      throws(() => zkllm[name](card, other), says, "receipt must be a Uint8Array");
    }
    throws(() => zkllm.inspect(other), "inspect", "card must be a Uint8Array");
    throws(() => zkllm.inspectReceipt(other), "inspectReceipt", "receipt must be a Uint8Array");
    throws(() => zkllm.decodeTokens(other, vocabulary, [1]), "decodeTokens", "card must be");
    throws(() => zkllm.decodeTokens(card, other, [1]), "decodeTokens", "vocabulary must be");
    if (!Array.isArray(other)) throws(() => zkllm.decodeTokens(card, vocabulary, other), "decodeTokens", "tokens must be");
    if (typeof other !== "string") throws(() => zkllm.visible(other), "visible", "text must be a string");
    if (other != null && typeof other !== "function") {
      throws(() => zkllm.verify(card, receipt, other), "onMessage must be a function");
      throws(() => zkllm.verifyTimed(card, receipt, other), "onMessage must be a function");
    }
    if (other != null && typeof other !== "object" && typeof other !== "function") throws(() => zkllm.verify(card, receipt, null, other), "limits must be an object");
  }
  for (const tokens of [[1.5], [-1], [2 ** 32], ["1"], [null]]) throws(() => zkllm.decodeTokens(card, vocabulary, tokens), "tokens must be");
  for (const bound of ["much", -1, NaN, null, {}]) {
    throws(() => zkllm.verify(card, receipt, null, { work: bound }), "limits.work");
    throws(() => zkllm.verify(card, receipt, null, { memory: bound }), "limits.memory");
  }
  assert.throws(() => zkllm.verify(), TypeError);
  // Bytes of another realm are bytes.
  assert.equal(zkllm.inspect(runInNewContext("new Uint8Array(3)")).code, "truncated");
});

test("a caller may allow less work and memory", () => {
  const files = [read("tiny.card"), read("tiny.receipt")];
  const { work, memory } = zkllm.describePlan(...files);
  assert.ok(work > 0 && memory > 0);
  const within = (limits) => zkllm.verify(...files, null, limits).code;
  assert.equal(within({ work, memory }), "proved");
  assert.equal(within({ work: work - 1 }), "over-work");
  assert.equal(within({ memory: memory - 1 }), "over-work");
  assert.equal(within({ work: Infinity, memory: Infinity }), "proved");
  assert.equal(zkllm.verifyTimed(...files, null, { work: 0 }).code, "over-work");
});

/** A vocabulary of tokens of these lengths, and a card that names it. */
function vocabularyOf(lengths) {
  const number = (value) => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64LE(BigInt(value)); return bytes; };
  const text = (value) => Buffer.concat([number(value.length), Buffer.from(value)]);
  const tokens = lengths.map((length) => Buffer.concat([text("b".repeat(length)), Buffer.of(1)]));
  const vocabulary = Buffer.concat([Buffer.from("zkllm tokenizer 1\n"), text("gpt2"), number(lengths.length), ...tokens]);
  const card = Buffer.from(read("tiny.card"));
  createHash("sha3-256").update(vocabulary).digest().copy(card, 12 + card[11] + 32 + 2 + 16 + 31);
  return [card, vocabulary];
}

test("a token is decoded once, and the text of all is bounded", () => {
  const files = vocabularyOf([1, 100_000]);
  const decoded = zkllm.decodeTokens(...files, [1, 0, 1, 1]);
  assert.deepEqual(decoded.tokens.map(({ id, bytes }) => [id, bytes.length]), [[1, 100_000], [0, 1], [1, 100_000], [1, 100_000]]);
  assert.equal(new Set(decoded.tokens).size, 2);
  // All tokens of the longest statement: 6.5 GB of text.
  assert.equal(zkllm.decodeTokens(...files, new Uint32Array(1 << 16).fill(1)).code, "over-limit");
  assert.equal(zkllm.decodeTokens(...files, new Uint32Array((1 << 16) + 1)).code, "over-limit");
  assert.equal(zkllm.decodeTokens(...files, new Uint32Array(1 << 16)).tokens.length, 1 << 16);
});

test("invisible characters are named", () => {
  assert.equal(zkllm.visible("a\u202eb\u3164\ufe0f\u001b\n"), "a⟨U+202E⟩b⟨U+3164⟩⟨U+FE0F⟩⟨U+001B⟩\n");
});

test("nothing is thrown for files that are none, empty, or too large", () => {
  const receipt = read("tiny.receipt");
  const random = Uint8Array.from({ length: 5000 }, (_, at) => (at * 2654435761) >>> 13);
  assert.equal(zkllm.verify(new Uint8Array(), receipt).code, "truncated");
  assert.equal(zkllm.verify(read("tiny.card"), new Uint8Array()).code, "truncated");
  assert.equal(zkllm.verify(random, random).code, "wrong-magic");
  assert.equal(zkllm.verify(read("tiny.card"), new Uint8Array(zkllm.maxBytes() + 1)).code, "over-limit");
  assert.equal(zkllm.inspect(random).code, "wrong-magic");
  assert.equal(zkllm.describePlan(receipt, receipt).code, "wrong-magic");
});

// The cases of tests/vectors/: their outcomes are what the native verifier is tested to give.
const vectors = (subject) => {
  const folder = join(root, "tests/vectors", subject);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, "case.json")));
  return names.filter((_, at) => slow || at % 8 === 0).map((name) => ({ name, folder: join(folder, name), ...JSON.parse(readFileSync(join(folder, name, "case.json"), "utf8")) }));
};
/** Hexadecimal digits, or a file with patches: [at, delete, insert]. */
const vectorBytes = (folder, given) => {
  if (typeof given === "string") return Buffer.from(given, "hex");
  return (given.patches ?? []).reduce((bytes, [at, removed, inserted]) => Buffer.concat([bytes.subarray(0, at), Buffer.from(inserted, "hex"), bytes.subarray(at + removed)]), readFileSync(join(folder, given.file)));
};
for (const [subject, judge] of Object.entries({
  receipt: ({ folder, card, receipt }) => zkllm.verify(vectorBytes(folder, card), vectorBytes(folder, receipt)),
  card: ({ folder, card }) => zkllm.inspect(vectorBytes(folder, card)),
})) {
  const cases = vectors(subject);
  test(`vectors: ${subject}`, { skip: cases.length === 0 && "there are none yet" }, () => {
    for (const vector of cases) {
      const said = judge(vector);
      assert.equal(said.verdict !== "refused", vector.outcome === "accept", vector.name);
      if (vector.outcome !== "accept") assert.equal(said.code, vector.code, vector.name);
      if (vector.fields) assert.equal(said.fingerprint, vector.fields.fingerprint, vector.name);
    }
    console.log(`${cases.length} vectors of the subject ${subject} agree`);
  });
}

test("WebAssembly and native agree on verdict and code of changed files", () => {
  // A small generator, so that a failure can be had again.
  let state = 20240717;
  const random = (below) => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return Math.floor((state / 2 ** 32) * below); };
  const [card, receipt] = [read("tiny.card"), read("tiny.receipt")];
  const other = read("smollm2.card");
  const tokens = 50 + 4 * receipt.readUInt32LE(42);
  const changed = (bytes, at, mask) => { const copy = Buffer.from(bytes); copy[at] ^= mask; return copy; };
  const cases = [[card, receipt], [other, receipt], [receipt, card], [other, read("smollm2.receipt")]];
  // Every byte of the head and of the card's parameters (fast: some of them), some of the rest, cuts and additions.
  for (let at = 0; at < tokens; at += slow ? 1 : 11) cases.push([card, changed(receipt, at, 1 << random(8))]);
  for (let at = 0; at < 150; at += slow ? 1 : 5) cases.push([changed(card, at, 1 << random(8)), receipt]);
  for (let round = 0; round < (slow ? 120 : 12); round += 1) cases.push([card, changed(receipt, tokens + random(receipt.length - tokens), 1 << random(8))]);
  for (let round = 0; round < (slow ? 20 : 3); round += 1) cases.push([card, receipt.subarray(0, random(receipt.length))], [card.subarray(0, random(card.length)), receipt]);
  cases.push([card, Buffer.concat([receipt, Buffer.from([0])])], [Buffer.concat([card, Buffer.from([0])]), receipt]);
  // Changed cards whose fingerprint the receipt names, so that the checks behind it are reached.
  for (let at = 12; at < 150; at += slow ? 1 : 7) {
    const bad = changed(card, at, 1 << random(8));
    const { fingerprint } = zkllm.inspect(bad);
    if (fingerprint) cases.push([bad, Buffer.concat([receipt.subarray(0, 10), Buffer.from(fingerprint, "hex"), receipt.subarray(42)])]);
  }
  const paths = cases.flatMap(([card, receipt], at) => [[card, "card"], [receipt, "receipt"]].map(([bytes, kind]) => {
    const path = join(project, `${at}.${kind}`);
    writeFileSync(path, bytes);
    return path;
  }));
  const expected = native(...paths);
  assert.equal(expected.length, cases.length);
  const codes = {};
  cases.forEach(([card, receipt], at) => {
    const outcome = zkllm.verify(card, receipt);
    assert.deepEqual(outcome, expected[at], `case ${at}`);
    codes[outcome.code] = (codes[outcome.code] ?? 0) + 1;
  });
  console.log(`${cases.length} cases agree:`, codes);
});
