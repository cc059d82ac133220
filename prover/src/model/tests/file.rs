//! Decides that GGUF files give the right tensors, and that every damaged, foreign or unsupported file is refused by name.

use super::*;

fn same(a: &Model, b: &Model) {
    assert_eq!(a.shape, b.shape);
    for kind in Kind::ALL {
        assert_eq!(a.has(kind), b.has(kind), "{kind:?}");
        for layer in 0..if kind.per_layer() { a.shape.layers } else { 1 } {
            if a.has(kind) {
                assert_eq!(a.tensor(kind, layer).unwrap(), b.tensor(kind, layer).unwrap(), "{kind:?} {layer}");
            }
        }
    }
}

#[test]
fn a_file_gives_back_the_model_it_was_written_from() {
    let model = Model::random(shape(), 1).unwrap();
    same(&model, &Draft::of(&model, "llama", GgmlDType::F32).load().unwrap());
    let untied = Model::random_biased(Shape { tied: false, ..shape() }, 2).unwrap();
    same(&untied, &Draft::of(&untied, "llama", GgmlDType::F32).load().unwrap());
    same(&untied, &Draft::of(&untied, "qwen2", GgmlDType::F32).load().unwrap());
}

#[test]
fn every_supported_storage_type_is_read_to_its_precision() {
    use GgmlDType::{BF16, F16, Q4_0, Q4_1, Q4K, Q6K, Q8_0};
    let wide =
        Shape { layers: 1, width: 768, heads: 6, kv_heads: 2, head_dim: 128, hidden: 256, vocabulary: 300, ..shape() };
    let model = Model::random(wide, 3).unwrap();
    for (kind, tolerance) in [(F16, 1e-3), (BF16, 8e-3), (Q8_0, 2e-2), (Q6K, 0.1), (Q4K, 0.3), (Q4_1, 0.3), (Q4_0, 0.4)]
    {
        let read = Draft::of(&model, "llama", kind).load().unwrap();
        for tensor in [Kind::Embedding, Kind::Query, Kind::Down] {
            let (a, b) = (model.tensor(tensor, 0).unwrap(), read.tensor(tensor, 0).unwrap());
            let scale = a.iter().map(|x| x * x).sum::<f32>().sqrt();
            let error = a.iter().zip(&b).map(|(x, y)| (x - y).powi(2)).sum::<f32>().sqrt() / scale;
            assert!(error > 0.0 && error < tolerance, "{kind:?} {tensor:?}: {error}");
        }
    }
}

#[test]
fn random_models_depend_on_shape_and_seed_only() {
    let (a, b) = (Model::random(shape(), 5).unwrap(), Model::random(shape(), 6).unwrap());
    assert_eq!(a.tensor(Kind::Up, 2).unwrap(), Model::random(shape(), 5).unwrap().tensor(Kind::Up, 2).unwrap());
    assert_ne!(a.tensor(Kind::Up, 2).unwrap(), b.tensor(Kind::Up, 2).unwrap());
    assert_ne!(a.tensor(Kind::Up, 2).unwrap(), a.tensor(Kind::Up, 1).unwrap());
    assert_ne!(a.tensor(Kind::Up, 2).unwrap(), a.tensor(Kind::Gate, 2).unwrap());
    // Known answer: a change of the generator changes every measurement made with it.
    assert_eq!(a.tensor(Kind::FinalNorm, 0).unwrap()[0].to_bits(), FIRST_FINAL_NORM_BITS);
    let values = a.tensor(Kind::Embedding, 0).unwrap();
    let variance = values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32;
    assert!((0.24..0.26).contains(&variance), "{variance}");
}
const FIRST_FINAL_NORM_BITS: u32 = 1_065_726_009;

#[test]
fn asking_for_what_is_not_there_is_an_error() {
    let model = Model::random(shape(), 1).unwrap();
    assert!(matches!(model.tensor(Kind::Up, 3), Err(ModelError::Layer { layer: 3, layers: 3 })));
    assert!(matches!(model.tensor(Kind::Embedding, 1), Err(ModelError::Layer { .. })));
    assert!(matches!(model.tensor(Kind::QueryBias, 0), Err(ModelError::MissingTensor { .. })));
    assert_eq!(model.tensor(Kind::Head, 0).unwrap(), model.tensor(Kind::Embedding, 0).unwrap());
    assert!(matches!(Model::load(Path::new("/no/such/file")), Err(ModelError::Read { .. })));
    assert!(matches!(model.chat_tokens(&[Message::user("hello")]), Err(ModelError::NoChatTemplate)));
}

