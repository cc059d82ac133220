//! Decides that first tokens, end tokens and control tokens are those that llama.cpp takes.

use super::*;
use crate::model::Shown;

fn string(text: &str) -> Value {
    Value::String(text.into())
}

/// A byte-level file whose last tokens have these texts and kinds.
fn with_tokens(last: &[(&str, i32)]) -> Draft {
    let mut tokens: Vec<Value> = (0..=255u32).map(|byte| string(&byte_level_text(byte as u8).to_string())).collect();
    let mut kinds = vec![Value::I32(1); 256];
    tokens.extend(last.iter().map(|(text, _)| string(text)));
    kinds.extend(last.iter().map(|(_, kind)| Value::I32(*kind)));
    let vocabulary = tokens.len();
    let model = Model::random(Shape { vocabulary, ..shape() }, 1).unwrap();
    Draft::of(&model, "llama", GgmlDType::F32)
        .without("tokenizer.ggml.eos_token_id")
        .set("tokenizer.ggml.bos_token_id", Value::U32(0))
        .set("tokenizer.ggml.tokens", Value::Array(tokens))
        .set("tokenizer.ggml.token_type", Value::Array(kinds))
}

/// A SentencePiece file of 259 tokens, its first ones with these texts and kinds.
fn sentencepiece(first: &[(&str, i32)]) -> Draft {
    let mut tokens: Vec<Value> = first.iter().map(|(text, _)| string(text)).collect();
    let mut kinds: Vec<Value> = first.iter().map(|(_, kind)| Value::I32(*kind)).collect();
    tokens.extend((0..259 - first.len()).map(|byte| string(&format!("<0x{:02X}>", byte % 256))));
    kinds.resize(259, Value::I32(6));
    Draft::small()
        .without("tokenizer.ggml.bos_token_id")
        .without("tokenizer.ggml.eos_token_id")
        .set("tokenizer.ggml.model", string("llama"))
        .set("tokenizer.ggml.tokens", Value::Array(tokens))
        .set("tokenizer.ggml.token_type", Value::Array(kinds))
        .set("tokenizer.ggml.scores", Value::Array((0..259).map(|id| Value::F32(-(id as f32))).collect()))
}

#[test]
fn a_prompt_begins_with_the_first_token_where_llama_cpp_puts_it() {
    for (pre, usual) in [("llama-bpe", true), ("gpt-2", false), ("smollm", false), ("qwen2", false)] {
        let draft = || Draft::small().set("tokenizer.ggml.pre", string(pre));
        let first = |draft: Draft| draft.load().unwrap().tokenizer.encode_prompt("a").first() == Some(&256);
        assert_eq!(first(draft()), usual, "{pre}");
        for said in [true, false] {
            assert_eq!(first(draft().set("tokenizer.ggml.add_bos_token", Value::Bool(said))), said, "{pre}");
        }
        let nameless = draft().without("tokenizer.ggml.bos_token_id").load();
        assert_eq!(matches!(nameless, Err(ModelError::Tokenizer { .. })), usual, "{pre}");
    }
    let tokenizer = sentencepiece(&[("<unk>", 2), ("<s>", 3), ("</s>", 3), ("a", 1)]).load().unwrap().tokenizer;
    assert_eq!((tokenizer.bos, tokenizer.eos), (Some(1), Some(2)));
    assert_eq!(tokenizer.encode_prompt("a")[0], 1);
}

