// Decides how partial results become results: sums of runs of neighbours.
#include "curve.cuh"

DEVICE void add_to(Fr& sum, const Fr& x) { sum += x; }
DEVICE void add_to(Point& sum, const Point& x) { sum.add(x); }

// `out[k] = sum of in[starts[k]..starts[k + 1]]`, where an entry is a row of `width` values.
template <class T>
DEVICE void sum_runs(T* out, const T* in, const u64* starts, u64 runs, u64 width) {
    u64 id = thread_number();
    if (id >= runs * width) return;
    u64 run = id / width, at = id % width;
    T sum = {};
    for (u64 i = starts[run]; i < starts[run + 1]; i++) add_to(sum, in[i * width + at]);
    out[id] = sum;
}

KERNEL(sum_runs_field, Fr* out, const Fr* in, const u64* starts, u64 runs, u64 width) {
    sum_runs(out, in, starts, runs, width);
}

KERNEL(sum_runs_points, Point* out, const Point* in, const u64* starts, u64 runs, u64 width) {
    sum_runs(out, in, starts, runs, width);
}

// The same for groups of `count` entries each, in runs of `fan` that do not cross groups.
KERNEL(sum_groups, Fr* out, const Fr* in, u64 groups, u64 count, u64 fan, u64 width) {
    u64 id = thread_number(), runs = (count + fan - 1) / fan;
    if (id >= groups * runs * width) return;
    u64 at = id % width, run = id / width % runs, group = id / width / runs;
    Fr sum = {};
    for (u64 i = run * fan; i < (run + 1) * fan && i < count; i++) sum += in[(group * count + i) * width + at];
    out[id] = sum;
}
