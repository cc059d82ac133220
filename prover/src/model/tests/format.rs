//! Decides that a GGUF file means one thing or is refused, sentence by sentence of ggml's `docs/gguf.md`.
//!
//! | the document | what is done | test |
//! |---|---|---|
//! | magic "Must be `GGUF` at the byte level" | other files are named | `what_is_not_gguf_is_named` |
//! | version "Must be `3`" | 3, and 2, which differs in nothing; others are named | `other_versions_and_byte_orders_are_named` |
//! | "there is no way to determine if a model is big-endian" | the version tells, as in llama.cpp; refused | the same |
//! | `<Shard>`, `<Type>` in names | `split.count` and `general.type` are read instead | `parts_of_models_are_named` |
//! | tensor and metadata counts | bounded by what can follow, and by 65,536 | `counts_and_sizes_are_bounded` |
//! | a key "must be a valid ASCII string", "at most 2^16-1 bytes" | refused if not, or empty | `keys_are_ascii_and_short` |
//! | a key is "`lower_snake_case`" | not asked for: converters write others; compared byte by byte | |
//! | (nothing on keys or tensors that occur twice) | refused, as in llama.cpp | `what_occurs_twice_is_refused` |
//! | value types 0 to 12 | others are refused | `values_are_of_known_types` |
//! | bool: "Anything else is invalid" | refused | the same |
//! | string: "a UTF-8 non-null-terminated string" | refused if not UTF-8; a 0 is a character | `text_is_utf8_to_its_last_byte` |
//! | array: "Any value type is valid, including arrays" | walked to a depth of 8 | `values_are_of_known_types` |
//! | alignment: "uint32", "must be a multiple of 8", else 32 | any integer; a power of 2 too, as in llama.cpp | `the_alignment_is_read_in_every_type_of_integer`, `other_alignments_are_refused` |
//! | "padded with `0x00` bytes" | not looked at: nothing is read from there | |
//! | tensor names "at most 64 bytes", "at most 4" dimensions | refused if more | `counts_and_sizes_are_bounded` |
//! | sizes of tensors | no product over 2^60; then exactly those of the model | the same, `missing_extra_and_misshapen_tensors_are_refused` |
//! | `ggml_type` | types that are not decoded are named | `unsupported_storage_is_refused` |
//! | offset "Must be a multiple of `ALIGNMENT`" | refused if not | `tensors_lie_apart_and_inside_the_file` |
//! | "Each tensor's data must be stored within this array" | inside the file, no two share a byte | the same |
//! | (nothing on gaps, order, or what follows) | free | `gaps_order_and_what_follows_mean_nothing` |
//! | `general.architecture` is required, of type string | refused by name | `values_of_another_type_are_refused_by_their_key` |
//! | `general.quantization_version` "_must_ be present" | 2 or absent: GGUF has had no other | `variations_that_the_document_has_are_refused` |
//! | counts "are `uint64` .. support both" | any integer of at least 0 | `counts_are_read_in_every_type_of_integer` |
//! | `use_parallel_residual`, `max_alibi_bias`, `clamp_kqv`, `rope.scal*`, `tensor_data_layout`, experts | refused unless they change nothing | `variations_that_the_document_has_are_refused`, `unsupported_variations_are_refused` |
//! | `scores`, `token_type` "must have the same length" | refused if not; kinds are 0 to 6 | `damaged_vocabularies_are_refused` |
//! | `added_tokens` | refused unless they are tokens | the same |
//! | `chat_template: string` | refused if of another type | `values_of_another_type_are_refused_by_their_key` |
//! | `tokenizer.huggingface.json` | not read: "if your executor uses this library" | |

use super::raw::{KINDS, array, text};
use super::*;

/// Every tensor is that of the other model.
fn same_weights(a: &Model, b: &Model) {
    for kind in Kind::ALL.into_iter().filter(|kind| a.has(*kind)) {
        for layer in 0..if kind.per_layer() { a.shape.layers } else { 1 } {
            assert_eq!(a.tensor(kind, layer).unwrap(), b.tensor(kind, layer).unwrap(), "{kind:?} {layer}");
        }
    }
}

