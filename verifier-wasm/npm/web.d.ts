export * from "./zkllm_verifier.js";
export { default } from "./zkllm_verifier.js";
export * from "./timed.js";
