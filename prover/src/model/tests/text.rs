//! Decides that text is split, joined, hashed and templated as published.

use super::*;
use crate::model::sentencepiece::Pieces;

#[test]
fn bytes_round_trip_through_a_byte_level_vocabulary() {
    let model = Draft::small().load().unwrap();
    for text in ["", "abc", " two  spaces\n\nlines\t", "héllo wörld", "日本語 🦀", "\u{0}\u{7f}\u{ad}"] {
        let tokens = model.tokenizer.encode(text, false);
        assert_eq!(tokens, text.bytes().map(u32::from).collect::<Vec<_>>());
        assert_eq!(model.tokenizer.decode(&tokens), text);
    }
}

#[test]
fn control_tokens_are_read_only_when_asked_for() {
    let tokenizer = Draft::small().load().unwrap().tokenizer;
    assert_eq!(tokenizer.encode("a<|256|>b<|258|>", true), [97, 256, 98, 258]);
    let plain = tokenizer.encode("a<|256|>b", false);
    assert_eq!(plain.len(), "a<|256|>b".len());
    assert!(plain.iter().all(|token| *token < 256));
    assert_eq!(tokenizer.decode(&[97, 256, 98, 9999]), "ab");
    assert_eq!((tokenizer.bos, tokenizer.eos), (Some(256), Some(257)));
    assert!(tokenizer.is_end(257) && !tokenizer.is_end(256) && tokenizer.is_control(258));
    assert_eq!(tokenizer.encode_prompt("a"), [97]);
    let adding = Draft::small().set("tokenizer.ggml.add_bos_token", Value::Bool(true)).load().unwrap().tokenizer;
    assert_eq!(adding.encode_prompt("a"), [256, 97]);
}

#[test]
fn streaming_never_shows_half_a_character() {
    let tokenizer = Draft::small().load().unwrap().tokenizer;
    let mut stream = tokenizer.stream();
    let shown: Vec<String> = "é🦀a".bytes().map(|byte| stream.push(u32::from(byte))).collect();
    assert_eq!(shown, ["", "é", "", "", "", "🦀", "a"]);
    assert_eq!(stream.push(0xf0), "");
    assert_eq!(stream.push(u32::from(b'x')), "\u{fffd}x");
    assert_eq!(stream.push(0xe6), "");
    assert_eq!(stream.finish(), "\u{fffd}");
}

#[test]
fn the_digest_covers_everything_that_decides_tokens() {
    let digest = |draft: Draft| draft.load().unwrap().tokenizer.digest();
    let first = digest(Draft::small());
    assert_eq!(first, digest(Draft::small().set("general.name", Value::String("other".into()))));
    let mut tokens: Vec<Value> = (0..=255u32).map(|byte| Value::String(byte_level_text(byte as u8).into())).collect();
    tokens.extend((256..259).map(|id| Value::String(format!("<!{id}!>"))));
    let merge = Value::Array(vec![Value::String("a b".into())]);
    let with_pair = |tokens: &[Value]| {
        let mut tokens = tokens.to_vec();
        tokens[258] = Value::String("ab".into());
        Value::Array(tokens)
    };
    let changed = [
        Draft::small().set("tokenizer.ggml.tokens", Value::Array(tokens.clone())),
        Draft::small().set("tokenizer.ggml.tokens", with_pair(&tokens)),
        Draft::small().set("tokenizer.ggml.tokens", with_pair(&tokens)).set("tokenizer.ggml.merges", merge),
        Draft::small().set("tokenizer.ggml.pre", Value::String("smollm".into())),
        Draft::small().set("tokenizer.ggml.bos_token_id", Value::U32(255)),
        Draft::small().set("tokenizer.ggml.eos_token_id", Value::U32(256)),
        Draft::small().without("tokenizer.ggml.eos_token_id"),
        Draft::small().without("tokenizer.ggml.token_type"),
        Draft::small().set("tokenizer.ggml.add_bos_token", Value::Bool(true)),
    ];
    let mut digests: Vec<[u8; 32]> = changed.into_iter().map(digest).collect();
    digests.extend([first, Tokenizer::bytes(259).digest(), Tokenizer::bytes(258).digest()]);
    let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
    assert_eq!(distinct.len(), digests.len());
}

#[test]
fn the_digest_follows_its_written_definition() {
    use sha3::{Digest, Sha3_256};
    let mut bytes = b"zkllm tokenizer 1\n".to_vec();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    text(&mut bytes, "gpt2");
    bytes.extend(259u64.to_le_bytes());
    for id in 0..259u32 {
        let written = if id < 256 { byte_level_text(id as u8).to_string() } else { format!("<|{id}|>") };
        text(&mut bytes, &written);
        bytes.push(if id < 256 { 1 } else { 3 });
    }
    text(&mut bytes, "gpt-2");
    bytes.extend(0u64.to_le_bytes());
    bytes.extend([1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 0]);
    assert_eq!(Draft::small().load().unwrap().tokenizer.digest(), <[u8; 32]>::from(Sha3_256::digest(&bytes)));
}

