// `out[o][s][i] += coefficient entry(o, s, i)`; or, if there are weights, the sum of `weights[s'] entry(o, s', i)` over
// `s' <= s`, or `s' < s`. `o` runs over the first `outer_axes` axes, `s` over the next, `i` over the other `inner_axes`; the place
// of an entry is the sum of its indices' steps. An axis is its length and where its steps begin.
// Uses: entries
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    entries: Entries,
    axes: u32,
    steps: u32,
    outer_axes: u32,
    inner_axes: u32,
    outer: u32,
    inner: u32,
    weights: u32,
    without_own: u32,
    coefficient: Fr,
}

// The sum of the steps of an index, row major over `count` axes from `first` on.
fn offset_of(place: u32, first: u32, count: u32) -> u32 {
    var index = place;
    var offset = 0u;
    for (var k = count; k > 0u; k--) {
        let axis = arguments.axes + 16u * (first + k - 1u);
        let length = load_word(axis);
        offset += load_word(arguments.steps + 8u * (load_word(axis + 8u) + index % length));
        index /= length;
    }
    return offset;
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let o = thread / arguments.inner;
    let i = thread % arguments.inner;
    let own = arguments.axes + 16u * arguments.outer_axes;
    let length = load_word(own);
    let steps = arguments.steps + 8u * load_word(own + 8u);
    let base = offset_of(o, 0u, arguments.outer_axes) + offset_of(i, arguments.outer_axes + 1u, arguments.inner_axes);
    let scans = arguments.weights != 0u;
    var sum: Fr;
    for (var s = 0u; s < length; s++) {
        let at = arguments.out + 32u * ((o * length + s) * arguments.inner + i);
        var factor = arguments.coefficient;
        if (scans) { factor = fr_load(arguments.weights + 32u * s); }
        let more = fr_add(sum, entry_times(arguments.entries, base + load_word(steps + 8u * s), factor));
        var value = more;
        if (scans && arguments.without_own != 0u) { value = sum; }
        fr_store(at, fr_add(fr_load(at), value));
        if (scans) { sum = more; }
    }
}
