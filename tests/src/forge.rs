//! Cheating provers: columns of anyone's choice, and everything else made of them by the real prover.

use crate::Case;
use crate::channels::{Liar, Lie};
use ark_ff::{AdditiveGroup, Field, PrimeField};
use std::iter::zip;
use zkllm_kernels::{Backend, Cpu, Integers};
use zkllm_prover::commit::{Commitments, commit_chunk};
use zkllm_prover::infer::interpret::{Cells, lookup_values, zero_value};
use zkllm_prover::prove::blinding::Blinding;
use zkllm_prover::prove::{Leaves, Prover, Subject, Witness, chunks, pieces};
use zkllm_verifier::card::Card;
use zkllm_verifier::channel::{Ask, Channel, Reader};
use zkllm_verifier::claim::{self, Driver};
use zkllm_verifier::dory::Setup;
use zkllm_verifier::drive::{drive, transcript};
use zkllm_verifier::ledger::{Form, Ledger};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{
    AxisId, ColumnId, Index, Lookup, Origin, ProductKind, Program, Rule, Source, Sum, Term, Zero,
};
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::{Fr, Refusal, groups, verify};

/// The integer of least absolute value that is `value` in the field; it has less than 128 bits.
pub fn integer(value: Fr) -> i128 {
    let low = |value: Fr| {
        let limbs = value.into_bigint().0;
        (limbs[2] | limbs[3] | limbs[1] >> 63 == 0).then(|| i128::from(limbs[0]) | i128::from(limbs[1]) << 64)
    };
    low(value).or_else(|| low(-value).map(|value| -value)).unwrap_or(i128::MAX)
}

/// The index of place `at` of a tensor of these lengths.
pub fn unravel(mut at: usize, lengths: &[usize]) -> Vec<usize> {
    let mut index = vec![0; lengths.len()];
    for (index, length) in zip(&mut index, lengths).rev() {
        *index = at % length;
        at /= length;
    }
    index
}

/// The place of `index` in a tensor of these lengths.
pub fn ravel(index: &[usize], lengths: &[usize]) -> usize {
    zip(index, lengths).fold(0, |at, (index, length)| at * length + index)
}

/// Whether a tensor over `axes` has `index`.
pub fn exists(program: &Program, axes: &[AxisId], causal: bool, index: &[usize]) -> bool {
    let inside = zip(axes, index).all(|(&axis, &index)| index < program.axes[axis].length);
    inside && !(causal && index[index.len() - 1] > index[index.len() - 2])
}

/// Columns that are not an inference's, and what is made of them.
pub struct Forgery<'a> {
    case: &'a Case,
    /// The card.
    pub card: Card,
    /// What its commitments open to, if they do.
    pub model: Commitments,
    /// What the verifier will be told.
    pub statement: Statement,
    /// The verifier's plan.
    pub plan: Plan,
    /// The prover's plan: axes may be longer than they are, within the same bits.
    pub own: Plan,
    /// The columns, dense over the prover's axes.
    pub cells: Vec<Integers>,
    /// Columns that are not the trace's.
    pub dirty: Vec<bool>,
    /// Multiplicities that are not to be counted.
    pub fixed: Vec<ColumnId>,
}

impl<'a> Forgery<'a> {
    /// The honest columns.
    pub fn new(case: &'a Case) -> Self {
        let dirty = vec![false; case.plan.program.columns.len()];
        let (plan, own) = (case.plan.clone(), case.plan.clone());
        let (card, model) = (case.card.clone(), case.secret.commitments.clone());
        Self {
            case,
            card,
            model,
            statement: case.statement.clone(),
            plan,
            own,
            cells: case.cells(),
            dirty,
            fixed: Vec::new(),
        }
    }

    /// Another statement, with all that the verifier makes of it; the columns stay.
    pub fn state(&mut self, statement: Statement) {
        self.plan = zkllm_prover::session::plan(&self.case.card, &statement).expect("a plan");
        (self.own, self.statement) = (self.plan.clone(), statement);
    }

