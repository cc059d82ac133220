//! Decides every random number of a prover: system randomness hashed with the secret and the statement.

use ark_bls12_381::Fr;
use ark_ff::PrimeField;
use sha3::{Digest, Sha3_512};

/// A stream of uniform scalars that nobody without the seed can predict. It has no `Debug` and no `Clone`: nonces are
/// drawn once and never shown.
pub struct Blinding {
    seed: [u8; 64],
    drawn: u64,
}

impl Blinding {
    /// Seeded by the system's randomness, and by `secret` should that fail to be random.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new(secret: &[u8]) -> Result<Self, getrandom::Error> {
        let mut random = [0u8; 64];
        getrandom::fill(&mut random)?;
        Ok(Self::seeded(&[&random, secret].concat()))
    }

    /// Seeded by `seed` alone: for tests and for comparing backends, where the same bytes are wanted twice.
    pub fn seeded(seed: &[u8]) -> Self {
        Self { seed: Sha3_512::digest(seed).into(), drawn: 0 }
    }

    /// An independent stream.
    pub fn fork(&mut self) -> Self {
        let (a, b) = (self.scalar(), self.scalar());
        Self::seeded(&[a, b].map(|scalar| scalar.into_bigint().0.map(u64::to_le_bytes).concat()).concat())
    }

    /// The next scalar.
    pub fn scalar(&mut self) -> Fr {
        let mut hash = Sha3_512::new();
        hash.update(self.seed);
        hash.update(self.drawn.to_le_bytes());
        self.drawn += 1;
        Fr::from_le_bytes_mod_order(&hash.finalize())
    }
}
