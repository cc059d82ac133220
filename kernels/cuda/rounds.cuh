// Decides how a sumcheck over a compact tensor sums and folds, whatever its summand is.
#pragma once
#include "field.cuh"

// Pairs that share one weight of the high table.
constexpr u64 CHUNK = 1024;
// Pairs of a chunk that one thread takes.
constexpr u64 TAKEN = 8;

// Rows of a tensor and the weights of their pairs: `rows[row] high[pair / CHUNK] low[pair % CHUNK]`. No table, no weight.
struct Walk {
    const Fr *row_weights, *high, *low;
    u64 rows, length;
};

// `S::terms(first, whole, out)` gives the pair's two summands: of the entries `first` and `first + 1`, or of `first` and
// the padding where the pair is not whole. Every thread writes its two sums.
template <class S>
DEVICE void sum_round(Fr* out, const S& summand, const Walk& walk) {
    Fr sums[2] = {};
    u64 half = (walk.length + 1) / 2, chunks = (half + CHUNK - 1) / CHUNK;
    u64 span = half < CHUNK ? half : CHUNK, lanes = (span + TAKEN - 1) / TAKEN;
    for (u64 task = thread_number(); task < walk.rows * chunks * lanes; task += thread_count()) {
        u64 lane = task % lanes, chunk = task / lanes % chunks, row = task / lanes / chunks;
        Fr part[2] = {};
        for (u64 i = lane; i < span && chunk * CHUNK + i < half; i += lanes) {
            u64 entry = 2 * (chunk * CHUNK + i);
            Fr terms[2];
            summand.terms(row * walk.length + entry, entry + 1 < walk.length, terms);
#pragma unroll
            for (int k = 0; k < 2; k++) part[k] += walk.low ? walk.low[i] * terms[k] : terms[k];
        }
#pragma unroll
        for (int k = 0; k < 2; k++) {
            if (walk.row_weights) part[k] = part[k] * walk.row_weights[row];
            if (walk.high) part[k] = part[k] * walk.high[chunk];
            sums[k] += part[k];
        }
    }
#pragma unroll
    for (int k = 0; k < 2; k++) out[2 * thread_number() + k] = sums[k];
}

// `out[k][row][i] = v + r (w - v)` for `v` and `w` the tables' `S::values(first)`, which is false for the padding, or
// `S::padding()`.
template <int K, class S>
DEVICE void fold(Fr* out, const S& tables, u64 rows, u64 length, const Fr& r) {
    u64 id = thread_number(), half = (length + 1) / 2;
    if (id >= rows * half) return;
    u64 row = id / half, entry = 2 * (id % half), first = row * length + entry;
    Fr low[K], high[K];
    bool there = tables.values(first, low);
    if (entry + 1 < length) {
        there |= tables.values(first + 1, high);
    } else {
        tables.padding(high);
    }
#pragma unroll
    for (int k = 0; k < K; k++) out[k * rows * half + id] = there ? low[k] + r * (high[k] - low[k]) : low[k];
}
