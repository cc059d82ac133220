/** Who has to act on a refusal: the bytes are no card or receipt; this verifier does not implement them; the claim is not proved. */
export type Blame = "malformed" | "unsupported" | "false";

/** A card or receipt that was not accepted. Codes are stable across versions; `refusals()` lists them. */
export interface Refused {
  verdict: "refused";
  code: string;
  blame: Blame;
  words: string;
}

export type StepName = "commitments" | "lookups" | "products" | "columns" | "opening" | "ledger";

/** Hears of a message of the proof before it is read: its step, the bytes read so far, the bytes of the proof. */
export type OnMessage = (step: StepName, read: number, total: number) => void;

/** How far a verification went. `verify` says it, except of files that were too large to be looked at. */
export interface Progress {
  /** Bytes and messages of each step; of a refused proof, those before the message at which it ended. */
  steps: { name: StepName; bytes: number; messages: number }[];
  /** The step of the last message that was asked for. */
  reached: StepName | null;
}

/** The most that a verification may take; what takes more is refused with `over-work` before any of the proof is read. */
export interface WorkLimits {
  /** Units of work as `describePlan` counts them: one is about a multiplication in the scalar field. 50,331,648 if not given, or more. */
  work?: number;
  /** Bytes of memory beside the files. Not bounded if not given. */
  memory?: number;
}

/** What was proved: every token after the first `promptLength` is the committed model's greedy choice. */
export interface Proved {
  verdict: "proved";
  code: "proved";
  words: string;
  /** The name on the card. Nothing is proved about it. */
  model: string;
  /** SHA3-256 of the card, 64 hexadecimal digits. */
  fingerprint: string;
  tokens: number[];
  promptLength: number;
}

export type Outcome = (Proved & Progress) | (Refused & Partial<Progress>);
export type Inspected<T> = T | Refused;

export interface CardContents {
  verdict: "read";
  kind: "card";
  bytes: number;
  name: string;
  fingerprint: string;
  architecture: string;
  layers: number;
  width: number;
  kvHeads: number;
  heads: number;
  headDimension: number;
  hidden: number;
  vocabulary: number;
  context: number;
  tied: boolean;
  biases: boolean;
  rotaryBase: string;
  /** SHA3-256 of the tokenizer's record, 64 hexadecimal digits. */
  tokenizer: string;
  chunkLog: number;
  commitments: number;
  precision: Record<string, number>;
}

export interface ReceiptContents {
  verdict: "read";
  kind: "receipt";
  bytes: number;
  /** The card it was made for. */
  fingerprint: string;
  tokens: number[];
  promptLength: number;
  proofBytes: number;
}

/** Name and length of an axis. */
export type AxisDescription = [name: string, length: number];

export interface PlanDescription {
  verdict: "read";
  kind: "plan";
  columns: { name: string; origin: "model" | "witness" | "multiplicity"; axes: AxisDescription[]; causal: boolean; numbers: number; chunk: number; bits: number }[];
  products: { name: string; kind: "einsum" | "scores" | "rotary"; axes: AxisDescription[]; numbers: number }[];
  lookups: { name: string; table: number; axes: AxisDescription[]; causal: boolean; numbers: number }[];
  tables: { kind: "range" | "exp" | "silu"; bits: number }[];
  zeros: number;
  leafBits: number;
  chunkLog: number;
  modelChunks: number;
  witnessChunks: number;
  proofBytes: number;
  openingBytes: number;
  /** What a verification takes at most, as `WorkLimits` bounds it. */
  work: number;
  memory: number;
}

export interface RefusalDescription {
  code: string;
  blame: Blame;
  words: string;
}

/** Equal tokens are one and the same object. `name` is the text in the vocabulary; a control token stands for no bytes. */
export type Decoded =
  | { verdict: "read"; kind: "text"; digest: string; tokens: { id: number; bytes: number[]; name: string; control: boolean }[] }
  | Refused;
