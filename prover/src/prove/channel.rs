//! Decides every message of a proof: what the verifier's driver asks for is computed, committed, written and absorbed.

use super::blinding::Blinding;
use super::dory::{DoryProver, Opening as DoryOpening};
use super::layout::Part;
use super::ledger::Secrets;
use super::opening::{Opening, pieces};
use super::products::Reader;
use super::tail::Tail;
use super::{Subject, Witness, tree};
use crate::commit::{Committed, commit_chunks, setup::Generators};
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};
use std::collections::VecDeque;
use std::iter::zip;
use std::sync::Arc;
use zkllm_kernels::{Backend, FractionTree, ProductSumcheck as _, Sumcheck as _};
use zkllm_verifier::Refusal;
use zkllm_verifier::arith::mle;
use zkllm_verifier::channel::{Ask, Channel, Sumcheck};
use zkllm_verifier::einsum::ProductClaim;
use zkllm_verifier::groups::{self, G1, G2, Gt};
use zkllm_verifier::ledger::{Form, Gate};
use zkllm_verifier::program::ProductKind;
use zkllm_verifier::sumcheck::at_once;
use zkllm_verifier::tlookup::Challenges;
use zkllm_verifier::transcript::Transcript;

/// The prover's channel.
pub struct Prover<'a, B: Backend> {
    backend: &'a B,
    generators: Arc<Generators>,
    bases: B::Bases,
    subject: &'a Subject<'a>,
    witness: Witness<'a>,
    chunks: &'a [Vec<Part<'a>>],
    transcript: Transcript,
    proof: Vec<u8>,
    blinding: Blinding,
    secrets: Secrets,
    committed: Vec<Committed>,
    /// Committed, and not sent yet.
    unsent: VecDeque<Committed>,
    tree: Option<B::Tree>,
    /// Sumchecks of products that are not under way yet.
    products: Vec<(ProductClaim, Factors<B>)>,
    running: Running<'a, B>,
    values: Vec<Fr>,
    mistakes: Vec<&'static str>,
    pending: Option<DoryOpening>,
    dory: Option<DoryProver>,
    progress: &'a dyn Fn(&str),
}

/// The sumcheck under way.
enum Running<'a, B: Backend> {
    None,
    Tree(<B::Tree as FractionTree>::Layer),
    Tail(Tail),
    Products(Vec<Factors<B>>),
    Opening(Box<Opening<'a, B>>),
}

/// The sumcheck of one product among those that run side by side.
struct Factors<B: Backend> {
    sumcheck: B::Product,
    /// Variables that are not bound.
    variables: usize,
    slots: Slots,
}

/// Which values of a product's operands are slots.
#[derive(Clone, Copy)]
enum Slots {
    /// Both.
    Both,
    /// The left one: the operands are the same.
    Left,
    /// The right one: the left table is public.
    Right,
}

