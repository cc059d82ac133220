// `out[i] = sum over slices of 2^(16 slice) parts[slice][i]`.
// Uses: curve
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    parts: u32,
    length: u32,
    slices: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    for (var slice = arguments.slices; slice > 0u; slice--) {
        for (var b = 0u; b < 16u && !is_infinity(); b++) { run(DOUBLE); }
        add_point(arguments.parts + POINT_BYTES * ((slice - 1u) * arguments.length + thread));
    }
    store_point(arguments.out + POINT_BYTES * thread);
}
