//! Decides what the command `zkllm` does: results on stdout, all else on stderr; exit 0 proved, 1 refused, 2 unusable.

mod backend;
mod bench;
mod commit;
mod doctor;
mod generate;
mod inspect;
mod out;
mod process;
mod prompt;
mod prove;
mod verify;

use crate::files;
use crate::model::{Model, Shape};
use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use out::{say, tell};
use prompt::Prompt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zkllm_kernels::memory::Memory;
use zkllm_verifier::card::Card;
use zkllm_verifier::limits;

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

/// Runs the command line: 0 proved or done, 1 refused, 2 unusable, whatever happens.
pub fn main() -> ExitCode {
    process::guarded(|| match Arguments::try_parse() {
        Ok(arguments) => run(arguments.command),
        // Help and version are what was asked for.
        Err(asked) if !asked.use_stderr() => {
            out::print(format_args!("{}", asked.render()));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            out::stream(&error.render().to_string());
            Ok(ExitCode::from(2))
        }
    })
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Commit(command) => command.run(),
        Command::Generate(command) => command.run(),
        Command::Prove(command) => command.run(),
        Command::Verify(command) => return command.run(),
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
    let bytes = files::read(path, limits::FILE)?;
    Card::parse(&bytes).with_context(|| format!("{} is not a model card this version reads", path.display()))
}

/// The secret side of a card stands beside it unless said otherwise.
fn secret_path(card: &Path, secret: Option<&PathBuf>) -> PathBuf {
    secret.cloned().unwrap_or_else(|| card.with_extension("secret"))
}

/// The machine's memory in bytes, if the system says.
fn memory_bytes() -> Option<u64> {
    Memory::now().map(|memory| memory.total)
}

/// The most memory the process has held, in bytes, if the system says.
fn peak_bytes() -> Option<u64> {
    Some(process::status("VmHWM:")?.trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}
