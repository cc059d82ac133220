//! Decides `zkllm inspect` and `zkllm cost`.

use super::backend::{Options, with_backend};
use super::commit::Settings;
use super::{random, read_card, say, shapes};
use crate::cost::{self, Cost as Costs, OnGpu};
use crate::quantise::uncalibrated;
use crate::{files, hex, session};
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;
use zkllm_kernels::leaves::{Size, Stored};
use zkllm_verifier::card::Card;
use zkllm_verifier::channel::{Ask, Sumcheck};
use zkllm_verifier::einsum::ProductClaim;
use zkllm_verifier::limits;
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{Origin, Program};
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::{Limits, verify_with};

#[derive(Args)]
pub struct Inspect {
    /// A card or a receipt.
    file: PathBuf,
    /// The card of a receipt: print its program, its plan and its messages.
    #[arg(long)]
    card: Option<PathBuf>,
    /// With a card: print the program and the plan for a statement of 2 tokens.
    #[arg(long)]
    plan: bool,
}

impl Inspect {
    pub fn run(self) -> Result<()> {
        let bytes = files::read(&self.file, limits::FILE)?;
        if let Ok(card) = Card::parse(&bytes) {
            print_card(&card, bytes.len());
            if self.plan {
                print_plan(&session::plan(&card, &Statement::new(&card, vec![0, 0], 1)?)?);
            }
            return Ok(());
        }
        let Ok(receipt) = Receipt::parse(&bytes) else {
            bail!("{} is neither a card nor a receipt that this version reads", self.file.display());
        };
        say!("receipt      {} bytes, of which the proof {}", bytes.len(), receipt.proof.len());
        say!("card         {}", hex(&receipt.fingerprint));
        say!("tokens       {} (prompt {})", receipt.tokens.len(), receipt.prompt_length);
        say!("             {:?}", receipt.tokens);
        say!("not verified; use `zkllm verify`");
        if let Some(path) = &self.card {
            let card = read_card(path)?;
            let plan = session::plan(&card, &Statement::new(&card, receipt.tokens, receipt.prompt_length)?)?;
            print_plan(&plan);
            print_messages(&plan.program, &card, &bytes);
        }
        Ok(())
    }
}

fn print_card(card: &Card, bytes: usize) {
    say!("card         {bytes} bytes, version 1, {:?}", card.architecture);
    say!("name         {}", card.name);
    say!("fingerprint  {}", hex(&card.fingerprint()));
    say!(
        "shape        {} layers, width {}, {} x {} heads of {}, hidden {}, vocabulary {}",
        card.layers,
        card.width,
        card.kv_heads,
        card.group,
        2 * card.pairs,
        card.hidden,
        card.vocabulary
    );
    say!(
        "context      {} tokens; tied {}, biases {}, rotary base {}, epsilon {}",
        card.context,
        card.tied,
        card.biases,
        card.rotary_base,
        card.epsilon
    );
    say!("tokenizer    {}", hex(&card.tokenizer));
    say!("commitments  {} chunks of 2^{} x 2^{}", card.commitments.len(), card.chunk_log, card.chunk_log);
    for (name, bits) in card.precision.fields() {
        say!("  {name:20} {bits}");
    }
}

fn print_plan(plan: &Plan) {
    let program = &plan.program;
    let axes = |axes: &[usize]| {
        axes.iter()
            .map(|&axis| format!("{}:{}", program.axes[axis].name, program.axes[axis].length))
            .collect::<Vec<_>>()
            .join(" ")
    };
    say!("\ncolumns (chunk, offset, bits)");
    for (column, place) in program.columns.iter().zip(&plan.places) {
        let origin = match column.origin {
            Origin::Model => "model",
            Origin::Witness(_) => "witness",
            Origin::Multiplicity(_) => "multiplicity",
        };
        say!(
            "  {:28} {origin:12} ({}, {}, {}) [{}]{}",
            column.name,
            place.chunk,
            place.offset,
            place.bits,
            axes(&column.axes),
            if column.causal { " causal" } else { "" }
        );
    }
    say!("products");
    for product in &program.products {
        say!("  {:28} [{}]", product.name, axes(&product.axes));
    }
    say!("lookups");
    for lookup in &program.lookups {
        say!("  {:28} in {:?} [{}]", lookup.name, program.tables[lookup.table], axes(&lookup.axes));
    }
    say!("zeros");
    for zero in &program.zeros {
        say!("  {:28} [{}]", zero.name, axes(&zero.axes));
    }
    let cost = Costs::of(plan);
    say!(
        "leaves 2^{} ({} true), chunks {} + {}, proof about {} bytes",
        plan.leaf_bits,
        cost.leaves,
        plan.model_chunks,
        plan.witness_chunks,
        cost.proof_bytes
    );
}

/// The proof step by step, as far as its checks hold.
fn print_messages(program: &Program, card: &Card, receipt: &[u8]) {
    // Where a step begins in the receipt, how many messages it has, and its name.
    let mut steps: Vec<(usize, usize, String)> = Vec::new();
    let verdict = verify_with(&card.to_bytes(), receipt, &Limits::default(), &mut |ask, unread| {
        let name = step(program, ask);
        match steps.last_mut() {
            Some((_, messages, last)) if *last == name => *messages += 1,
            _ => steps.push((receipt.len() - unread, 1, name)),
        }
    });
    say!("messages (first byte, bytes, elements)");
    let ends = steps.iter().skip(1).map(|(begin, ..)| *begin).chain([receipt.len()]);
    for ((begin, messages, name), end) in steps.iter().zip(ends) {
        say!("  {begin:8} {:6} {messages:4} {name}", end - begin);
    }
    if let Err(refusal) = verdict {
        say!("refused: {refusal}");
    }
}

