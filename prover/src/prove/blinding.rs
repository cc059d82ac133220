//! Decides every random number of a prover: system randomness hashed with what is secret, with what is claimed and with
//! what was said so far, so that a generator that repeats itself repeats no blinding under another statement.
//! Spec: zero-knowledge.randomness.

use ark_bls12_381::Fr;
use ark_ff::PrimeField;
use sha3::{Digest, Sha3_512};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};
use zkllm_verifier::groups::write_scalar;
use zkllm_verifier::transcript::Transcript;

/// What the system gave for one commitment or one proof. It has no `Debug` and no `Clone`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Randomness([u8; 64]);

impl Randomness {
    /// Fresh bytes of the system.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn of_system() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// These bytes: for tests, where the system's are known or the same twice.
    pub fn known(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The stream for `purpose`, of the bytes and all `parts`, secret and public ones, each behind its length.
    pub fn hedged<'a>(self, purpose: &'static str, parts: impl IntoIterator<Item = &'a [u8]>) -> Blinding {
        let mut hash = Sha3_512::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        add(purpose.as_bytes());
        add(&self.0);
        parts.into_iter().for_each(add);
        Blinding { seed: hash.finalize().into(), drawn: 0 }
    }
}

/// A stream of uniform scalars. It has no `Debug` and no `Clone`: nonces are drawn once and never shown.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Blinding {
    seed: [u8; 64],
    drawn: u64,
}

impl Blinding {
    /// Seeded by `seed` alone: for tests and for comparing backends, where the same bytes are wanted twice.
    pub fn seeded(seed: &[u8]) -> Self {
        Self { seed: Sha3_512::digest(seed).into(), drawn: 0 }
    }

    /// Mixes in all that was said: what is drawn from now on answers this conversation and no other one.
    pub fn follow(&mut self, said: &Transcript) {
        // Of a copy: the proof's own challenges are not touched.
        let state = write_scalar(&said.clone().challenge("blinding"));
        let mut hash = Sha3_512::new();
        hash.update(self.seed);
        hash.update(self.drawn.to_le_bytes());
        hash.update(state);
        self.seed = hash.finalize().into();
        self.drawn = 0;
    }

    /// An independent stream.
    pub fn fork(&mut self) -> Self {
        let seed = Zeroizing::new([self.scalar(), self.scalar()].map(|scalar| write_scalar(&scalar)).concat());
        Self::seeded(&seed)
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
