//! The heavy computations of the prover.
