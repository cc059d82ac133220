// `out[row][i] = v + r (w - v)` for every pair `v, w` of entries of rows of `length`, 0 beyond them.
// Uses: entries
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    entries: Entries,
    rows: u32,
    length: u32,
    r: Fr,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let half = (arguments.length + 1u) / 2u;
    let first = 2u * (thread % half);
    let at = thread / half * arguments.length + first;
    let low = entry(arguments.entries, at);
    var high: Fr;
    if (first + 1u < arguments.length) { high = entry(arguments.entries, at + 1u); }
    fr_store(arguments.out + 32u * thread, fr_add(low, fr_mul(arguments.r, fr_sub(high, low))));
}
