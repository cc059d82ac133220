//! Decides how sums of field products are reduced once: 576-bit sums of 512-bit products.

use ark_bls12_381::Fr;
use ark_ff::{BigInt, BigInteger, PrimeField};

/// An unreduced sum of products, up to 2^64 of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wide([u64; 9]);

impl Wide {
    /// Add `a b`.
    #[inline(always)]
    pub fn add_product(&mut self, a: &Fr, b: &Fr) {
        let (a, b) = (a.0.0, b.0.0);
        let mut product = [0u64; 8];
        for i in 0..4 {
            let mut carry = 0u64;
            for j in 0..4 {
                let sum = u128::from(a[i]) * u128::from(b[j]) + u128::from(product[i + j]) + u128::from(carry);
                product[i + j] = sum as u64;
                carry = (sum >> 64) as u64;
            }
            product[i + 4] = carry;
        }
        let mut carry = 0u64;
        for (word, product) in self.0.iter_mut().zip(product) {
            let sum = u128::from(*word) + u128::from(product) + u128::from(carry);
            *word = sum as u64;
            carry = (sum >> 64) as u64;
        }
        self.0[8] += carry;
    }

    /// The sum.
    pub fn reduce(self) -> Fr {
        let words = self.0;
        let below = |mut value: BigInt<4>| {
            while value >= Fr::MODULUS {
                value.sub_with_borrow(&Fr::MODULUS);
            }
            Fr::new_unchecked(value)
        };
        // Both factors carry R = 2^256, so the sum is divided by R once: the low words by a product with 1 / R, the
        // middle ones by place; the top word times R is an integer in Montgomery form.
        let low = below(BigInt::new([words[0], words[1], words[2], words[3]])) * Fr::new_unchecked(BigInt::one());
        let middle = below(BigInt::new([words[4], words[5], words[6], words[7]]));
        low + middle + Fr::from(words[8])
    }
}
