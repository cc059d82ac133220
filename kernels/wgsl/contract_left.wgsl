// A task is some of the runs that begin at one column, `first..end` of them, and one tile of 128 columns. Sums each column's
// entries with the weights of their rows.
// Uses: runs
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    runs: u32,
    tasks: u32,
    weights: u32,
    count: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let task = memory[arguments.tasks / 16u + thread / 128u];
    let column = task.z * 128u + thread % 128u;
    var sum: WideSum;
    for (var k = task.x; k < task.y; k++) {
        let run = load_run(arguments.runs, k);
        let i = column - run.column;
        if (i < run.length) {
            wide_add(&sum, fr_load(arguments.weights + 32u * run.row), load_int(run.values, run.kind, i));
        }
    }
    fr_store(arguments.out + 32u * thread, wide_reduced(sum));
}
