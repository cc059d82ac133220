// Verifies, away from the page's thread. Every answer carries the number of the question.
import { initSync, verifyTimed, inspect, inspectReceipt, describePlan, decodeTokens } from "./pkg/web.js";

const TELL_EVERY = 50; // milliseconds

self.onmessage = ({ data: { id, module, card, receipt, vocabulary } }) => {
  const say = (kind, content) => self.postMessage({ id, kind, ...content });
  try {
    initSync({ module });
    let [told, last] = [0, null];
    const outcome = verifyTimed(card, receipt, (step, read, total) => {
      const now = performance.now();
      if (step === last && now - told < TELL_EVERY) return;
      [told, last] = [now, step];
      say("progress", { step, read, total });
    });
    say("outcome", { outcome });

    const contents = inspectReceipt(receipt);
    const about = inspect(card);
    say("contents", { card: about, receipt: contents });
    if (vocabulary && about.verdict === "read" && contents.verdict === "read") {
      say("text", { decoded: decodeTokens(card, vocabulary, new Uint32Array(contents.tokens)) });
    }
    say("plan", { plan: describePlan(card, receipt) });
  } catch (error) {
    // The verifier does not throw. If it did all the same, nothing is proved.
    say("failed", { message: String(error?.message ?? error) });
  }
};
self.postMessage({ kind: "ready" });
