//! Decides what the command `zkllm` does: results on stdout, all else on stderr; exit 0 proved, 1 refused, 2 unusable.

mod backend;
mod bench;
mod commit;
mod doctor;
mod generate;
mod inspect;
mod prove;
mod verify;

use crate::files;
use crate::model::{Message, Model, Shape};
use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zkllm_kernels::device::catch;
use zkllm_kernels::memory::Memory;
use zkllm_verifier::card::Card;

/// Bytes of the largest card, receipt or secret side read.
const MAX_BYTES: u64 = 8 << 30;

/// Proves that an answer came from a language model, without showing the model.
#[derive(Parser)]
#[command(name = "zkllm", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Quantise a model and commit to it: writes DIR/model.card (public) and DIR/model.secret (keep it).
    Commit(commit::Commit),
    /// Answer a prompt in the proven integers, without a proof.
    Generate(generate::Generate),
    /// Answer a prompt and prove the answer.
    Prove(prove::Prove),
    /// Verify a receipt.
    Verify(verify::Verify),
    /// Print what a card or a receipt holds, and its program and plan.
    Inspect(inspect::Inspect),
    /// Forecast the bytes, memory and time of a proof.
    Cost(inspect::Cost),
    /// Commit, prove and verify in one go, and print the figures.
    Bench(bench::Bench),
    /// What this machine has to prove with, how fast it is, and whether it computes rightly.
    Doctor(doctor::Doctor),
}

/// A prompt, in one of three forms.
#[derive(Args)]
struct Prompt {
    /// The prompt as text.
    #[arg(long, conflicts_with = "tokens")]
    prompt: Option<String>,
    /// The prompt as token ids, separated by commas.
    #[arg(long, value_delimiter = ',')]
    tokens: Vec<u32>,
    /// Put the prompt into the model's chat template.
    #[arg(long, requires = "prompt")]
    chat: bool,
    /// Most tokens of the answer.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// Go on past the model's end-of-text token.
    #[arg(long)]
    ignore_end: bool,
}

impl Prompt {
    /// The prompt's tokens.
    fn encode(&self, model: &Model) -> Result<Vec<u32>> {
        let tokens = match (&self.prompt, self.chat) {
            (Some(text), true) => model.chat_tokens(&[Message::user(text.as_str())])?,
            (Some(text), false) => model.tokenizer.encode_prompt(text),
            (None, _) if self.tokens.is_empty() => bail!("give a prompt: --prompt TEXT or --tokens IDS"),
            (None, _) => self.tokens.clone(),
        };
        if tokens.is_empty() {
            bail!("the prompt has no tokens; give a longer one");
        }
        if let Some(token) = tokens.iter().find(|&&token| token as usize >= model.shape.vocabulary) {
            bail!("token {token} is not in the model's vocabulary of {}", model.shape.vocabulary);
        }
        Ok(tokens)
    }

    /// The tokens that end an answer.
    fn stop(&self, model: &Model) -> Vec<u32> {
        let end = |token: &u32| !self.ignore_end && model.tokenizer.is_end(*token);
        (0..model.shape.vocabulary as u32).filter(end).collect()
    }
}

/// Runs the command line.
pub fn main() -> ExitCode {
    // A file is written aside and renamed: stopping in the middle leaves nothing half-written.
    let _ = ctrlc::set_handler(|| {
        eprintln!("\nzkllm: stopped; nothing was written");
        std::process::exit(130);
    });
    // A fault of a GPU ends what runs; files are written at the end, so there is no part of a receipt.
    let outcome = match catch(|| run(Arguments::parse().command)) {
        Ok(outcome) => outcome,
        Err(fault) => Err(fault.into()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("zkllm: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Commit(command) => command.run(),
        Command::Generate(command) => command.run(),
        Command::Prove(command) => command.run(),
        Command::Verify(command) => return Ok(command.run()),
        Command::Inspect(command) => command.run(),
        Command::Cost(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Doctor(command) => command.run(),
    }
    .map(|()| ExitCode::SUCCESS)
}

fn load(path: &Path) -> Result<Model> {
    Model::load(path).with_context(|| format!("cannot use the model {}", path.display()))
}

/// Names of shapes that random weights can be had for.
fn shapes() -> PossibleValuesParser {
    PossibleValuesParser::new(Shape::names())
}

/// A model of that shape with random weights.
fn random(shape: &str) -> Result<Model> {
    let mut model = Model::random(Shape::named(shape).context("no such shape")?, 0)?;
    model.name = format!("{shape}, random weights");
    Ok(model)
}

/// GiB, rounded up.
fn gib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 30)
}

fn read_card(path: &Path) -> Result<Card> {
    let bytes = files::read(path, MAX_BYTES)?;
    Card::parse(&bytes).with_context(|| format!("{} is not a model card this version reads", path.display()))
}

/// The secret side of a card stands beside it unless said otherwise.
fn secret_path(card: &Path, secret: Option<&PathBuf>) -> PathBuf {
    secret.cloned().unwrap_or_else(|| card.with_extension("secret"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The machine's memory in bytes, if the system says.
fn memory_bytes() -> Option<u64> {
    Memory::now().map(|memory| memory.total)
}

/// The most memory the process has held, in bytes, if the system says.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

/// As above.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn peak_bytes() -> Option<u64> {
    // SAFETY: a structure of integers, of which zeroes are values.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is the function's to fill.
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) } != 0 {
        return None;
    }
    // Apple's systems count bytes, others KiB.
    let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    Some(u64::try_from(usage.ru_maxrss).ok()? * unit)
}

/// As above.
#[cfg(not(unix))]
fn peak_bytes() -> Option<u64> {
    None
}
