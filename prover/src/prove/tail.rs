//! Decides the last messages of a level of the lookup tree: two variables at once, over tables that are small.

use ark_bls12_381::Fr;
use ark_ff::Zero;
use rayon::prelude::*;
use std::array::from_fn;
use zkllm_verifier::arith::mle;

/// The sum `sum_x eq(rho, x) (p0 q1 + q0 s)(x)`, `s = p1 + lambda q1`, over the variables left.
pub struct Tail {
    rho: Vec<Fr>,
    lambda: Fr,
    /// `p0, s, q0, q1`, as long as there are points.
    tables: [Vec<Fr>; 4],
}

/// A polynomial in the last variable and the one before it: its values where they are 0, 1 and infinity, where it is its
/// leading coefficient.
type Grid = [[Fr; 3]; 3];

impl Tail {
    /// With the coordinates of the unbound variables.
    pub fn new(rho: Vec<Fr>, lambda: Fr, tables: [Vec<Fr>; 4]) -> Self {
        Self { rho, lambda, tables }
    }

    /// The coefficients of the next message in the order of the slots, the last variable's degree first.
    pub fn round(&self) -> Vec<Fr> {
        let weights = mle::eq_table(&self.rho[..self.rho.len() - 2], self.tables[0].len() / 4);
        let add = |a: Grid, b: Grid| from_fn(|i| from_fn(|j| a[i][j] + b[i][j]));
        let values = weights.par_iter().enumerate().with_min_len(256);
        let values = values.map(|(at, weight)| self.values(at).map(|row| row.map(|value| *weight * value)));
        let values: Grid = values.reduce(|| [[Fr::zero(); 3]; 3], add);
        let coefficients = |[zero, one, infinity]: [Fr; 3]| [zero, one - zero - infinity, infinity];
        let before = values.map(coefficients);
        let both: Grid = from_fn(|j| coefficients(from_fn(|i| before[i][j])));
        (1..9).map(|k| both[k % 3][k / 3]).collect()
    }

    /// The summand without its eq factor in the two variables, at point number `at` of the others.
    fn values(&self, at: usize) -> Grid {
        let line = |zero: Fr, one: Fr| [zero, one, one - zero];
        let grid = |table: &Vec<Fr>| -> Grid {
            let [zero, one] = [0, 2].map(|before| line(table[4 * at + before], table[4 * at + before + 1]));
            from_fn(|i| line(zero[i], one[i]))
        };
        let [p0, s, q0, q1] = self.tables.each_ref().map(grid);
        from_fn(|i| from_fn(|j| p0[i][j] * q1[i][j] + q0[i][j] * s[i][j]))
    }

    /// Binds the last variable to `last` and the one before to `before`.
    pub fn bind(&mut self, last: Fr, before: Fr) {
        let fold = |table: &[Fr], r: Fr| -> Vec<Fr> {
            table.chunks(2).map(|pair| pair[0] + r * (pair[1] - pair[0])).collect()
        };
        for table in &mut self.tables {
            *table = fold(&fold(table, last), before);
        }
        self.rho.truncate(self.rho.len() - 2);
    }

    /// The values `p0, p1, q0, q1` where everything is bound.
    pub fn end(&self) -> [Fr; 4] {
        let [p0, s, q0, q1] = self.tables.each_ref().map(|table| table[0]);
        [p0, s - self.lambda * q1, q0, q1]
    }
}
