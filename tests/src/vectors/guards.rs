//! Decides the vectors of programs: small ones that mean what they say, and changed copies that do not.

use super::{case, programs as json_programs, receipts, write};
use serde_json::json;
use std::io;
use std::path::Path;
use zkllm_verifier::program::{
    Axis, AxisId, Index, Operand, Product, ProductKind, Program, Rotary, Source, Sum, Term, Zero,
};

use Index::{All, At, Before, Pick};

type Change = (&'static str, &'static str, fn(&mut Program));

/// What is changed: the program, the name of the case, the change.
const CHANGES: [Change; 42] = [
    ("silu", "a-lookup-of-fewer-values", |p| p.lookups[0].values.truncate(1)),
    ("silu", "a-lookup-of-more-values", |p| p.lookups[0].values.push(Sum::constant(0))),
    ("two-tables", "a-lookup-of-a-fourth-value", |p| p.lookups[1].values.push(Sum::constant(0))),
    ("silu", "a-lookup-in-no-table", |p| p.lookups[0].table = 2),
    ("silu", "a-witness-with-coefficient-0", |p| p.lookups[0].values[1] = p.lookups[0].values[1].clone().times(0)),
    ("silu", "a-witness-with-coefficient-2", |p| p.lookups[0].values[1] = p.lookups[0].values[1].clone().times(2)),
    ("silu", "a-witness-that-is-subtracted-again", |p| {
        let value = p.lookups[0].values[1].clone();
        p.lookups[0].values[1] = value.clone().plus(value.times(-1));
    }),
    ("two-tables", "two-witnesses-under-one-value", |p| {
        let other = std::mem::replace(&mut p.lookups[1].values[2], Sum::constant(0));
        p.lookups[1].values[1] = p.lookups[1].values[1].clone().plus(other);
    }),
    ("two-tables", "a-witness-that-is-not-looked-up", |p| p.lookups[1].values[2] = Sum::constant(0)),
    ("einsum", "a-witness-that-is-not-defined", |p| p.zeros.clear()),
    ("every-index", "a-witness-summed-over", |p| p.zeros[0].sum.terms[0].index[0] = All),
    ("causal", "a-witness-that-is-not-causal", |p| p.columns[3].causal = false),
    ("einsum", "columns-over-an-axis-twice", |p| p.columns[0].axes[1] = 0),
    ("einsum", "a-zero-over-an-axis-twice", |p| zero_over(p, [0, 0].into())),
    ("einsum", "a-zero-over-more-than-any-column", |p| zero_over(p, [0, 1, 2].into())),
    ("einsum", "a-result-over-an-axis-twice", |p| p.products[0].axes[1] = 0),
    ("einsum", "an-operand-over-an-axis-twice", |p| p.products[0].left.axes.push(0)),
    ("einsum", "an-axis-of-the-result-of-no-operand", |p| p.products[0].axes.push(3)),
    ("einsum", "an-axis-summed-over-in-one-operand", |p| p.products[0].axes.truncate(1)),
    ("einsum", "a-product-of-itself", |p| p.products[0].left.sum.terms[0].source = Source::Product(0)),
    ("einsum", "a-product-of-a-later-one", |p| {
        let mut later = p.products[0].clone();
        p.products[0].left = of_product(1, &later.axes);
        later.axes.reverse();
        p.products.push(later);
    }),
    ("einsum", "a-product-at-all-indices", |p| product_at(p, All)),
    ("einsum", "a-product-at-the-indices-before", |p| product_at(p, Before(0))),
    ("einsum", "a-product-at-a-list", |p| {
        p.lists.push(vec![0, 1, 2]);
        product_at(p, Pick(0, 0));
    }),
    ("einsum", "an-index-less", |p| p.products[0].left.sum.terms[0].index.truncate(1)),
    ("einsum", "an-axis-named-twice", |p| p.products[0].left.sum.terms[0].index[1] = At(0)),
    ("einsum", "an-axis-of-another-length", |p| p.products[0].left.sum.terms[0].index.swap(0, 1)),
    ("rotary", "rotary-of-three-halves", |p| p.axes[1] = Axis { name: "h", length: 3, bits: 2 }),
    ("rotary", "rotary-of-pairs-before-halves", |p| turned(p, [0, 2, 1])),
    ("rotary", "rotary-of-halves-before-times", |p| turned(p, [1, 0, 2])),
    ("rotary", "rotary-of-times-at-the-end", |p| turned(p, [1, 2, 0])),
    ("rotary", "rotary-by-its-halves", |p| rotary(p).time = 1),
    ("rotary", "rotary-of-finer-angles", |p| rotary(p).fraction = 31),
    ("scores", "scores-over-one-axis", |p| p.products[0].axes = vec![1]),
    ("scores", "scores-of-other-lengths", |p| p.axes[1] = Axis { name: "u", length: 4, bits: 2 }),
    ("scores", "scores-of-keys-before-queries", |p| p.products[0].axes.swap(0, 1)),
    ("scores", "scores-of-keys-at-the-query", |p| {
        if let ProductKind::Scores(right) = &mut p.products[0].kind {
            right.axes.push(0);
        }
    }),
    ("scores", "scores-of-keys-that-are-a-product", |p| {
        let mut keys = p.products[0].clone();
        let axes = vec![1, 2];
        (keys.axes, keys.left.axes) = (axes.clone(), axes.clone());
        keys.left.sum.terms[0].index = vec![At(1), At(2)];
        keys.kind = ProductKind::Einsum(keys.left.clone());
        p.products[0].kind = ProductKind::Scores(of_product(0, &axes));
        p.lookups[0].values[0].terms[0].source = Source::Product(1);
        p.products.insert(0, keys);
    }),
    ("causal", "a-product-at-the-query-of-a-causal-lookup", |p| {
        let (axes, operand) = (vec![1], Sum::constant(1).over(&[1]));
        let mut product = p.products[0].clone();
        (product.axes, product.left, product.kind) = (axes, operand.clone(), ProductKind::Einsum(operand));
        p.products.push(product);
        p.lookups[0].values[0].terms.push(Term { coefficient: 1, source: Source::Product(1), index: vec![At(1)] });
    }),
    ("every-index", "a-list-of-another-length", |p| p.lists[0].truncate(2)),
    ("every-index", "a-list-beyond-its-axis", |p| p.lists[0][0] = 5),
    ("every-index", "below-in-an-operand", |p| {
        let below = Term { coefficient: 1, source: Source::Below(0), index: vec![At(1), At(2)] };
        let left = Sum { constant: 0, terms: vec![below] }.over(&[1, 2]);
        let right = Sum::constant(1).over(&[1, 2]);
        p.products.push(Product { name: String::new(), axes: vec![1, 2], kind: ProductKind::Einsum(right), left });
    }),
];

