// Rows of `length`, each filled up to `full`.
// Uses: fr
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    values: u32,
    rows: u32,
    length: u32,
    full: u32,
    padding: Fr,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let row = thread / arguments.full;
    let at = thread % arguments.full;
    if (at < arguments.length) {
        fr_store(arguments.out + 32u * thread, fr_load(arguments.values + 32u * (row * arguments.length + at)));
    } else {
        fr_store(arguments.out + 32u * thread, arguments.padding);
    }
}
