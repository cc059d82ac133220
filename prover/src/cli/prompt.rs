//! Decides what a prompt is on the command line.

use super::tell;
use crate::model::{Message, Model};
use anyhow::{Result, bail};
use clap::Args;

/// A prompt, in one of three forms.
#[derive(Args)]
pub struct Prompt {
    /// The prompt as text.
    #[arg(long, conflicts_with = "tokens")]
    prompt: Option<String>,
    /// The prompt as token ids, separated by commas: `1, 2`, or `[1, 2]` as `verify` prints them.
    #[arg(long, value_parser = ids)]
    pub tokens: Option<Ids>,
    /// Put the prompt into the model's chat template.
    #[arg(long, requires = "prompt", conflicts_with = "tokens")]
    chat: bool,
    /// Most tokens of the answer.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// Go on past the model's end-of-text token.
    #[arg(long)]
    pub ignore_end: bool,
}

/// Token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids(pub Vec<u32>);

/// Reads `1, 2` and `[1, 2]`.
fn ids(text: &str) -> Result<Ids, String> {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let id =
        |id: &str| id.trim().parse().map_err(|_| format!("{:?} is no token id; give numbers, as in 1, 2", id.trim()));
    inner.split(',').map(id).collect::<Result<_, _>>().map(Ids)
}

impl Prompt {
    /// The prompt's tokens.
    pub fn encode(&self, model: &Model) -> Result<Vec<u32>> {
        let tokens = match (&self.prompt, &self.tokens) {
            (Some(text), _) if self.chat => {
                self.warn(text, model);
                model.chat_tokens(&[Message::user(text.as_str())])?
            }
            (Some(text), _) => model.tokenizer.encode_prompt(text),
            (None, Some(Ids(ids))) => ids.clone(),
            (None, None) => bail!("give a prompt: --prompt TEXT or --tokens IDS"),
        };
        if tokens.is_empty() {
            bail!("the prompt has no tokens; give a longer one");
        }
        if let Some(token) = tokens.iter().find(|&&token| token as usize >= model.shape.vocabulary) {
            bail!("token {token} is not in the model's vocabulary of {}", model.shape.vocabulary);
        }
        Ok(tokens)
    }

    /// Says which control tokens a text in a chat template becomes, as it does in transformers.
    fn warn(&self, text: &str, model: &Model) {
        let tokens = model.tokenizer.encode(text, true);
        let mut control: Vec<u32> = tokens.into_iter().filter(|&token| model.tokenizer.is_control(token)).collect();
        control.sort_unstable();
        control.dedup();
        if !control.is_empty() {
            tell!(
                "note: in the prompt {} are control tokens, not text, as they are in transformers",
                model.tokenizer.describe(&control)
            );
        }
    }

    /// The tokens that end an answer.
    pub fn stop(&self, model: &Model) -> Vec<u32> {
        let end = |token: &u32| !self.ignore_end && model.tokenizer.is_end(*token);
        (0..model.shape.vocabulary as u32).filter(end).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_ids_are_read_as_they_are_printed() {
        let printed = format!("{:?}", [1u32, 22, 3]);
        for text in ["1,22,3", "1, 22, 3", " 1 ,22,3 ", &printed] {
            assert_eq!(ids(text), Ok(Ids(vec![1, 22, 3])), "{text}");
        }
        for text in ["", "1,,2", "[1, 2", "1, 2]", "-1", "4294967296", "1 2", "[]"] {
            assert!(ids(text).is_err(), "{text}");
        }
    }
}
