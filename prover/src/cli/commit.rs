//! Decides `zkllm commit`.

use super::backend::{Chosen, Options as BackendOptions, with_backend};
use super::{hex, load, peak_bytes};
use crate::commit::store::Secret;
use crate::files::{self, Readers};
use crate::infer::{Columns, multiply_on};
use crate::model::Model;
use crate::prove::blinding::Blinding;
use crate::quantise::{Options, quantise_by};
use crate::session;
use anyhow::{Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::time::Instant;
use zkllm_verifier::card::Card;
use zkllm_verifier::limits;

#[derive(Args)]
pub struct Commit {
    /// The model: a GGUF file.
    model: PathBuf,
    /// Where model.card and model.secret go.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    backend: BackendOptions,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What a card fixes beside the model.
#[derive(Args)]
pub struct Settings {
    /// Most tokens of a statement.
    #[arg(long, default_value_t = 2048)]
    context: usize,
    /// log2 of the rows and of the columns of a committed chunk; chosen by the model's size if not given.
    #[arg(long)]
    chunk_log: Option<u32>,
}

impl Settings {
    /// How to quantise a model.
    pub fn options(&self, model: &Model) -> Result<Options> {
        let by_size = match model.shape.weights() {
            0..100_000 => 7,
            100_000..20_000_000 => 10,
            20_000_000..400_000_000 => 12,
            400_000_000..4_000_000_000 => 14,
            _ => 16,
        };
        // A chunk holds what the tokens attend to in one head: a square.
        let context = self.context.min(model.shape.context);
        let least = context.next_power_of_two().ilog2();
        let chunk_log = self.chunk_log.unwrap_or(by_size.max(least));
        if chunk_log == 0 || chunk_log as usize > limits::CHUNK_LOG {
            bail!("--chunk-log must lie between 1 and {}", limits::CHUNK_LOG);
        }
        if chunk_log < least {
            bail!(
                "chunks of 2^{chunk_log} rows hold statements of up to {} tokens, and the card would promise {context}; \
                 give --context {} or --chunk-log {least}",
                1 << chunk_log,
                1 << chunk_log
            );
        }
        Ok(Options { chunk_log, context: self.context, ..Options::default() })
    }

    /// Quantises a model and commits to it, with progress on stderr.
    pub fn commit(&self, backend: &Chosen, model: &Model) -> Result<(Card, Columns, Secret)> {
        commit(backend, model, &self.options(model)?)
    }
}

/// Quantises a model and commits to it, with progress on stderr.
pub fn commit(backend: &Chosen, model: &Model, options: &Options) -> Result<(Card, Columns, Secret)> {
    if let Some(problem) = model.chat_problem() {
        eprintln!("warning: {problem}");
    }
    eprintln!("quantising and calibrating {}", model.name);
    let (mut card, columns) = with_backend!(backend, backend => quantise_by(&multiply_on(backend), model, options))?;
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("committing {bar:30} {pos}/{len} chunks, {eta} left")?);
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let blinding = Blinding::new(&session::digest(&columns))?;
    let secret = with_backend!(backend, backend => {
        session::commit(backend, &mut card, &columns, blinding, &progress)
    })?;
    bar.finish_and_clear();
    Ok((card, columns, secret))
}

impl Commit {
    pub fn run(self) -> Result<()> {
        let start = Instant::now();
        let backend = self.backend.open()?;
        let model = load(&self.model)?;
        let (card, _, secret) = self.settings.commit(&backend, &model)?;
        let bytes = card.to_bytes();
        files::write(&self.out.join("model.secret"), &secret.to_bytes(&card), Readers::Owner)?;
        files::write(&self.out.join("model.card"), &bytes, Readers::All)?;
        let (fingerprint, seconds) = (hex(&card.fingerprint()), start.elapsed().as_secs_f64());
        if self.json {
            println!(
                "{}",
                serde_json::json!({ "model": card.name, "fingerprint": fingerprint, "card_bytes": bytes.len(), "commit_s": seconds, "peak_bytes": peak_bytes() })
            );
        } else {
            println!(
                "model {}\nfingerprint {fingerprint}\ncard {} bytes\ncommitted in {seconds:.1} s",
                card.name,
                bytes.len()
            );
        }
        Ok(())
    }
}
