// `out[slice][i] = sum over k and b < 16 of 2^b digits[k][16 slice + b] vectors[k][i]`; digits are -1, 0 or 1, one byte
// each, the same for all threads of a slice.
// Uses: curve
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    vectors: u32,
    digits: u32,
    count: u32,
    length: u32,
    slices: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let i = thread % arguments.length;
    let slice = thread / arguments.length;
    for (var b = 16u; b > 0u; b--) {
        if (!is_infinity()) { run(DOUBLE); }
        for (var k = 0u; k < arguments.count; k++) {
            let at = arguments.digits + (k * arguments.slices + slice) * 16u + b - 1u;
            let digit = load_word(at / 4u * 4u) >> (at % 4u * 8u) & 0xffu;
            if (digit != 0u) {
                add_affine(arguments.vectors + AFFINE_BYTES * (k * arguments.length + i), digit == 0xffu);
            }
        }
    }
    store_point(arguments.out + POINT_BYTES * thread);
}
