// `(p0 q1 + p1 q0) / (q0 q1)` for every node.
// Uses: level
struct Arguments {
    first_thread: u32,
    threads: u32,
    out_p: u32,
    out_q: u32,
    p: u32,
    q: u32,
    leaves: u32,
    kind: u32,
    plus: u32,
    side: u32,
    first: u32,
    before: u32,
    below_length: u32,
    nodes: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let pair = children(thread);
    let p = fr_add(fr_mul(pair[0].p, pair[1].q), fr_mul(pair[1].p, pair[0].q));
    fr_store(arguments.out_p + 32u * thread, p);
    fr_store(arguments.out_q + 32u * thread, fr_mul(pair[0].q, pair[1].q));
}