#[test]
fn an_answer_ends_where_llama_cpp_ends_it() {
    // Of each kind that a file may give them, whether a key names them or not.
    let ends = [
        "<|eot_id|>",
        "<|im_end|>",
        "<|end|>",
        "<|return|>",
        "<|flush|>",
        "<end_of_turn>",
        "<|endoftext|>",
        "</s>",
        "<|eom_id|>",
        "<EOT>",
        "_<EOT>",
        "[EOT]",
        "[EOS]",
        "<|end_of_text|>",
        "<end_of_utterance>",
        "<eos>",
        "<turn|>",
        "<\u{ff5c}end\u{2581}of\u{2581}sentence\u{ff5c}>",
        "[e~[",
        "<|fim_pad|>",
        "<|repo_name|>",
        "<|file_sep|>",
    ];
    for kind in [1, 3, 4] {
        let mut last: Vec<(&str, i32)> = ends.iter().map(|text| (*text, kind)).collect();
        last.extend([("<|im_start|>", 3), ("<|eot|>", 3), ("<|fim_prefix|>", 3), ("<|END_OF_TURN|>", 3)]);
        let tokenizer = with_tokens(&last).load().unwrap().tokenizer;
        for (token, (text, _)) in (256..).zip(&last) {
            assert_eq!(tokenizer.is_end(token), ends.contains(text), "{text} {kind}");
            assert!(tokenizer.is_control(token), "{text} {kind}");
            assert_eq!(tokenizer.encode(text, true), [token], "{text} {kind}");
            assert!(tokenizer.encode(text, false).iter().all(|token| *token < 256), "{text} {kind}");
        }
        assert_eq!(tokenizer.decode(&[97, 256, 98]), "ab");
    }
}

#[test]
fn keys_name_more_end_tokens() {
    let draft = || with_tokens(&[("<a>", 3), ("<b>", 3), ("<|file_sep|>", 3), ("<|repo_name|>", 3), ("<fim-repo>", 1)]);
    let ends = |draft: Draft| {
        let tokenizer = draft.load().unwrap().tokenizer;
        (0..261).filter(|token| tokenizer.is_end(*token)).collect::<Vec<u32>>()
    };
    // Of two for a repository's name the lowest.
    assert_eq!(ends(draft()), [258, 259]);
    for key in ["eos", "eot", "eom", "fim_pad"] {
        let key = format!("tokenizer.ggml.{key}_token_id");
        assert_eq!(ends(draft().set(&key, Value::U32(257))), [257, 258, 259], "{key}");
    }
    assert_eq!(ends(draft().set("tokenizer.ggml.fim_sep_token_id", Value::U32(256))), [256, 259]);
    assert_eq!(ends(draft().set("tokenizer.ggml.fim_pre_token_id", Value::U32(256))), [258, 259]);
    let beyond = draft().set("tokenizer.ggml.eot_token_id", Value::U32(261)).load();
    assert!(matches!(beyond, Err(ModelError::Tokenizer { .. })));
}

