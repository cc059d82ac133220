// Decides what the page does: takes files, has them verified in a worker, shows what came out. Text from files is only
// ever set as text. This thread holds no file: it looks at their first bytes, and hands them on.
import { STEPS, draw, node, thousands } from "./draw.js";

const $ = (id) => document.getElementById(id);
const MAX_BYTES = 64 * 2 ** 20; // as in the verifier
const KINDS = { "ZKLLMCRD": "card", "ZKLLMRCP": "receipt", "zkllm to": "vocabulary" };
// Where things stand in a receipt: magic 8, version 2, fingerprint 32, number of tokens 4, length of the prompt 4, tokens.
const FINGERPRINT = 10;
const COUNT = 42;
const TOKENS = 50;
// In a card: magic 8, version 2, architecture 1, length of the name 1, name, sizes 32, flags 2, base and epsilon 16, precision 31, digest
// of the tokenizer 32.
const NAME = 11;
const DIGEST = NAME + 1 + 32 + 2 + 16 + 31;
const MOST_NUMBERS = 2000; // token numbers of a part that are shown

const files = { card: null, receipt: null, vocabulary: null };
let list = { samples: [], cards: [] };
let genuine = null; // what was verified before a change
let running = null; // { id, worker, begun }
let number = 0;
let wasm = null;

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};
const problem = (text) => {
  $("file-problem").textContent = text ?? "";
  $("file-problem").hidden = !text;
};

// ---- the verifier

/** Compiled once, and handed to every worker: a new one needs nothing from the network. */
const compiled = () => {
  wasm ??= fetch("pkg/zkllm_verifier_bg.wasm").then((answer) => {
    if (!answer.ok) throw new Error(`the verifier could not be loaded (${answer.status})`);
    return answer.arrayBuffer();
  }).then((bytes) => WebAssembly.compile(bytes));
  return wasm;
};
let spare = null;
const newWorker = () => new Worker(new URL("worker.js", import.meta.url), { type: "module" });

function stop() {
  if (!running) return;
  running.worker.terminate();
  clearInterval(running.clock);
  running = null;
  $("working").hidden = true;
  $("cancel").hidden = true;
  $("verify").disabled = !(files.card && files.receipt);
  document.body.removeAttribute("data-busy");
}

async function run({ card, receipt, vocabulary, change }) {
  stop();
  const id = ++number;
  const worker = spare ?? newWorker();
  spare = null;
  const begun = performance.now();
  const state = { id, worker, begun, change, stage: "Loading the verifier" };
  running = state;
  document.body.setAttribute("data-busy", "");
  const tell = () => { $("stage").textContent = `${state.stage} … ${((performance.now() - begun) / 1000).toFixed(1)} s`; };
  state.clock = setInterval(tell, 100);
  tell();
  $("progress").value = 0;
  $("working").hidden = false;
  $("cancel").hidden = false;
  $("verify").disabled = true;
  for (const part of ["answer", "model", "proof", "tamper"]) $(part).hidden = true;
  $("outcome").replaceChildren();
  worker.onmessage = ({ data }) => {
    if (data.id !== id || running !== state) return;
    if (data.kind === "progress") { showProgress(state, data); tell(); }
    if (data.kind === "outcome") showOutcome(state, data.outcome);
    if (data.kind === "contents") showContents(state, data);
    if (data.kind === "text") showText(state, data);
    if (data.kind === "plan") { showDrawing(state, data.plan); finish(state); }
    if (data.kind === "failed") { showFailure(data.message); finish(state); }
    if (data.kind === "unreadable") { problem(`A file could not be read (${data.message}). If it was changed since it was chosen, please choose it again.`); finish(state); }
  };
  worker.onerror = (event) => { event.preventDefault(); if (running === state) { showFailure(event.message || "the worker could not be started"); finish(state); } };
  try {
    const [module, words] = await Promise.all([compiled(), vocabulary]);
    if (running === state) worker.postMessage({ id, module, card, receipt, vocabulary: words });
  } catch (error) {
    wasm = null;
    if (running === state) { showFailure(error.message); finish(state); }
  }
}

