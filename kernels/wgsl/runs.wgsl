// Decides how a matrix given in runs of small integers is shared out among threads.
// Uses: ints

// Consecutive entries of one row, at the address `values`. Its entries go to units, one thread each: the first unit takes
// every `units`-th entry from the first on, the next unit those beside them.
struct Run {
    first_unit: u32,
    values: u32,
    row: u32,
    column: u32,
    length: u32,
    kind: u32,
    units: u32,
}

fn load_run(runs: u32, index: u32) -> Run {
    let low = memory[runs / 16u + 2u * index];
    let high = memory[runs / 16u + 2u * index + 1u];
    return Run(low.x, low.z, high.x, high.y, high.z, high.w, (high.z + 63u) / 64u);
}

// The run that a unit belongs to: the last one whose first unit is not beyond it. No run is empty.
fn run_of(runs: u32, count: u32, unit: u32) -> Run {
    var low = 0u;
    var high = count;
    while (high - low > 1u) {
        let middle = (low + high) / 2u;
        if (memory[runs / 16u + 2u * middle].x <= unit) { low = middle; } else { high = middle; }
    }
    return load_run(runs, low);
}
