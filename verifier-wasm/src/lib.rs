//! Decides what JavaScript sees of the verifier: bytes in, plain objects out, nothing thrown for what bytes say.
//!
//! Everything is decided in modules that know nothing of JavaScript and run natively too; this file only converts. No
//! network, no clock, no randomness: who wants timings takes them outside.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

pub mod inspect;
pub mod outcome;
pub mod steps;
pub mod vocabulary;
pub mod words;

use js_sys::{Function, Uint8Array};
use serde_json::Value;
use wasm_bindgen::prelude::*;

/// A card, receipt or vocabulary of more bytes is refused before it is copied. The command line has the same limit.
pub const MAX_BYTES: usize = 64 << 20;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &'static str = include_str!("types.d.ts");

/// The bytes, or nothing where there are more than [`MAX_BYTES`].
fn bytes(array: &Uint8Array) -> Option<Vec<u8>> {
    (array.length() as usize <= MAX_BYTES).then(|| array.to_vec())
}

/// `null` only where a string is no JSON, which serde_json never writes.
fn object(value: &Value) -> JsValue {
    js_sys::JSON::parse(&value.to_string()).unwrap_or(JsValue::NULL)
}

/// `work` on both files, or the refusal of a too large one.
fn with(card: &Uint8Array, receipt: &Uint8Array, work: impl FnOnce(&[u8], &[u8]) -> Value) -> JsValue {
    object(&match (bytes(card), bytes(receipt)) {
        (Some(card), Some(receipt)) => work(&card, &receipt),
        _ => outcome::too_large(),
    })
}

/// Verifies a receipt against a card. `onMessage` hears of every message of the proof before it is read, for progress and
/// times; what it does or throws changes nothing.
#[wasm_bindgen(unchecked_return_type = "Outcome")]
pub fn verify(
    card: &Uint8Array,
    receipt: &Uint8Array,
    #[wasm_bindgen(js_name = onMessage, unchecked_optional_param_type = "OnMessage")] on_message: Option<Function>,
) -> JsValue {
    with(card, receipt, |card, receipt| {
        outcome::verify(card, receipt, &mut |step, read, total| {
            if let Some(call) = &on_message {
                let _ = call.call3(&JsValue::NULL, &step.into(), &read.into(), &total.into());
            }
        })
    })
}

/// What a card says; nothing is verified.
#[wasm_bindgen(unchecked_return_type = "Inspected<CardContents>")]
pub fn inspect(card: &Uint8Array) -> JsValue {
    object(&bytes(card).map_or_else(outcome::too_large, |card| inspect::card(&card)))
}

/// What a receipt says; nothing is verified.
#[wasm_bindgen(js_name = inspectReceipt, unchecked_return_type = "Inspected<ReceiptContents>")]
pub fn inspect_receipt(receipt: &Uint8Array) -> JsValue {
    object(&bytes(receipt).map_or_else(outcome::too_large, |receipt| inspect::receipt(&receipt)))
}

/// How the receipt's statement is proved: columns, products, lookups and their sizes. Nothing is verified.
#[wasm_bindgen(js_name = describePlan, unchecked_return_type = "Inspected<PlanDescription>")]
pub fn describe_plan(card: &Uint8Array, receipt: &Uint8Array) -> JsValue {
    with(card, receipt, inspect::plan)
}

/// Every refusal there is, with its words.
#[wasm_bindgen(unchecked_return_type = "RefusalDescription[]")]
pub fn refusals() -> JsValue {
    object(&words::refusals())
}

/// The bytes that tokens stand for, from a vocabulary file whose SHA3-256 must be the one in the card.
#[wasm_bindgen(js_name = decodeTokens, unchecked_return_type = "Decoded")]
pub fn decode_tokens(card: &Uint8Array, vocabulary: &Uint8Array, tokens: &[u32]) -> JsValue {
    with(card, vocabulary, |card, vocabulary| vocabulary::decode(card, vocabulary, tokens))
}

/// The most bytes that a file may have.
#[wasm_bindgen(js_name = maxBytes)]
pub fn max_bytes() -> u32 {
    MAX_BYTES as u32
}
