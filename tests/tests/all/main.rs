//! The tests that need no process of their own, in one program: it is built once, and keeps all cores busy.

mod attacks;
mod bytes;
mod columns;
mod dory;
mod end_to_end;
mod frozen;
mod groups;
mod ledger;
mod lies;
mod names;
mod programs;
mod protocol;
mod vectors;
mod weights;
mod work;
