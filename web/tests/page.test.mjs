// The page in a real browser, under a sub-path: verdicts, changes, bad files, cancelling, accessibility, and that it talks to nobody.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { idle, open, require, root, verdict } from "./browser.mjs";

const samples = join(root, "web/samples");
const shots = join(root, "target/page");
mkdirSync(shots, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "zkllm-files-"));
let browser;
before(async () => { browser = await open(); });
after(async () => { await browser.close(); rmSync(folder, { recursive: true }); });

const choose = async (page, card, receipt) => {
  await page.setInputFiles("#card-file", card);
  await page.setInputFiles("#receipt-file", receipt);
};
const sample = async (page, id) => { await page.click(`[data-sample="${id}"]`); };
const drop = async (page, files) => {
  const transfer = await page.evaluateHandle((files) => {
    const transfer = new DataTransfer();
    for (const { name, bytes } of files) transfer.items.add(new File([new Uint8Array(bytes)], name));
    return transfer;
  }, files.map(({ name, bytes }) => ({ name, bytes: [...bytes] })));
  await page.dispatchEvent("main", "drop", { dataTransfer: transfer });
};
const problem = (page) => page.locator("#file-problem:not([hidden])").textContent({ timeout: 20000 });

test("the SmolLM2 receipt is proved and its text is shown", async () => {
  const page = await browser.page();
  // The longest time between two frames while the worker verifies: is the page alive?
  await page.evaluate(() => {
    window.longest = 0;
    let last = performance.now();
    const tick = (now) => { window.longest = Math.max(window.longest, now - last); last = now; requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
  });
  await sample(page, "smollm2");
  const box = await verdict(page, "proved");
  await idle(page);
  assert.match(await page.textContent("#answer-text"), /The capital of France is Paris\./);
  assert.match(await page.textContent("#binding"), /ea6281a2381977579f8377459268ed629033a7e7e5b1760924fb1d36258b787f/);
  const fingerprint = (await page.textContent("#model-facts")).replaceAll(" ", "");
  assert.ok(fingerprint.includes(createHash("sha3-256").update(readFileSync(join(samples, "smollm2.card"))).digest("hex")));
  assert.ok(await page.isVisible("#drawing svg"));
  const [milliseconds, longest] = [Number(await box.getAttribute("data-ms")), await page.evaluate(() => window.longest)];
  console.log(`SmolLM2 in Chromium: ${milliseconds} ms, longest frame ${longest.toFixed(0)} ms`);
  await page.close();
});

test("each change is refused, and undone it is proved again", async () => {
  const page = await browser.page();
  await sample(page, "tiny");
  await verdict(page, "proved");
  await idle(page);
  const codes = {};
  for (const change of ["token", "byte", "card"]) {
    await page.click(`#tamper-${change}`);
    await page.locator("#outcome .verdict.refused").waitFor({ timeout: 60000 });
    codes[change] = await page.getAttribute("#outcome .verdict", "data-code");
    assert.match(await page.textContent("#tamper-note"), /^Changed/);
    await idle(page);
    assert.ok(await page.isVisible("#unproved"));
  }
  assert.equal(codes.card, "other-card");
  await page.click("#restore");
  await verdict(page, "proved");
  await idle(page);
  console.log("refusals of the changes:", codes);
  await page.close();
});

test("a forged example is refused and marked as not proved", async () => {
  const page = await browser.page();
  await sample(page, "forged");
  await page.locator("#outcome .verdict.refused").waitFor({ timeout: 60000 });
  await idle(page);
  assert.ok(await page.isVisible("#unproved"));
  await page.close();
});

test("a wrong card, a random file, an empty file and a huge one are told apart", async () => {
  const page = await browser.page();
  await choose(page, join(samples, "smollm2.card"), join(samples, "tiny.receipt"));
  await verdict(page, "other-card");
  await idle(page);
  const random = join(folder, "random.bin");
  writeFileSync(random, Uint8Array.from({ length: 20000 }, (_, at) => (at * 2654435761) >>> 13));
  await page.setInputFiles("#receipt-file", random);
  await verdict(page, "wrong-magic");
  await idle(page);
  const empty = join(folder, "empty.receipt");
  writeFileSync(empty, "");
  await page.setInputFiles("#receipt-file", empty);
  assert.match(await problem(page), /empty/);
  const huge = join(folder, "huge.receipt");
  const handle = openSync(huge, "w");
  ftruncateSync(handle, 500_000_000);
  closeSync(handle);
  const begun = Date.now();
  await page.setInputFiles("#receipt-file", huge);
  await page.waitForFunction(() => document.getElementById("file-problem").textContent.includes("500,000,000"));
  assert.ok(Date.now() - begun < 10000);
  await page.close();
});

/** Counts what the page's own thread reads of files, in bytes. */
const watchReads = (page) => page.evaluate(() => {
  window.touched = 0;
  for (const name of ["arrayBuffer", "text", "stream", "bytes"]) {
    const read = Blob.prototype[name];
    if (read) Blob.prototype[name] = function counted(...rest) { window.touched += this.size; return read.apply(this, rest); };
  }
});
/** A card with some of its bytes changed, and a receipt that names it. */
const named = (card, receipt) => [card, Buffer.concat([receipt.subarray(0, 10), createHash("sha3-256").update(card).digest(), receipt.subarray(42)])];

test("of large files the page's own thread reads the first bytes only", async () => {
  const page = await browser.page();
  await watchReads(page);
  const [card, receipt] = [join(folder, "large.card"), join(folder, "large.receipt")];
  for (const [path, head] of [[card, "tiny.card"], [receipt, "tiny.receipt"]]) writeFileSync(path, Buffer.concat([readFileSync(join(samples, head)), Buffer.alloc(40_000_000)]));
  await choose(page, card, receipt);
  await verdict(page, "trailing-bytes");
  await idle(page);
  for (const change of ["byte", "token", "card"]) {
    const last = await page.textContent("#tamper-note");
    await page.click(`#tamper-${change}`);
    await page.waitForFunction((last) => { const note = document.getElementById("tamper-note").textContent; return note.startsWith("Changed") && note !== last; }, last);
    await page.locator("#outcome .verdict.refused").waitFor({ timeout: 60000 });
    await idle(page);
  }
  const touched = await page.evaluate(() => window.touched);
  console.log(`80 MB of files, changed three times: the page's own thread read ${touched} bytes`);
  assert.ok(touched < 4096, `${touched} bytes`);
  await page.close();
});

test("a long answer and a plan of many parts are not shown whole", async () => {
  const page = await browser.page();
  // The longest statement there is, of a model with the vocabulary of the sample; refused, and shown as claimed.
  const card = Buffer.from(readFileSync(join(samples, "tiny.card")));
  const sizes = 12 + card[11];
  card.writeUInt32LE(1 << 16, sizes + 28);
  card[sizes + 50] = 1; // ranges by single bits: columns by the thousand
  const receipt = readFileSync(join(samples, "tiny.receipt"));
  const tokens = Buffer.alloc(4 << 16);
  for (let at = 0; at < 1 << 16; at += 1) tokens.writeUInt32LE(at % 600, 4 * at);
  const head = Buffer.from(receipt.subarray(0, 50));
  head.writeUInt32LE(1 << 16, 42);
  const [path, other] = [join(folder, "long.card"), join(folder, "long.receipt")];
  const files = named(card, Buffer.concat([head, tokens, receipt.subarray(50)]));
  writeFileSync(path, files[0]);
  writeFileSync(other, files[1]);
  await choose(page, path, other);
  await page.locator("#outcome .verdict.refused").waitFor({ timeout: 60000 });
  await idle(page);
  const size = () => page.evaluate(() => ({ elements: document.querySelectorAll("*").length, letters: document.body.textContent.length }));
  const shown = await size();
  console.log("65,536 tokens:", shown);
  assert.match(await page.textContent("#answer-text"), /and 6[0-9],[0-9]{3} more/);
  assert.ok(shown.elements < 6000 && shown.letters < 200_000, JSON.stringify(shown));
  // Two tokens of the same card: now there is a plan.
  const short = Buffer.from(receipt.subarray(0, 50));
  short.writeUInt32LE(2, 42);
  short.writeUInt32LE(1, 46);
  writeFileSync(other, named(card, Buffer.concat([short, tokens.subarray(0, 8), receipt.subarray(50)]))[1]);
  await page.setInputFiles("#receipt-file", other);
  await page.locator("#outcome .verdict.refused").waitFor({ timeout: 60000 });
  await idle(page);
  const closed = await size();
  await page.click("#drawing details summary");
  const opened = await size();
  console.log("a plan of many parts:", closed, opened);
  assert.match(await page.textContent("#drawing summary"), /[0-9]{3,} columns/);
  assert.ok(closed.elements < 2000 && opened.elements < 20_000, JSON.stringify([closed, opened]));
  await page.close();
});

test("a file that is gone when it is read is told apart from a refusal", async () => {
  const page = await browser.page();
  const gone = join(folder, "gone.receipt");
  writeFileSync(gone, readFileSync(join(samples, "tiny.receipt")));
  await page.setInputFiles("#receipt-file", gone);
  await verdict(page, "proved");
  await idle(page);
  writeFileSync(gone, "another file by now");
  await page.click("#verify");
  assert.match(await problem(page), /choose it again/);
  await page.close();
});

test("two files dropped at once are sorted; two receipts are refused", async () => {
  const page = await browser.page();
  const [card, receipt] = ["tiny.card", "tiny.receipt"].map((name) => ({ name, bytes: readFileSync(join(samples, name)) }));
  await drop(page, [receipt, card]);
  await verdict(page, "proved");
  await idle(page);
  await drop(page, [receipt, { ...receipt, name: "second.receipt" }]);
  assert.match(await problem(page), /2 files of the kind “receipt”/);
  await page.close();
});

test("a receipt alone finds its card on the page, and the address may name both", async () => {
  let page = await browser.page();
  await page.setInputFiles("#receipt-file", join(samples, "tiny.receipt"));
  await verdict(page, "proved");
  await page.close();
  page = await browser.page("?card=samples/tiny.card&receipt=samples/tiny.receipt");
  await verdict(page, "proved");
  await page.close();
  page = await browser.page("?card=https://example.org/x.card");
  assert.match(await problem(page), /another site/);
  await page.close();
});

test("cancelling in the middle stops it, and the next one works", async () => {
  const page = await browser.page();
  // Pressed as soon as the worker says that it is in the third of six steps.
  await page.evaluate(() => new MutationObserver((_, observer) => {
    if (document.getElementById("stage").textContent.startsWith("Step 3")) { observer.disconnect(); document.getElementById("cancel").click(); }
  }).observe(document.getElementById("stage"), { childList: true, characterData: true, subtree: true }));
  await sample(page, "smollm2");
  await verdict(page, "cancelled");
  assert.equal(await page.isVisible("#working"), false);
  await page.click("#verify");
  await verdict(page, "proved");
  await page.close();
});

test("it can be used with the keyboard alone", async () => {
  const page = await browser.page();
  for (let presses = 0; presses < 30; presses += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement.dataset?.sample === "tiny")) break;
  }
  await page.keyboard.press("Enter");
  await verdict(page, "proved");
  assert.equal(await page.evaluate(() => document.activeElement.id), "verdict");
  await page.close();
});

