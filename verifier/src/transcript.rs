//! Decides every challenge: Fiat-Shamir over a chain of SHA3 hashes. Spec: transcript.

use ark_bls12_381::Fr;
use ark_ff::PrimeField;
use sha3::{Digest, Sha3_256, Sha3_512};

/// The running hash of everything said so far.
///
/// `absorb(label, m)`: `state <- SHA3-256(0x01 | state | len8(label) | label | len64le(m) | m)`.
/// `challenge(label)`: `SHA3-512(0x02 | state | len8(label) | label)` as a little-endian integer modulo `r`,
/// then `state <- SHA3-256(0x03 | state | len8(label) | label)`.
/// The 512-bit reduction leaves a bias below 2^-256.
#[derive(Clone)]
pub struct Transcript {
    state: [u8; 32],
}

impl Transcript {
    /// A transcript bound to a protocol: `state = SHA3-256(protocol)`.
    pub fn new(protocol: &str) -> Self {
        Self { state: Sha3_256::digest(protocol.as_bytes()).into() }
    }

    /// Binds `message` under `label`. Spec: transcript.absorb.
    pub fn absorb(&mut self, label: &'static str, message: &[u8]) {
        let mut hash = self.tagged(1, label);
        hash.update((message.len() as u64).to_le_bytes());
        hash.update(message);
        self.state = hash.finalize().into();
    }

    /// Draws a challenge. Spec: transcript.challenge.
    pub fn challenge(&mut self, label: &'static str) -> Fr {
        let mut wide = Sha3_512::new();
        wide.update([2]);
        wide.update(self.state);
        wide.update([label.len() as u8]);
        wide.update(label.as_bytes());
        self.state = self.tagged(3, label).finalize().into();
        Fr::from_le_bytes_mod_order(&wide.finalize())
    }

    fn tagged(&self, tag: u8, label: &'static str) -> Sha3_256 {
        let mut hash = Sha3_256::new();
        hash.update([tag]);
        hash.update(self.state);
        hash.update([label.len() as u8]);
        hash.update(label.as_bytes());
        hash
    }
}
