//! Decides how the secret side of a card is kept: rows, blindings, and which weights they belong to.

use super::{Commitments, Committed};
use ark_bls12_381::Fr;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use zkllm_verifier::card::Card;
use zkllm_verifier::groups::{self, G1};

const MAGIC: &[u8; 8] = b"ZKLLMSEC";
const VERSION: u16 = 3;
const POINT_BYTES: usize = 96;

/// Why a file is not the secret side of a card.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not such a file, or cut short.
    #[error("this is not the secret side of a card (or it is damaged); make it again with `zkllm commit`")]
    Malformed,
    /// Of another card.
    #[error("this secret belongs to another card; use the one that `zkllm commit` wrote beside the card")]
    OtherCard,
}

/// The secret side: commitments and the digest of the weights they commit to.
pub struct Secret {
    /// Rows and blindings.
    pub commitments: Commitments,
    /// SHA3-256 of the model's columns.
    pub weights: [u8; 32],
}

impl Secret {
    /// The bytes: magic, version, fingerprint of the card, digest of the weights, then for every chunk its blinding and
    /// its rows, uncompressed.
    pub fn to_bytes(&self, card: &Card) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        out.extend(card.fingerprint());
        out.extend(self.weights);
        for chunk in &self.commitments.chunks {
            out.extend(groups::write_scalar(&chunk.rho));
            for row in &chunk.rows {
                row.serialize_uncompressed(&mut out).expect("a vector takes all bytes");
            }
        }
        out
    }

    /// Reads the secret side of `card`. Our own file, mode 600: points are on the curve, and not looked at further; a wrong
    /// one makes a proof that does not verify.
    pub fn parse(bytes: &[u8], card: &Card) -> Result<Self, StoreError> {
        let rest = bytes
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.strip_prefix(&VERSION.to_le_bytes()))
            .ok_or(StoreError::Malformed)?;
        let (fingerprint, rest) = rest.split_first_chunk::<32>().ok_or(StoreError::Malformed)?;
        if *fingerprint != card.fingerprint() {
            return Err(StoreError::OtherCard);
        }
        let (weights, rest) = rest.split_first_chunk::<32>().ok_or(StoreError::Malformed)?;
        let side = 1usize << card.chunk_log;
        let size = 32 + side * POINT_BYTES;
        if rest.len() != size * card.commitments.len() {
            return Err(StoreError::Malformed);
        }
        let mut chunks = Vec::new();
        for (bytes, commitment) in rest.chunks(size).zip(&card.commitments) {
            let (rho, rows) = bytes.split_first_chunk::<32>().ok_or(StoreError::Malformed)?;
            let rho: Fr = groups::read_scalar(rho).map_err(|_| StoreError::Malformed)?;
            let point = |bytes: &[u8]| G1::deserialize_uncompressed_unchecked(bytes).ok().filter(G1::is_on_curve);
            let rows = rows.chunks(POINT_BYTES).map(point).collect::<Option<_>>().ok_or(StoreError::Malformed)?;
            let commitment = groups::read_gt(commitment).map_err(|_| StoreError::Malformed)?;
            chunks.push(Committed { rows, rho, commitment });
        }
        Ok(Self { commitments: Commitments { chunks }, weights: *weights })
    }
}
