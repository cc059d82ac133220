//! Decides `zkllm generate`.

use super::backend::{Chosen, with_backend};
use super::{Prompt, load, out, read_card, tell};
use crate::infer::{Columns, generate_by, multiply_on};
use crate::model::Model;
use crate::quantise::weights;
use anyhow::{Result, bail};
use clap::Args;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;
use zkllm_kernels::Cpu;
use zkllm_verifier::card::Card;

#[derive(Args)]
pub struct Generate {
    /// The card.
    #[arg(long)]
    card: PathBuf,
    /// The model the card was made from.
    #[arg(long)]
    model: PathBuf,
    #[command(flatten)]
    prompt: Prompt,
}

impl Generate {
    pub fn run(self) -> Result<()> {
        let (card, model) = (read_card(&self.card)?, load(&self.model)?);
        let columns = columns(&card, &model)?;
        let start = Instant::now();
        let (_, answer) = answer(&Chosen::Cpu(Cpu), &card, &model, &columns, &self.prompt, true)?;
        tell!("{} tokens in {:.1} s", answer.len(), start.elapsed().as_secs_f64());
        Ok(())
    }
}

/// The model's integers under a card.
pub fn columns(card: &Card, model: &Model) -> Result<Columns> {
    let shape = &model.shape;
    let same = [
        (card.layers, shape.layers),
        (card.width, shape.width),
        (card.kv_heads, shape.kv_heads),
        (card.group, shape.heads / shape.kv_heads),
        (card.pairs, shape.head_dim / 2),
        (card.hidden, shape.hidden),
        (card.vocabulary, shape.vocabulary),
    ];
    if same.iter().any(|&(card, model)| card as usize != model) || card.tied != shape.tied {
        bail!(
            "the card {:?} is of a model of another shape than {:?}; give the model it was made from",
            card.name,
            model.name
        );
    }
    if card.tokenizer != model.tokenizer.digest() {
        bail!(
            "the card {:?} is of a model with another tokenizer than {:?}; give the model it was made from",
            card.name,
            model.name
        );
    }
    Ok(weights(model, card)?)
}

/// The prompt's tokens and the answer's, streamed as text to stdout (`shown`) or stderr.
pub fn answer(
    backend: &Chosen,
    card: &Card,
    model: &Model,
    columns: &Columns,
    prompt: &Prompt,
    shown: bool,
) -> Result<(Vec<u32>, Vec<u32>)> {
    let tokens = prompt.encode(model)?;
    let most = prompt.max_tokens as usize;
    if tokens.len() + most > card.context as usize {
        bail!(
            "the prompt has {} tokens and the answer up to {most}, more than the card's {}; shorten one of them",
            tokens.len(),
            card.context
        );
    }
    let mut stream = model.tokenizer.stream();
    let show = |text: &str| if shown { out::print(format_args!("{text}")) } else { out::stream(text) };
    let on_token = |token| {
        show(&stream.push(token));
        ControlFlow::Continue(())
    };
    let answer = with_backend!(backend, backend => {
        generate_by(&multiply_on(backend), card, columns, &tokens, most, &prompt.stop(model), on_token)
    })?;
    show(&stream.finish());
    show("\n");
    Ok((tokens, answer))
}