/// A number as a value of a type.
fn integer(kind: u32, number: i128) -> Vec<u8> {
    let size = match KINDS[kind as usize] {
        "u8" | "i8" => 1,
        "u16" | "i16" => 2,
        "u32" | "i32" => 4,
        _ => 8,
    };
    number.to_le_bytes()[..size].into()
}

const INTEGERS: [u32; 8] = [0, 1, 2, 3, 4, 5, 10, 11];

#[test]
fn the_alignment_is_read_in_every_type_of_integer() {
    let model = Model::random(shape(), 1).unwrap();
    for alignment in [8, 16, 64] {
        for kind in INTEGERS {
            // Fillers of several lengths, so that the header ends at several remainders.
            for filler in [0, 24, 48] {
                let raw = Raw::small().and("general.alignment", kind, &integer(kind, alignment)).and(
                    "filler",
                    8,
                    &text(&vec![b'x'; filler]),
                );
                let read = Raw { alignment: alignment as usize, ..raw }.load().unwrap();
                same_weights(&model, &read);
            }
        }
    }
}

#[test]
fn other_alignments_are_refused() {
    let alignments = [0i128, 1, 4, 24, 33, -8, 1 << 33];
    for (kind, alignment) in INTEGERS.iter().flat_map(|kind| alignments.map(|alignment| (*kind, alignment))) {
        let bytes = integer(kind, alignment);
        // What the type cannot hold is another number.
        let fits = matches!(KINDS[kind as usize], "u64" | "i64") || (0..100).contains(&alignment);
        let result = Raw::small().and("general.alignment", kind, &bytes).load();
        let refused = matches!(&result, Err(ModelError::Metadata { key, .. }) if key == "general.alignment");
        assert!(refused || !fits, "{} {alignment}: {:?}", KINDS[kind as usize], result.err());
    }
    for (kind, bytes) in [(6, 32f32.to_le_bytes().to_vec()), (7, vec![1]), (8, text(b"32"))] {
        let result = Raw::small().and("general.alignment", kind, &bytes).load();
        assert!(matches!(result, Err(ModelError::Metadata { .. })), "{kind}");
    }
}

#[test]
fn what_occurs_twice_is_refused() {
    let mut raw = Raw::small();
    let mut second = raw.tensors[3].clone();
    second.data.iter_mut().for_each(|byte| *byte ^= 1);
    let name = String::from_utf8(second.name.clone()).unwrap();
    raw.tensors.push(second);
    assert!(matches!(raw.load(), Err(ModelError::Ambiguous { what }) if what.contains(&name)));
    for (key, value) in [
        ("llama.rope.freq_base", Value::F32(10000.0)),
        ("llama.attention.head_count_kv", Value::U32(6)),
        ("general.name", Value::String("another".into())),
    ] {
        let mut raw = Raw::small().set(key, &value);
        raw.entries.push(raw.entries.last().unwrap().clone());
        assert!(matches!(raw.load(), Err(ModelError::Ambiguous { what }) if what.contains(key)), "{key}");
    }
}

#[test]
fn tensors_lie_apart_and_inside_the_file() {
    let raw = Raw::small();
    let (first, second) = ("token_embd.weight", "blk.0.attn_k.weight");
    let place = |offset| raw.clone().tensor(second, |tensor| tensor.offset = Some(offset)).load();
    assert!(matches!(place(0), Err(ModelError::Ambiguous { what }) if what.contains(first) && what.contains(second)));
    assert!(matches!(place(64), Err(ModelError::Ambiguous { .. })));
    for offset in [1, 31, 33, u64::MAX] {
        assert!(matches!(place(offset), Err(ModelError::Misplaced { name, .. }) if name == second), "{offset}");
    }
    for offset in [u64::MAX - 31, 1 << 40, raw.bytes().len() as u64 & !31] {
        assert!(matches!(place(offset), Err(ModelError::Truncated { name, .. }) if name == second), "{offset}");
    }
}

