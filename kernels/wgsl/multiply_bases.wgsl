// `out[c][d - 1] = d Q_c` for `d <= multiples`, where `Q_c` is the base, or twice the last multiple in the table of the
// digit below. One thread a base; its one inversion serves all multiples. `points` and `products` hold them meanwhile.
// Uses: curve
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    bases: u32,
    stride: u32,
    doubled: u32,
    count: u32,
    multiples: u32,
    points: u32,
    products: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    add_affine(arguments.bases + AFFINE_BYTES * arguments.stride * thread, false);
    if (arguments.doubled == 1u && !is_infinity()) { run(DOUBLE); }
    registers[10] = FQ_ONE;
    for (var d = 0u; d < arguments.multiples; d++) {
        let at = d * arguments.count + thread;
        store_point(arguments.points + POINT_BYTES * at);
        fq_store(arguments.products + FQ_BYTES * at, registers[10]);
        if (!is_infinity()) { run(MULTIPLY_DENOMINATOR); }
        // The first multiple.
        add_point(arguments.points + POINT_BYTES * thread);
    }
    registers[10] = fq_inverse(registers[10]);
    for (var d = arguments.multiples; d > 0u; d--) {
        let at = (d - 1u) * arguments.count + thread;
        for (var k = 0u; k < 4u; k++) { registers[k] = fq_load(arguments.points + POINT_BYTES * at + FQ_BYTES * k); }
        registers[5] = fq_load(arguments.products + FQ_BYTES * at);
        if (is_infinity()) {
            registers[0] = Fq();
            registers[1] = Fq();
        } else {
            run(NORMALISE);
        }
        let place = arguments.out + AFFINE_BYTES * (thread * arguments.multiples + d - 1u);
        fq_store(place, registers[0]);
        fq_store(place + FQ_BYTES, registers[1]);
    }
}
