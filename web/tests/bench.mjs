// Verifies the SmolLM2 sample natively, in Node and in Chromium, in turns, and prints tables: times, sizes, steps, and how long
// the page's own thread was ever away.
// Usage: node web/tests/bench.mjs [RUNS]
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { idle, open, root, verdict } from "./browser.mjs";

const runs = Number(process.argv[2] ?? 7);
const files = ["smollm2.card", "smollm2.receipt"].map((name) => join(root, "web/samples", name));
const median = (times) => [...times].sort((a, b) => a - b)[times.length >> 1];
const native = process.env.ZKLLM_VERDICTS ?? join(root, "target/release/examples/verdicts");
const { verifyTimed } = await import(join(root, "target/npm/node.js"));
const bytes = files.map((file) => readFileSync(file));
const browser = await open();
const page = await browser.page();
await page.evaluate(() => {
  // A task every few milliseconds: the longest time between two of them is the longest that the page did not answer.
  window.gap = 0;
  let last = performance.now();
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    const now = performance.now();
    window.gap = Math.max(window.gap, now - last);
    last = now;
    setTimeout(() => port2.postMessage(0), 1);
  };
  port2.postMessage(0);
});
const places = ["native", "Node", "Chromium"];
const times = Object.fromEntries(places.map((place) => [place, []]));
const steps = {};
const gaps = [];
const load = loadavg()[0];
for (let run = 0; run <= runs; run += 1) {
  const said = JSON.parse(execFileSync(native, files, { encoding: "utf8" }));
  const node = verifyTimed(...bytes);
  await page.evaluate(() => { window.gap = 0; });
  await page.click('[data-sample="smollm2"]');
  const chromium = Number(await (await verdict(page, "proved")).getAttribute("data-ms"));
  await idle(page);
  const gap = await page.evaluate(() => window.gap);
  if (said.outcome.verdict !== "proved" || node.verdict !== "proved") throw new Error("not proved");
  if (run === 0) continue; // the first compiles
  times.native.push(said.milliseconds);
  times.Node.push(node.milliseconds);
  times.Chromium.push(chromium);
  gaps.push(gap);
  for (const [step, time] of Object.entries(node.times)) (steps[step] ??= []).push(time);
}
await browser.close();
const program = readFileSync(join(root, "target/npm/zkllm_verifier_bg.wasm"));
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8" }).trim();
console.log(`SmolLM2 sample, ${runs} runs in turns after one for warmth, commit ${commit}, load average before ${load.toFixed(1)}.\n`);
console.log("| where | verify, median | least |\n|---|---|---|");
for (const place of places) console.log(`| ${place} | ${median(times[place]).toFixed(0)} ms | ${Math.min(...times[place]).toFixed(0)} ms |`);
console.log(`\nLongest absence of the page's thread from click to drawing: median ${median(gaps).toFixed(0)} ms, most ${Math.max(...gaps).toFixed(0)} ms.`);
console.log(`WebAssembly: ${program.length} bytes, ${gzipSync(program, { level: 9 }).length} gzipped.\n`);
console.log("| step, in Node | median |\n|---|---|");
for (const [step, entries] of Object.entries(steps)) console.log(`| ${step} | ${median(entries).toFixed(0)} ms |`);
