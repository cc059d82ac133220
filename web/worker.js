// Verifies, away from the page's thread. Every answer carries the number of the question, and times are taken out here:
// there is no clock in the verifier.
import { initSync, verify, inspect, inspectReceipt, describePlan, trace, decodeTokens } from "./pkg/web.js";

self.onmessage = ({ data: { id, module, card, receipt, vocabulary } }) => {
  const say = (kind, content) => self.postMessage({ id, kind, ...content });
  try {
    const begun = performance.now();
    initSync({ module });
    const loaded = performance.now();
    say("stage", { stage: "Checking the proof" });
    const outcome = verify(card, receipt);
    say("outcome", { outcome, loadMs: loaded - begun, verifyMs: performance.now() - loaded });

    const contents = inspectReceipt(receipt);
    const about = inspect(card);
    say("contents", { card: about, receipt: contents });
    if (vocabulary && about.verdict === "read" && contents.verdict === "read") {
      say("text", { decoded: decodeTokens(card, vocabulary, new Uint32Array(contents.tokens)) });
    }

    say("stage", { stage: "Drawing the proof" });
    const plan = describePlan(card, receipt);
    const times = {};
    let step = "setup";
    let since = performance.now();
    const next = (name) => {
      const now = performance.now();
      times[step] = (times[step] ?? 0) + now - since;
      [step, since] = [name, now];
    };
    const traced = plan.verdict === "read" ? trace(card, receipt, next) : null;
    next(null);
    say("drawing", { plan, traced, times });
  } catch (error) {
    // The verifier does not throw. If it did all the same, nothing is proved.
    say("failed", { message: String(error?.message ?? error) });
  }
};
self.postMessage({ kind: "ready" });
