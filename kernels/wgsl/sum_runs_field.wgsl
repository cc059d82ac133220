// `out[k] = sum of values[starts[k]..starts[k + 1]]`, where an entry is a row of `width` field elements.
// Uses: fr
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    values: u32,
    starts: u32,
    runs: u32,
    width: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let run = thread / arguments.width;
    let at = thread % arguments.width;
    let end = load_word(arguments.starts + 8u * run + 8u);
    var sum: Fr;
    for (var i = load_word(arguments.starts + 8u * run); i < end; i++) {
        sum = fr_add(sum, fr_load(arguments.values + 32u * (i * arguments.width + at)));
    }
    fr_store(arguments.out + 32u * thread, sum);
}
