//! Decides how a conversation becomes one prompt: by the model file's own Jinja template, with what transformers gives
//! it.

use super::error::ModelError;
use super::template::{Now, Value, render};

/// Largest template, in bytes.
const TEMPLATE_LIMIT: usize = 1 << 20;

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Plain text.
    pub content: String,
}

impl Message {
    /// A message of the person asking.
    pub fn user(content: impl Into<String>) -> Message {
        Message { role: "user".into(), content: content.into() }
    }

    /// A message that sets the behaviour of the model.
    pub fn system(content: impl Into<String>) -> Message {
        Message { role: "system".into(), content: content.into() }
    }

    /// An earlier answer of the model.
    pub fn assistant(content: impl Into<String>) -> Message {
        Message { role: "assistant".into(), content: content.into() }
    }
}

/// The chat template of one model.
#[derive(Debug, Clone)]
pub struct Chat {
    template: String,
    tokens: Vec<(&'static str, String)>,
}

fn failed(error: impl std::fmt::Display) -> ModelError {
    ModelError::ChatTemplate { reason: error.to_string() }
}

impl Chat {
    /// A template with the texts of the model's special tokens by transformers' names (`bos_token`), of those it has.
    pub fn new(template: &str, tokens: &[(&'static str, &str)]) -> Chat {
        let tokens = tokens.iter().map(|(name, text)| (*name, text.to_string())).collect();
        Chat { template: template.into(), tokens }
    }

    /// The prompt for a conversation; with `add_generation_prompt` it ends where the model's answer begins. A template
    /// may write the date into it, that of `now`.
    ///
    /// # Errors
    /// `ChatTemplate` if the template is not valid, uses something unknown, refuses the messages, runs too long or
    /// takes too much memory: a hundred MiB or so, and 200 times the messages.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool, now: Now) -> Result<String, ModelError> {
        if self.template.len() > TEMPLATE_LIMIT {
            return Err(failed(format!("it is longer than {TEMPLATE_LIMIT} bytes")));
        }
        let given = messages.iter().map(|message| message.role.len() + message.content.len() + 64).sum();
        let message = |message: &Message| {
            let entries = [("role", &message.role), ("content", &message.content)];
            Value::record(entries.into_iter().map(|(key, text)| (key, Value::text(text.as_str()))).collect())
        };
        let messages = messages.iter().map(message).collect::<Result<_, _>>().and_then(Value::list).map_err(failed)?;
        let mut variables = vec![
            ("messages", messages),
            ("tools", Value::None),
            ("documents", Value::None),
            ("add_generation_prompt", Value::Bool(add_generation_prompt)),
        ];
        variables.extend(self.tokens.iter().map(|(name, text)| (*name, Value::text(text.as_str()))));
        render(&self.template, variables, now, given).map_err(failed)
    }
}
