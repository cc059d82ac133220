// Decides products of integer matrices.
#include "machine.cuh"

// Four neighbours of a row, read at once.
template <class T>
struct alignas(4 * sizeof(T)) Quad {
    T values[4];
};

// `out[m][n] = sum of left[m][k] right[n][k]` over the first `quads` quads of rows of `row_quads`, exact where no sum exceeds 63
// bits and a sign. A thread makes 4 x 4 results, and `out` has room for whole tiles, in rows of `stride`. A block makes 64 x 32,
// so that neighbours read the same rows from the cache. `batches` of such products are done at once, the matrices of one `steps`
// from those of the one before, in quads and results.
//
// Each product is one wide multiply-add, 64 of them for 8 quads that are read: those are the bound. Two limbs of 8 bits
// at once (dp2a) would take as many. Tensor cores would be faster than the copy of the matrices, which is then the bound.
template <class T>
DEVICE void multiply(i64* out, const Quad<i32>* left, const Quad<T>* right, u64 rows, u64 columns, u64 quads, u64 row_quads,
                     u64 stride, u64 batches, u64 out_step, u64 left_step, u64 right_step) {
    u64 id = thread_number(), block = id / 128, down = (rows + 63) / 64, blocks = down * ((columns + 31) / 32);
    u64 batch = block / blocks;
    if (batch >= batches) return;
    out += batch * out_step, left += batch * left_step, right += batch * right_step, block %= blocks;
    u64 row = block % down * 64 + id % 128 / 8 * 4, column = block / down * 32 + id % 8 * 4;
    if (row >= rows || column >= columns) return;
    // What is beyond the matrices is the last row once more.
    u64 at_left[4], at_right[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        at_left[i] = (row + i < rows ? row + i : rows - 1) * row_quads;
        at_right[i] = (column + i < columns ? column + i : columns - 1) * row_quads;
    }
    i64 sums[4][4] = {};
    for (u64 k = 0; k < quads; k++) {
        Quad<i32> a[4];
        Quad<T> b[4];
#pragma unroll
        for (int i = 0; i < 4; i++) a[i] = left[at_left[i] + k], b[i] = right[at_right[i] + k];
#pragma unroll
        for (int e = 0; e < 4; e++)
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) sums[i][j] += i64(a[i].values[e]) * b[j].values[e];
    }
    out += row * stride + column;
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) out[i * stride + j] = sums[i][j];
}

KERNEL(multiply_i16, i64* out, const Quad<i32>* left, const Quad<short>* right, u64 rows, u64 columns, u64 quads, u64 row_quads,
       u64 stride, u64 batches, u64 out_step, u64 left_step, u64 right_step) {
    multiply(out, left, right, rows, columns, quads, row_quads, stride, batches, out_step, left_step, right_step);
}

KERNEL(multiply_i32, i64* out, const Quad<i32>* left, const Quad<i32>* right, u64 rows, u64 columns, u64 quads, u64 row_quads,
       u64 stride, u64 batches, u64 out_step, u64 left_step, u64 right_step) {
    multiply(out, left, right, rows, columns, quads, row_quads, stride, batches, out_step, left_step, right_step);
}
