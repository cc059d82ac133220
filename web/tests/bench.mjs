// Verifies the SmolLM2 sample natively, in Node and in Chromium in one run, and prints a table; also the sizes.
// Usage: node web/tests/bench.mjs [RUNS]
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { idle, open, root, verdict } from "./browser.mjs";

const runs = Number(process.argv[2] ?? 5);
const files = ["smollm2.card", "smollm2.receipt"].map((name) => join(root, "web/samples", name));
const median = (times) => [...times].sort((a, b) => a - b)[times.length >> 1];
const native = process.env.ZKLLM_VERDICTS ?? join(root, "target/release/examples/verdicts");
const { verify, trace } = await import(join(root, "target/npm/node.js"));
const bytes = files.map((file) => readFileSync(file));
const browser = await open();
const page = await browser.page();
const times = { native: [], node: [], chromium: [] };
const steps = {};
for (let run = 0; run <= runs; run += 1) {
  const said = JSON.parse(execFileSync(native, files, { encoding: "utf8" }));
  let begun = performance.now();
  if (verify(...bytes).verdict !== "proved" || said.outcome.verdict !== "proved") throw new Error("not proved");
  const node = performance.now() - begun;
  await page.click('[data-sample="smollm2"]');
  const chromium = Number(await (await verdict(page, "proved")).getAttribute("data-ms"));
  await idle(page);
  if (run === 0) continue; // the first compiles
  times.native.push(said.milliseconds);
  times.node.push(node);
  times.chromium.push(chromium);
  begun = performance.now();
  let step = "setup";
  const next = (name) => { const now = performance.now(); (steps[step] ??= []).push([run, now - begun]); [step, begun] = [name, now]; };
  trace(...bytes, next);
  next(null);
}
await browser.close();
const program = readFileSync(join(root, "target/npm/zkllm_verifier_bg.wasm"));
console.log(`| where | verify, median of ${runs} | least |\n|---|---|---|`);
for (const [where, list] of Object.entries(times)) console.log(`| ${where} | ${median(list).toFixed(0)} ms | ${Math.min(...list).toFixed(0)} ms |`);
console.log(`\nWebAssembly: ${program.length} bytes, ${gzipSync(program, { level: 9 }).length} gzipped. Load average ${loadavg()[0].toFixed(1)}.\n`);
console.log("| step, in Node | median |\n|---|---|");
for (const [step, entries] of Object.entries(steps)) {
  const sums = Array.from({ length: runs }, (_, run) => entries.filter(([at]) => at === run + 1).reduce((sum, [, time]) => sum + time, 0));
  console.log(`| ${step} | ${median(sums).toFixed(0)} ms |`);
}