impl<'a, B: Backend> Prover<'a, B> {
    /// A prover of `subject` whose columns stand in `chunks`.
    #[allow(clippy::too_many_arguments)] // A prover has as many parts.
    pub fn new(
        backend: &'a B,
        generators: Arc<Generators>,
        subject: &'a Subject<'a>,
        witness: Witness<'a>,
        chunks: &'a [Vec<Part<'a>>],
        transcript: Transcript,
        blinding: Blinding,
        progress: &'a dyn Fn(&str),
    ) -> Self {
        let bases = backend.prepare_bases(&generators.g1);
        let secrets = Secrets::new(generators.ledger);
        Self {
            backend,
            generators,
            bases,
            subject,
            witness,
            chunks,
            transcript,
            proof: Vec::new(),
            blinding,
            secrets,
            committed: subject.model.chunks.clone(),
            unsent: VecDeque::new(),
            tree: None,
            products: Vec::new(),
            running: Running::None,
            values: Vec::new(),
            mistakes: Vec::new(),
            pending: None,
            dory: None,
            progress,
        }
    }

    /// The proof's bytes, and the names of the checks that it will not pass.
    pub fn finish(self) -> (Vec<u8>, Vec<&'static str>) {
        (self.proof, self.mistakes)
    }

    fn send(&mut self, label: &'static str, bytes: &[u8]) {
        self.transcript.absorb(label, bytes);
        self.proof.extend(bytes);
    }

    fn send_g1(&mut self, point: G1) -> G1 {
        self.send("g1", &groups::write_g1(&point));
        point
    }

    /// The value of a form over the slots so far.
    pub fn value(&self, form: &Form) -> Fr {
        self.secrets.value(form)
    }

    /// Sends entries with `values` in their slots.
    pub fn commit(&mut self, values: &[Fr]) -> Vec<G1> {
        self.follow();
        let points = self.secrets.commit(values, &mut self.blinding);
        points.into_iter().map(|point| self.send_g1(point)).collect()
    }

    /// The scalar asked for; [`Prover::say`] sends it.
    pub fn number(&mut self, ask: Ask<'_>) -> Fr {
        match ask {
            Ask::Dory(ask) => self.dory().scalar(ask),
            _ => self.secrets.scalar(ask).unwrap_or(Fr::ZERO),
        }
    }

    /// Sends a scalar.
    pub fn say(&mut self, scalar: Fr) -> Fr {
        self.send("scalar", &groups::write_scalar(&scalar));
        scalar
    }

    /// The slots' values; [`Prover::commit`] sends them.
    pub fn slots(&mut self, ask: Ask<'_>) -> Vec<Fr> {
        self.follow();
        match ask {
            Ask::Root { alpha, beta } => {
                (self.progress)("tlookup");
                let blocks = tree::blocks(self.subject.plan, &mut self.witness, Challenges { alpha, beta });
                let tree = self.backend.tree(self.subject.plan.leaf_bits, blocks);
                let (_, q) = tree.root();
                self.tree = Some(tree);
                vec![q, q.inverse().unwrap_or(Fr::ZERO)]
            }
            Ask::Round { of, challenges } => {
                self.advance(of, challenges);
                self.running.round()
            }
            Ask::End { of, point } => {
                self.advance(of, &point.iter().rev().copied().collect::<Vec<_>>());
                self.end()
            }
            Ask::Products(claims) => {
                // All levels are read; their memory is needed.
                self.tree = None;
                claims.iter().map(|claim| self.product(claim)).collect()
            }
            Ask::Opened { mu, point } => vec![self.opened(mu, point)],
            Ask::Gates { gates, zeros } => {
                let secrets = &self.secrets;
                self.mistakes
                    .extend(zeros.iter().filter(|zero| secrets.value(&zero.form) != Fr::ZERO).map(|zero| zero.name));
                let holds = |gate: &&Gate| secrets.value(&gate.a) * secrets.value(&gate.b) == secrets.value(&gate.c);
                self.mistakes.extend(gates.iter().filter(|gate| !holds(gate)).map(|gate| gate.name));
                self.secrets.gate_masks(gates, &mut self.blinding)
            }
            _ => Vec::new(),
        }
    }

    /// Binds what was drawn after the last message, with all challenges in the order drawn.
    fn advance(&mut self, of: Sumcheck<'_>, challenges: &[Fr]) {
        match (&mut self.running, challenges) {
            (_, []) => self.start(of),
            (Running::Tail(tail), [.., last, before]) => tail.bind(*last, *before),
            (running, [.., r]) => running.bind(*r),
        }
        let Sumcheck::Tree { point, lambda, .. } = of else { return };
        let left = point.len() - challenges.len();
        if at_once(of, left) == 2 {
            self.running = match std::mem::replace(&mut self.running, Running::None) {
                Running::Tree(layer) => Running::Tail(Tail::new(point[..left].to_vec(), lambda, layer.finish())),
                other => other,
            };
        }
    }

    fn start(&mut self, of: Sumcheck<'_>) {
        self.running = match of {
            Sumcheck::Tree { level, point, lambda } => match &mut self.tree {
                Some(tree) => Running::Tree(tree.layer(level, point, lambda)),
                None => Running::None,
            },
            Sumcheck::Products(claims) => {
                (self.progress)("products");
                Running::Products(claims.iter().map(|claim| self.claimed(claim)).collect())
            }
            Sumcheck::Opening { claims, gamma } => {
                (self.progress)("opening");
                Running::Opening(Box::new(Opening::new(self.backend, self.subject.plan, self.chunks, claims, gamma)))
            }
        };
    }

    /// The sumcheck of a claim whose value was asked for before.
    fn claimed(&mut self, claim: &ProductClaim) -> Factors<B> {
        match self.products.iter().position(|(other, _)| other == claim) {
            Some(at) => self.products.swap_remove(at).1,
            None => self.factors(claim),
        }
    }

    fn factors(&self, claim: &ProductClaim) -> Factors<B> {
        let program = &self.subject.plan.program;
        let tables = Reader::new(self.backend, self.subject.plan, &self.witness.columns).tables(claim);
        let bits: Vec<usize> = tables.axes.iter().map(|&axis| program.axes[axis].bits).collect();
        let slots = match program.products[claim.product].kind {
            ProductKind::Rotary(_) => Slots::Right,
            _ if tables.right.is_none() => Slots::Left,
            _ => Slots::Both,
        };
        let lengths = program.lengths(&tables.axes);
        let sumcheck = self.backend.product(&lengths, &bits, tables.left, tables.right, tables.eq);
        Factors { sumcheck, variables: bits.iter().sum(), slots }
    }

    fn end(&mut self) -> Vec<Fr> {
        match std::mem::replace(&mut self.running, Running::None) {
            Running::None => Vec::new(),
            Running::Tree(_) => unreachable!("a level ends in its tail"),
            Running::Tail(tail) => {
                let [p0, p1, q0, q1] = tail.end();
                vec![p0, p1, q0, q1, p0 * q1]
            }
            Running::Products(products) => products.into_iter().flat_map(Factors::end).collect(),
            Running::Opening(opening) => {
                self.values = opening.finish();
                self.values.clone()
            }
        }
    }

    fn product(&mut self, claim: &ProductClaim) -> Fr {
        let mut factors = self.factors(claim);
        let value = factors.sumcheck.value();
        self.products.push((claim.clone(), factors));
        value
    }

    /// Prepares the opening of `sum mu^c P_c`, whose value it returns.
    fn opened(&mut self, mu: Fr, point: &[Fr]) -> Fr {
        let plan = self.subject.plan;
        let (rows, columns) = point.split_at(plan.chunk_log);
        let powers: Vec<Fr> =
            std::iter::successors(Some(Fr::ONE), |power| Some(*power * mu)).take(self.committed.len()).collect();
        let vectors: Vec<&[G1]> = self.committed.iter().map(|chunk| chunk.rows.as_slice()).collect();
        let row_commitments = self.backend.combine_rows(&vectors, &powers);
        let eq = mle::eq_table(rows, 1 << plan.chunk_log);
        let mut combined_row = vec![Fr::ZERO; 1 << plan.chunk_log];
        for (chunk, power) in zip(self.chunks, &powers) {
            let row = self.backend.contract_left(&pieces(chunk), &eq, 1 << plan.chunk_log);
            zip(&mut combined_row, row).for_each(|(sum, value)| *sum += *power * value);
        }
        let value = zip(&self.values, &powers).map(|(value, power)| *value * power).sum();
        let rho = zip(&self.committed, &powers).map(|(chunk, power)| chunk.rho * power).sum();
        let ledger = &self.generators.ledger;
        let opening = DoryOpening {
            row_commitments,
            combined_row,
            rho,
            rows: rows.to_vec(),
            columns: columns.to_vec(),
            value,
            // The entry of the value is made after this; its blinding is set then.
            link_blinding: Fr::ZERO,
            link_generators: (ledger.g[0], ledger.h),
        };
        self.pending = Some(opening);
        value
    }

    /// Blinding and nonces to come answer what was said so far.
    fn follow(&mut self) {
        self.blinding.follow(&self.transcript);
    }

    fn dory(&mut self) -> &mut DoryProver {
        let (generators, pending, secrets, blinding) =
            (&self.generators, &mut self.pending, &self.secrets, &mut self.blinding);
        let dory = self.dory.get_or_insert_with(|| {
            let opening =
                pending.take().map(|opening| DoryOpening { link_blinding: secrets.last_blinding(), ..opening });
            let opening = opening.expect("an opening is asked for after its value");
            DoryProver::new(generators.clone(), opening, blinding.fork())
        });
        dory.follow(&self.transcript);
        dory
    }
}

