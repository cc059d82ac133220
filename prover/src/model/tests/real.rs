//! Decides that two trained models are read as they were meant: the committed tiny one, and SmolLM2-135M-Instruct.

use super::*;

#[test]
fn the_tiny_model_knows_its_text() {
    let model = Model::load(&tiny()).unwrap();
    let tokens = model.tokenizer.encode_prompt(
        "In the beginning God created the heaven and the earth.\nAnd the earth was without form, and void",
    );
    let loss = Float::new(&model).unwrap().loss(&tokens).unwrap();
    assert!(loss < 3.2, "{loss} nats a token");
    assert_eq!((model.shape.vocabulary, model.shape.width, model.tokenizer.bos), (1000, 144, Some(0)));
}

#[test]
fn the_tiny_model_continues_as_when_it_was_trained() {
    let model = Model::load(&tiny()).unwrap();
    let float = Float::new(&model).unwrap();
    let prompt = model.tokenizer.encode_prompt("And the LORD said unto");
    let tokens = float.greedy(&prompt, 12, |token| model.tokenizer.is_end(token)).unwrap();
    assert_eq!(model.tokenizer.decode(&tokens), TINY_CONTINUATION);
}
const TINY_CONTINUATION: &str = " Moses, What is the LORD?\nAnd he said";

fn smollm() -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/models/SmolLM2-135M-Instruct.Q4_1.gguf");
    Model::load(&path).expect("run tools/fetch-model.sh first")
}

#[test]
#[ignore = "needs tools/fetch-model.sh (98 MB)"]
fn smollm_tokens_are_the_published_ones() {
    let model = smollm();
    let prompt = model.chat_tokens(&[Message::user("What is the capital of France?")]).unwrap();
    assert_eq!(prompt.len(), 37);
    assert_eq!(model.tokenizer.encode("12 345", false).len(), 6);
    for (text, expected) in SMOLLM_IDS {
        assert_eq!(model.tokenizer.encode(text, false), *expected, "{text:?}");
        assert_eq!(model.tokenizer.decode(expected), *text);
    }
}
/// Made by a separate program: the published regular expression and the file's merges, applied one by one.
const SMOLLM_IDS: &[(&str, &[u32])] = &[
    ("12 345", &[33, 34, 216, 35, 36, 37]),
    ("I'll say it's we've DON'T I'LL", &[57, 3060, 1643, 357, 506, 392, 3543, 422, 2154, 23, 68, 339, 23, 16421]),
    ("def f(x):\n    return x**2  # ok\n", &[1604, 275, 24, 104, 727, 472, 1003, 1792, 828, 34, 216, 907, 10907, 198]),
    (
        "héllo wörld 日本語 🦀",
        &[88, 2756, 31394, 267, 29989, 400, 17097, 241, 115, 40993, 179, 120, 248, 15107, 116, 218],
    ),
    ("   leading and trailing   ", &[256, 2899, 284, 35079, 333]),
    ("½ cup and Ⅷ and ٣٤", &[16738, 7118, 284, 216, 173, 223, 117, 284, 216, 164, 113, 164, 114]),
];

#[test]
#[ignore = "needs tools/fetch-model.sh (98 MB)"]
fn smollm_answers_paris() {
    let start = std::time::Instant::now();
    let model = smollm();
    println!("load {:?}", start.elapsed());
    assert_eq!(model.shape.layers, 30);
    let prompt = model.chat_tokens(&[Message::user("What is the capital of France?")]).unwrap();
    let float = Float::new(&model).unwrap();
    println!("weights {:?}", start.elapsed());
    let answer = float.greedy(&prompt, 20, |token| model.tokenizer.is_end(token)).unwrap();
    println!("answer {:?} {answer:?}", start.elapsed());
    assert_eq!(model.tokenizer.decode(&answer), "The capital of France is Paris.");
    assert_eq!(answer.len(), 8);
}
