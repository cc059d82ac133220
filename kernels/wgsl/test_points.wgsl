// For the tests, of pairs of affine points: `a + b`; `(3a + b) - 2a`, the same with denominators; `2a`.
// Uses: curve
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    a: u32,
    b: u32,
    count: u32,
}

// What is done, in a loop because every step of it is long when compiled.
const CLEAR = 0u;
const ADD_A = 1u;
const ADD_B = 2u;
const SUB_A = 3u;
const SUB_B = 4u;
const TWICE = 5u;
const STORE_SUM = 6u;
const STORE_FULL = 7u;
const ADD_FULL = 8u;
const MOVES = array<u32, 22>(
    ADD_A, ADD_B, STORE_SUM,
    CLEAR, ADD_B, TWICE, STORE_FULL,
    CLEAR, ADD_A, TWICE, ADD_A, ADD_FULL, SUB_B, STORE_FULL,
    CLEAR, SUB_A, TWICE, ADD_FULL, STORE_FULL,
    CLEAR, ADD_A, TWICE,
);

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let a = arguments.a + AFFINE_BYTES * thread;
    let b = arguments.b + AFFINE_BYTES * thread;
    let out = arguments.out + 3u * POINT_BYTES * thread;
    var moves = MOVES;
    for (var k = 0u; k < 22u; k++) {
        let next = moves[k];
        if (next == CLEAR) {
            registers[2] = Fq();
        } else if (next >= ADD_A && next <= SUB_B) {
            add_affine(select(a, b, next == ADD_B || next == SUB_B), next >= SUB_A);
        } else if (next == TWICE) {
            if (!is_infinity()) { run(DOUBLE); }
        } else if (next == ADD_FULL) {
            add_point(out + POINT_BYTES);
        } else {
            store_point(out + select(0u, POINT_BYTES, next == STORE_FULL));
        }
    }
    store_point(out + 2u * POINT_BYTES);
}