#[test]
fn gaps_order_and_what_follows_mean_nothing() {
    let model = Model::random(shape(), 1).unwrap();
    let mut raw = Raw::small();
    raw.rest = vec![0xff; 1000];
    same_weights(&model, &raw.load().unwrap());
    raw.tensors.reverse();
    for tensor in &mut raw.tensors {
        let padded = tensor.data.len().next_multiple_of(32);
        tensor.data.resize(padded + 64, 0xff);
    }
    same_weights(&model, &raw.load().unwrap());
    raw.entries.reverse();
    same_weights(&model, &raw.load().unwrap());
}

#[test]
fn counts_and_sizes_are_bounded() {
    let raw = Raw::small();
    let damaged = |raw: Raw, reason: &str| {
        let result = raw.load();
        assert!(
            matches!(&result, Err(ModelError::Header { reason: found }) if found.contains(reason)),
            "{reason}: {:?}",
            result.err()
        );
    };
    let [tensors, entries] = [raw.tensors.len() as u64, raw.entries.len() as u64];
    for counts in [[u64::MAX, entries], [tensors, u64::MAX], [1 << 62, 1 << 62], [1 << 40, entries]] {
        damaged(Raw { counts: Some(counts), ..raw.clone() }, "announced");
    }
    damaged(Raw { counts: Some([70_000, 3]), rest: vec![0; 3 << 20], ..raw.clone() }, "allowed");
    let name = "token_embd.weight";
    damaged(raw.clone().tensor(name, |tensor| tensor.dims = vec![1 << 40, 1 << 40]), "more weights");
    damaged(raw.clone().tensor(name, |tensor| tensor.dims = vec![u64::MAX, 2]), "more weights");
    damaged(raw.clone().tensor(name, |tensor| tensor.dims = vec![36, 259, 1, 1, 1]), "5 axes");
    damaged(raw.clone().tensor(name, |tensor| tensor.name = vec![b'x'; 65]), "65 bytes");
    for dims in [vec![], vec![0, 259], vec![36, 0], vec![36 * 259], vec![1 << 59, 1]] {
        let result = raw.clone().tensor(name, |tensor| tensor.dims = dims.clone()).load();
        assert!(result.is_err(), "{dims:?}");
    }
    for (kind, least) in [(0, 1u64), (8, 8), (9, 12), (10, 8)] {
        let endless = [&u32::to_le_bytes(kind)[..], &(u64::MAX / least).to_le_bytes()].concat();
        damaged(raw.clone().and("list", 9, &endless), "announced");
    }
}

#[test]
fn keys_are_ascii_and_short() {
    for key in ["", "größe", &"k".repeat(65_536)] {
        assert!(matches!(Raw::small().and(key, 0, &[0]).load(), Err(ModelError::Header { .. })), "{:.9}", key);
    }
    for key in ["Other-Key", &"k".repeat(65_535)] {
        assert!(Raw::small().and(key, 0, &[0]).load().is_ok());
    }
    let mut raw = Raw::small().and("x", 0, &[0]);
    raw.entries.last_mut().unwrap().0 = vec![0xff];
    assert!(matches!(raw.load(), Err(ModelError::Header { .. })));
}

#[test]
fn values_are_of_known_types() {
    let refused = |kind: u32, bytes: &[u8], reason: &str| {
        let result = Raw::small().and("extra", kind, bytes).load();
        assert!(matches!(&result, Err(ModelError::Header { reason: found }) if found.contains(reason)), "{reason}");
    };
    refused(13, &[0; 8], "unknown value type 13");
    refused(u32::MAX, &[0; 8], "unknown value type");
    refused(7, &[2], "a boolean of 2");
    refused(9, &array(7, &[vec![1], vec![255]]), "a boolean of 255");
    refused(9, &array(99, &[vec![0; 12]]), "unknown value type 99");
    let nested = |depth| (0..depth).fold(array(0, &[vec![1]]), |inner, _| array(9, &[inner]));
    assert!(Raw::small().and("extra", 9, &nested(7)).load().is_ok());
    refused(9, &nested(8), "arrays in arrays");
    refused(9, &nested(5000), "arrays in arrays");
}

