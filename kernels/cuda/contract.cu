// Decides contractions: sums of a tensor's entries along one axis, weighted with field elements.
#include "runs.cuh"

// `out[o][lane][i] = sum of weights[m] x[o][m][i]` over `m = lane, lane + lanes, ..`; neighbours read neighbours.
template <class Sum, class T>
DEVICE void contract(Fr* out, const T* x, const Fr* weights, u64 outer, u64 middle, u64 inner, u64 lanes) {
    u64 id = thread_number();
    if (id >= outer * lanes * inner) return;
    u64 i = id % inner, lane = id / inner % lanes, o = id / inner / lanes;
    Sum sum = {};
    for (u64 m = lane; m < middle; m += lanes) sum.add(weights[m], x[(o * middle + m) * inner + i]);
    out[id] = sum.reduced();
}

#define CONTRACT(name, Sum, T)                                                                              \
    KERNEL(name, Fr* out, const T* x, const Fr* weights, u64 outer, u64 middle, u64 inner, u64 lanes) {     \
        contract<Sum>(out, x, weights, outer, middle, inner, lanes);                                        \
    }
CONTRACT(contract_u8, WideSum, u8)
CONTRACT(contract_i16, WideSum, short)
CONTRACT(contract_u16, WideSum, unsigned short)
CONTRACT(contract_i32, WideSum, i32)
CONTRACT(contract_i64, WideSum, i64)
CONTRACT(contract_field, FieldSum, Fr)

// For every unit of every run: the sum of its entries, each with the weight of its column.
KERNEL(contract_right, Fr* out, const Run* runs, u64 run_count, const u8* values, const Fr* weights, u64 units) {
    u64 unit = thread_number();
    if (unit >= units) return;
    Run run = run_of(runs, run_count, unit);
    WideSum sum = {};
    for (u64 i = unit - run.first_unit; i < run.length; i += run.units())
        sum.add(weights[run.column + i], load_int(values + run.values, run.kind, i));
    out[unit] = sum.reduced();
}

// A task is some of the runs that touch one tile of 128 columns: `listed[starts[task]..starts[task + 1]]`. Sums each
// column's entries with the weights of their rows.
KERNEL(contract_left, Fr* out, const Run* runs, const u32* listed, const u64* starts, const u32* tiles, const u8* values,
       const Fr* weights, u64 tasks) {
    u64 id = thread_number(), task = id / 128;
    if (task >= tasks) return;
    u64 column = u64(tiles[task]) * 128 + id % 128;
    WideSum sum = {};
    for (u64 k = starts[task]; k < starts[task + 1]; k++) {
        const Run& run = runs[listed[k]];
        u64 i = column - run.column;
        if (i < run.length) sum.add(weights[run.row], load_int(values + run.values, run.kind, i));
    }
    out[id] = sum.reduced();
}
