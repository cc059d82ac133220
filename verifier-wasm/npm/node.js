// The package in Node: reads the WebAssembly file beside this one, so that every function can be called at once.
import { readFileSync } from "node:fs";
import { initSync } from "./web.js";

initSync({ module: readFileSync(new URL("./zkllm_verifier_bg.wasm", import.meta.url)) });

export * from "./web.js";
export { default } from "./web.js";
