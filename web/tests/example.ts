import { verify, type Outcome } from "zkllm-verifier";

export async function answer(card: Blob, receipt: Blob): Promise<number[]> {
  const bytes = async (file: Blob): Promise<Uint8Array> => new Uint8Array(await file.arrayBuffer());
  const outcome: Outcome = verify(await bytes(card), await bytes(receipt), (step, read, total) => {
    console.log(`${step}: ${read} of ${total} bytes`);
  });
  if (outcome.verdict === "refused") throw new Error(`${outcome.code} (${outcome.blame}): ${outcome.words}`);
  return outcome.tokens.slice(outcome.promptLength);
}
