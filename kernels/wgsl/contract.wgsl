// Decides contractions: `out[o][lane][i] = sum of weights[m] x[o][m][i]` over `m = lane, lane + lanes, ..`.
@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let i = thread % arguments.inner;
    let lane = thread / arguments.inner % arguments.lanes;
    let o = thread / arguments.inner / arguments.lanes;
    var sum: Sum;
    for (var m = lane; m < arguments.middle; m += arguments.lanes) {
        add(&sum, fr_load(arguments.weights + 32u * m), (o * arguments.middle + m) * arguments.inner + i);
    }
    fr_store(arguments.out + 32u * thread, reduced(sum));
}
