//! Decides `zkllm bench`: every figure of one run, made by one command.

use super::backend::{Options, with_backend};
use super::commit::Settings;
use super::generate::answer;
use super::{Prompt, load, peak_bytes};
use crate::cost::{self, Cost};
use crate::session;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::time::Instant;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::verify;

#[derive(Args)]
pub struct Bench {
    /// The model: a GGUF file.
    model: PathBuf,
    #[command(flatten)]
    prompt: Prompt,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    backend: Options,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub fn run(self) -> Result<()> {
        let backend = self.backend.open()?;
        let model = load(&self.model)?;
        let start = Instant::now();
        let (card, columns, secret) = self.settings.commit(&backend, &model)?;
        let commit_s = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let (prompt, output) = answer(&card, &model, &columns, &self.prompt, false)?;
        let generate_s = start.elapsed().as_secs_f64();
        let statement = Statement::new(&card, [&prompt[..], &output].concat(), prompt.len())?;
        let start = Instant::now();
        let receipt = super::prove::receipt(&backend, &card, &columns, &secret, &statement)?;
        let prove_s = start.elapsed().as_secs_f64();
        let bytes = card.to_bytes();
        let start = Instant::now();
        verify(&bytes, &receipt)?;
        let verify_s = start.elapsed().as_secs_f64();
        let cores = rayon::current_num_threads();
        let unit = with_backend!(&backend, backend => cost::measure(backend));
        let cost = Cost::of(&session::plan(&card, &statement)?);
        let floor_s = cost.floor(&unit, cores);
        let report = serde_json::json!({
            "model": card.name, "backend": backend.name(), "prompt_tokens": prompt.len(), "output_tokens": output.len(), "output_text": model.tokenizer.decode(&output),
            "receipt_bytes": receipt.len(), "card_bytes": bytes.len(), "commit_s": commit_s, "generate_s": generate_s, "prove_s": prove_s,
            "floor_s": floor_s, "verify_s": verify_s, "peak_bytes": peak_bytes(), "cores": cores,
            "unit_costs_ns": { "product": unit.product * 1e9, "addition": unit.addition * 1e9, "miller_loop": unit.miller_loop * 1e9 },
            "lookups": cost.leaves, "committed": cost.committed,
        });
        if self.json {
            println!("{report}");
        } else {
            println!("{}", serde_json::to_string_pretty(&report)?);
        }
        Ok(())
    }
}
