// `out[lane][m][n]`: the sum over `b = lane, lane + lanes, ..` of `weights[b] sum over k of x[b][m][k] y[b][n][k]`. Neighbours
// have other rows of `x` and the same of `y`.
// Uses: ints
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    x: u32,
    kind: u32,
    y: u32,
    weights: u32,
    rows: u32,
    columns: u32,
    depth: u32,
    batches: u32,
    lanes: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let m = thread % arguments.rows;
    let n = thread / arguments.rows % arguments.columns;
    let lane = thread / arguments.rows / arguments.columns;
    var total: Fr;
    for (var b = lane; b < arguments.batches; b += arguments.lanes) {
        let row = (b * arguments.rows + m) * arguments.depth;
        let column = arguments.y + 32u * ((b * arguments.columns + n) * arguments.depth);
        var sum: WideSum;
        for (var k = 0u; k < arguments.depth; k++) {
            wide_add(&sum, fr_load(column + 32u * k), load_int(arguments.x, arguments.kind, row + k));
        }
        total = fr_add(total, fr_mul(fr_load(arguments.weights + 32u * b), wide_reduced(sum)));
    }
    fr_store(arguments.out + 32u * ((lane * arguments.rows + m) * arguments.columns + n), total);
}