test("axe-core finds no serious fault; screenshots of desktop and phone, light and dark", async () => {
  const screens = { desktop: { width: 1200, height: 900 }, phone: { width: 360, height: 740 } };
  const slow = Boolean(process.env.ZKLLM_SLOW); // else the phone in the dark only
  for (const [device, viewport] of Object.entries(screens)) {
    for (const colorScheme of ["light", "dark"]) {
      if (!slow && (device !== "phone" || colorScheme !== "dark")) continue;
      const page = await browser.page("", { viewport, colorScheme });
      const shot = (name) => page.screenshot({ path: join(shots, `${device}-${colorScheme}-${name}.png`), fullPage: true });
      const check = async (state) => {
        // Through the debugger: the page's policy stays in force for the page.
        const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
        await page.evaluate(`${axe};0`);
        const found = await page.evaluate(async () => (await window.axe.run()).violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map((node) => node.html.slice(0, 120)) })));
        assert.deepEqual(found.filter(({ impact }) => ["serious", "critical"].includes(impact)), [], `${device} ${colorScheme} ${state}`);
        if (found.length) console.log("minor faults:", device, colorScheme, state, found.map(({ id }) => id));
      };
      await check("empty");
      await sample(page, "smollm2");
      await verdict(page, "proved");
      await idle(page);
      await check("proved");
      await shot("proved");
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `${device}: no scrolling sideways`);
      await page.click("#tamper-token");
      await page.locator("#outcome .verdict.refused").waitFor({ timeout: 60000 });
      await idle(page);
      await check("refused");
      await shot("refused");
      await page.close();
    }
  }
});

test("the package finds its WebAssembly by itself, as its README says", async () => {
  const page = await browser.page();
  assert.equal(await page.evaluate(async () => {
    const { default: init, verify } = await import("./pkg/web.js");
    await init();
    const bytes = async (name) => new Uint8Array(await (await fetch(`samples/${name}`)).arrayBuffer());
    return verify(await bytes("tiny.card"), await bytes("tiny.receipt")).verdict;
  }), "proved");
  await page.close();
});

test("once loaded, it works without a network", async () => {
  const page = await browser.page();
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForFunction(() => navigator.serviceWorker.controller);
  await browser.context.setOffline(true);
  try {
    await page.reload();
    await page.waitForSelector("body[data-ready]");
    await sample(page, "tiny");
    await verdict(page, "proved");
  } finally {
    await browser.context.setOffline(false);
  }
  await page.close();
});

test("no console error, no request to another origin, no violation of the policy", () => {
  assert.deepEqual(browser.faults.filter((fault) => !/ERR_INTERNET_DISCONNECTED/.test(fault)), []);
});
