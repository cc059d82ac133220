// For the tests: `a + b`, `a - b`, `-a`, `a b` and `1 / a` of pairs.
// Uses: fq
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
    let a = fq_load(arguments.a + 48u * thread);
    let b = fq_load(arguments.b + 48u * thread);
    let out = arguments.out + 5u * 48u * thread;
    fq_store(out, fq_add(a, b));
    fq_store(out + 48u, fq_sub(a, b));
    fq_store(out + 2u * 48u, fq_sub(Fq(), a));
    fq_store(out + 3u * 48u, fq_mul(a, b));
    fq_store(out + 4u * 48u, fq_inverse(a));
}
