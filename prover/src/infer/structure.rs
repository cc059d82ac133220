//! Decides what a program's shape means for the order of work: its layers, its causal pair, its output head.

use zkllm_verifier::program::{
    AxisId, ColumnId, Index, ListId, Origin, ProductId, ProductKind, Program, Rule, Source, Sum,
};

/// What the executor has to know of a program besides its rules.
#[derive(Clone, Debug)]
pub(super) struct Structure {
    /// The axis that prefix sums run along: columns with it are made one index after the other.
    pub layer: Option<AxisId>,
    /// `(t, u)` of each causal pair.
    pub pairs: Vec<(AxisId, AxisId)>,
    /// The output head.
    pub head: Option<Head>,
    /// Runs of the schedule with and without layers.
    pub segments: Vec<Segment>,
}

/// What decides the next token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// The logits, over `(output, vocabulary)`.
    pub logits: ProductId,
    pub output: AxisId,
    pub vocabulary: AxisId,
    /// The statement's tokens, by output.
    pub tokens: ListId,
}

/// Consecutive columns of the schedule that all have layers or all lack them.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub layered: bool,
    pub columns: Vec<ColumnId>,
}

impl Structure {
    pub fn of(program: &Program) -> Self {
        let sums = sums(program);
        let layer = sums.iter().flat_map(|sum| &sum.terms).flat_map(|term| &term.index).find_map(|index| match index {
            Index::Before(axis) => Some(*axis),
            _ => None,
        });
        let mut pairs = Vec::new();
        let causal_columns = program.columns.iter().filter(|column| column.causal).map(|column| &column.axes);
        let scores = program
            .products
            .iter()
            .filter(|product| matches!(product.kind, ProductKind::Scores(_)))
            .map(|product| &product.axes);
        for axes in causal_columns.chain(scores) {
            if let [.., t, u] = axes[..]
                && !pairs.contains(&(t, u))
            {
                pairs.push((t, u));
            }
        }
        let mut segments: Vec<Segment> = Vec::new();
        for &column in &program.schedule {
            let layered = layer.is_some_and(|layer| program.columns[column].axes.contains(&layer));
            match segments.last_mut() {
                Some(last) if last.layered == layered => last.columns.push(column),
                _ => segments.push(Segment { layered, columns: vec![column] }),
            }
        }
        Self { layer, pairs, head: head(program), segments }
    }

    /// The later axis of the causal pair that ends in `u`.
    pub fn later(&self, u: AxisId) -> Option<AxisId> {
        self.pairs.iter().find(|(_, earlier)| *earlier == u).map(|(t, _)| *t)
    }

    /// The segment after which `sum` can be evaluated.
    pub fn segment(&self, program: &Program, sum: &Sum) -> usize {
        let mut columns = Vec::new();
        columns_of(program, sum, &mut columns);
        let made = |segment: &Segment| columns.iter().any(|column| segment.columns.contains(column));
        self.segments.iter().rposition(made).unwrap_or(0)
    }
}

/// The logits are what a sum subtracts that compares with a public list: `top - logits - [v < token]`.
fn head(program: &Program) -> Option<Head> {
    sums(program).iter().find_map(|sum| {
        let (tokens, output, vocabulary) = sum.terms.iter().find_map(|term| match (term.source, &term.index[..]) {
            (Source::Below(list), &[Index::At(output), Index::At(vocabulary)]) => Some((list, output, vocabulary)),
            _ => None,
        })?;
        let logits = sum.terms.iter().find_map(|term| match term.source {
            Source::Product(product) if program.products[product].axes == [output, vocabulary] => Some(product),
            _ => None,
        })?;
        Some(Head { logits, output, vocabulary, tokens })
    })
}

/// Every sum of the program.
fn sums(program: &Program) -> Vec<&Sum> {
    let mut sums: Vec<&Sum> = program
        .columns
        .iter()
        .flat_map(|column| match &column.origin {
            Origin::Witness(rule) => sums_of(rule),
            _ => Vec::new(),
        })
        .collect();
    for product in &program.products {
        sums.push(&product.left.sum);
        if let ProductKind::Einsum(right) | ProductKind::Scores(right) = &product.kind {
            sums.push(&right.sum);
        }
    }
    sums.extend(program.lookups.iter().flat_map(|lookup| &lookup.values));
    sums.extend(program.zeros.iter().map(|zero| &zero.sum));
    sums
}

/// The sums a rule reads.
fn sums_of(rule: &Rule) -> Vec<&Sum> {
    match rule {
        Rule::Round { of, .. }
        | Rule::Exact { of }
        | Rule::RowMax { of, .. }
        | Rule::Gap { of, .. }
        | Rule::Output { of, .. }
        | Rule::Digit { of, .. } => vec![of],
        Rule::Divide { numerator, denominator } => vec![numerator, denominator],
        Rule::InverseSqrt { .. } => Vec::new(),
    }
}

/// The columns a sum reads, through products too.
fn columns_of(program: &Program, sum: &Sum, columns: &mut Vec<ColumnId>) {
    for term in &sum.terms {
        match term.source {
            Source::Column(column) => columns.push(column),
            Source::Product(product) => {
                let product = &program.products[product];
                columns_of(program, &product.left.sum, columns);
                if let ProductKind::Einsum(right) | ProductKind::Scores(right) = &product.kind {
                    columns_of(program, &right.sum, columns);
                }
            }
            Source::Below(_) => {}
        }
    }
}

/// For each column, whether `product` depends on it.
pub(super) fn needed(program: &Program, product: ProductId) -> Vec<bool> {
    let mut needed = vec![false; program.columns.len()];
    let mut open = Vec::new();
    columns_of(program, &Sum::product(1, product, &program.products[product].axes), &mut open);
    while let Some(column) = open.pop() {
        if std::mem::replace(&mut needed[column], true) {
            continue;
        }
        if let Origin::Witness(rule) = &program.columns[column].origin {
            for sum in sums_of(rule) {
                columns_of(program, sum, &mut open);
            }
            match rule {
                Rule::InverseSqrt { of, .. } => open.push(*of),
                Rule::Gap { top, .. } => open.push(*top),
                _ => {}
            }
        }
    }
    needed
}

/// For each column, whether it is only read where it stands: at its own layer and token.
pub(super) fn local(program: &Program) -> Vec<bool> {
    let mut local: Vec<bool> =
        program.columns.iter().map(|column| matches!(column.origin, Origin::Witness(_))).collect();
    let causal = Structure::of(program).pairs;
    for term in sums(program).iter().flat_map(|sum| &sum.terms) {
        if let Source::Column(column) = term.source {
            let own = term.index.iter().zip(&program.columns[column].axes).all(|(index, axis)| match index {
                Index::At(reader) => reader == axis,
                // All earlier tokens of a causal column stand in the slice of the later one.
                Index::All => causal.iter().any(|(_, u)| u == axis),
                _ => false,
            });
            local[column] &= own;
        }
    }
    local
}
