// The package in browsers: await the default export, then call.
export * from "./zkllm_verifier.js";
export { default } from "./zkllm_verifier.js";
export { verifyTimed } from "./timed.js";
