//! Decides `zkllm verify`.

use super::{load, out, say, tell};
use crate::files;
use crate::hex;
use crate::model::Model;
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use zkllm_verifier::card::Card;
use zkllm_verifier::limits;
use zkllm_verifier::{Verified, verify};

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
    pub fn run(self) -> Result<ExitCode> {
        let (card, receipt) = (files::read(&self.card, limits::FILE)?, files::read(&self.receipt, limits::FILE)?);
        let start = Instant::now();
        let outcome = verify(&card, &receipt);
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(verified) => {
                self.report(&verified, &Card::parse(&card)?, seconds);
                Ok(ExitCode::SUCCESS)
            }
            Err(refusal) => {
                if self.json {
                    out::json(&json!({ "verdict": "refused", "code": refusal.code(), "verify_s": seconds }));
                } else {
                    say!("refused: {refusal}");
                }
                Ok(ExitCode::from(if refusal.is_unusable() { 2 } else { 1 }))
            }
        }
    }

    fn report(&self, verified: &Verified, card: &Card, seconds: f64) {
        let statement = verified.statement();
        let (prompt, answer) = statement.tokens().split_at(statement.prompt_length());
        let fingerprint = hex(verified.fingerprint());
        let model = self.reader(card);
        let text = |tokens| model.as_ref().map(|model| model.tokenizer.describe(tokens));
        if self.json {
            let mut report = json!({
                "verdict": "proved", "code": "proved", "model": verified.name(), "fingerprint": fingerprint, "tokens": statement.tokens(),
                "prompt_len": statement.prompt_length(), "verify_s": seconds,
            });
            if let Some(model) = &model {
                report["prompt_text"] = model.tokenizer.decode(prompt).into();
                report["answer_text"] = model.tokenizer.decode(answer).into();
            }
            return out::json(&report);
        }
        say!("proved in {seconds:.2} s");
        say!("model        {:?} (the name is the owner's; the fingerprint is what is proved)", verified.name());
        say!("fingerprint  {fingerprint}");
        say!("prompt       {prompt:?}");
        say!("answer       {answer:?}");
        if let (Some(prompt), Some(answer)) = (text(prompt), text(answer)) {
            say!("prompt text  {prompt}");
            say!("answer text  {answer}");
        }
        say!(
            "Every token of the answer is the arg max of the committed model's integer inference on all tokens before it."
        );
        say!("Not proved: where the weights come from, what the name says, and that the answer is true.");
    }

    /// The model that `--model` names, if tokens and text belong together by its tokenizer: the card says which.
    fn reader(&self, card: &Card) -> Option<Model> {
        let path = self.model.as_ref()?;
        match load(path) {
            Ok(model) if model.tokenizer.digest() == card.tokenizer => Some(model),
            Ok(_) => {
                tell!(
                    "zkllm: no text: {} has another tokenizer than the card says; give the model the card was made from",
                    path.display()
                );
                None
            }
            Err(error) => {
                tell!("zkllm: no text: {error:#}");
                None
            }
        }
    }
}
