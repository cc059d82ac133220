//! Decides how accuracy is measured: the integer inference that is proved against f32 inference by candle, over the
//! same tokens of a text.

mod reference;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use reference::Reference;
use serde_json::json;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use zkllm_prover::infer::{Columns, ON_CPU, generate, logits};
use zkllm_prover::model::float::Float;
use zkllm_prover::model::{Message, Model};
use zkllm_prover::quantise::compare::{self, Reading};
use zkllm_prover::quantise::{self, Options};
use zkllm_verifier::card::{Card, Precision};

/// Compares the integer inference that is proved with f32 inference of the same weights by candle.
#[derive(Parser)]
struct Arguments {
    /// The model: a GGUF file.
    model: PathBuf,
    /// English text in UTF-8.
    text: PathBuf,
    /// Least number of tokens whose probabilities are compared.
    #[arg(long, default_value_t = 2000)]
    tokens: usize,
    /// Tokens of a window; each window is read from its beginning by both sides.
    #[arg(long, default_value_t = 512)]
    window: usize,
    /// The model's card; without it the model is quantised as `zkllm commit` does.
    #[arg(long, conflicts_with = "fraction")]
    card: Option<PathBuf>,
    /// Quantise with other fractional bits, for example `weight=14`; may be repeated.
    #[arg(long, value_name = "PLACE=BITS")]
    fraction: Vec<String>,
    /// Also compare this project's own f32 inference with candle's.
    #[arg(long)]
    own_float: bool,
    /// A question that both sides answer.
    #[arg(long, default_value = "What is the capital of France?")]
    question: String,
    /// Largest acceptable increase of the perplexity in percent; above it the exit status is 1.
    #[arg(long, default_value_t = 1.0)]
    bar: f64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("accuracy: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let start = Instant::now();
    let model = Model::load(&arguments.model).with_context(|| format!("{}", arguments.model.display()))?;
    let (card, columns) = integers(arguments, &model)?;
    let windows = windows(&model, &arguments.text, arguments.tokens, arguments.window.min(card.context as usize))?;
    let mut candle = Reference::load(&arguments.model)?;
    let float = arguments.own_float.then(|| Float::new(&model)).transpose()?;
    let scale = 2f64.powi((card.precision.norm_fraction + card.precision.residual_fraction) as i32);

    let (mut integers, mut floats) = (Reading::default(), Reading::default());
    let mut seconds = (0.0, 0.0);
    for (number, window) in windows.iter().enumerate() {
        let clock = Instant::now();
        let own = logits(&card, &columns, window)?;
        seconds.0 += clock.elapsed().as_secs_f64();
        let own_float = float.as_ref().map(|float| float.logits(window)).transpose()?;
        candle.restart();
        for (position, &token) in window[1..].iter().enumerate() {
            let clock = Instant::now();
            let expected = candle.next(window[position])?;
            seconds.1 += clock.elapsed().as_secs_f64();
            let row = &own[position];
            integers.add(&expected, row.iter().map(|&logit| logit as f64 / scale), compare::greedy(row), token);
            if let Some(rows) = &own_float {
                let row = &rows[position];
                floats.add(&expected, row.iter().map(|&logit| f64::from(logit)), compare::greedy(row), token);
            }
        }
        let (reference, own) = integers.perplexities();
        eprintln!(
            "window {} of {}, {:.0} s: perplexity {reference:.4} by candle, {own:.4} by integers, {:+.3} %",
            number + 1,
            windows.len(),
            start.elapsed().as_secs_f64(),
            integers.increase().0
        );
    }
    let needed = quantise::measure(ON_CPU, &card, &columns, &windows)?.precision(&card, 0);
    let answers = answers(&model, &card, &columns, &mut candle, &arguments.question)?;
    let within = integers.increase().0 <= arguments.bar;
    let report = json!({
        "model": card.name,
        "text": arguments.text.file_name().map(|name| name.to_string_lossy()),
        "window": windows[0].len(),
        "windows": windows.len(),
        "integers": figures(&integers),
        "own_float": float.map(|_| figures(&floats)),
        "bar_percent": arguments.bar,
        "within_bar": within,
        "precision": card.precision.fields().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "ranges_left": left(&card.precision, &needed),
        "answers": answers,
        "seconds": { "integers": seconds.0, "candle": seconds.1 },
    });
    println!("{report:#}");
    Ok(within)
}

fn figures(reading: &Reading) -> serde_json::Value {
    let ((reference, own), (increase, error)) = (reading.perplexities(), reading.increase());
    json!({
        "tokens": reading.count(),
        "perplexity_candle": reference,
        "perplexity": own,
        "increase_percent": increase,
        "increase_standard_error": error,
        "greedy_agreement_percent": reading.agreement(),
        "divergence_nats": reading.divergence(),
        "logit_rms_difference": reading.distance(),
    })
}

/// The card and the model's integers.
fn integers(arguments: &Arguments, model: &Model) -> Result<(Card, Columns)> {
    if let Some(path) = &arguments.card {
        let bytes = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
        let Ok(card) = Card::parse(&bytes) else { bail!("{} is not a model card this version reads", path.display()) };
        ensure!(card.tokenizer == model.tokenizer.digest(), "{} is the card of another model", path.display());
        let columns = quantise::weights(model, &card)?;
        return Ok((card, columns));
    }
    let mut options = Options::default();
    for setting in &arguments.fraction {
        let Some((place, bits)) = setting.split_once('=') else { bail!("--fraction {setting}: give PLACE=BITS") };
        *fraction(&mut options.precision, place)? = bits.parse().with_context(|| format!("--fraction {setting}"))?;
    }
    Ok(quantise::quantise(model, &options)?)
}

fn fraction<'a>(precision: &'a mut Precision, place: &str) -> Result<&'a mut u32> {
    Ok(match place {
        "residual" => &mut precision.residual_fraction,
        "norm" => &mut precision.norm_fraction,
        "query" => &mut precision.query_fraction,
        "value" => &mut precision.value_fraction,
        "attention" => &mut precision.attention_fraction,
        "gate" => &mut precision.gate_fraction,
        "swish" => &mut precision.swish_fraction,
        "up" => &mut precision.up_fraction,
        "hidden" => &mut precision.hidden_fraction,
        "weight" => &mut precision.weight_fraction,
        "rotary" => &mut precision.rotary_fraction,
        "score" => &mut precision.score_fraction,
        "exp" => &mut precision.exp_precision,
        _ => bail!("--fraction {place}: there is no such place"),
    })
}

