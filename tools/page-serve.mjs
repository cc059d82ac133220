// Serves a folder on a loopback port, for looking at the page and for its tests.
// Usage: node tools/page-serve.mjs [FOLDER] [--port N] [--base /sub/path/]      Prints the address.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".svg": "image/svg+xml", ".wasm": "application/wasm" };

/** A server of `folder` under the path `base`; listens when the promise is fulfilled. */
export async function serve(folder, { port = 0, base = "/" } = {}) {
  const root = resolve(folder);
  const server = createServer(async (request, response) => {
    const end = (status, body = "", type = "text/plain") => response.writeHead(status, { "content-type": type, "cache-control": "no-cache", "x-content-type-options": "nosniff" }).end(body);
    try {
      const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
      if (request.method !== "GET" && request.method !== "HEAD") return end(405);
      if (!path.startsWith(base)) return end(404, "not here");
      const file = normalize(join(root, path.slice(base.length) || "index.html"));
      if (file !== root && !file.startsWith(root + sep)) return end(404, "not here");
      return end(200, await readFile(file), TYPES[extname(file)] ?? "application/octet-stream");
    } catch {
      return end(404, "not here");
    }
  });
  await new Promise((listening, failed) => server.once("error", failed).listen(port, "127.0.0.1", listening));
  return { server, address: `http://127.0.0.1:${server.address().port}${base}` };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const words = process.argv.slice(2);
  const option = (name) => { const at = words.indexOf(name); return at < 0 ? undefined : words.splice(at, 2)[1]; };
  const [port, base] = [option("--port"), option("--base")];
  const { address } = await serve(words[0] ?? "target/site", { port: Number(port ?? 0), base });
  console.log(address);
}
