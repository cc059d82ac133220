// Decides tables put together from entries of others, and products of tables with matrices of integers.
#include "ints.cuh"

// An axis: how many indices it has, and where their steps begin.
struct Axis {
    u64 length, start;
};

// The sum of the steps of an index, row major over `count` axes.
DEVICE u64 steps_of(u64 index, const Axis* axes, u64 count, const u64* steps) {
    u64 offset = 0;
    while (count-- > 0) {
        Axis axis = axes[count];
        offset += steps[axis.start + index % axis.length];
        index /= axis.length;
    }
    return offset;
}

// `out[o][s][i] += coefficient entry(o, s, i)`; or, if there are weights, the sum of `weights[s'] entry(o, s', i)` over
// `s' <= s`, or `s' < s`. `o` runs over the first `outer_axes` axes, `s` over the next, `i` over the other `inner_axes`.
KERNEL(gather_add, Fr* out, const Fr* field, const u8* ints, u64 kind, const Axis* axes, const u64* steps, u64 outer_axes,
       u64 inner_axes, u64 outer, u64 inner, const Fr* weights, u64 without_own, Fr coefficient) {
    u64 id = thread_number();
    if (id >= outer * inner) return;
    u64 o = id / inner, i = id % inner;
    Entries entries = {field, ints, kind};
    Axis own = axes[outer_axes];
    u64 base = steps_of(o, axes, outer_axes, steps) + steps_of(i, axes + outer_axes + 1, inner_axes, steps);
    Fr sum = {};
    for (u64 s = 0; s < own.length; s++) {
        u64 at = base + steps[own.start + s], place = (o * own.length + s) * inner + i;
        Fr more = sum + entries.times(at, weights ? weights[s] : coefficient);
        out[place] += weights && without_own ? sum : more;
        if (weights) sum = more;
    }
}

// `out[lane][m][n]`: the sum over `b = lane, lane + lanes, ..` of `weights[b] sum over k of x[b][m][k] y[b][n][k]`. Neighbours
// have other rows of `x` and the same of `y`.
KERNEL(multiply_table, Fr* out, const u8* x, u64 kind, const Fr* y, const Fr* weights, u64 rows, u64 columns, u64 depth,
       u64 batches, u64 lanes) {
    u64 id = thread_number();
    if (id >= lanes * rows * columns) return;
    u64 m = id % rows, n = id / rows % columns, lane = id / rows / columns;
    Fr total = {};
    for (u64 b = lane; b < batches; b += lanes) {
        const Fr* of_column = y + (b * columns + n) * depth;
        WideSum sum = {};
        for (u64 k = 0; k < depth; k++) sum.add(of_column[k], load_int(x, u32(kind), (b * rows + m) * depth + k));
        total += weights[b] * sum.reduced();
    }
    out[(lane * rows + m) * columns + n] = total;
}
