//! Decides how a kernel's WGSL is put together: its file, those that it uses, the fields' parameters, the product of words.

use std::fmt::Write as _;

use ark_bls12_381::{Fq, Fr};
use ark_ff::{BigInt, Fp, FpConfig, MontBackend, MontConfig};

macro_rules! files {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("../../wgsl/", $name, ".wgsl")))),*] };
}

/// The files of `kernels/wgsl/`, by name.
const FILES: &[(&str, &str)] = files!(
    "combine_rows" "combine_slices" "commit_rows" "contract" "contract_field" "contract_ints" "contract_left"
    "contract_right" "curve" "entries" "field" "gather_add" "histogram" "ints" "leaf_fold" "leaf_round" "level"
    "level_above" "machine" "multiply_bases" "multiply_i16" "multiply_i32" "multiply_ints" "multiply_table" "node_fold"
    "node_round" "outer_product" "packed" "pad_rows" "places" "product_fold" "product_round" "product_value" "quads" "quads_below"
    "quads_fold" "quads_stored" "round" "runs" "sum_groups" "sum_runs_field" "sum_runs_points" "test_fq" "test_fr"
    "test_points" "tick" "wide_16" "wide_64"
);

/// What is not in the files: how wide the device's words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// 32 bits; products are made of halves.
    Short,
    /// 64 bits, an extension of WGSL.
    Long,
}

/// The text of a kernel. `None`: there is none of that name.
pub fn source(kernel: &str, words: Words) -> Option<String> {
    let mut text = String::new();
    // The only kernel that sees memory otherwise.
    let start: &[&str] = if kernel == "histogram" { &[kernel] } else { &["machine", kernel] };
    let mut wanted: Vec<&str> = start.to_vec();
    let mut at = 0;
    while at < wanted.len() {
        let name = wanted[at];
        at += 1;
        let (file, field) = match name {
            "fr" => ("field", Some(fr())),
            "fq" => ("field", Some(fq())),
            "wide" => (if words == Words::Long { "wide_64" } else { "wide_16" }, None),
            name => (name, None),
        };
        let body = FILES.iter().find(|(name, _)| *name == file)?.1;
        let uses = body.lines().find_map(|line| line.strip_prefix("// Uses: ")).unwrap_or_default();
        for used in uses.split_whitespace() {
            if !wanted.contains(&used) {
                wanted.push(used);
            }
        }
        text += &field.map_or_else(|| body.to_string(), |field| field.of(body));
    }
    Some(text)
}

/// The names and limbs of one prime field.
struct Field {
    name: &'static str,
    modulus: Vec<u32>,
    one: Vec<u32>,
    radix_squared: Vec<u32>,
    minus_inverse: u32,
}

fn words<const N: usize>(integer: &BigInt<N>) -> Vec<u32> {
    integer.0.iter().flat_map(|limb| [*limb as u32, (*limb >> 32) as u32]).collect()
}

fn field<C: MontConfig<N>, const N: usize>(name: &'static str, _: Fp<MontBackend<C, N>, N>) -> Field {
    Field {
        name,
        modulus: words(&C::MODULUS),
        one: words(&<MontBackend<C, N> as FpConfig<N>>::ONE.0),
        radix_squared: words(&C::R2),
        // Of the lower word, because the inverse modulo 2^64 is one modulo 2^32 too.
        minus_inverse: C::INV as u32,
    }
}

fn fr() -> Field {
    field("fr", Fr::default())
}

fn fq() -> Field {
    field("fq", Fq::default())
}

impl Field {
    /// The text of `field.wgsl` for this field.
    fn of(&self, template: &str) -> String {
        let (upper, limbs) = (self.name.to_uppercase(), self.modulus.len());
        let title = format!("{}{}", &upper[..1], &self.name[1..]);
        let text = template.replace("FIELD_", &format!("{upper}_"));
        let mut text = text.replace("LIMBS", &format!("{limbs}u"));
        text = text.replace("Field", &title).replace("field_", &format!("{}_", self.name));
        let constants = [("MODULUS", &self.modulus), ("ONE", &self.one), ("RADIX_SQUARED", &self.radix_squared)];
        for (name, value) in constants {
            let list: Vec<String> = value.iter().map(|word| format!("{word:#010x}u")).collect();
            let _ = writeln!(text, "const {upper}_{name} = {title}({});", list.join(", "));
        }
        let _ = writeln!(text, "const {upper}_MINUS_INVERSE = {:#010x}u;", self.minus_inverse);
        text
    }
}