#[test]
fn text_is_utf8_to_its_last_byte() {
    for key in ["general.name", "unused"] {
        let raw = Raw::small().and(key, 8, &text(b"a\xffb"));
        assert!(matches!(raw.load(), Err(ModelError::Header { reason }) if reason.contains("not UTF-8")), "{key}");
    }
    let mut tokens: Vec<Vec<u8>> =
        (0..=255u32).map(|byte| text(byte_level_text(byte as u8).to_string().as_bytes())).collect();
    tokens.extend([text(b"<|x|>"), text(b"<|x|>\0"), text(b"<|x\xff")]);
    let with = |tokens: &[Vec<u8>]| {
        let mut raw = Raw::small();
        raw.entries.retain(|(key, _, _)| key != b"tokenizer.ggml.tokens");
        raw.and("tokenizer.ggml.tokens", 9, &array(8, tokens)).load()
    };
    assert!(matches!(with(&tokens), Err(ModelError::Header { .. })));
    tokens[258] = text(b"<|x|>\0\0");
    let tokenizer = with(&tokens).unwrap().tokenizer;
    assert_eq!(tokenizer.encode("<|x|>\0\0<|x|><|x|>\0", true), [258, 256, 257]);
    let architecture = Raw::small().set("general.architecture", &Value::String("llama\0".into()));
    assert!(matches!(architecture.load(), Err(ModelError::Architecture { .. })));
}

