// Verifies, away from the page's thread, and makes text of tokens. Every answer carries the number of the question.
import { initSync, verifyTimed, inspect, inspectReceipt, describePlan, decodeTokens, maxBytes, visible } from "./pkg/web.js";

const TELL_EVERY = 50; // milliseconds
// Of a part of a long statement, what the page is given to show.
const MOST_TOKENS = 2000;
const MOST_BYTES = 50_000;

const bytes = async (file) => new Uint8Array(await file.arrayBuffer());

/** The bytes of a vocabulary, unpacked if it is; nothing if they are more than any file may have. */
async function unpacked({ file, packed }) {
  if (!packed) return bytes(file);
  const [parts, reader] = [[], file.stream().pipeThrough(new DecompressionStream("gzip")).getReader()];
  for (let size = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return bytes(new Blob(parts));
    size += value.length;
    if (size > maxBytes()) return null;
    parts.push(value);
  }
}

/** Tokens as pieces of text: bytes of several tokens may make one character; control tokens stand alone. */
function pieces(tokens) {
  const made = [];
  let [run, length, taken] = [[], 0, 0];
  const flush = () => {
    if (run.length) made.push({ text: visible(new TextDecoder().decode(Uint8Array.from(run.flat()))) });
    run = [];
  };
  for (const token of tokens) {
    length += token.bytes.length + token.name.length;
    if (taken === MOST_TOKENS || length > MOST_BYTES) break;
    taken += 1;
    if (token.control) {
      flush();
      made.push({ text: visible(token.name), control: true });
    } else run.push(token.bytes);
  }
  flush();
  return { pieces: made, left: tokens.length - taken };
}

/** The text of prompt and answer, or why there is none. */
function text(decoded, promptLength) {
  if (decoded.verdict !== "read") return { refused: decoded.words };
  const last = decoded.tokens.at(-1);
  const mark = last?.control ? visible(last.name.slice(0, 100)) : null;
  return { digest: decoded.digest, prompt: pieces(decoded.tokens.slice(0, promptLength)), answer: pieces(decoded.tokens.slice(promptLength)), mark };
}

self.onmessage = async ({ data: { id, module, card: cardFile, receipt: receiptFile, vocabulary } }) => {
  const say = (kind, content) => self.postMessage({ id, kind, ...content });
  try {
    initSync({ module });
    let [card, receipt, words] = [];
    try {
      [card, receipt, words] = await Promise.all([bytes(cardFile), bytes(receiptFile), vocabulary && unpacked(vocabulary)]);
    } catch (error) {
      say("unreadable", { message: error.message });
      return;
    }
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
    if (words && about.verdict === "read" && contents.verdict === "read") {
      say("text", text(decodeTokens(card, words, contents.tokens), contents.promptLength));
    }
    say("plan", { plan: describePlan(card, receipt) });
  } catch (error) {
    // The verifier does not throw. If it did all the same, nothing is proved.
    say("failed", { message: String(error?.message ?? error) });
  }
};
self.postMessage({ kind: "ready" });