#[test]
fn foreign_and_truncated_files_are_refused() {
    assert!(matches!(load_bytes(b""), Err(ModelError::Foreign { .. })));
    assert!(matches!(load_bytes(b"PK\x03\x04 a zip file"), Err(ModelError::Foreign { .. })));
    let bytes = Draft::small().bytes();
    let header = bytes.len() / 50;
    for length in (4..header).step_by(7) {
        assert!(matches!(load_bytes(&bytes[..length]), Err(ModelError::Header { .. })), "{length}");
    }
    assert!(matches!(load_bytes(&bytes[..bytes.len() - 40]), Err(ModelError::Truncated { .. })));
}

#[test]
fn no_damaged_header_panics_or_exhausts_memory() {
    let bytes = Draft::small().bytes();
    let mut state = 1u64;
    for round in 0..1500 {
        let mut damaged = bytes.clone();
        for _ in 0..=round % 4 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let (place, value) = ((state >> 33) as usize % 9000, (state >> 20) as u8);
            damaged[place] = if round % 3 == 0 { 0xff } else { value };
        }
        if let Ok(model) = load_bytes(&damaged) {
            let _ = model.tensor(Kind::Query, 0);
            let _ = model.tokenizer.encode("abc", true);
        }
    }
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    for bad in [f32::NAN, f32::INFINITY] {
        let mut values = vec![0.5; 36];
        values[7] = bad;
        let model = Draft::small().put("output_norm.weight", &values, &[36], GgmlDType::F32).load().unwrap();
        assert!(matches!(model.tensor(Kind::FinalNorm, 0), Err(ModelError::NotFinite { index: 7, .. })));
    }
}

#[test]
fn missing_extra_and_misshapen_tensors_are_refused() {
    let draft = Draft::small().without("blk.1.ffn_up.weight");
    assert!(matches!(draft.load(), Err(ModelError::MissingTensor { name }) if name == "blk.1.ffn_up.weight"));
    let draft = Draft::small().without("token_embd.weight");
    assert!(matches!(draft.load(), Err(ModelError::MissingTensor { .. })));
    let draft = Draft::small().put("blk.0.attn_k.weight", &[0.5; 36 * 36], &[36, 36], GgmlDType::F32);
    assert!(matches!(draft.load(), Err(ModelError::WrongShape { .. })));
    let draft = Draft::small().put("rope_freqs.weight", &[1.0; 3], &[3], GgmlDType::F32);
    assert!(matches!(draft.load(), Err(ModelError::Unsupported { what, .. }) if what.contains("rope_freqs.weight")));
    let draft = Draft::small().put("blk.0.attn_q.bias", &[0.0; 36], &[36], GgmlDType::F32);
    assert!(matches!(draft.load(), Err(ModelError::MissingTensor { name }) if name == "blk.1.attn_q.bias"));
}

#[test]
fn unsupported_storage_is_refused() {
    let wide = Shape { layers: 1, width: 96, head_dim: 16, hidden: 64, ..shape() };
    let draft = Draft::of(&Model::random(wide, 3).unwrap(), "llama", GgmlDType::Q5_0);
    assert!(matches!(draft.load(), Err(ModelError::Quantisation { found, .. }) if found.contains("Q5_0")));
    let name = b"output_norm.weight";
    let mut bytes = Draft::small().bytes();
    let place = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 4 + 8;
    bytes[place..place + 4].copy_from_slice(&28u32.to_le_bytes());
    assert!(matches!(load_bytes(&bytes), Err(ModelError::Quantisation { found, .. }) if found.starts_with("F64 ")));
    bytes[place..place + 4].copy_from_slice(&31u32.to_le_bytes());
    assert!(
        matches!(load_bytes(&bytes), Err(ModelError::Quantisation { found, .. }) if found.starts_with("GGML type 31 "))
    );
}

