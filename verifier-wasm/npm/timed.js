// verify with times. They are taken out here: there is no clock in the WebAssembly.
import { verify } from "./zkllm_verifier.js";

export function verifyTimed(card, receipt, onMessage, limits) {
  if (onMessage != null && typeof onMessage !== "function") throw new TypeError(`verifyTimed: onMessage must be a function, not ${typeof onMessage}`);
  const times = {};
  const begun = performance.now();
  let [step, since] = ["setup", begun];
  const until = (next) => {
    const now = performance.now();
    times[step] = (times[step] ?? 0) + now - since;
    [step, since] = [next, now];
  };
  const outcome = verify(card, receipt, (name, read, total) => {
    if (name !== step) until(name);
    onMessage?.(name, read, total);
  }, limits);
  until(null);
  return { ...outcome, milliseconds: since - begun, times };
}
