// For every unit of every run: the sum of its entries, each with the weight of its column.
// Uses: runs
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    runs: u32,
    run_count: u32,
    weights: u32,
    units: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let run = run_of(arguments.runs, arguments.run_count, thread);
    var sum: WideSum;
    for (var i = thread - run.first_unit; i < run.length; i += run.units) {
        wide_add(&sum, fr_load(arguments.weights + 32u * (run.column + i)), load_int(run.values, run.kind, i));
    }
    fr_store(arguments.out + 32u * thread, wide_reduced(sum));
}
