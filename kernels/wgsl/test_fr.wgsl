// For the tests: `a + b`, `a - b`, `-a`, `a b` and `1 / a` of pairs.
// Uses: fr
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    a: u32,
    b: u32,
    count: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let a = fr_load(arguments.a + 32u * thread);
    let b = fr_load(arguments.b + 32u * thread);
    let out = arguments.out + 5u * 32u * thread;
    fr_store(out, fr_add(a, b));
    fr_store(out + 32u, fr_sub(a, b));
    fr_store(out + 2u * 32u, fr_sub(Fr(), a));
    fr_store(out + 3u * 32u, fr_mul(a, b));
    fr_store(out + 4u * 32u, fr_inverse(a));
}
