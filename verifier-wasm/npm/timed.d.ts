import type { OnMessage, Outcome, StepName, WorkLimits } from "./zkllm_verifier.js";

export interface Times {
  /** The whole verification. */
  milliseconds: number;
  /** Each step; "setup" is what comes before the first message. */
  times: Partial<Record<"setup" | StepName, number>>;
}

/** `verify`, and how long it took. */
export function verifyTimed(card: Uint8Array, receipt: Uint8Array, onMessage?: OnMessage | null, limits?: WorkLimits | null): Outcome & Times;