fn step(program: &Program, ask: &Ask<'_>) -> String {
    match ask {
        Ask::Chunk(_) => "commitments to the witness".into(),
        Ask::Root { .. } => "lookups, root".into(),
        Ask::Products(_) => "values of products".into(),
        Ask::Opened { .. } => "columns, combined value".into(),
        Ask::Round { of, .. } | Ask::End { of, .. } => match of {
            Sumcheck::Tree { level, .. } => format!("lookups, level {level}"),
            Sumcheck::Products(claims) => {
                let name = |claim: &ProductClaim| program.products[claim.product].name.as_str();
                format!("products {}", claims.iter().map(name).collect::<Vec<_>>().join(", "))
            }
            Sumcheck::Opening { .. } => "columns".into(),
        },
        Ask::Dory(_) => "opening".into(),
        Ask::Gates { .. } | Ask::GateLeft { .. } | Ask::GateRight { .. } => "ledger, gates".into(),
        _ => "ledger, constraints".into(),
    }
}

#[derive(Args)]
pub struct Cost {
    /// The card.
    #[arg(long, required_unless_present = "shape")]
    card: Option<PathBuf>,
    /// A model of this shape in the place of a card.
    #[arg(long, value_parser = shapes(), conflicts_with = "card")]
    shape: Option<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    backend: Options,
    /// Tokens of the statement.
    #[arg(long, default_value_t = 64)]
    length: usize,
    /// How many of them are the answer.
    #[arg(long, default_value_t = 16)]
    outputs: usize,
    /// Plan for a GPU with so much free memory, whether there is one or not.
    #[arg(long, value_name = "GIB", value_parser = clap::value_parser!(u64).range(1..1 << 20))]
    gpu_gib: Option<u64>,
}

/// What a GPU with `free` bytes will hold, and what it will copy or make again and again.
fn print_on_gpu(cost: &OnGpu, free: u64) {
    let mib = |bytes: u64| bytes >> 20;
    let size = Size { leaves: cost.leaves, rows: cost.rows };
    say!("GPU memory   {} MiB free", mib(free));
    let stay = |taken: u64| if cost.columns + taken <= free { "stay there" } else { "are copied when they are read" };
    say!("  columns    {} MiB, {} during commitments and openings", mib(cost.columns), stay(free / 4));
    say!("  products   {} MiB of tables at a time, beside which the columns {}", mib(cost.tables), stay(cost.tables));
    let (stored, rows_stay) = Stored::on_device(free / 4 * 3, size);
    say!(
        "  tree       {} MiB of row numbers, which {}; {} MiB of levels, from number {} above the leaves on",
        mib(cost.rows),
        if rows_stay { "stay there" } else { "are copied by every round" },
        mib(stored.bytes(cost.leaves)),
        stored.lowest
    );
}

impl Cost {
    pub fn run(self) -> Result<()> {
        let card = match (&self.card, &self.shape) {
            (Some(path), _) => read_card(path)?,
            (None, Some(shape)) => {
                let model = random(shape)?;
                uncalibrated(&model, &self.settings.options(&model)?)?
            }
            (None, None) => bail!("give --card or --shape"),
        };
        if self.outputs == 0 || self.outputs >= self.length {
            bail!("--outputs must lie between 1 and --length - 1");
        }
        if self.length > card.context as usize {
            bail!("--length {} is above the card's context of {}; give a shorter one", self.length, card.context);
        }
        let plan = session::plan(&card, &Statement::new(&card, vec![0; self.length], self.length - self.outputs)?)?;
        let cost = Costs::of(&plan);
        let backend = self.backend.open()?;
        let unit = with_backend!(&backend, backend => cost::measure(backend));
        let cores = rayon::current_num_threads();
        say!("proof        about {} bytes", cost.proof_bytes);
        let (host, mib) = (cost.on_host, |bytes: u64| bytes >> 20);
        say!("memory       about {} MiB, and what follows", mib(host.held));
        say!("inference    about {} MiB, before the others", mib(host.inference));
        say!(
            "row numbers  about {} MiB, and {} MiB of lookup tables, until the tree is done",
            mib(host.rows),
            mib(host.leaves)
        );
        match self.gpu_gib.map(|gib| gib << 30).or(backend.free_bytes()) {
            Some(free) => print_on_gpu(&cost.on_gpu, free),
            None => {
                say!("lookup tree  about {} MiB, {} MiB at least", mib(host.tree[0]), mib(host.tree[1]));
                say!("tables       about {} MiB for products, after the tree", mib(host.tables));
            }
        }
        say!("opening      about {} MiB, after the products", mib(host.opening));
        backend.shortage(&cost).inspect(|why| say!("not here     {why}"));
        say!("lookups      {} (tree of 2^{})", cost.leaves, plan.leaf_bits);
        say!("products     {}, and {} of small integers", cost.products, cost.small_products);
        say!("additions    {}", cost.additions);
        say!("Miller loops {}", cost.miller_loops);
        say!(
            "unit costs   product {:.1} ns, addition {:.0} ns, Miller loop {:.0} us",
            unit.product * 1e9,
            unit.addition * 1e9,
            unit.miller_loop * 1e6
        );
        say!("floor        {:.1} s on {cores} cores", cost.floor(&unit, cores));
        Ok(())
    }
}
