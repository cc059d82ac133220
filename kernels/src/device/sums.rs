//! Decides how the partial results of many threads become results.

use ark_bls12_381::Fr;
use ark_ff::Zero;

use super::Argument;
use super::array::{Array, Plain, Point, launch};
use super::machine::Device;

/// Entries that one thread adds.
const FAN: usize = 64;
/// Values that are read and added here rather than there.
const FEW: usize = 512;

/// What can be summed, and by which kernel.
pub trait Summed: Plain {
    const KERNEL: &'static str;
}

impl Summed for Fr {
    const KERNEL: &'static str = "sum_runs_field";
}

impl Summed for Point {
    const KERNEL: &'static str = "sum_runs_points";
}

/// Adds the rows of `width` values of groups of `count`, in runs, to `out`.
fn sum_runs<D: Device>(
    device: &D,
    values: &Array<D, Fr>,
    (groups, count, width): (usize, usize, usize),
    out: Argument,
) {
    let arguments = [out, values.into(), groups.into(), count.into(), FAN.into(), width.into()];
    // SAFETY: `values` holds `groups * count * width` values, and `out` has room for a row for each run.
    unsafe { launch(device, "sum_groups", groups * count.div_ceil(FAN) * width, &arguments) };
}

/// The sums of `groups` groups of `count` rows of `width` values.
pub fn sum_groups<D: Device>(
    device: &D,
    mut values: Array<D, Fr>,
    groups: usize,
    mut count: usize,
    width: usize,
) -> Vec<Fr> {
    while count > 1 && groups * count * width > FEW {
        let sums = Array::new(device, groups * count.div_ceil(FAN) * width);
        sum_runs(device, &values, (groups, count, width), sums.at(0));
        (values, count) = (sums, count.div_ceil(FAN));
    }
    let values = values.read(device, 0, groups * count * width);
    if count == 1 {
        return values;
    }
    let mut sums = vec![Fr::zero(); groups * width];
    for (at, value) in values.into_iter().enumerate() {
        sums[at / (count * width) * width + at % width] += value;
    }
    sums
}

/// The same, to `out` on the device, which has room for `groups * width` values; `count` is not 0.
pub fn sum_groups_to<D: Device>(
    device: &D,
    mut values: Array<D, Fr>,
    groups: usize,
    mut count: usize,
    width: usize,
    out: Argument,
) {
    while count > FAN {
        let sums = Array::new(device, groups * count.div_ceil(FAN) * width);
        sum_runs(device, &values, (groups, count, width), sums.at(0));
        (values, count) = (sums, count.div_ceil(FAN));
    }
    sum_runs(device, &values, (groups, count, width), out);
}

/// The sums of groups of `counts` rows of `width` values, on the device.
pub fn sum_uneven<D: Device, T: Summed>(
    device: &D,
    mut values: Array<D, T>,
    mut counts: Vec<usize>,
    width: usize,
) -> Array<D, T> {
    loop {
        let (mut starts, mut position) = (vec![0u64], 0);
        for count in &mut counts {
            let end = position + *count;
            // An empty group has one empty run: its sum is zero.
            *count = count.div_ceil(FAN).max(1);
            for _ in 0..*count {
                position = end.min(position + FAN);
                starts.push(position as u64);
            }
        }
        let runs = starts.len() - 1;
        let (sums, starts) = (Array::new(device, runs * width), Array::of(device, &starts));
        let arguments = [(&sums).into(), (&values).into(), (&starts).into(), runs.into(), width.into()];
        // SAFETY: the runs lie within `values`, and `sums` has a row for each.
        unsafe { launch(device, T::KERNEL, sums.length(), &arguments) };
        values = sums;
        if counts.iter().all(|count| *count == 1) {
            return values;
        }
    }
}
