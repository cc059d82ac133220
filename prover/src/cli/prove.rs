//! Decides `zkllm prove`.

use super::backend::{Chosen, Options, with_backend};
use super::generate::{answer, columns};
use super::{Prompt, load, out, peak_bytes, read_card, secret_path, tell};
use crate::commit::store::Secret;
use crate::cost::{self, Cost};
use crate::files::{self, Output, Readers};
use crate::infer::Columns;
use crate::prove::blinding::Randomness;
use crate::session;
use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Instant;
use zeroize::Zeroizing;
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
    /// Where the receipt goes; `-` is stdout, and the answer's text goes to stderr then.
    #[arg(long)]
    out: PathBuf,
    /// Replace a receipt that is there.
    #[arg(long)]
    force: bool,
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
        let path = secret_path(&self.card, self.secret.as_ref());
        let to = Output::new(&self.out, self.force, &[&self.card, &self.model, &path])?;
        if to.is_stdout() && self.json {
            bail!("--json and --out - both print on stdout; give --out a file");
        }
        let card = read_card(&self.card)?;
        let secret = Zeroizing::new(files::read(&path, Secret::length(&card) as u64)?);
        let secret = Secret::parse(&secret, &card).with_context(|| path.display().to_string())?;
        let backend = self.backend.open()?;
        let model = load(&self.model)?;
        let columns = columns(&card, &model)?;
        if session::digest(&columns) != secret.weights {
            return Err(session::SessionError::OtherWeights.into());
        }
        let start = Instant::now();
        let (prompt, output) = answer(&backend, &card, &model, &columns, &self.prompt, !self.json && !to.is_stdout())?;
        let generate_s = start.elapsed().as_secs_f64();
        let statement = Statement::new(&card, [&prompt[..], &output].concat(), prompt.len())?;
        let start = Instant::now();
        let (receipt, phases) = receipt(&backend, &card, &columns, &secret, &statement)?;
        let prove_s = start.elapsed().as_secs_f64();
        to.write(&receipt, Readers::All)?;
        if self.json {
            let cores = rayon::current_num_threads();
            let floor_s = Cost::of(&session::plan(&card, &statement)?)
                .floor(&with_backend!(&backend, backend => cost::measure(backend)), cores);
            out::json(&serde_json::json!({
                "model": card.name, "backend": backend.name(), "floor_s": floor_s, "cores": cores, "prompt_tokens": prompt.len(), "output_tokens": output.len(), "output_text": model.tokenizer.decode(&output),
                "receipt_bytes": receipt.len(), "generate_s": generate_s, "prove_s": prove_s, "phases_s": phases, "peak_bytes": peak_bytes(),
            }));
        } else {
            tell!(
                "proved {} tokens after {} in {prove_s:.1} s: {} bytes in {to}",
                output.len(),
                prompt.len(),
                receipt.len()
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
        tell!("warning: {why}; fewer tokens take less");
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
    let randomness = Randomness::of_system()?;
    let receipt = with_backend!(backend, backend => {
        session::receipt(backend, card, columns, secret, statement, randomness, &progress)
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
