//! Decides how the secret side of a card is kept: rows, blindings, and which weights they belong to.

use super::{Commitments, Committed};
use crate::hex;
use ark_bls12_381::Fr;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use sha3::{Digest, Sha3_256};
use zeroize::Zeroizing;
use zkllm_verifier::card::Card;
use zkllm_verifier::groups::{self, G1};

const MAGIC: &[u8; 8] = b"ZKLLMSEC";
const VERSION: u16 = 4;
const POINT_BYTES: usize = 96;
const CHECKSUM_BYTES: usize = 32;
/// Magic, version, fingerprint of the card, digest of the weights.
const HEAD_BYTES: usize = 8 + 2 + 32 + 32;

/// Why a file is not the secret side of a card.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such file at all.
    #[error("this is not the secret side of a card; give the model.secret that `zkllm commit` wrote with the card")]
    Foreign,
    /// Of another version of the program.
    #[error("this secret side has version {found}, and this program reads {VERSION}; use the program that wrote it")]
    Version {
        /// The version.
        found: u16,
    },
    /// Not what was written.
    #[error(
        "this secret side is damaged: restore it from a copy. Without it nothing can be proved for this card any more, and a \
         new `zkllm commit` makes another card with another fingerprint; keep the damaged file until you have a copy"
    )]
    Damaged,
    /// Of another card.
    #[error(
        "this secret belongs to the card with the fingerprint {0}; use the one that `zkllm commit` wrote with the card"
    )]
    OtherCard(String),
}

/// The secret side: commitments and the digest of the weights they commit to.
pub struct Secret {
    /// Rows and blindings.
    pub commitments: Commitments,
    /// SHA3-256 of the model's columns.
    pub weights: [u8; 32],
}

impl Secret {
    /// Bytes at the beginning that say of which card it is.
    pub const NAMED: usize = 8 + 2 + 32;

    /// Bytes of the secret side of `card`.
    pub fn length(card: &Card) -> usize {
        HEAD_BYTES + chunk_bytes(card) * card.commitments.len() + CHECKSUM_BYTES
    }

    /// The fingerprint of the card that a secret side is of, if these bytes begin as one does.
    pub fn fingerprint(bytes: &[u8]) -> Option<&[u8; 32]> {
        bytes.strip_prefix(MAGIC)?.get(2..)?.first_chunk()
    }

    /// The bytes: magic, version, fingerprint of the card, digest of the weights, then for every chunk its blinding and
    /// its rows, uncompressed; at last the SHA3-256 of all before.
    pub fn to_bytes(&self, card: &Card) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(Self::length(card)));
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(card.fingerprint());
        out.extend(self.weights);
        for chunk in &self.commitments.chunks {
            out.extend(groups::write_scalar(&chunk.rho));
            for row in &chunk.rows {
                row.serialize_uncompressed(&mut *out).expect("a vector takes all bytes");
            }
        }
        let checksum = Sha3_256::digest(&*out);
        out.extend(checksum);
        out
    }

    /// The blindings of the card's commitments, one behind the other.
    pub fn blindings(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.commitments.chunks.iter().flat_map(|chunk| groups::write_scalar(&chunk.rho)).collect())
    }

    /// Reads the secret side of `card`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn parse(bytes: &[u8], card: &Card) -> Result<Self, StoreError> {
        let cut = MAGIC.starts_with(bytes);
        let rest = bytes.strip_prefix(MAGIC).ok_or(if cut { StoreError::Damaged } else { StoreError::Foreign })?;
        let (version, rest) = rest.split_first_chunk().ok_or(StoreError::Damaged)?;
        match u16::from_le_bytes(*version) {
            VERSION => {}
            found => return Err(StoreError::Version { found }),
        }
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(StoreError::Damaged)?;
        if Sha3_256::digest(body)[..] != *checksum {
            return Err(StoreError::Damaged);
        }
        let (fingerprint, rest) = rest.split_first_chunk::<32>().ok_or(StoreError::Damaged)?;
        if *fingerprint != card.fingerprint() {
            return Err(StoreError::OtherCard(hex(fingerprint)));
        }
        if bytes.len() != Self::length(card) {
            return Err(StoreError::Damaged);
        }
        let (weights, rest) = rest.split_first_chunk::<32>().ok_or(StoreError::Damaged)?;
        let chunks = rest.chunks_exact(chunk_bytes(card)).zip(&card.commitments).map(|(bytes, commitment)| {
            let (rho, rows) = bytes.split_first_chunk::<32>()?;
            let rho: Fr = groups::read_scalar(rho).ok()?;
            // Written by this program, as the checksum says; a point off the curve would end in a panic.
            let point = |bytes: &[u8]| G1::deserialize_uncompressed_unchecked(bytes).ok().filter(G1::is_on_curve);
            let rows = rows.chunks_exact(POINT_BYTES).map(point).collect::<Option<_>>()?;
            Some(Committed { rows, rho, commitment: groups::read_gt(commitment).ok()? })
        });
        let chunks = chunks.collect::<Option<_>>().ok_or(StoreError::Damaged)?;
        Ok(Self { commitments: Commitments { chunks }, weights: *weights })
    }
}

/// Bytes of a chunk: its blinding and its rows.
fn chunk_bytes(card: &Card) -> usize {
    32 + (POINT_BYTES << card.chunk_log)
}