    /// Adds one index to each of `axes` in the prover's plan: the first of the padding, all zero.
    pub fn extend(&mut self, axes: &[AxisId]) {
        let old: Vec<Vec<usize>> =
            self.own.program.columns.iter().map(|column| self.own.program.lengths(&column.axes)).collect();
        for &axis in axes {
            self.own.program.axes[axis].length += 1;
        }
        for (id, column) in self.own.program.columns.iter().enumerate() {
            let (lengths, old) = (self.own.program.lengths(&column.axes), &old[id]);
            if lengths == *old {
                continue;
            }
            let mut cells = Integers::zeros(lengths.iter().product());
            for at in 0..self.cells[id].len() {
                cells.set(ravel(&unravel(at, old), &lengths), self.cells[id].get(at));
            }
            self.cells[id] = cells;
            self.dirty[id] = true;
        }
    }

    /// The same for axis `name`, with the axes that public lists or the causal square tie to it.
    pub fn extend_by_name(&mut self, name: &str) {
        let tied: &[&str] = match name {
            "token" | "earlier" => &["token", "earlier", "vocabulary"],
            "output" => &["output", "token", "earlier", "vocabulary"],
            _ => &[],
        };
        let axes: Vec<AxisId> = (0..self.own.program.axes.len())
            .filter(|&axis| {
                self.own.program.axes[axis].name == name || tied.contains(&self.own.program.axes[axis].name)
            })
            .collect();
        self.extend(&axes);
        // What a list picks at the new index is the new index of the axis it picks from, where all is zero.
        let program = &self.own.program;
        let operands = program.products.iter().flat_map(|product| match &product.kind {
            ProductKind::Einsum(right) | ProductKind::Scores(right) => vec![&product.left.sum, &right.sum],
            ProductKind::Rotary(_) => vec![&product.left.sum],
        });
        let values = program.lookups.iter().flat_map(|lookup| &lookup.values);
        let mut lists = program.lists.clone();
        for term in operands.chain(values).flat_map(|sum| &sum.terms) {
            let Source::Column(column) = term.source else { continue };
            for (index, &axis) in zip(&term.index, &program.columns[column].axes) {
                if let Index::Pick(reader, list) = *index {
                    lists[list].resize(program.axes[reader].length, program.axes[axis].length - 1);
                }
            }
        }
        self.own.program.lists = lists;
    }

    /// Adds to one cell.
    pub fn add(&mut self, column: ColumnId, at: usize, amount: i64) {
        let value = self.cells[column].get(at) + amount;
        self.cells[column].set(at, value);
        self.dirty[column] = true;
        if matches!(self.own.program.columns[column].origin, Origin::Multiplicity(_)) {
            self.fixed.push(column);
        }
    }

    fn reads(&self, sum: &Sum, found: &mut Vec<ColumnId>) {
        for term in &sum.terms {
            match term.source {
                Source::Column(column) => found.push(column),
                Source::Product(product) => {
                    let product = &self.own.program.products[product];
                    self.reads(&product.left.sum, found);
                    if let ProductKind::Einsum(right) | ProductKind::Scores(right) = &product.kind {
                        self.reads(&right.sum, found);
                    }
                }
                Source::Below(_) => {}
            }
        }
    }

    fn stale(&self, sums: &[&Sum]) -> bool {
        let mut found = Vec::new();
        sums.iter().for_each(|sum| self.reads(sum, &mut found));
        found.iter().any(|&column| self.dirty[column])
    }

    /// Computes by its rule every column that reads a changed one, but not the `kept` ones.
    pub fn infer(&mut self, kept: &[ColumnId]) {
        let program = self.own.program.clone();
        let layer = program.axes.iter().position(|axis| axis.name == "layer").expect("layers");
        let layered = |id: ColumnId| program.columns[id].axes.contains(&layer);
        let layers = (0..program.axes[layer].length).map(Some);
        for now in layers.chain([None]) {
            for &id in program.schedule.iter().filter(|&&id| layered(id) == now.is_some() && !kept.contains(&id)) {
                let column = &program.columns[id];
                let Origin::Witness(rule) = &column.origin else { continue };
                let top;
                let sums = match rule {
                    Rule::Round { of, .. } | Rule::Exact { of } | Rule::RowMax { of, .. } => vec![of],
                    Rule::Output { of, .. } | Rule::Digit { of, .. } => vec![of],
                    Rule::InverseSqrt { of, .. } => {
                        top = Sum::of(1, *of, &program.columns[*of].axes);
                        vec![&top]
                    }
                    Rule::Gap { top: row, of, .. } => {
                        top = Sum::of(1, *row, &program.columns[*row].axes);
                        vec![&top, of]
                    }
                    Rule::Divide { numerator, denominator } => vec![numerator, denominator],
                };
                if !self.stale(&sums) {
                    continue;
                }
                let lengths = program.lengths(&column.axes);
                let sums: Vec<Zero> = sums.into_iter().map(|sum| self.at(&column.axes, sum.clone())).collect();
                for at in 0..self.cells[id].len() {
                    let index = unravel(at, &lengths);
                    let here = now.is_none_or(|now| {
                        index[column.axes.iter().position(|&axis| axis == layer).unwrap_or(0)] == now
                    });
                    if !here || !exists(&self.plan.program, &column.axes, column.causal, &index) {
                        continue;
                    }
                    let value = self.rule(rule, &column.axes, &sums, at);
                    if value != self.cells[id].get(at) {
                        self.cells[id].set(at, value);
                        self.dirty[id] = true;
                    }
                }
            }
        }
    }

