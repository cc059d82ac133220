//! Decides what the leaves of the lookup tree are: fractions from row numbers.

use super::{Leaves, Witness};
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;
use std::sync::Arc;
use zkllm_kernels::{Block, Denominators, Numbers, Numerators};
use zkllm_verifier::plan::{BlockKind, Plan};
use zkllm_verifier::tlookup::Challenges;

/// The blocks of the lookup tree. Takes the leaves out of the witness.
pub fn blocks(plan: &Plan, witness: &mut Witness<'_>, challenges: Challenges) -> Vec<Block> {
    let program = &plan.program;
    let tables: Vec<Arc<Vec<Fr>>> =
        (0..program.tables.len()).map(|table| Arc::new(denominators(plan, table, challenges))).collect();
    plan.blocks
        .iter()
        .map(|block| match block.kind {
            BlockKind::Lookup(id) => {
                let lookup = &program.lookups[id];
                let lengths = program.lengths(&lookup.axes);
                let bits = lookup.axes.iter().map(|&axis| program.axes[axis].bits).collect();
                let leaves = std::mem::replace(&mut witness.leaves[id], Leaves::Rows(Numbers::from_iter([])));
                let table = tables[lookup.table].clone();
                let (numerators, denominators) = match leaves {
                    Leaves::Rows(rows) => (Numerators::One, Denominators::Rows { rows, table }),
                    Leaves::Tuples(tuples) => {
                        // n / d where there is an index, else 0 / (1 + what the padding holds).
                        let (base, powers) = (challenges.base(lookup.table), challenges.powers());
                        let numerators = tuples.iter().map(|(numerator, _)| numerator.unwrap_or(Fr::ZERO)).collect();
                        let value = |(numerator, tuple): &(Option<Fr>, [Fr; 3])| {
                            let entries = tuple.iter().zip(powers).map(|(entry, power)| *entry * power).sum::<Fr>();
                            entries + if numerator.is_some() { base } else { Fr::ONE }
                        };
                        (Numerators::Values(numerators), Denominators::Values(tuples.iter().map(value).collect()))
                    }
                };
                Block { offset: block.offset, lengths, bits, numerators, denominators }
            }
            BlockKind::Table(table, column) => {
                let counts = witness.columns[column];
                let numerators = Numerators::Values((0..counts.len()).map(|row| -Fr::from(counts.at(row))).collect());
                let denominators = Denominators::Values(tables[table].to_vec());
                Block {
                    offset: block.offset,
                    lengths: vec![1 << block.bits],
                    bits: vec![block.bits],
                    numerators,
                    denominators,
                }
            }
        })
        .collect()
}

/// `alpha + row + beta out + beta^2 out2 + beta^3 tag` for every row of a table.
fn denominators(plan: &Plan, table: usize, challenges: Challenges) -> Vec<Fr> {
    let (base, powers) = (challenges.base(table), challenges.powers());
    let table = plan.program.tables[table];
    let outputs = table.outputs();
    (0..1usize << table.bits())
        .into_par_iter()
        .map(|row| {
            let outputs = outputs.iter().zip(&powers[1..]).map(|(output, power)| *power * Fr::from(output[row]));
            base + Fr::from(row as u64) + outputs.sum::<Fr>()
        })
        .collect()
}
