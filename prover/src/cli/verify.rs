//! Decides `zkllm verify`.

use super::{hex, load};
use crate::files;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use zkllm_verifier::{Verified, verify};

/// No honest card or receipt is larger.
const MAX_BYTES: u64 = 64 << 20;

#[derive(Args)]
pub struct Verify {
    /// The card.
    #[arg(long)]
    card: PathBuf,
    /// The receipt.
    receipt: PathBuf,
    /// A model file with the card's tokenizer, to show tokens as text.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub fn run(self) -> ExitCode {
        let read = |path| files::read(path, MAX_BYTES);
        let (card, receipt) = match (read(&self.card), read(&self.receipt)) {
            (Ok(card), Ok(receipt)) => (card, receipt),
            (Err(error), _) | (_, Err(error)) => {
                eprintln!("zkllm: {error}");
                return ExitCode::from(2);
            }
        };
        let start = Instant::now();
        let outcome = verify(&card, &receipt);
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(verified) => {
                self.report(&verified, seconds);
                ExitCode::SUCCESS
            }
            Err(refusal) => {
                if self.json {
                    println!(
                        "{}",
                        serde_json::json!({ "verdict": "refused", "code": refusal.code(), "verify_s": seconds })
                    );
                } else {
                    println!("refused: {refusal}");
                }
                ExitCode::from(if refusal.is_unusable() { 2 } else { 1 })
            }
        }
    }

    fn report(&self, verified: &Verified, seconds: f64) {
        let statement = verified.statement();
        let (prompt, answer) = statement.tokens().split_at(statement.prompt_length());
        let fingerprint = hex(verified.fingerprint());
        if self.json {
            println!(
                "{}",
                serde_json::json!({
                    "verdict": "proved", "code": "proved", "model": verified.name(), "fingerprint": fingerprint, "tokens": statement.tokens(),
                    "prompt_len": statement.prompt_length(), "verify_s": seconds,
                })
            );
            return;
        }
        println!("proved in {seconds:.2} s");
        println!("model        {:?} (the name is the owner's; the fingerprint is what is proved)", verified.name());
        println!("fingerprint  {fingerprint}");
        println!("prompt       {prompt:?}");
        println!("answer       {answer:?}");
        if let Some(path) = &self.model {
            match load(path) {
                Ok(model) => {
                    println!("prompt text  {:?}", model.tokenizer.decode(prompt));
                    println!("answer text  {:?}", model.tokenizer.decode(answer));
                }
                Err(error) => eprintln!("zkllm: {error:#}"),
            }
        }
        println!(
            "Every token of the answer is the arg max of the committed model's integer inference on all tokens before it."
        );
        println!("Not proved: where the weights come from, what the name says, and that the answer is true.");
    }
}
