//! Decides how a conversation becomes one prompt: the model file's own Jinja template, rendered in a bounded sandbox.

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, State};

use super::error::ModelError;

/// Steps a template may take; real ones take a few hundred a message.
const FUEL: u64 = 2_000_000;
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
    bos: String,
    eos: String,
}

fn failed(error: impl std::fmt::Display) -> ModelError {
    ModelError::ChatTemplate { reason: error.to_string() }
}

impl Chat {
    /// A template with the texts of the model's first and end tokens (empty if it has none).
    pub fn new(template: &str, bos: &str, eos: &str) -> Chat {
        Chat { template: template.into(), bos: bos.into(), eos: eos.into() }
    }

    /// The prompt for a conversation; with `add_generation_prompt` it ends where the model's answer begins.
    ///
    /// # Errors
    /// `ChatTemplate` if the template is not valid, uses something unknown, refuses the messages or runs too long.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, ModelError> {
        if self.template.len() > TEMPLATE_LIMIT {
            return Err(failed(format!("it is longer than {TEMPLATE_LIMIT} bytes")));
        }
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(python_method);
        environment.add_function("raise_exception", |text: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, text))
        });
        let template = environment.template_from_str(&self.template).map_err(failed)?;
        let message = |message: &Message| {
            Value::from_iter([
                ("role", Value::from(message.role.as_str())),
                ("content", Value::from(message.content.as_str())),
            ])
        };
        let context = Value::from_iter([
            ("messages", messages.iter().map(message).collect::<Value>()),
            ("add_generation_prompt", Value::from(add_generation_prompt)),
            ("bos_token", Value::from(self.bos.as_str())),
            ("eos_token", Value::from(self.eos.as_str())),
        ]);
        template.render(context).map_err(failed)
    }
}

/// The few Python string methods that published templates call.
fn python_method(_: &State, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let unknown = || Error::new(ErrorKind::UnknownMethod, format!("the method {method} is not known here"));
    let text = value.as_str().ok_or_else(unknown)?;
    let argument = |at: usize| arguments.get(at).and_then(Value::as_str);
    match (method, argument(0)) {
        ("strip", None) => Ok(text.trim().into()),
        ("lstrip", None) => Ok(text.trim_start().into()),
        ("rstrip", None) => Ok(text.trim_end().into()),
        ("upper", None) => Ok(text.to_uppercase().into()),
        ("lower", None) => Ok(text.to_lowercase().into()),
        ("startswith", Some(part)) => Ok(text.starts_with(part).into()),
        ("endswith", Some(part)) => Ok(text.ends_with(part).into()),
        ("split", Some(part)) if !part.is_empty() => Ok(text.split(part).map(Value::from).collect()),
        _ => Err(unknown()),
    }
}