#[test]
fn parts_of_answers_do_not_end_them() {
    let ends = |last: &[(&'static str, i32)]| {
        let tokenizer = with_tokens(last).load().unwrap().tokenizer;
        last.iter()
            .zip(256..)
            .filter(|(_, token)| tokenizer.is_end(*token))
            .map(|((text, _), _)| *text)
            .collect::<Vec<_>>()
    };
    let (end, call, calls, ret, flush) =
        (("<|end|>", 3), ("<|call|>", 3), ("<|calls|>", 3), ("<|return|>", 3), ("<|flush|>", 3));
    assert_eq!(ends(&[end, call]), ["<|end|>", "<|call|>"]);
    assert_eq!(ends(&[end, call, ret]), ["<|call|>", "<|return|>"]);
    assert_eq!(ends(&[end, calls, flush]), ["<|calls|>", "<|flush|>"]);
    assert_eq!(ends(&[("</s>", 3), ("<|tool_response>", 3)]), ["<|tool_response>"]);
    let tokenizer = with_tokens(&[end, call, ret, ("<|channel|>", 3)]).load().unwrap().tokenizer;
    assert_eq!(tokenizer.decode(&[259, 97, 256]), "<|channel|>a<|end|>");
}

#[test]
fn of_two_tokens_with_one_text_the_later_one_is_written() {
    let tokenizer = with_tokens(&[("ab", 1), ("ab", 1), ("<x>", 3), ("<x>", 3)])
        .set("tokenizer.ggml.merges", Value::Array(vec![string("a b"), string("a b")]))
        .load()
        .unwrap()
        .tokenizer;
    assert_eq!(tokenizer.encode("abc<x>", true), [257, u32::from(b'c'), 259]);
    assert_eq!(tokenizer.decode(&[256, 257]), "abab");
    let tokenizer = sentencepiece(&[("<unk>", 2), ("<s>", 3), ("</s>", 3), ("a", 1), ("\u{2581}", 1), ("a", 1)]);
    let tokenizer = tokenizer.load().unwrap().tokenizer;
    assert_eq!(tokenizer.encode("a", false), [4, 5]);
    assert_eq!(tokenizer.decode(&[3, 5]), "aa");
}

#[test]
fn of_control_tokens_that_overlap_the_first_and_longest_is_read() {
    let tokenizer =
        with_tokens(&[("<a>", 3), ("<a>b", 3), ("b<c>", 3), ("<c>", 4), ("<c>", 3)]).load().unwrap().tokenizer;
    assert_eq!(tokenizer.encode("x<a>b<c>é<a><c>", true), [120, 257, 260, 0xc3, 0xa9, 256, 260]);
    assert_eq!(tokenizer.encode("<a>b<c>", false), [60, 97, 62, 98, 259]);
    let long: Vec<String> = (0..5).map(|number| format!("{number}{}", "x".repeat(1 << 18))).collect();
    let long: Vec<(&str, i32)> = long.iter().map(|text| (text.as_str(), 3)).collect();
    assert!(with_tokens(&long[..3]).load().is_ok());
    assert!(matches!(with_tokens(&long).load(), Err(ModelError::Tokenizer { .. })));
}

#[test]
fn no_text_imitates_a_control_token_where_tokens_are_described() {
    let tokenizer = with_tokens(&[("<|im_end|>", 3), ("[1 \"", 3)]).load().unwrap().tokenizer;
    let bytes = |text: &str| text.bytes().map(u32::from).collect::<Vec<u32>>();
    let tokens =
        [bytes("\u{1b}[2J é <|im_end|>\n"), vec![256], bytes("\" [256 \"<|im_end|>\"]"), vec![257, 9999]].concat();
    assert_eq!(
        tokenizer.describe(&tokens),
        r#""\u{1b}[2J é <|im_end|>\n" [256 "<|im_end|>"] "\" [256 \"<|im_end|>\"]" [257 "[1 \""] [9999 ""]"#
    );
    assert_eq!(tokenizer.shown(&[256]), [Shown::Control(256, "<|im_end|>".into())]);
    // Half a character before a control token is not lost, and not completed behind it.
    assert_eq!(tokenizer.describe(&[0xc3, 256, 0xa9]), "\"\u{fffd}\" [256 \"<|im_end|>\"] \"\u{fffd}\"");
    assert_eq!(tokenizer.describe(&[]), "");
}

#[test]
fn the_pages_vocabulary_tool_makes_the_record_that_the_card_names() {
    let special = [("<|im_end|>", 1), ("<|repo_name|>", 4), ("<fim-repo>", 1), ("<|fim_prefix|>", 4), ("<|end|>", 1)];
    let channels =
        [("<|end|>", 3), ("<|call|>", 1), ("<|return|>", 3), ("<|start|>", 3), ("</s>", 3), ("<|tool_response>", 1)];
    let pieces = [("<unk>", 2), ("<s>", 3), ("</s>", 1), ("\u{2581}a", 1), ("\u{2581}a", 1), ("<eos>", 4)];
    let files = [
        Draft::small(),
        Draft::small().without("tokenizer.ggml.token_type").without("tokenizer.ggml.eos_token_id"),
        Draft::small().set("tokenizer.ggml.pre", string("llama-bpe")),
        with_tokens(&special),
        with_tokens(&special).set("tokenizer.ggml.prefix_token_id", Value::U32(7)),
        with_tokens(&channels).set("tokenizer.ggml.fim_rep_token_id", Value::U32(7)),
        sentencepiece(&pieces),
        sentencepiece(&pieces).set("tokenizer.ggml.bos_token_id", Value::U32(0)),
    ];
    let folder = tempfile::tempdir().unwrap();
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/page-vocabulary.py");
    for (number, draft) in files.iter().enumerate() {
        let (model, out) = (folder.path().join("model.gguf"), folder.path().join("vocabulary"));
        std::fs::write(&model, draft.bytes()).unwrap();
        let run = std::process::Command::new("python3").arg(&tool).args([&model, &out]).output().expect("python3");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let digest: String =
            Model::load(&model).unwrap().tokenizer.digest().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(String::from_utf8_lossy(&run.stdout).trim(), digest, "file {number}");
    }
}
