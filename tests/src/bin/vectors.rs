//! Decides `vectors`: writes the test vectors, or the inference vector of a model file.

use clap::{Args, Parser, Subcommand};
use std::ops::ControlFlow;
use std::path::PathBuf;
use zkllm_prover::infer;
use zkllm_prover::model::{Message, Model};
use zkllm_prover::quantise::weights;
use zkllm_tests::vectors;
use zkllm_verifier::card::Card;
use zkllm_verifier::program::Program;
use zkllm_verifier::statement::Statement;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write every vector into a folder.
    All { out: PathBuf },
    /// Write the inference vector of a model's greedy answer.
    Inference(Inference),
}

#[derive(Args)]
struct Inference {
    /// The model: a GGUF file.
    #[arg(long)]
    model: PathBuf,
    /// Its card.
    #[arg(long)]
    card: PathBuf,
    /// The prompt.
    #[arg(long)]
    prompt: String,
    /// Put the prompt into the model's chat template.
    #[arg(long)]
    chat: bool,
    /// Tokens of the answer.
    #[arg(long, default_value_t = 4)]
    max_tokens: usize,
    /// The folder to write.
    #[arg(long)]
    out: PathBuf,
}

fn main() {
    match Arguments::parse().command {
        Command::All { out } => vectors::generate(&out).expect("vectors"),
        Command::Inference(inference) => inference.run(),
    }
}

impl Inference {
    fn run(self) {
        let model = Model::load(&self.model).expect("a model");
        let card = Card::parse(&std::fs::read(&self.card).expect("a card")).expect("a card");
        let columns = weights(&model, &card).expect("the model of the card");
        let prompt = if self.chat {
            model.chat_tokens(&[Message::user(self.prompt.as_str())]).expect("a chat model")
        } else {
            model.tokenizer.encode_prompt(&self.prompt)
        };
        let answer = infer::generate(&card, &columns, &prompt, self.max_tokens, &[], |_| ControlFlow::Continue(()));
        let tokens = [&prompt[..], &answer.expect("an answer")].concat();
        let statement = Statement::new(&card, tokens, prompt.len()).expect("a statement");
        let program = Program::new(&card, &statement).expect("a program");
        let trace = infer::trace(&program, &columns).expect("an inference");
        vectors::inference::model(&self.out, &card, &columns, &statement, &trace).expect("files");
    }
}
