//! Decides `zkllm bench`: every figure of one run, made by one command.

use super::backend::{Chosen, Options, with_backend};
use super::commit::{Settings, commit, quantise};
use super::generate::answer;
use super::prompt::Ids;
use super::{Prompt, load, out, peak_bytes, random, say, shapes};
use crate::cost::{self, Cost};
use crate::model::{Model, random_tokens};
use crate::quantise::{Options as Quantise, uncalibrated};
use crate::session;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;
use std::time::Instant;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::verify;

#[derive(Args)]
pub struct Bench {
    /// The model: a GGUF file. Without one, random weights of `--shape`.
    model: Option<PathBuf>,
    /// The shape of random weights; then `--tokens` is how many tokens the statement has, the answer's included, 64 if not given.
    #[arg(long, value_parser = shapes(), default_value = "smollm2-135m", conflicts_with_all = ["model", "prompt"])]
    shape: String,
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
    pub fn run(mut self) -> Result<()> {
        let backend = self.backend.open()?;
        let (model, options) = self.subject(&backend)?;
        let start = Instant::now();
        let (mut card, columns) = quantise(&backend, &model, &options)?;
        let secret = commit(&backend, &mut card, &columns)?;
        let commit_s = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let (prompt, output) = answer(&backend, &card, &model, &columns, &self.prompt, false)?;
        let generate_s = start.elapsed().as_secs_f64();
        let statement = Statement::new(&card, [&prompt[..], &output].concat(), prompt.len())?;
        let start = Instant::now();
        let (receipt, phases) = super::prove::receipt(&backend, &card, &columns, &secret, &statement)?;
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
            "receipt_bytes": receipt.len(), "card_bytes": bytes.len(), "commit_s": commit_s, "generate_s": generate_s, "prove_s": prove_s, "phases_s": phases,
            "floor_s": floor_s, "verify_s": verify_s, "peak_bytes": peak_bytes(), "cores": cores,
            "unit_costs_ns": { "product": unit.product * 1e9, "addition": unit.addition * 1e9, "miller_loop": unit.miller_loop * 1e9 },
            "lookups": cost.leaves, "committed": cost.committed,
        });
        if self.json {
            out::json(&report);
        } else {
            say!("{}", serde_json::to_string_pretty(&report)?);
        }
        Ok(())
    }

    /// The model and how to quantise it. Of a shape: random weights, a random prompt, and the ranges that the prompt needs.
    fn subject(&mut self, backend: &Chosen) -> Result<(Model, Quantise)> {
        if let Some(path) = &self.model {
            let model = load(path)?;
            let options = self.settings.options(&model)?;
            return Ok((model, options));
        }
        let shape = &self.shape;
        let model = random(shape)?;
        let mut options = self.settings.options(&model)?;
        let outputs = self.prompt.max_tokens as usize;
        let length = match self.prompt.tokens.as_ref().map(|Ids(ids)| &ids[..]) {
            None => 64,
            Some([length]) => *length as usize,
            _ => bail!("without a model, --tokens is one number: how many tokens the statement has"),
        };
        // Calibration needs two tokens.
        let least = outputs + 2;
        if !(least..=options.context).contains(&length) {
            bail!(
                "--tokens {length} must be at least {least}, --max-tokens and a prompt of two, and not above --context {}",
                options.context
            );
        }
        let card = uncalibrated(&model, &options)?;
        let statement = Statement::new(&card, vec![0; length], length - outputs)?;
        let cost = Cost::of(&session::plan(&card, &statement)?);
        if let Some(why) = backend.shortage(&cost) {
            bail!("{shape} with {length} tokens does not fit: {why}; take fewer tokens or a smaller shape");
        }
        let tokens = random_tokens(&model.shape, 0, length - outputs);
        self.prompt.tokens = Some(Ids(tokens.clone()));
        self.prompt.ignore_end = true;
        options.calibration = vec![tokens];
        Ok((model, options))
    }
}