#[test]
fn what_is_not_gguf_is_named() {
    for (bytes, name) in [
        (&b""[..], "empty"),
        (b"lmgg\x01\0\0\0", "GGML"),
        (b"fmgg\x01\0\0\0", "GGMF"),
        (b"tjgg\x03\0\0\0", "GGJT"),
        (b"algg\x01\0\0\0", "GGLA"),
        (b"FUGG\0\0\0\x03", "byte order"),
        (b"PK\x03\x04 a zip file", "PyTorch"),
        (b"\x80\x02ctorch", "pickle"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x10\x02\0\0\0\0\0\0{\"__metadata__\":", "safetensors"),
        (b"{\"architectures\":", "JSON"),
        (b"\x1f\x8b\x08\0", "compressed"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"\n<!DOCTYPE html>", "web page"),
        (b"GGU", "not a GGUF"),
        (b"hello", "not a GGUF"),
    ] {
        let error = load_bytes(bytes).err().unwrap();
        assert!(matches!(&error, ModelError::Foreign { .. }), "{name}: {error}");
        assert!(error.to_string().contains(name) && error.to_string().contains("; "), "{name}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Model::load(folder.path()), Err(ModelError::Foreign { found, .. }) if found == "a folder"));
}

#[test]
fn other_versions_and_byte_orders_are_named() {
    let load = |version| Raw { version, ..Raw::small() }.load();
    assert!(load(2).is_ok() && load(3).is_ok());
    for (version, name) in [(1, "version 1"), (4, "version 4"), (3u32.swap_bytes(), "big-endian"), (0, "version 0")] {
        let error = load(version).err().unwrap();
        assert!(matches!(&error, ModelError::Foreign { found, .. } if found.contains(name)), "{version}: {error}");
    }
}

#[test]
fn parts_of_models_are_named() {
    for (key, value, name) in [
        ("split.count", Value::U16(3), "of 3 shards"),
        ("split.count", Value::I64(2), "of 2 shards"),
        ("general.type", Value::String("adapter".into()), "`adapter`"),
        ("general.type", Value::String("mmproj".into()), "`mmproj`"),
    ] {
        let error = Raw::small().set(key, &value).load().err().unwrap();
        assert!(matches!(&error, ModelError::Foreign { found, .. } if found.contains(name)), "{key}: {error}");
    }
    assert!(Raw::small().set("split.count", &Value::U16(1)).load().is_ok());
    assert!(Raw::small().set("general.type", &Value::String("model".into())).load().is_ok());
}

#[test]
fn values_of_another_type_are_refused_by_their_key() {
    for (key, value) in [
        ("general.architecture", Value::Array(vec![Value::String("llama".into())])),
        ("general.name", Value::U32(1)),
        ("general.type", Value::Bool(true)),
        ("general.quantization_version", Value::F32(2.0)),
        ("split.count", Value::F64(1.0)),
        ("llama.context_length", Value::F32(40.0)),
        ("llama.block_count", Value::I32(-3)),
        ("llama.rope.freq_base", Value::U32(10000)),
        ("llama.rope.scaling.type", Value::U32(0)),
        ("llama.tensor_data_layout", Value::U32(0)),
        ("tokenizer.chat_template", Value::Array(vec![Value::String("x".into())])),
        ("tokenizer.ggml.model", Value::U32(0)),
        ("tokenizer.ggml.pre", Value::U32(0)),
        ("tokenizer.ggml.tokens", Value::Array(vec![Value::U32(0)])),
        ("tokenizer.ggml.merges", Value::String("a b".into())),
        ("tokenizer.ggml.token_type", Value::Array(vec![Value::F32(1.0); 259])),
        ("tokenizer.ggml.token_type", Value::Array(vec![Value::I32(7); 259])),
        ("tokenizer.ggml.token_type", Value::Array(vec![Value::I32(-1); 259])),
        ("tokenizer.ggml.bos_token_id", Value::I32(-1)),
        ("tokenizer.ggml.eot_token_id", Value::String("2".into())),
        ("tokenizer.ggml.fim_pad_token_id", Value::F32(2.0)),
        ("tokenizer.ggml.add_bos_token", Value::U8(1)),
    ] {
        let result = Raw::small().set(key, &value).load();
        let named = matches!(&result, Err(ModelError::Metadata { key: found, .. }) if found == key);
        assert!(named, "{key} = {value:?}: {:?}", result.err());
    }
}

#[test]
fn counts_are_read_in_every_type_of_integer() {
    for kind in INTEGERS {
        let mut raw = Raw::small();
        raw.entries.retain(|(key, _, _)| key != b"llama.block_count");
        assert_eq!(raw.and("llama.block_count", kind, &integer(kind, 3)).load().unwrap().shape.layers, 3);
    }
}

#[test]
fn variations_that_the_document_has_are_refused() {
    for (key, neutral, other) in [
        ("general.quantization_version", Value::U32(2), Value::U32(1)),
        ("llama.use_parallel_residual", Value::Bool(false), Value::Bool(true)),
        ("llama.attention.max_alibi_bias", Value::F32(0.0), Value::F32(8.0)),
        ("llama.attention.clamp_kqv", Value::F32(0.0), Value::F32(8.0)),
        ("llama.rope.scale", Value::F32(1.0), Value::F32(4.0)),
        ("llama.rope.scale_linear", Value::F32(1.0), Value::F32(4.0)),
        ("llama.rope.scaling.type", Value::String("none".into()), Value::String("linear".into())),
        ("llama.rope.scaling.factor", Value::F32(1.0), Value::F32(4.0)),
        ("llama.tensor_data_layout", Value::String("Meta AI original pth".into()), Value::String("jploski".into())),
        ("llama.expert_count", Value::U32(0), Value::U32(8)),
        ("tokenizer.ggml.add_eos_token", Value::Bool(false), Value::Bool(true)),
    ] {
        assert!(Raw::small().set(key, &neutral).load().is_ok(), "{key}");
        let result = Raw::small().set(key, &other).load();
        assert!(matches!(result, Err(ModelError::Unsupported { .. })), "{key}: {:?}", result.err());
    }
}