#[test]
fn unsupported_variations_are_refused() {
    let architecture = Draft::small().set("general.architecture", Value::String("mamba".into()));
    assert!(matches!(architecture.load(), Err(ModelError::Architecture { found }) if found == "mamba"));
    for (key, value) in [
        ("llama.rope.scaling.type", Value::String("yarn".into())),
        ("llama.rope.scaling.factor", Value::F32(8.0)),
        ("llama.attention.sliding_window", Value::U32(16)),
        ("llama.attention.value_length", Value::U32(8)),
        ("llama.attention.causal", Value::Bool(false)),
        ("llama.rope.dimension_count", Value::U32(4)),
        ("llama.expert_count", Value::U32(8)),
        ("llama.logit_scale", Value::F32(0.5)),
        ("llama.vocab_size", Value::U32(300)),
        ("tokenizer.ggml.pre", Value::String("tekken".into())),
        ("tokenizer.ggml.model", Value::String("bert".into())),
    ] {
        let result = Draft::small().set(key, value).load();
        assert!(matches!(result, Err(ModelError::Unsupported { .. })), "{key}: {:?}", result.err());
    }
    for (key, value) in [
        ("llama.block_count", Value::U32(0)),
        ("llama.block_count", Value::U32(u32::MAX)),
        ("llama.block_count", Value::String("3".into())),
        ("llama.attention.head_count", Value::U32(0)),
        ("llama.attention.head_count", Value::Array(vec![Value::U32(6)])),
        ("llama.attention.head_count_kv", Value::U32(4)),
        ("llama.attention.key_length", Value::U32(7)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(f32::NAN)),
        ("llama.rope.freq_base", Value::F32(-1.0)),
        ("general.architecture", Value::U8(0)),
    ] {
        let result = Draft::small().set(key, value).load();
        assert!(matches!(result, Err(ModelError::Metadata { .. })), "{key}: {:?}", result.err());
    }
    for key in [
        "llama.embedding_length",
        "llama.attention.layer_norm_rms_epsilon",
        "general.architecture",
        "tokenizer.ggml.tokens",
    ] {
        assert!(matches!(Draft::small().without(key).load(), Err(ModelError::Metadata { .. })), "{key}");
    }
}

#[test]
fn every_error_says_what_to_do_next() {
    let error = Draft::small().set("general.architecture", Value::String("mamba".into())).load().err().unwrap();
    assert_eq!(
        error.to_string(),
        "architecture `mamba` is not supported; use a model whose general.architecture is llama or qwen2"
    );
}

#[test]
fn logits_do_not_depend_on_the_cache_and_attention_is_causal() {
    let model = Model::random_biased(Shape { tied: false, ..shape() }, 9).unwrap();
    let float = Float::new(&model).unwrap();
    let tokens = [5, 17, 200, 258, 0, 31, 77];
    let whole = float.logits(&tokens).unwrap();
    assert_eq!((whole.len(), whole[0].len()), (7, 259));
    let mut cache = Cache::default();
    let mut parts = float.extend(&mut cache, &tokens[..3], &mut |_, _, _| {}).unwrap();
    parts.extend(float.extend(&mut cache, &tokens[3..], &mut |_, _, _| {}).unwrap());
    for (a, b) in whole.iter().flatten().zip(parts.iter().flatten()) {
        assert!((a - b).abs() < 1e-4);
    }
    let mut other = tokens;
    other[6] = 3;
    let changed = float.logits(&other).unwrap();
    assert_eq!(whole[..6], changed[..6]);
    assert_ne!(whole[6], changed[6]);
    assert!(matches!(float.logits(&[259]), Err(ModelError::Token { token: 259, vocabulary: 259 })));
}

#[test]
fn watching_shows_every_site_with_its_size() {
    let model = Model::random(shape(), 9).unwrap();
    let mut seen = std::collections::BTreeMap::new();
    let mut watch = |site: Site, layer: usize, values: &[f32]| {
        *seen.entry((site, layer)).or_insert(0) += values.len();
    };
    Float::new(&model).unwrap().extend(&mut Cache::default(), &[1, 2, 3], &mut watch).unwrap();
    assert_eq!(seen[&(Site::Residual, 2)], 3 * 36);
    assert_eq!(seen[&(Site::Key, 0)], 3 * 18);
    assert_eq!(seen[&(Site::Scores, 1)], 6 * (1 + 2 + 3));
    assert_eq!(seen[&(Site::Hidden, 1)], 3 * 50);
    assert_eq!(seen[&(Site::Logits, 0)], 3 * 259);
    assert_eq!(seen.len(), 13 * 3 + 2);
}