function finish(state) {
  if (running !== state) return;
  stop();
  spare ??= newWorker(); // the next one starts at once
}

// ---- what came out

/** Of a long text not all is shown: the page would stand still. */
const more = (left) => (left > 0 ? ` … and ${thousands(left)} more` : "");

function showProgress(state, { step, read, total }) {
  const names = Object.keys(STEPS).filter((name) => name !== "setup");
  state.stage = `Step ${names.indexOf(step) + 1} of ${names.length}: ${STEPS[step][0].toLowerCase()}`;
  $("progress").value = read / total;
}

const mark = (path) => {
  const drawn = node("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
  drawn.append(node("circle", { class: "mark", cx: 12, cy: 12, r: 12 }), node("path", { class: "mark-line", d: path }));
  return drawn;
};
const BLAME = {
  malformed: "The files are damaged, or not what they should be.",
  unsupported: "This verifier cannot judge these files.",
  false: "The claim is not proved.",
};

function showOutcome(state, outcome) {
  state.outcome = outcome;
  const proved = outcome.verdict === "proved";
  const words = element("div", {}, element("strong", {}, proved ? "Proved: this model gave this answer" : "Refused: not proved"));
  if (state.change) words.append(element("p", {}, `This is the changed copy. ${state.change}`));
  if (proved) {
    words.append(element("p", {}, outcome.words, " Every word piece of the answer is the one that the model rated highest."));
  } else {
    words.append(element("p", {}, `${BLAME[outcome.blame]} ${outcome.words}`));
  }
  words.append(element("p", { class: "minor" }, `Checked on this device in ${(outcome.milliseconds / 1000).toFixed(2)} seconds.`, ...(proved ? [] : [" Name of the check: ", element("code", {}, outcome.code), "."])));
  $("outcome").replaceChildren(element("div", { class: `verdict ${proved ? "proved" : "refused"}`, "data-code": outcome.code, "data-ms": outcome.milliseconds.toFixed(1) },
    mark(proved ? "M7 12.5l3.5 3.5 6.5-8" : "M8 8l8 8M16 8l-8 8"), words));
  $("working").hidden = true;
  $("verdict").focus({ preventScroll: true });
  $("verdict").scrollIntoView({ block: "nearest" });
}

function showFailure(message) {
  $("outcome").replaceChildren(element("div", { class: "verdict refused", "data-code": "failed" }, mark("M8 8l8 8M16 8l-8 8"), element("div", {}, element("strong", {}, "Nothing was verified"), element("p", {}, `The verifier stopped by itself (${message}). Nothing is proved. Please load the page anew; if it happens again, it is a fault of this software.`))));
}

function showContents(state, { card, receipt }) {
  state.receipt = receipt;
  const proved = state.outcome.verdict === "proved";
  if (receipt.verdict === "read") {
    $("unproved").hidden = proved;
    $("answer-text").classList.toggle("claimed", !proved);
    $("ending").textContent = "";
    $("answer").hidden = false;
    const [prompt, answer] = [receipt.tokens.slice(0, receipt.promptLength), receipt.tokens.slice(receipt.promptLength)];
    const list = (part) => `${part.slice(0, MOST_NUMBERS).join(", ")}${more(part.length - MOST_NUMBERS)}`;
    for (const [id, part] of [["prompt-text", prompt], ["answer-text", answer]]) {
      $(id).replaceChildren(element("span", { class: "mono" }, part.length ? `tokens ${list(part)}` : "(none)"));
    }
    $("token-numbers").textContent = `prompt: ${list(prompt)} – answer: ${list(answer)}`;
    $("binding").replaceChildren("The proof is about token numbers. ", ...(card.verdict === "read"
      ? ["The card names the vocabulary that turns them into text by its SHA3-256 digest, ", element("code", {}, card.tokenizer), ". This page has no vocabulary with that digest, so it shows numbers; give one here to see text."]
      : []));
    $("tamper").hidden = receipt.tokens.length === 0;
  }
  if (card.verdict === "read") {
    $("model").hidden = false;
    const fact = (name, value, mono) => [element("dt", {}, name), element("dd", mono ? { class: "mono" } : {}, element("bdi", {}, value))];
    $("model-facts").replaceChildren(
      ...fact("Name", card.name), ...fact("Fingerprint", card.fingerprint.replace(/(.{8})(?=.)/g, "$1 "), true),
      ...(receipt.verdict === "read" && receipt.fingerprint !== card.fingerprint ? fact("Receipt is for", receipt.fingerprint.replace(/(.{8})(?=.)/g, "$1 "), true) : []),
      ...fact("Size", `${card.layers} layers of width ${thousands(card.width)}, ${card.heads} heads, vocabulary of ${thousands(card.vocabulary)} tokens, at most ${thousands(card.context)} tokens`),
      ...fact("Files", `card ${thousands(card.bytes)} bytes${receipt.verdict === "read" ? `, receipt ${thousands(receipt.bytes)} bytes` : ""}`));
  }
}

/** Token texts, as the worker made text of them: control tokens are named, invisible characters shown. */
function showText(state, { refused, digest, prompt, answer, mark: last }) {
  if (refused) {
    $("binding").append(` The vocabulary given was not used: ${refused}`);
    return;
  }
  const show = ({ pieces, left }) => [
    ...pieces.map(({ text, control }) => (control ? element("span", { class: "control" }, text) : element("bdi", {}, text))),
    ...(left ? [element("span", { class: "minor" }, more(left))] : [])];
  $("prompt-text").replaceChildren(...show(prompt));
  $("answer-text").replaceChildren(...show(answer));
  const ending = last ? `The answer ends with the model's own mark ${last}.` : "The answer ends without a mark of the model: that it stops there was the prover's choice.";
  $("ending").textContent = `${state.outcome.verdict === "proved" ? ending : ""} Marks, which stand for no text, are in grey boxes.`;
  $("binding").replaceChildren("The proof is about token numbers, and the card names the one vocabulary that turns them into text by its SHA3-256 digest. The vocabulary used here has that digest, computed just now on this device: ", element("code", {}, digest), ".");
}

function showDrawing(state, plan) {
  if (plan.verdict !== "read") return;
  $("drawing").replaceChildren(...draw(plan, state.outcome));
  $("proof").hidden = false;
}

// ---- files

/** Some bytes of a file. */
const part = async (file, begin, end) => new Uint8Array(await file.slice(begin, end).arrayBuffer());
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const sort = async (file) => KINDS[new TextDecoder("latin1").decode(await part(file, 0, 8))] ?? null;

/** Says why a file is not looked at. */
function weigh(file) {
  if (file.size > MAX_BYTES) throw new Error(`“${file.name}” has ${thousands(file.size)} bytes. No card or receipt is larger than ${thousands(MAX_BYTES)}; it was not read.`);
  if (file.size === 0) throw new Error(`“${file.name}” is empty.`);
}

function put(kind, file, name) {
  files[kind] = file;
  if (kind === "vocabulary") return;
  genuine = null;
  $("restore").disabled = true;
  $("tamper-note").textContent = "";
  $(`${kind}-state`).textContent = `${name}, ${thousands(file.size)} bytes`;
  $(`${kind}-zone`).classList.add("given");
  if (!running) $("verify").disabled = !(files.card && files.receipt);
}

/** Files from a drop or from one of the choosers, which says what it is for; by their first bytes otherwise. */
async function take(chosen, wanted) {
  problem();
  try {
    const sorted = [];
    for (const file of chosen) {
      weigh(file);
      sorted.push({ file, name: file.name, real: await sort(file) });
    }
    for (const file of sorted) file.kind = wanted ?? file.real;
    if (!wanted && sorted.length === 1 && !sorted[0].kind) sorted[0].kind = files.card ? "receipt" : "card"; // the verifier says what is wrong with it
    for (const kind of ["card", "receipt", "vocabulary"]) {
      const same = sorted.filter((file) => file.kind === kind);
      if (same.length > 1) throw new Error(`These are ${same.length} files of the kind “${kind}”: ${same.map((file) => file.name).join(", ")}. Please give one card and one receipt.`);
    }
    const unknown = sorted.find((file) => !file.kind);
    if (unknown) throw new Error(`“${unknown.name}” is neither a card nor a receipt.`);
    for (const { file, name, kind, real } of sorted) {
      // A card given as receipt, or the other way round, is meant well.
      put(kind !== "vocabulary" && real && real !== "vocabulary" ? real : kind, file, name);
    }
    await complete();
    if (files.card && files.receipt) verifyFiles();
  } catch (error) {
    stop();
    problem(error.message);
  }
}

async function fetched(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name} could not be loaded (${answer.status}).`);
  if (Number(answer.headers.get("content-length")) > MAX_BYTES) throw new Error(`${name} is too large.`);
  const file = await answer.blob();
  if (file.size > MAX_BYTES) throw new Error(`${name} is too large.`);
  return file;
}

/** A receipt names its card: where the page has that card, and none was given, it takes it. */
async function complete() {
  if (files.card || !files.receipt || files.receipt.size < COUNT) return;
  const fingerprint = hex(await part(files.receipt, FINGERPRINT, COUNT));
  const known = list.cards.find((card) => card.fingerprint === fingerprint);
  if (known) {
    put("card", await fetched(`samples/${known.card}`), `${known.name} (comes with this page)`);
    $("card-list").value = known.card;
  }
}

/** The vocabulary that the page has for a card; the worker unpacks it, and checks its digest. */
async function vocabularyOf(card) {
  if (files.vocabulary) return { file: files.vocabulary, packed: false };
  const [name = 0] = await part(card, NAME, NAME + 1);
  const digest = hex(await part(card, DIGEST + name, DIGEST + name + 32));
  const known = list.vocabularies?.find((entry) => entry.digest === digest);
  if (!known) return null;
  try {
    return { file: await fetched(`samples/${known.file}`), packed: true };
  } catch {
    return null;
  }
}

async function verifyFiles(changed) {
  problem();
  const { card, receipt, change } = changed ?? files;
  await run({ card, receipt, change, vocabulary: vocabularyOf(card) });
}

// ---- changes

async function tamper(change) {
  stop();
  $("outcome").replaceChildren();
  genuine ??= { card: files.card, receipt: files.receipt };
  const copy = { ...genuine };
  try {
    const note = await change(copy);
    $("tamper-note").textContent = note;
    $("restore").disabled = false;
    await verifyFiles({ ...copy, change: note });
  } catch (error) {
    $("tamper-note").textContent = error.message;
  }
}

/** A receipt with other bytes from `at` on; nothing of it is copied. */
const patched = (receipt, at, bytes) => new Blob([receipt.slice(0, at), bytes, receipt.slice(at + bytes.length)]);
async function numberAt(receipt, at) {
  const bytes = await part(receipt, at, at + 4);
  if (bytes.length < 4) throw new Error("This receipt is too short to be changed here.");
  return new DataView(bytes.buffer).getUint32(0, true);
}

/** The first token of the answer: the one that shows most. */
async function flipToken(copy) {
  const at = TOKENS + 4 * await numberAt(copy.receipt, COUNT + 4);
  if (at + 4 > TOKENS + 4 * await numberAt(copy.receipt, COUNT)) throw new Error("This receipt has no answer to change.");
  const token = await numberAt(copy.receipt, at);
  const other = new DataView(new ArrayBuffer(4));
  other.setUint32(0, token ^ 1, true);
  copy.receipt = patched(copy.receipt, at, new Uint8Array(other.buffer));
  return `Changed: the first word piece of the answer, number ${token} of the vocabulary, is now number ${token ^ 1}.`;
}

async function flipByte(copy) {
  const { size } = copy.receipt;
  const at = Math.floor((TOKENS + 4 * await numberAt(copy.receipt, COUNT) + size) / 2);
  if (!(at < size)) throw new Error("This receipt has no proof to change.");
  const [byte] = await part(copy.receipt, at, at + 1);
  copy.receipt = patched(copy.receipt, at, Uint8Array.of(byte ^ 1));
  return `Changed: one bit of byte ${thousands(at)} of ${thousands(size)}, in the middle of the proof.`;
}

async function swapCard(copy) {
  const fingerprint = hex(await part(copy.receipt, FINGERPRINT, COUNT));
  const other = list.cards.find((card) => card.fingerprint !== fingerprint);
  if (!other) throw new Error("The page has no other card.");
  copy.card = await fetched(`samples/${other.card}`);
  return `Changed: the card is now that of “${other.name}”.`;
}

// ---- wiring

for (const kind of ["card", "receipt", "vocabulary"]) {
  $(`${kind}-file`).addEventListener("change", async (event) => {
    const chosen = [...event.target.files];
    event.target.value = "";
    if (chosen.length) await take(chosen, kind);
  });
}
document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
document.addEventListener("dragleave", () => document.body.classList.remove("dragging"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  const chosen = [...event.dataTransfer.files];
  if (chosen.length) take(chosen);
});
$("verify").addEventListener("click", () => verifyFiles());
$("cancel").addEventListener("click", () => {
  stop();
  $("outcome").replaceChildren(element("p", { class: "waiting", "data-code": "cancelled" }, "Cancelled. Nothing was verified."));
  $("verify").focus();
});
$("tamper-token").addEventListener("click", () => tamper(flipToken));
$("tamper-byte").addEventListener("click", () => tamper(flipByte));
$("tamper-card").addEventListener("click", () => tamper(swapCard));
$("restore").addEventListener("click", () => {
  genuine = null;
  $("restore").disabled = true;
  $("tamper-note").textContent = "The change is undone.";
  verifyFiles();
});
$("card-list").addEventListener("change", async ({ target: { value } }) => {
  if (!value) return;
  problem();
  try {
    put("card", await fetched(`samples/${value}`), list.cards.find((card) => card.card === value).name);
    if (files.receipt) verifyFiles();
  } catch (error) {
    problem(error.message);
  }
});

async function sample({ card, receipt, title }) {
  problem();
  stop();
  $("outcome").replaceChildren();
  try {
    const both = await Promise.all([fetched(`samples/${card}`), fetched(`samples/${receipt}`)]);
    files.vocabulary = null;
    put("card", both[0], `${card} (example)`);
    put("receipt", both[1], `${receipt} (example)`);
    $("card-list").value = "";
    await verifyFiles();
  } catch (error) {
    problem(`The example “${title}” could not be loaded. ${error.message}`);
  }
}

/** `?card=..&receipt=..`: files of this origin, and of no other. */
async function fromAddress() {
  const given = new URLSearchParams(location.search);
  for (const kind of ["card", "receipt"]) {
    const name = given.get(kind);
    if (!name) continue;
    const address = new URL(name, location.href);
    if (address.origin !== location.origin) throw new Error(`The ${kind} in the address is from another site; it was not loaded.`);
    put(kind, await fetched(address.href), address.pathname.split("/").at(-1));
  }
  await complete();
  if (given.has("receipt") && files.card && files.receipt) await verifyFiles();
}

try {
  list = JSON.parse(await (await fetched("samples/list.json")).text());
} catch {
  problem("The examples could not be loaded; your own files can be verified all the same.");
}
for (const card of list.cards) $("card-list").append(element("option", { value: card.card }, `${card.name} (${card.fingerprint.slice(0, 8)}…)`));
for (const entry of list.samples) {
  const button = element("button", { type: "button", "data-sample": entry.id }, entry.title);
  button.addEventListener("click", () => sample(entry));
  $("samples").append(button);
}
compiled().catch(() => { wasm = null; });
spare = newWorker();
fromAddress().catch((error) => problem(error.message));
if ("serviceWorker" in navigator && window.isSecureContext) navigator.serviceWorker.register("sw.js").catch(() => {});
document.body.setAttribute("data-ready", "");
