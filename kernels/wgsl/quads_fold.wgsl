// `out[k][row][i] = v + r (w - v)` for every pair `v, w` of the four tables' entries, in rows of `length`.
// Uses: quads
@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let half = (arguments.length + 1u) / 2u;
    let entry = 2u * (thread % half);
    var pair = pair_of(thread / half * arguments.length + entry, entry + 1u < arguments.length);
    for (var k = 0u; k < 4u; k++) {
        let value = fr_add(pair[0][k], fr_mul(arguments.r, fr_sub(pair[1][k], pair[0][k])));
        fr_store(arguments.out + 32u * (k * arguments.rows * half + thread), value);
    }
}
