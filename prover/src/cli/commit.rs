//! Decides `zkllm commit`.

use super::backend::{Chosen, Options as BackendOptions, with_backend};
use super::{load, out, peak_bytes, say, tell};
use crate::commit::folder::Folder;
use crate::commit::store::Secret;
use crate::hex;
use crate::infer::{Columns, multiply_on};
use crate::model::Model;
use crate::prove::blinding::Randomness;
use crate::quantise::compare::{Reading, accuracy};
use crate::quantise::{Options, QuantiseError, quantise_by};
use crate::session;
use anyhow::{Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;
use zkllm_verifier::card::Card;
use zkllm_verifier::limits;
use zkllm_verifier::name::visible;

/// Least percentage of the same greedy choices, and greatest divergence in nats a token, that need no word: those of SmolLM2
/// are 98.5 and 0.0004.
const USUAL: (f64, f64) = (92.0, 0.01);
/// The same, beyond which there is no card unless it is asked for.
const ACCEPTED: (f64, f64) = (80.0, 0.1);

#[derive(Args)]
pub struct Commit {
    /// The model: a GGUF file.
    model: PathBuf,
    /// Where model.card and model.secret go.
    #[arg(long)]
    out: PathBuf,
    /// Keep the card and the secret side that are there under other names, and write new ones.
    #[arg(long)]
    force: bool,
    /// Make a card also where the integers are far from the model in floating point.
    #[arg(long)]
    any_accuracy: bool,
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
    /// The name on the card; the one in the model file if not given.
    #[arg(long)]
    name: Option<String>,
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
        Ok(Options { name: self.name.clone(), chunk_log, context: self.context, ..Options::default() })
    }
}

/// A card without commitments and the model's integers, with a word on stderr.
pub fn quantise(backend: &Chosen, model: &Model, options: &Options) -> Result<(Card, Columns)> {
    if let Some(problem) = model.chat_problem() {
        tell!("warning: {problem}");
    }
    tell!("quantising and calibrating {}", visible(&model.name));
    Ok(with_backend!(backend, backend => quantise_by(&multiply_on(backend), model, options))?)
}

/// Commits to the integers, with progress on stderr.
pub fn commit(backend: &Chosen, card: &mut Card, columns: &Columns) -> Result<Secret> {
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("committing {bar:30} {pos}/{len} chunks, {eta} left")?);
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let randomness = Randomness::of_system()?;
    let secret = with_backend!(backend, backend => {
        session::commit(backend, card, columns, randomness, &progress)
    })?;
    bar.finish_and_clear();
    Ok(secret)
}

impl Commit {
    pub fn run(self) -> Result<()> {
        let start = Instant::now();
        let folder = Folder::new(&self.out, self.force)?;
        let backend = self.backend.open()?;
        let model = load(&self.model)?;
        let (mut card, columns) = quantise(&backend, &model, &self.settings.options(&model)?)?;
        let accuracy = self.accuracy(&model, &card, &columns)?;
        let secret = commit(&backend, &mut card, &columns)?;
        let written = folder.write(&card, &secret);
        for (from, to) in folder.kept.iter().filter(|(_, to)| to.exists()) {
            tell!("kept: what was {} is {} now", from.display(), to.display());
        }
        written?;
        let (fingerprint, bytes) = (hex(&card.fingerprint()), card.to_bytes().len());
        let seconds = start.elapsed().as_secs_f64();
        if self.json {
            out::json(&json!({
                "model": card.name, "fingerprint": fingerprint, "card_bytes": bytes, "commit_s": seconds, "peak_bytes": peak_bytes(),
                "accuracy": {
                    "tokens": accuracy.count(), "divergence_nats": accuracy.divergence(), "greedy_agreement_percent": accuracy.agreement(),
                },
            }));
        } else {
            say!(
                "model {}\nfingerprint {fingerprint}\ncard {bytes} bytes\naccuracy {:.5} nats a token from floating point, {:.0} % of greedy choices the same (of {})\n\
                 committed in {seconds:.1} s",
                card.name,
                accuracy.divergence(),
                accuracy.agreement(),
                accuracy.count()
            );
        }
        Ok(())
    }
    /// How far the integers are from the model: a warning, or an error where they are something else.
    fn accuracy(&self, model: &Model, card: &Card, columns: &Columns) -> Result<Reading> {
        let reading = accuracy(model, card, columns)?;
        let (agreement, divergence) = (reading.agreement(), reading.divergence());
        // Not a number is worse than all bounds.
        let worse = |bounds: (f64, f64)| !(agreement >= bounds.0 && divergence <= bounds.1);
        if worse(ACCEPTED) && !self.any_accuracy {
            return Err(QuantiseError::Inaccurate { agreement, divergence }.into());
        }
        if worse(USUAL) {
            tell!(
                "warning: as integers the model chooses {agreement:.0} % of its tokens as in floating point, {divergence:.3} \
                 nats a token away; answers will be of another quality than the file's"
            );
        }
        Ok(reading)
    }
}
