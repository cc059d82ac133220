// Keeps the page usable without a network: what was fetched from this origin is kept, and taken when the network fails.
const CACHE = "zkllm-page";
const FILES = ["./", "index.html", "style.css", "main.js", "draw.js", "worker.js", "icon.svg", "pkg/web.js", "pkg/timed.js", "pkg/zkllm_verifier.js", "pkg/zkllm_verifier_bg.wasm", "samples/list.json"];

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll(FILES);
    const { samples, cards, vocabularies } = await (await cache.match("samples/list.json")).json();
    const names = [...samples, ...cards, ...vocabularies].flatMap((sample) => [sample.card, sample.receipt, sample.file]).filter(Boolean);
    await cache.addAll([...new Set(names)].map((name) => `samples/${name}`));
    await self.skipWaiting();
  })());
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || new URL(event.request.url).origin !== self.location.origin) return;
  event.respondWith((async () => {
    const cache = await caches.open(CACHE);
    try {
      const answer = await fetch(event.request);
      if (answer.ok) await cache.put(event.request, answer.clone());
      return answer;
    } catch {
      return (await cache.match(event.request, { ignoreSearch: true })) ?? Response.error();
    }
  })());
});
