//! Decides what the CUDA backend is: every verb by kernels, over any [`Device`].

pub mod array;
mod device;

pub use device::{Argument, Device, Fault, catch};