impl<B: Backend> Factors<B> {
    fn end(self) -> Vec<Fr> {
        let (a, b) = self.sumcheck.finish();
        match self.slots {
            Slots::Both => vec![a, b],
            Slots::Left => vec![a],
            Slots::Right => vec![b],
        }
    }
}

impl<B: Backend> Running<'_, B> {
    fn bind(&mut self, r: Fr) {
        match self {
            Running::None => {}
            Running::Tail(_) => unreachable!("a tail binds two variables"),
            Running::Tree(layer) => layer.bind(r),
            Running::Products(products) => {
                for product in products.iter_mut().filter(|product| product.variables > 0) {
                    product.sumcheck.bind(r);
                    product.variables -= 1;
                }
            }
            Running::Opening(opening) => opening.bind(r),
        }
    }

    /// The coefficients of every sum with variables left.
    fn round(&mut self) -> Vec<Fr> {
        let rounds = match self {
            Running::None => Vec::new(),
            Running::Tail(tail) => return tail.round(),
            Running::Tree(layer) => vec![layer.round()],
            Running::Products(products) => {
                let left = products.iter_mut().filter(|product| product.variables > 0);
                left.map(|product| product.sumcheck.round()).collect()
            }
            Running::Opening(opening) => vec![opening.round()],
        };
        rounds.into_iter().flat_map(|(c1, c2)| [c1, c2]).collect()
    }
}

