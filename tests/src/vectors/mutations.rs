//! Decides how proofs are broken: every kind of element in every way that a reader has to notice.

use super::hex;
use ark_bls12_381::{Fq, G1Affine, G2Affine};
use ark_ff::{AdditiveGroup, BigInteger, PrimeField};
use zkllm_verifier::Fr;
use zkllm_verifier::groups;

/// `[at, delete, insert]` in a file.
pub type Patch = (usize, usize, Vec<u8>);

/// An element of a proof: where it begins, how long it is, what it answers.
#[derive(Clone, Debug)]
pub struct Element {
    /// The first byte.
    pub at: usize,
    /// Its length, which says which kind it is.
    pub length: usize,
    /// The question it answers.
    pub ask: String,
}

/// The elements of messages in their order, the first one at `first`.
pub fn elements(first: usize, messages: &[(usize, String)]) -> Vec<Element> {
    let mut at = first;
    let next = |(length, ask): &(usize, String)| {
        at += length;
        Element { at: at - length, length: *length, ask: ask.clone() }
    };
    messages.iter().map(next).collect()
}

/// Patches as JSON.
pub fn json(patches: &[Patch]) -> serde_json::Value {
    patches.iter().map(|(at, delete, insert)| serde_json::json!([at, delete, hex(insert)])).collect()
}

/// Broken proofs that end the file `bytes`, by name: none of them may be accepted.
pub fn all(bytes: &[u8], elements: &[Element]) -> Vec<(String, Vec<Patch>)> {
    let mut cases = framing(bytes, elements);
    for (kind, length) in [("scalar", 32), ("g1", 48), ("g2", 96), ("gt", 192)] {
        let own: Vec<&Element> = elements.iter().filter(|element| element.length == length).collect();
        let (Some(first), Some(last)) = (own.first(), own.last()) else { continue };
        for (name, value) in foreign(kind) {
            cases.push((format!("{kind}-{name}"), vec![(first.at, length, value)]));
        }
        // Well-formed elements in the wrong place.
        let read = |element: &Element| bytes[element.at..element.at + length].to_vec();
        let identity = match kind {
            "g1" | "g2" => [vec![0xc0], vec![0; length - 1]].concat(),
            _ => vec![0; length],
        };
        cases.push((format!("last-{kind}-identity"), vec![(last.at, length, identity)]));
        if let Some(other) = own.iter().find(|other| read(other) != read(first)) {
            let swap = vec![(first.at, length, read(other)), (other.at, length, read(first))];
            cases.push((format!("{kind}s-swapped"), swap));
        }
    }
    cases
}

/// Too short and too long.
fn framing(bytes: &[u8], elements: &[Element]) -> Vec<(String, Vec<Patch>)> {
    let start = elements.first().map_or(bytes.len(), |element| element.at);
    let middle = elements[elements.len() / 2].at;
    let cut = |at: usize| vec![(at, bytes.len() - at, Vec::new())];
    vec![
        ("no-proof".to_string(), cut(start)),
        ("last-byte-missing".to_string(), cut(bytes.len() - 1)),
        ("second-half-missing".to_string(), cut(middle)),
        ("byte-after-the-end".to_string(), vec![(bytes.len(), 0, vec![0])]),
    ]
}

/// Bytes that are no element of their kind.
fn foreign(kind: &str) -> Vec<(&'static str, Vec<u8>)> {
    let p = Fq::MODULUS.to_bytes_le();
    let flagged = |mut bytes: Vec<u8>, flags: u8| {
        bytes[0] |= flags;
        bytes
    };
    let big = |number: u64, length: usize| {
        let mut bytes = vec![0; length];
        bytes[length - 8..].copy_from_slice(&number.to_be_bytes());
        bytes
    };
    let p_big: Vec<u8> = p.iter().rev().copied().collect();
    let generator = groups::write_g1(&G1Affine::identity());
    match kind {
        "scalar" => vec![("is-the-order", Fr::MODULUS.to_bytes_le()), ("is-all-ones", vec![0xff; 32])],
        "g1" => {
            let outside = (1..).map(Fq::from).find_map(|x| {
                let point = G1Affine::get_point_from_x_unchecked(x, false)?;
                (!point.is_in_correct_subgroup_assuming_on_curve()).then_some(point)
            });
            let none = (1u64..).find(|&x| G1Affine::get_point_from_x_unchecked(Fq::from(x), false).is_none());
            vec![
                ("without-compression-flag", big(4, 48)),
                ("x-is-the-modulus", flagged(p_big, 0x80)),
                ("not-on-the-curve", flagged(big(none.expect("an x"), 48), 0x80)),
                ("outside-the-subgroup", groups::write_g1(&outside.expect("a point")).to_vec()),
                ("identity-with-sign", flagged(generator.to_vec(), 0x20)),
                ("identity-with-x", [&generator[..47], &[1]].concat()),
            ]
        }
        "g2" => {
            use ark_bls12_381::Fq2;
            let point = |x: u64| G2Affine::get_point_from_x_unchecked(Fq2::new(Fq::from(x), Fq::ZERO), false);
            let outside = (1..).find_map(|x| point(x).filter(|p| !p.is_in_correct_subgroup_assuming_on_curve()));
            let none = (1u64..).find(|&x| point(x).is_none());
            vec![
                ("without-compression-flag", big(4, 96)),
                ("x-is-the-modulus", flagged([vec![0; 48], p_big].concat(), 0x80)),
                ("not-on-the-curve", flagged(big(none.expect("an x"), 96), 0x80)),
                ("outside-the-subgroup", groups::write_g2(&outside.expect("a point")).to_vec()),
                ("identity-with-sign", flagged([vec![0xc0], vec![0; 95]].concat(), 0x20)),
            ]
        }
        _ => {
            let number = |number: u8| [vec![number], vec![0; 191]].concat();
            vec![
                ("coefficient-is-the-modulus", [p, vec![0; 144]].concat()),
                // y = 0 is the identity only with z = 0.
                ("first-coordinate-is-0", [vec![0; 96], vec![1], vec![0; 95]].concat()),
                ("coefficient-is-all-ones", vec![0xff; 192]),
                ("outside-the-group", number(1)),
                ("outside-the-group-2", number(2)),
            ]
        }
    }
}
