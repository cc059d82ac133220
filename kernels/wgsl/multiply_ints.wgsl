// Decides products of integer matrices: `out[m][n] = sum of left[m][k] right[n][k]` over the first `4 quads`
// integers of rows of `4 row_quads`, modulo 2^64. A thread makes 4 x 4 results and a group 64 x 32; `out` has room for whole
// tiles, in rows of `stride`. Of batches only one is done here.
// Uses: ints
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    left: u32,
    right: u32,
    rows: u32,
    columns: u32,
    quads: u32,
    row_quads: u32,
    stride: u32,
    batches: u32,
    out_step: u32,
    left_step: u32,
    right_step: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let group = thread / 128u;
    let down = (arguments.rows + 63u) / 64u;
    let row = group % down * 64u + thread % 128u / 8u * 4u;
    let column = group / down * 32u + thread % 8u * 4u;
    if (row >= arguments.rows || column >= arguments.columns) { return; }
    let depth = 4u * arguments.row_quads;
    var sums: array<array<vec2<u32>, 4>, 4>;
    for (var k = 0u; k < 4u * arguments.quads; k++) {
        // What is beyond the matrices is the last row once more.
        var b: array<vec2<u32>, 4>;
        for (var j = 0u; j < 4u; j++) {
            b[j] = load_int(arguments.right, KIND, min(column + j, arguments.columns - 1u) * depth + k);
        }
        for (var i = 0u; i < 4u; i++) {
            let a = load_int(arguments.left, 4u, min(row + i, arguments.rows - 1u) * depth + k);
            for (var j = 0u; j < 4u; j++) {
                let low = multiply_add(a.x, b[j].x, sums[i][j].x, 0u);
                sums[i][j] = vec2<u32>(low.x, sums[i][j].y + low.y + a.x * b[j].y + a.y * b[j].x);
            }
        }
    }
    let stride = arguments.stride / 4u;
    for (var i = 0u; i < 4u; i++) {
        let at = arguments.out / 16u + 2u * ((row + i) * stride + column / 4u);
        memory[at] = vec4<u32>(sums[i][0], sums[i][1]);
        memory[at + 1u] = vec4<u32>(sums[i][2], sums[i][3]);
    }
}
