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

use js_sys::{Array, ArrayBuffer, Function, Reflect, Symbol, TypeError, Uint8Array, Uint32Array};
use serde_json::Value;
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;
use zkllm_verifier::{Limits, Refusal, limits, name};

/// A card, receipt or vocabulary of more bytes is refused before it is copied. The command line has the same limit.
pub const MAX_BYTES: usize = 64 << 20;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &'static str = include_str!("types.d.ts");

/// What is thrown for an argument of another kind: a mistake of the program that calls, and nothing that bytes can say.
fn wrong(function: &str, what: &str, given: &JsValue) -> JsValue {
    let kind = given.js_typeof().as_string().unwrap_or_default();
    let kind = if given.is_null() { "null" } else { &kind };
    TypeError::new(&format!("{function}: {what}, not {kind}")).into()
}

/// Whether it is an array of bytes, of this page or of another one.
fn is_bytes(value: &JsValue) -> bool {
    let tag = || Reflect::get(value, &Symbol::to_string_tag()).ok().and_then(|tag| tag.as_string());
    value.is_instance_of::<Uint8Array>() || (ArrayBuffer::is_view(value) && tag().as_deref() == Some("Uint8Array"))
}

/// The bytes, or nothing where there are more than [`MAX_BYTES`].
fn bytes(function: &str, what: &str, value: &JsValue) -> Result<Option<Vec<u8>>, JsValue> {
    if !is_bytes(value) {
        return Err(wrong(function, &format!("{what} must be a Uint8Array"), value));
    }
    let array: &Uint8Array = value.unchecked_ref();
    Ok((array.length() as usize <= MAX_BYTES).then(|| array.to_vec()))
}

/// `null` only where a string is no JSON, which serde_json never writes.
fn object(value: &Value) -> JsValue {
    js_sys::JSON::parse(&value.to_string()).unwrap_or(JsValue::NULL)
}

/// `work` on two files, or the refusal of a too large one.
fn with(files: [Option<Vec<u8>>; 2], work: impl FnOnce(&[u8], &[u8]) -> Value) -> JsValue {
    object(&match files {
        [Some(first), Some(second)] => work(&first, &second),
        _ => outcome::too_large(),
    })
}

/// A function, or nothing.
fn function(caller: &str, value: &JsValue) -> Result<Option<Function>, JsValue> {
    match value.dyn_ref::<Function>() {
        Some(function) => Ok(Some(function.clone())),
        None if value.is_undefined() || value.is_null() => Ok(None),
        None => Err(wrong(caller, "onMessage must be a function", value)),
    }
}

/// What a verification may take, where it is said.
fn bounds(value: &JsValue) -> Result<Limits, JsValue> {
    let mut limits = Limits::default();
    if value.is_undefined() || value.is_null() {
        return Ok(limits);
    }
    if !value.is_object() {
        return Err(wrong("verify", "limits must be an object", value));
    }
    for (key, bound) in [("work", &mut limits.work), ("memory", &mut limits.memory)] {
        let given = Reflect::get(value, &key.into())?;
        match given.as_f64() {
            // Of a number beyond 2^64 it is the greatest there is.
            Some(number) if number >= 0.0 => *bound = number as u64,
            None if given.is_undefined() => (),
            _ => return Err(wrong("verify", &format!("limits.{key} must be a number and not negative"), &given)),
        }
    }
    Ok(limits)
}

/// Verifies a receipt against a card. `onMessage` hears of every message of the proof before it is read, for progress and
/// times; what it does or throws changes nothing. `limits` may bound work and memory: what takes more is refused at once.
#[wasm_bindgen(unchecked_return_type = "Outcome")]
pub fn verify(
    #[wasm_bindgen(unchecked_param_type = "Uint8Array")] card: &JsValue,
    #[wasm_bindgen(unchecked_param_type = "Uint8Array")] receipt: &JsValue,
    #[wasm_bindgen(js_name = onMessage, unchecked_optional_param_type = "OnMessage | null")] on_message: &JsValue,
    #[wasm_bindgen(unchecked_optional_param_type = "WorkLimits | null")] limits: &JsValue,
) -> Result<JsValue, JsValue> {
    let files = [bytes("verify", "card", card)?, bytes("verify", "receipt", receipt)?];
    let (on_message, limits) = (function("verify", on_message)?, bounds(limits)?);
    Ok(with(files, |card, receipt| {
        outcome::verify(card, receipt, &limits, &mut |step, read, total| {
            if let Some(call) = &on_message {
                let _ = call.call3(&JsValue::NULL, &step.into(), &read.into(), &total.into());
            }
        })
    }))
}

