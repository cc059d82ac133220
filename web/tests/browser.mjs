// What the browser's tests and measurements share: the page served under a sub-path, Chromium, and a watch on all that it does.
import { createRequire } from "node:module";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "../../tools/page-serve.mjs";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const require = createRequire(join(root, "target/page-node/package.json"));
const { chromium } = require("playwright-core");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export async function open() {
  const { server, address } = await serve(join(root, "target/site"), { base: "/some/where/" });
  const profile = mkdtempSync(join(tmpdir(), "zkllm-chromium-"));
  const context = await chromium.launchPersistentContext(profile, { executablePath: "/usr/bin/chromium", headless: true, args: FLAGS, viewport: { width: 1200, height: 900 } });
  const faults = [];
  const watch = (page) => {
    page.on("console", (message) => { if (["error", "warning"].includes(message.type())) faults.push(`console: ${message.text()}`); });
    page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  };
  context.on("request", (request) => { if (!request.url().startsWith(address) && !/^(data|blob):/.test(request.url())) faults.push(`request: ${request.url()}`); });
  await context.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`)));
  const close = async () => { await context.close(); server.close(); server.closeAllConnections(); rmSync(profile, { recursive: true, force: true }); };
  const page = async (path = "", options = {}) => {
    const made = await context.newPage();
    watch(made);
    if (options.viewport) await made.setViewportSize(options.viewport);
    if (options.colorScheme) await made.emulateMedia({ colorScheme: options.colorScheme });
    await made.goto(address + path);
    await made.waitForSelector("body[data-ready]");
    return made;
  };
  return { address, context, page, faults, close, server };
}

/** Waits for the verdict with this code (any, without one) and gives its box. */
export async function verdict(page, code) {
  const box = page.locator(code ? `#outcome [data-code="${code}"]` : "#outcome [data-code]");
  await box.waitFor({ timeout: 60000 });
  return box;
}
/** Waits until the worker has said all. */
export const idle = (page) => page.waitForSelector("body:not([data-busy])", { timeout: 60000 });