#[test]
fn damaged_vocabularies_are_refused() {
    let strings = |texts: &[&str]| Value::Array(texts.iter().map(|text| Value::String(text.to_string())).collect());
    for (key, value) in [
        ("tokenizer.ggml.tokens", strings(&["a", "b"])),
        ("tokenizer.ggml.added_tokens", strings(&["<tool>"])),
        ("tokenizer.ggml.merges", strings(&["ab"])),
        ("tokenizer.ggml.merges", strings(&["zz yy"])),
        ("tokenizer.ggml.bos_token_id", Value::U32(259)),
        ("tokenizer.ggml.token_type", Value::Array(vec![Value::I32(1)])),
    ] {
        let result = Draft::small().set(key, value).load();
        assert!(matches!(result, Err(ModelError::Tokenizer { .. })), "{key}: {:?}", result.err());
    }
}

#[test]
fn sentencepiece_joins_the_best_pair_first() {
    let tokens = [
        "<unk>",
        "<s>",
        "</s>",
        "<0x0A>",
        "<0xC3>",
        "<0xA9>",
        "\u{2581}",
        "h",
        "e",
        "l",
        "o",
        "he",
        "ll",
        "hell",
        "\u{2581}he",
        "lo",
    ];
    let kinds = [2, 3, 3, 6, 6, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
    let scores: Vec<f32> = (0..16).map(|i| if i < 11 { -100.0 - i as f32 } else { 10.0 - i as f32 }).collect();
    let encode = |text: &str, space_prefix: bool| {
        let mut out = Vec::new();
        Pieces::new(&tokens, &kinds, scores.clone(), space_prefix).unwrap().encode(text, &mut out);
        out
    };
    // he and ll join (scores -1, -2), then hell (-3); the space stays alone, as "▁hell" is no piece.
    assert_eq!(encode("hello", true), [6, 13, 10]);
    assert_eq!(encode("hello", false), [13, 10]);
    assert_eq!(encode("he he", true), [14, 14]);
    assert_eq!(encode("\né", false), [3, 4, 5]);
    assert_eq!(encode("x", false), [0]);
    assert!(Pieces::new(&["<0xZZ>"], &[6], vec![0.0], true).is_err());
}

#[test]
fn a_sentencepiece_file_encodes_and_decodes() {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
    tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    let mut kinds = vec![2, 3, 3];
    kinds.extend([6; 256]);
    let pieces = ["\u{2581}", "t", "h", "e", "th", "\u{2581}the"];
    tokens.splice(253.., pieces.map(String::from));
    kinds.splice(253.., [1; 6]);
    let scores = (0..259).map(|id| Value::F32(-(id as f32))).collect();
    let draft = |scores| {
        Draft::small()
            .set("tokenizer.ggml.model", Value::String("llama".into()))
            .set("tokenizer.ggml.tokens", Value::Array(tokens.iter().cloned().map(Value::String).collect()))
            .set("tokenizer.ggml.token_type", Value::Array(kinds.iter().copied().map(Value::I32).collect()))
            .set("tokenizer.ggml.scores", Value::Array(scores))
            .set("tokenizer.ggml.bos_token_id", Value::U32(1))
            .set("tokenizer.ggml.eos_token_id", Value::U32(2))
    };
    let tokenizer = draft(scores).load().unwrap().tokenizer;
    assert_eq!(tokenizer.encode_prompt("the the"), [1, 253, 257, 256, 253, 257, 256]);
    assert_eq!(tokenizer.encode("the</s>e", true), [253, 257, 256, 2, 253, 256]);
    for text in ["the the", "Hé, it", "\n"] {
        assert_eq!(tokenizer.decode(&tokenizer.encode_prompt(text)), text);
    }
    let unfit = vec![Value::F32(f32::NAN); 259];
    assert!(matches!(draft(unfit).load(), Err(ModelError::Tokenizer { .. })));
}

#[test]
fn long_and_odd_texts_are_not_lost() {
    for pre in ["gpt-2", "smollm", "llama-bpe", "qwen2"] {
        let tokenizer = Draft::small().set("tokenizer.ggml.pre", Value::String(pre.into())).load().unwrap().tokenizer;
        for text in [
            format!("a{}b", " ".repeat(30_000)),
            "\n".repeat(20_000),
            "x".repeat(20_000),
            "7".repeat(10_000),
            "\u{301}\r\n '".repeat(999),
        ] {
            let tokens = tokenizer.encode(&text, false);
            assert!(tokenizer.decode(&tokens) == text, "{pre}, {} bytes", text.len());
        }
    }
}
