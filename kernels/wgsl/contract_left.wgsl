// A task is some of the runs that touch one tile of 128 columns: `listed[starts[task]..starts[task + 1]]`. Sums each
// column's entries with the weights of their rows.
// Uses: runs
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    runs: u32,
    listed: u32,
    starts: u32,
    tiles: u32,
    values: u32,
    weights: u32,
    tasks: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let task = thread / 128u;
    let column = load_word(arguments.tiles + 4u * task) * 128u + thread % 128u;
    let end = load_word(arguments.starts + 8u * task + 8u);
    var sum: WideSum;
    for (var k = load_word(arguments.starts + 8u * task); k < end; k++) {
        let run = load_run(arguments.runs, load_word(arguments.listed + 4u * k), arguments.values);
        let i = column - run.column;
        if (i < run.length) {
            wide_add(&sum, fr_load(arguments.weights + 32u * run.row), load_int(run.values, run.kind, i));
        }
    }
    fr_store(arguments.out + 32u * thread, wide_reduced(sum));
}