    fn at(&self, axes: &[AxisId], sum: Sum) -> Zero {
        Zero { name: String::new(), axes: axes.to_vec(), sum }
    }

    fn rule(&self, rule: &Rule, axes: &[AxisId], sums: &[Zero], at: usize) -> i64 {
        let program = &self.own.program;
        let cells = self.cells.as_slice();
        let value = |sum: &Zero, at: usize| integer(zero_value(program, cells, sum, at));
        let result = match rule {
            Rule::Exact { .. } => value(&sums[0], at),
            Rule::Round { shift, .. } => (value(&sums[0], at) + (1 << (shift - 1))) >> shift,
            Rule::Digit { shift, .. } => value(&sums[0], at) >> shift,
            Rule::InverseSqrt { constant, .. } => (constant / value(&sums[0], at).max(1)).isqrt(),
            Rule::RowMax { of, over, shift } => {
                let wide = self.at(&[axes, &[*over]].concat(), of.clone());
                let (length, token) = (program.axes[*over].length, at % program.axes[axes[axes.len() - 1]].length);
                (0..=token).map(|u| value(&wide, at * length + u) >> shift).max().unwrap_or(0)
            }
            Rule::Gap { shift, .. } => value(&sums[0], at) - (value(&sums[1], at) >> shift),
            Rule::Output { table, output, .. } => {
                let outputs = &program.tables[*table].outputs()[*output];
                usize::try_from(value(&sums[0], at))
                    .ok()
                    .and_then(|row| outputs.get(row))
                    .map_or(0, |value| i128::from(*value))
            }
            Rule::Divide { .. } => {
                let (n, d) = (value(&sums[0], at), value(&sums[1], at));
                if d == 0 { 0 } else { (2 * n + d).div_euclid(2 * d) }
            }
        };
        result as i64
    }

    /// The tuple of a lookup at a place of the prover's axes. Outside the support the verifier's weights leave a constant
    /// out, and a term that does not follow an axis beyond its end.
    fn tuple<C: Cells + ?Sized>(&self, cells: &C, lookup: &Lookup, at: usize, index: &[usize]) -> (bool, [Fr; 3]) {
        let (own, program) = (&self.own.program, &self.plan.program);
        let inside = exists(program, &lookup.axes, lookup.causal, index);
        let values = if inside {
            lookup_values(own, cells, lookup, at)
        } else {
            let pair = &lookup.axes[lookup.axes.len().saturating_sub(2)..];
            let acausal = lookup.causal && !exists(program, pair, true, &index[index.len() - 2..]);
            let scores = |product: usize| matches!(program.products[product].kind, ProductKind::Scores(_));
            let follows = |term: &&Term| {
                // Scores are summed for their causal pairs only.
                let summed = !matches!(term.source, Source::Product(product) if acausal && scores(product));
                summed
                    && zip(&lookup.axes, index).all(|(axis, &at)| {
                        let beyond = at >= program.axes[*axis].length || (acausal && pair.contains(axis));
                        !beyond || (term.index.contains(&Index::At(*axis)) && !matches!(term.source, Source::Below(_)))
                    })
            };
            let rest = |sum: &Sum| Sum { constant: 0, terms: sum.terms.iter().filter(follows).cloned().collect() };
            lookup_values(
                own,
                cells,
                &Lookup { values: lookup.values.iter().map(rest).collect(), ..lookup.clone() },
                at,
            )
        };
        let mut tuple = [Fr::ZERO; 3];
        zip(&mut tuple, values).for_each(|(entry, value)| *entry = value);
        (inside, tuple)
    }