/// Windows of `length` tokens, one after the other, until `tokens` of them are predicted: the first of each is not.
fn windows(model: &Model, path: &Path, tokens: usize, length: usize) -> Result<Vec<Vec<u32>>> {
    ensure!(length >= 2, "--window must be at least 2");
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let begin = model.tokenizer.encode_prompt("");
    let encoded = model.tokenizer.encode(&text, false);
    let count = tokens.div_ceil(length - 1).max(1);
    let body = length - begin.len();
    ensure!(encoded.len() >= count * body, "the text has {} tokens, {} are needed", encoded.len(), count * body);
    Ok(encoded.chunks_exact(body).take(count).map(|chunk| [&begin, chunk].concat()).collect())
}

/// Ranges of the card that the text needs wider, as `name: bits in the card, bits needed`. The arg max's is left out:
/// the text is not the model's own choice.
fn left(card: &Precision, needed: &Precision) -> Vec<String> {
    let pairs = card.fields().into_iter().zip(needed.fields());
    let wider = pairs.filter(|((name, card), (_, needed))| needed > card && *name != "logit_width");
    wider.map(|((name, card), (_, needed))| format!("{name}: {card}, {needed}")).collect()
}

/// Both answers to a question.
fn answers(
    model: &Model,
    card: &Card,
    columns: &Columns,
    candle: &mut Reference,
    question: &str,
) -> Result<serde_json::Value> {
    let prompt = match model.chat {
        Some(_) => model.chat_tokens(&[Message::user(question)])?,
        None => model.tokenizer.encode_prompt(question),
    };
    let most = 24;
    let ends: Vec<u32> = (0..card.vocabulary).filter(|&token| model.tokenizer.is_end(token)).collect();
    let own = generate(card, columns, &prompt, most, &ends, |_| ControlFlow::Continue(()))?;
    let expected = candle.greedy(&prompt, most, |token| ends.contains(&token))?;
    let text = |tokens: &[u32]| model.tokenizer.decode(tokens);
    Ok(json!({
        "question": question,
        "prompt_tokens": prompt.len(),
        "integers": text(&own),
        "candle": text(&expected),
        "tokens": own.len(),
        "same_tokens": own == expected,
    }))
}