impl<B: Backend> Channel for Prover<'_, B> {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.transcript.absorb(label, bytes);
    }

    fn challenge(&mut self, label: &'static str) -> Fr {
        self.transcript.challenge(label)
    }

    fn scalar(&mut self, ask: Ask<'_>) -> Result<Fr, Refusal> {
        let scalar = self.number(ask);
        Ok(self.say(scalar))
    }

    fn g1(&mut self, ask: Ask<'_>) -> Result<G1, Refusal> {
        self.follow();
        let point = match ask {
            Ask::Dory(ask) => self.dory().g1(ask),
            _ => self.secrets.point(ask, &mut self.blinding).unwrap_or_default(),
        };
        Ok(self.send_g1(point))
    }

    fn g2(&mut self, ask: Ask<'_>) -> Result<G2, Refusal> {
        let point = match ask {
            Ask::Dory(ask) => self.dory().g2(ask),
            _ => G2::default(),
        };
        self.send("g2", &groups::write_g2(&point));
        Ok(point)
    }

    fn gt(&mut self, ask: Ask<'_>) -> Result<Gt, Refusal> {
        let element = match ask {
            Ask::Chunk(number) => {
                // All that follow are committed at once.
                if self.unsent.is_empty() {
                    self.follow();
                    let (chunks, blinding, progress) = (self.chunks, &mut self.blinding, self.progress);
                    let left = chunks[self.subject.plan.model_chunks + number..].iter().map(|parts| {
                        progress("commit");
                        (pieces(parts), blinding.scalar())
                    });
                    self.unsent = commit_chunks(self.backend, &self.bases, &self.generators, left).into();
                }
                let committed = self.unsent.pop_front();
                let element = committed.as_ref().map_or(Gt::default(), |committed| committed.commitment);
                self.committed.extend(committed);
                element
            }
            Ask::Dory(ask) => self.dory().gt(ask),
            _ => Gt::default(),
        };
        self.send("gt", &groups::write_gt(&element));
        Ok(element)
    }

    fn entries(&mut self, ask: Ask<'_>, slots: usize) -> Result<Vec<G1>, Refusal> {
        let values = self.slots(ask);
        debug_assert_eq!(values.len(), slots, "{ask:?}");
        Ok(self.commit(&values))
    }
}
