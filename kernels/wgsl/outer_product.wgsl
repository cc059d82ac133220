// `out[i] = high[i / low_length] low[i % low_length]`: an eq table from those of both halves of its point.
// Uses: fr
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    high: u32,
    low: u32,
    low_length: u32,
    length: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let high = fr_load(arguments.high + 32u * (thread / arguments.low_length));
    let low = fr_load(arguments.low + 32u * (thread % arguments.low_length));
    fr_store(arguments.out + 32u * thread, fr_mul(high, low));
}