/// What a card says; nothing is verified.
#[wasm_bindgen(unchecked_return_type = "Inspected<CardContents>")]
pub fn inspect(#[wasm_bindgen(unchecked_param_type = "Uint8Array")] card: &JsValue) -> Result<JsValue, JsValue> {
    let card = bytes("inspect", "card", card)?;
    Ok(object(&card.map_or_else(outcome::too_large, |card| inspect::card(&card))))
}

/// What a receipt says; nothing is verified.
#[wasm_bindgen(js_name = inspectReceipt, unchecked_return_type = "Inspected<ReceiptContents>")]
pub fn inspect_receipt(
    #[wasm_bindgen(unchecked_param_type = "Uint8Array")] receipt: &JsValue,
) -> Result<JsValue, JsValue> {
    let receipt = bytes("inspectReceipt", "receipt", receipt)?;
    Ok(object(&receipt.map_or_else(outcome::too_large, |receipt| inspect::receipt(&receipt))))
}

/// How the receipt's statement is proved: columns, products, lookups and their sizes. Nothing is verified.
#[wasm_bindgen(js_name = describePlan, unchecked_return_type = "Inspected<PlanDescription>")]
pub fn describe_plan(
    #[wasm_bindgen(unchecked_param_type = "Uint8Array")] card: &JsValue,
    #[wasm_bindgen(unchecked_param_type = "Uint8Array")] receipt: &JsValue,
) -> Result<JsValue, JsValue> {
    let files = [bytes("describePlan", "card", card)?, bytes("describePlan", "receipt", receipt)?];
    Ok(with(files, inspect::plan))
}

/// Every refusal there is, with its words.
#[wasm_bindgen(unchecked_return_type = "RefusalDescription[]")]
pub fn refusals() -> JsValue {
    object(&words::refusals())
}

/// The numbers of tokens; nothing where there are more than a statement has.
fn numbers(value: &JsValue) -> Result<Option<Vec<u32>>, JsValue> {
    let complain =
        |given: &JsValue| wrong("decodeTokens", "tokens must be a Uint32Array or an array of such numbers", given);
    if let Some(array) = value.dyn_ref::<Uint32Array>() {
        return Ok((array.length() as usize <= limits::TOKENS).then(|| array.to_vec()));
    }
    let array = value.dyn_ref::<Array>().ok_or_else(|| complain(value))?;
    if array.length() as usize > limits::TOKENS {
        return Ok(None);
    }
    let number = |given: JsValue| match given.as_f64() {
        Some(number) if f64::from(number as u32) == number => Ok(number as u32),
        _ => Err(complain(&given)),
    };
    array.iter().map(number).collect::<Result<_, _>>().map(Some)
}

/// The bytes that tokens stand for, from a vocabulary file whose SHA3-256 must be the one in the card. Equal tokens are one object.
#[wasm_bindgen(js_name = decodeTokens, unchecked_return_type = "Decoded")]
pub fn decode_tokens(
    #[wasm_bindgen(unchecked_param_type = "Uint8Array")] card: &JsValue,
    #[wasm_bindgen(unchecked_param_type = "Uint8Array")] vocabulary: &JsValue,
    #[wasm_bindgen(unchecked_param_type = "Uint32Array | number[]")] tokens: &JsValue,
) -> Result<JsValue, JsValue> {
    let files = [bytes("decodeTokens", "card", card)?, bytes("decodeTokens", "vocabulary", vocabulary)?];
    let Some(tokens) = numbers(tokens)? else { return Ok(object(&outcome::refused(Refusal::OverLimit))) };
    let decoded = with(files, |card, vocabulary| vocabulary::decode(card, vocabulary, &tokens));
    let key = JsValue::from("tokens");
    let different = Reflect::get(&decoded, &key)?;
    if let Some(different) = different.dyn_ref::<Array>() {
        let id = |token: &JsValue| Reflect::get(token, &"id".into()).ok().and_then(|id| id.as_f64());
        let by_id: BTreeMap<u32, JsValue> =
            different.iter().filter_map(|token| Some((id(&token)? as u32, token))).collect();
        let all: Array = tokens.iter().map(|token| by_id.get(token).cloned().unwrap_or(JsValue::NULL)).collect();
        Reflect::set(&decoded, &key, &all)?;
    }
    Ok(decoded)
}

/// The text with every character named that is invisible or turns others around: so any text may be shown.
#[wasm_bindgen]
pub fn visible(#[wasm_bindgen(unchecked_param_type = "string")] text: &JsValue) -> Result<String, JsValue> {
    text.as_string().map(|text| name::visible(&text)).ok_or_else(|| wrong("visible", "text must be a string", text))
}

/// The most bytes that a file may have.
#[wasm_bindgen(js_name = maxBytes)]
pub fn max_bytes() -> u32 {
    MAX_BYTES as u32
}
