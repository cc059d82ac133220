//! Decides `zkllm prove`.

use super::backend::{Chosen, Options, with_backend};
use super::generate::{answer, columns};
use super::{MAX_BYTES, Prompt, load, peak_bytes, read_card, secret_path};
use crate::commit::store::Secret;
use crate::cost::{self, Cost};
use crate::files::{self, Readers};
use crate::infer::Columns;
use crate::prove::blinding::Blinding;
use crate::session;
use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Instant;
use zkllm_verifier::card::Card;
use zkllm_verifier::statement::Statement;

#[derive(Args)]
pub struct Prove {
    /// The card.
    #[arg(long)]
    card: PathBuf,
    /// The model the card was made from.
    #[arg(long)]
    model: PathBuf,
    /// The secret side of the card; beside it if not given.
    #[arg(long)]
    secret: Option<PathBuf>,
    /// Where the receipt goes.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    prompt: Prompt,
    #[command(flatten)]
    backend: Options,
    /// Print one JSON object; the answer's text goes to stderr.
    #[arg(long)]
    json: bool,
}

impl Prove {
    pub fn run(self) -> Result<()> {
        let backend = self.backend.open()?;
        let (card, model) = (read_card(&self.card)?, load(&self.model)?);
        let path = secret_path(&self.card, self.secret.as_ref());
        let secret =
            Secret::parse(&files::read(&path, MAX_BYTES)?, &card).with_context(|| path.display().to_string())?;
        let columns = columns(&card, &model)?;
        if session::digest(&columns) != secret.weights {
            return Err(session::SessionError::OtherWeights.into());
        }
        let start = Instant::now();
        let (prompt, output) = answer(&backend, &card, &model, &columns, &self.prompt, !self.json)?;
        let generate_s = start.elapsed().as_secs_f64();
        let statement = Statement::new(&card, [&prompt[..], &output].concat(), prompt.len())?;
        let start = Instant::now();
        let (receipt, phases) = receipt(&backend, &card, &columns, &secret, &statement)?;
        let prove_s = start.elapsed().as_secs_f64();
        files::write(&self.out, &receipt, Readers::All)?;
        if self.json {
            let cores = rayon::current_num_threads();
            let floor_s = Cost::of(&session::plan(&card, &statement)?)
                .floor(&with_backend!(&backend, backend => cost::measure(backend)), cores);
            println!(
                "{}",
                serde_json::json!({
                    "model": card.name, "backend": backend.name(), "floor_s": floor_s, "cores": cores, "prompt_tokens": prompt.len(), "output_tokens": output.len(), "output_text": model.tokenizer.decode(&output),
                    "receipt_bytes": receipt.len(), "generate_s": generate_s, "prove_s": prove_s, "phases_s": phases, "peak_bytes": peak_bytes(),
                })
            );
        } else {
            eprintln!(
                "proved {} tokens after {} in {prove_s:.1} s: {} bytes in {}",
                output.len(),
                prompt.len(),
                receipt.len(),
                self.out.display()
            );
        }
        Ok(())
    }
}

/// Seconds of each phase of a proof, in order.
type Phases = serde_json::Map<String, serde_json::Value>;

/// Proves with a progress bar over the plan's steps.
pub fn receipt(
    backend: &Chosen,
    card: &Card,
    columns: &Columns,
    secret: &Secret,
    statement: &Statement,
) -> Result<(Vec<u8>, Phases)> {
    let plan = session::plan(card, statement)?;
    let cost = Cost::of(&plan);
    if let Some(why) = backend.shortage(&cost) {
        eprintln!("warning: {why}; fewer tokens take less");
    }
    // inference, chunks, tree, products and their operands that are products, opening, check
    let steps = plan.witness_chunks + 6;
    let style = ProgressStyle::with_template("proving {bar:30} {pos}/{len} {msg}, {elapsed} so far, {eta} left")?;
    let bar = ProgressBar::new(steps as u64).with_style(style);
    let steps = RefCell::new(vec![("start".to_string(), Instant::now())]);
    let progress = |step: &str| {
        bar.set_message(step.to_string());
        bar.inc(1);
        steps.borrow_mut().push((step.to_string(), Instant::now()));
    };
    let blinding = Blinding::new(&secret.weights)?;
    let receipt = with_backend!(backend, backend => {
        session::receipt(backend, card, columns, secret, statement, blinding, &progress)
    })?;
    bar.finish_and_clear();
    Ok((receipt, phases(steps.into_inner())))
}

/// What passed between the steps' beginnings and now, steps of one name together.
fn phases(steps: Vec<(String, Instant)>) -> Phases {
    let mut seconds: Vec<(&str, f64)> = Vec::new();
    let ends = steps.iter().skip(1).map(|(_, begin)| *begin).chain([Instant::now()]);
    for ((step, begin), end) in steps.iter().zip(ends) {
        let passed = (end - *begin).as_secs_f64();
        match seconds.iter_mut().find(|(name, _)| name == step) {
            Some((_, sum)) => *sum += passed,
            None => seconds.push((step, passed)),
        }
    }
    seconds.into_iter().map(|(name, seconds)| (name.to_string(), seconds.into())).collect()
}