    /// The leaves of all lookups, with every tuple that is in its table counted in the multiplicities; the names of the
    /// statements that do not hold.
    pub fn leaves(&mut self) -> (Vec<Leaves>, Vec<String>) {
        self.leaves_of(None)
    }

    /// The same, with field elements for the columns where there are.
    pub fn leaves_of(&mut self, field: Option<&[Vec<Fr>]>) -> (Vec<Leaves>, Vec<String>) {
        let program = self.own.program.clone();
        let mut counts: Vec<Vec<i64>> = program.tables.iter().map(|table| vec![0; 1 << table.bits()]).collect();
        let outputs: Vec<Vec<Vec<i64>>> = program.tables.iter().map(|table| table.outputs()).collect();
        let (mut leaves, mut broken) = (Vec::new(), Vec::new());
        let same_lists = program.lists == self.case.plan.program.lists;
        for (id, lookup) in program.lookups.iter().enumerate() {
            let lengths = program.lengths(&lookup.axes);
            let counts = &mut counts[lookup.table];
            let moved = lengths != self.case.plan.program.lengths(&lookup.axes);
            if !moved && same_lists && field.is_none() && !self.stale(&lookup.values.iter().collect::<Vec<_>>()) {
                let rows = &self.case.trace.lookups[id];
                (0..rows.len()).filter_map(|at| rows.at(at)).for_each(|row| counts[row] += 1);
                leaves.push(Leaves::Rows(rows.clone()));
                continue;
            }
            let tuples: Vec<(bool, [Fr; 3])> = (0..lengths.iter().product())
                .map(|at| match field {
                    Some(cells) => self.tuple(cells, lookup, at, &unravel(at, &lengths)),
                    None => self.tuple(self.cells.as_slice(), lookup, at, &unravel(at, &lengths)),
                })
                .collect();
            let mut holds = true;
            for (_, tuple) in tuples.iter().filter(|(inside, _)| *inside) {
                let row = usize::try_from(integer(tuple[0])).ok().filter(|&row| row < counts.len());
                let matching = |&row: &usize| {
                    zip(&outputs[lookup.table], &tuple[1..]).all(|(output, entry)| Fr::from(output[row]) == *entry)
                };
                match row.filter(matching) {
                    Some(row) => counts[row] += 1,
                    None => holds = false,
                }
            }
            if !holds {
                broken.push(lookup.name.clone());
            }
            let numerator = |(inside, tuple): (bool, _)| (inside.then_some(Fr::ONE), tuple);
            leaves.push(Leaves::Tuples(tuples.into_iter().map(numerator).collect()));
        }
        for zero in &program.zeros {
            let lengths = program.lengths(&zero.axes);
            let inside = |at: &usize| exists(&self.plan.program, &zero.axes, false, &unravel(*at, &lengths));
            let fails = |at| zero_value(&program, self.cells.as_slice(), zero, at) != Fr::ZERO;
            if self.stale(&[&zero.sum]) && (0..lengths.iter().product()).filter(inside).any(fails) {
                broken.push(zero.name.clone());
            }
        }
        for (id, column) in program.columns.iter().enumerate() {
            if let Origin::Multiplicity(table) = column.origin
                && !self.fixed.contains(&id)
            {
                self.cells[id] = Integers::narrowed(counts[table].clone());
            }
        }
        (leaves, broken)
    }

