// Decides contractions: sums of a tensor's entries along one axis, weighted with field elements.
#include "runs.cuh"

// `out[o][lane][i] = sum of weights[m] x[o][m][i]` over `m = lane, lane + lanes, ..`; neighbours read neighbours.
KERNEL(contract_ints, Fr* out, const u8* x, u64 kind, u64 side, u64 first, u64 before, const Fr* weights, u64 outer, u64 middle,
       u64 inner, u64 lanes) {
    u64 id = thread_number();
    if (id >= outer * lanes * inner) return;
    u64 i = id % inner, lane = id / inner % lanes, o = id / inner / lanes;
    Places places = {side, first, before};
    WideSum sum = {};
    for (u64 m = lane; m < middle; m += lanes) {
        u64 place = (o * middle + m) * inner + i;
        if (places.find(place)) sum.add(weights[m], load_int(x, u32(kind), place));
    }
    out[id] = sum.reduced();
}

KERNEL(contract_field, Fr* out, const Fr* x, const Fr* weights, u64 outer, u64 middle, u64 inner, u64 lanes) {
    u64 id = thread_number();
    if (id >= outer * lanes * inner) return;
    u64 i = id % inner, lane = id / inner % lanes, o = id / inner / lanes;
    Fr sum = {};
    for (u64 m = lane; m < middle; m += lanes) sum += weights[m] * x[(o * middle + m) * inner + i];
    out[id] = sum;
}

// For every unit of every run: the sum of its entries, each with the weight of its column.
KERNEL(contract_right, Fr* out, const Run* runs, u64 run_count, const Fr* weights, u64 units) {
    u64 unit = thread_number();
    if (unit >= units) return;
    Run run = run_of(runs, run_count, unit);
    WideSum sum = {};
    for (u64 i = unit - run.first_unit; i < run.length; i += run.units())
        sum.add(weights[run.column + i], load_int(run.values, run.kind, i));
    out[unit] = sum.reduced();
}

// Runs that begin at one column, `first..end` of them, and one tile of 128 columns.
struct Task {
    u32 first, end, tile, unused;
};

// For every task: the sum of each column's entries, each with the weight of its row.
KERNEL(contract_left, Fr* out, const Run* runs, const Task* tasks, const Fr* weights, u64 count) {
    u64 id = thread_number();
    if (id / 128 >= count) return;
    Task task = tasks[id / 128];
    u64 column = u64(task.tile) * 128 + id % 128;
    WideSum sum = {};
    for (u32 k = task.first; k < task.end; k++) {
        const Run& run = runs[k];
        u64 i = column - run.column;
        if (i < run.length) sum.add(weights[run.row], load_int(run.values, run.kind, i));
    }
    out[id] = sum.reduced();
}
