// `out[row][i] = v + r (w - v)` for every pair `v, w` of entries of rows of `length`, 0 beyond them.
// Uses: fr
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    entries: u32,
    rows: u32,
    length: u32,
    r: Fr,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let half = (arguments.length + 1u) / 2u;
    let entry = 2u * (thread % half);
    let at = arguments.entries + 32u * (thread / half * arguments.length + entry);
    let low = fr_load(at);
    var high: Fr;
    if (entry + 1u < arguments.length) { high = fr_load(at + 32u); }
    fr_store(arguments.out + 32u * thread, fr_add(low, fr_mul(arguments.r, fr_sub(high, low))));
}
