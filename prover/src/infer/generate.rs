//! Decides which tokens a model answers: the greedy ones, the lowest index among equals.

use super::evaluate::unsupported;
use super::execute::Executor;
use super::multiply::{Multiply, ON_CPU};
use super::tensor::Cells;
use super::{Columns, InferError};
use std::ops::ControlFlow;
use zkllm_verifier::card::Card;
use zkllm_verifier::program::Program;
use zkllm_verifier::statement::Statement;

/// Positions of a text that are run at once: of each there is a score for every position before it, in several tensors.
const SLICE: usize = 128;

impl Executor<'_> {
    /// The arg max of the logits of each output that was run last, the lowest index among equals.
    ///
    /// # Errors
    /// `Unsupported` for a program without an output head.
    pub fn greedy(&mut self) -> Result<Vec<u32>, InferError> {
        let head =
            self.structure.head.ok_or_else(|| unsupported("the output head", "the program compares no logits"))?;
        let count = self.slice[head.vocabulary].len();
        let logits = self.product(head.logits)?;
        let best = |row: usize, value: &dyn Fn(usize) -> i128| {
            let beats = |best: usize, index: usize| {
                if value(row * count + index) > value(row * count + best) { index } else { best }
            };
            (1..count).fold(0, beats) as u32
        };
        let rows = self.slice[head.output].len();
        Ok((0..rows)
            .map(|row| match &logits.cells {
                Cells::Ints(ints) => best(row, &|index| i128::from(ints.get(index))),
                Cells::Wide(values) => best(row, &|index| values[index]),
            })
            .collect())
    }
}

/// Answers `prompt` with at most `most` tokens, fewer if one of `stop` comes (it is the last one then) or if
/// `on_token`, which is given every token, breaks.
///
/// # Errors
/// `Refused` if prompt and answer do not fit the card, and what [`Executor`] refuses.
pub fn generate(
    card: &Card,
    columns: &Columns,
    prompt: &[u32],
    most: usize,
    stop: &[u32],
    on_token: impl FnMut(u32) -> ControlFlow<()>,
) -> Result<Vec<u32>, InferError> {
    generate_by(ON_CPU, card, columns, prompt, most, stop, on_token)
}

/// [`generate`], matrices multiplied by `multiply`.
pub fn generate_by(
    multiply: Multiply<'_>,
    card: &Card,
    columns: &Columns,
    prompt: &[u32],
    most: usize,
    stop: &[u32],
    mut on_token: impl FnMut(u32) -> ControlFlow<()>,
) -> Result<Vec<u32>, InferError> {
    // Later tokens are not known yet; nothing reads them before they are.
    let mut tokens = prompt.to_vec();
    tokens.resize(prompt.len() + most, 0);
    let program = |tokens: &[u32]| -> Result<Program, InferError> {
        Ok(Program::new(card, &Statement::new(card, tokens.to_vec(), prompt.len())?)?)
    };
    let first = program(&tokens)?;
    let head = super::structure::Structure::of(&first).head;
    let head = head.ok_or_else(|| unsupported("the output head", "the program compares no logits"))?;
    let mut executor = Executor::towards(multiply, head.logits, first, columns)?;
    let mut done = 0;
    for output in 0..most {
        let known = prompt.len() + output;
        // Of a prompt only the last position answers.
        executor.slice[head.output] = output..output;
        while known - done > SLICE {
            executor.run_slice(Some(done..done + SLICE), |_, _| Ok(()))?;
            done += SLICE;
        }
        executor.slice[head.output] = output..output + 1;
        executor.run_slice(Some(done..known), |_, _| Ok(()))?;
        done = known;
        let token = executor.greedy()?[0];
        tokens[known] = token;
        if on_token(token).is_break() || stop.contains(&token) {
            return Ok(tokens[prompt.len()..=known].to_vec());
        }
        executor.lists = program(&tokens)?.lists;
    }
    Ok(tokens[prompt.len()..].to_vec())
}

/// The logits after every token but the last, `[token][vocabulary]`: the integers whose arg max a receipt proves, here
/// with the tokens given instead of chosen. Divided by `2^(norm_fraction + residual_fraction)` they are the model's.
/// Ranges that only checks read are not looked at.
///
/// # Errors
/// `Refused` unless there are two tokens or more and they fit the card, and what [`Executor`] refuses.
pub fn logits(card: &Card, columns: &Columns, tokens: &[u32]) -> Result<Vec<Vec<i64>>, InferError> {
    logits_by(card, columns, tokens, SLICE)
}

/// [`logits`], `block` positions at a time.
pub(super) fn logits_by(
    card: &Card,
    columns: &Columns,
    tokens: &[u32],
    block: usize,
) -> Result<Vec<Vec<i64>>, InferError> {
    let program = Program::new(card, &Statement::new(card, tokens.to_vec(), 1)?)?;
    let head = super::structure::Structure::of(&program).head;
    let head = head.ok_or_else(|| unsupported("the output head", "the program compares no logits"))?;
    let mut executor = Executor::towards(ON_CPU, head.logits, program, columns)?;
    let mut rows = Vec::new();
    for start in (0..tokens.len() - 1).step_by(block) {
        let positions = start..(start + block).min(tokens.len() - 1);
        executor.slice[head.output] = positions.clone();
        executor.run_slice(Some(positions), |_, _| Ok(()))?;
        let product = executor.product(head.logits)?;
        let values: Vec<i64> = match &product.cells {
            Cells::Ints(ints) => ints.to_vec(),
            Cells::Wide(values) => {
                let narrow = values.iter().map(|&value| i64::try_from(value)).collect::<Result<_, _>>();
                narrow.map_err(|_| InferError::Overflow { site: "logits".to_string(), bits: 63 })?
            }
        };
        rows.extend(values.chunks(executor.slice[head.vocabulary].len()).map(<[i64]>::to_vec));
    }
    Ok(rows)
}