fn zero_over(program: &mut Program, axes: Vec<AxisId>) {
    program.zeros.push(Zero { name: String::new(), axes, sum: Sum::constant(0) });
}

fn of_product(product: usize, axes: &[usize]) -> Operand {
    Sum::product(1, product, axes).over(axes)
}

/// Reads the product of the zero statement at another index of its first axis.
fn product_at(program: &mut Program, index: Index) {
    let terms = program.zeros[0].sum.terms.iter_mut();
    terms.filter(|term| matches!(term.source, Source::Product(_))).for_each(|term| term.index[0] = index);
}

fn rotary(program: &mut Program) -> &mut Rotary {
    match &mut program.products[0].kind {
        ProductKind::Rotary(rotary) => rotary,
        _ => panic!("the program has a rotary embedding"),
    }
}

/// The rotary embedding over its axes in another order.
fn turned(program: &mut Program, order: [usize; 3]) {
    program.products[0].axes = order.to_vec();
    program.products[0].left.axes = order.to_vec();
}

/// Programs.
pub fn programs(folder: &Path) -> io::Result<()> {
    let save = |name: &str, program: &Program, accepted: bool| {
        write(&folder.join(name).join("program.json"), format!("{}\n", json_programs::write(program)))?;
        case(folder, name, json!({ "program": "program.json" }), accepted)
    };
    for (name, program) in receipts::built() {
        save(name, &program, true)?;
        for (_, name, change) in CHANGES.iter().filter(|(of, ..)| *of == name) {
            let mut changed = program.clone();
            change(&mut changed);
            save(name, &changed, false)?;
        }
    }
    Ok(())
}
