//! Decides which generators there are: points hashed from fixed strings, so that nobody knows a relation between them.
//! Spec: dory.generators.

use super::tier2::multi_pairing;
use ark_bls12_381::{G1Projective, G2Projective, g1, g2};
use ark_ec::CurveGroup;
use ark_ec::hashing::HashToCurve;
use ark_ec::hashing::curve_maps::wb::WBMap;
use ark_ec::hashing::map_to_curve_hasher::{MapToCurve, MapToCurveBasedHasher};
use ark_ff::field_hashers::DefaultFieldHasher;
use rayon::prelude::*;
use sha2::Sha256;
use std::sync::{Arc, Mutex, PoisonError};
use zkllm_verifier::dory::LedgerGenerators;
use zkllm_verifier::groups::{self, G1, G2};

/// Domain separation of the points of G1: RFC 9380, suite `BLS12381G1_XMD:SHA-256_SSWU_RO_`.
pub const DST_G1: &str = "ZKLLM-V1-BLS12381G1_XMD:SHA-256_SSWU_RO_";
/// Domain separation of the points of G2: RFC 9380, suite `BLS12381G2_XMD:SHA-256_SSWU_RO_`.
pub const DST_G2: &str = "ZKLLM-V1-BLS12381G2_XMD:SHA-256_SSWU_RO_";

/// The generators for matrices of up to `2^s` rows and columns.
#[derive(Clone, Debug)]
pub struct Generators {
    /// Of the columns, `2^s`.
    pub g1: Vec<G1>,
    /// Of the rows, `2^s`.
    pub g2: Vec<G2>,
    /// Of blinding in G1.
    pub h1: G1,
    /// Of blinding in G2.
    pub h2: G2,
    /// Of the opened value in G2.
    pub g2_value: G2,
    /// Of the ledger's entries.
    pub ledger: LedgerGenerators,
}

impl Generators {
    /// Hashes the generators, or takes them from an earlier call; all sizes share prefixes.
    pub fn new(s: usize) -> Arc<Self> {
        static CACHE: Mutex<Option<Arc<Generators>>> = Mutex::new(None);
        // Not locked while points are hashed: who waits for other threads runs other tasks, which may come here too.
        let cache = || CACHE.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cache().clone();
        if let Some(known) = known.clone().filter(|known| known.g1.len() == 1 << s) {
            return known;
        }
        let made = Arc::new(Self::extend(known.as_deref(), 1 << s));
        let mut cache = cache();
        if cache.as_ref().is_none_or(|known| known.g1.len() < made.g1.len()) {
            *cache = Some(made.clone());
        }
        made
    }

    fn extend(known: Option<&Self>, length: usize) -> Self {
        let (known1, known2) = known.map_or((&[][..], &[][..]), |known| (&known.g1, &known.g2));
        let (known1, known2) = (&known1[..known1.len().min(length)], &known2[..known2.len().min(length)]);
        let new = known1.len() as u32..length as u32;
        Self {
            g1: [known1, &new.clone().into_par_iter().map(|i| hash_g1("vector", i)).collect::<Vec<_>>()].concat(),
            g2: [known2, &new.into_par_iter().map(|i| hash_g2("vector", i)).collect::<Vec<_>>()].concat(),
            h1: hash_g1("blinding", 0),
            h2: hash_g2("blinding", 0),
            g2_value: hash_g2("value", 0),
            ledger: LedgerGenerators {
                g: [0, 1, 2, 3, 4, 5, 6, 7].map(|slot| hash_g1("ledger", slot)),
                g_v: hash_g1("ledger", 8),
                h: hash_g1("ledger", 9),
            },
        }
    }
}

/// The point of G1 called `name`, `index`: the hash of the name followed by four bytes of index, little endian.
pub fn hash_g1(name: &str, index: u32) -> G1 {
    hash::<G1Projective, WBMap<g1::Config>>(DST_G1, name, index)
}

/// The point of G2 called `name`, `index`.
pub fn hash_g2(name: &str, index: u32) -> G2 {
    hash::<G2Projective, WBMap<g2::Config>>(DST_G2, name, index)
}

fn hash<G: CurveGroup, M: MapToCurve<G>>(dst: &str, name: &str, index: u32) -> G::Affine {
    let message = [name.as_bytes(), &index.to_le_bytes()].concat();
    MapToCurveBasedHasher::<G, DefaultFieldHasher<Sha256, 128>, M>::new(dst.as_bytes())
        .and_then(|hasher| hasher.hash(&message))
        .expect("the maps of these two suites are total")
}

/// The constants of the verifier for `s` up to `max_log`: `verifier/src/constants.bin` for 16. Spec: dory.constants.
pub fn constants_bytes(max_log: usize) -> Vec<u8> {
    let Generators { g1, g2, h1, h2, g2_value, ledger } = &*Generators::new(max_log);
    let points1 = ledger.g.iter().chain([&ledger.g_v, &ledger.h, h1, &g1[0]]).flat_map(groups::write_g1);
    let points2 = [h2, &g2[0], g2_value].into_iter().flat_map(groups::write_g2);
    let mut chi = multi_pairing(&g1[..1], &g2[..1]);
    let mut constants: Vec<u8> = points1.chain(points2).chain(groups::write_gt(&chi)).collect();
    for half in (0..max_log).map(|log| 1 << log) {
        let [left1, right1] = [&g1[..half], &g1[half..2 * half]];
        let [left2, right2] = [&g2[..half], &g2[half..2 * half]];
        chi += multi_pairing(right1, right2);
        for element in [chi, multi_pairing(right1, left2), multi_pairing(left1, right2)] {
            constants.extend(groups::write_gt(&element));
        }
    }
    constants
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9380, J.9.1 and J.10.1, the empty message.
    #[test]
    fn hashing_is_that_of_the_rfc() {
        let dst = |suite| format!("QUUX-V01-CS02-with-{suite}");
        let g1 = MapToCurveBasedHasher::<G1Projective, DefaultFieldHasher<Sha256, 128>, WBMap<g1::Config>>::new(
            dst("BLS12381G1_XMD:SHA-256_SSWU_RO_").as_bytes(),
        );
        let g2 = MapToCurveBasedHasher::<G2Projective, DefaultFieldHasher<Sha256, 128>, WBMap<g2::Config>>::new(
            dst("BLS12381G2_XMD:SHA-256_SSWU_RO_").as_bytes(),
        );
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let g1 = groups::write_g1(&g1.unwrap().hash(b"").unwrap());
        let g2 = groups::write_g2(&g2.unwrap().hash(b"").unwrap());
        // The flags of the compressed encoding are the top three bits.
        let g1 = [&[g1[0] & 0x1f], &g1[1..]].concat();
        let g2 = [&[g2[0] & 0x1f], &g2[1..]].concat();
        assert_eq!(
            hex(&g1),
            "052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1"
        );
        assert_eq!(
            hex(&g2),
            concat!(
                "05cb8437535e20ecffaef7752baddf98034139c38452458baeefab379ba13dff5bf5dd71b72418717047f5b0f37da03d",
                "0141ebfbdca40eb85b87142e130ab689c673cf60f1a3e98d69335266f30d9b8d4ac44c1038e9dcdd5393faf5c41fb78a"
            )
        );
    }
}
