//! Decides that two trained models are read as they were meant: the committed tiny one, and SmolLM2-135M-Instruct.

use super::*;

#[test]
fn the_tiny_model_knows_its_text() {
    let model = Model::load(&tiny()).unwrap();
    let tokens = model.tokenizer.encode_prompt("In the beginning God created the heaven and the earth.\nAnd the earth was without form, and void");
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
const SMOLLM_IDS: &[(&str, &[u32])] = &[];

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