    /// The witness of a prover with these leaves.
    pub fn witness(&self, leaves: Vec<Leaves>) -> Witness<'_> {
        Witness { columns: self.cells.iter().map(Integers::view).collect(), leaves }
    }

    /// Puts the columns of the model into the card's commitments: a card that nobody can tell from an honest one.
    pub fn doctor_card(&mut self) {
        let views: Vec<_> = self.cells.iter().map(Integers::view).collect();
        let generators = self.case.generators();
        let (backend, mut blinding) = (Cpu, Blinding::seeded(b"doctored"));
        let bases = backend.prepare_bases(&generators.g1);
        let parts = chunks(&self.own, &views);
        let model = parts.iter().take(self.own.model_chunks);
        let commit = |parts: &Vec<_>| commit_chunk(&backend, &bases, &generators, &pieces(parts), blinding.scalar());
        self.model = Commitments { chunks: model.map(commit).collect() };
        self.card.commitments = self.model.chunks.iter().map(|chunk| groups::write_gt(&chunk.commitment)).collect();
    }

    /// What the real prover makes of `leaves`, and what the verifier says of it; without support claims on either side if
    /// not `supports`.
    pub fn attempt(&self, leaves: Vec<Leaves>, supports: bool) -> (Vec<u8>, Result<(), Refusal>) {
        if supports {
            let (receipt, verdict, _) = self.lie(leaves, |_, _, _, _| ());
            return (receipt, verdict);
        }
        let setup = Setup::shipped(self.plan.chunk_log).expect("constants");
        let run = |channel: &mut Liar<'_, _>| drive_without_supports(&self.plan, &self.card, &setup, channel);
        let (proof, _) = self.prove(leaves, |_, _, _, _| (), run);
        let mut reader = Reader::new(&proof, transcript(&self.card, &self.statement));
        let verdict =
            drive_without_supports(&self.plan, &self.card, &setup, &mut reader).and_then(|()| reader.finish());
        (proof, verdict)
    }

    /// What the real prover makes of `leaves` when it tells a `lie`, what the verifier says of it, and the names of the
    /// ledger's zeros and gates that do not hold.
    pub fn lie<L: Lie>(&self, leaves: Vec<Leaves>, lie: L) -> (Vec<u8>, Result<(), Refusal>, Vec<&'static str>) {
        let setup = Setup::shipped(self.plan.chunk_log).expect("constants");
        let run = |channel: &mut Liar<'_, L>| drive(&self.plan, &self.card, &setup, channel);
        let (proof, mistakes) = self.prove(leaves, lie, run);
        let receipt = Receipt::to_bytes(&self.card, &self.statement, &proof);
        let verdict = verify(&self.card.to_bytes(), &receipt).map(|_| ());
        (receipt, verdict, mistakes)
    }

    fn prove<L: Lie>(
        &self,
        leaves: Vec<Leaves>,
        lie: L,
        run: impl FnOnce(&mut Liar<'_, L>) -> Result<(), Refusal>,
    ) -> (Vec<u8>, Vec<&'static str>) {
        let subject = Subject { card: &self.card, statement: &self.statement, plan: &self.own, model: &self.model };
        let witness = self.witness(leaves);
        let parts = chunks(&self.own, &witness.columns);
        let (transcript, blinding) = (transcript(&self.card, &self.statement), Blinding::seeded(b"cheat"));
        let generators = self.case.generators();
        let prover = Prover::new(&Cpu, generators, &subject, witness, &parts, transcript, blinding, &|_| {});
        let mut channel = Liar::new(prover, lie);
        let _ = run(&mut channel);
        channel.prover.finish()
    }

    /// A receipt, what the verifier says of it, and the names of the statements that do not hold.
    pub fn verdict(&mut self) -> (Result<(), Refusal>, Vec<String>) {
        let (leaves, broken) = self.leaves();
        (self.attempt(leaves, true).1, broken)
    }
}

/// The driver, but for the claims that columns are zero outside their supports.
fn drive_without_supports(plan: &Plan, card: &Card, setup: &Setup, channel: &mut impl Channel) -> Result<(), Refusal> {
    let mut commitments = card.commitments.iter().map(groups::read_gt).collect::<Result<Vec<_>, _>>()?;
    for chunk in 0..plan.witness_chunks {
        commitments.push(channel.gt(Ask::Chunk(chunk))?);
    }
    let mut driver = Driver { plan, channel, ledger: Ledger::default(), pool: Vec::new(), queue: Vec::new() };
    driver.lookups()?;
    let point = driver.channel.challenges("columns", plan.column_bits);
    for zero in &plan.program.zeros {
        let reader = claim::Reader::at(&plan.program, &zero.axes, false, &point);
        driver.claim("zero", &zero.sum, &reader, Form::constant(Fr::ZERO))?;
    }
    while !driver.queue.is_empty() {
        driver.products()?;
    }
    driver.open(&commitments, setup)?;
    driver.ledger.close(driver.channel, setup.ledger_generators())
}
