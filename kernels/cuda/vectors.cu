// Decides the verbs that are one pass over a vector: eq tables and histograms.
#include "field.cuh"

// `out[i] = high[i / low_length] low[i % low_length]`: an eq table from those of both halves of its point.
KERNEL(outer_product, Fr* out, const Fr* high, const Fr* low, u64 low_length, u64 length) {
    u64 i = thread_number();
    if (i < length) out[i] = high[i / low_length] * low[i % low_length];
}

// `counts[row]` = how often it occurs; what is not below `size` is counted in `counts[size]`.
KERNEL(histogram, u32* counts, const u32* rows, u64 length, u64 size) {
    for (u64 i = thread_number(); i < length; i += thread_count()) {
        u64 row = rows[i];
        add_atomically(counts + (row < size ? row : size), 1);
    }
}
