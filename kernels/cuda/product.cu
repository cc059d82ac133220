// Decides the sumcheck of a product of two tables.
#include "rounds.cuh"

// `a(x) b(x)`, 0 beyond the tables.
struct Factors {
    const Fr *a, *b;

    DEVICE void terms(u64 first, bool whole, Fr* out) const {
        Fr a0 = a[first], b0 = b[first];
        if (!whole) {
            out[1] = a0 * b0;
            out[0] = -out[1];
            return;
        }
        Fr a1 = a[first + 1], b1 = b[first + 1];
        out[0] = a1 * b1 - a0 * b0;
        out[1] = (a1 - a0) * (b1 - b0);
    }
};

KERNEL(product_round, Fr* out, const Fr* a, const Fr* b, const Fr* row_weights, const Fr* high, const Fr* low, u64 rows,
       u64 length) {
    sum_round(out, Factors{a, b}, {row_weights, high, low, rows, length});
}

// `a(x) b(x)` of even and of odd entries.
struct Values {
    const Fr *a, *b;

    DEVICE void terms(u64 first, bool whole, Fr* out) const {
        out[0] = a[first] * b[first];
        out[1] = whole ? a[first + 1] * b[first + 1] : Fr::zero();
    }
};

KERNEL(product_value, Fr* out, const Fr* a, const Fr* b, const Fr* row_weights, const Fr* high, const Fr* low, u64 rows,
       u64 length) {
    sum_round(out, Values{a, b}, {row_weights, high, low, rows, length});
}

struct Table {
    const Fr* entries;

    DEVICE void values(u64 at, Fr* out) const { out[0] = entries[at]; }
    DEVICE void padding(Fr* out) const { out[0] = Fr::zero(); }
};

KERNEL(product_fold, Fr* out, const Fr* entries, u64 rows, u64 length, Fr r) { fold<1>(out, Table{entries}, rows, length, r); }

// Rows of `length`, each filled up to `full`.
KERNEL(pad_rows, Fr* out, const Fr* in, u64 rows, u64 length, u64 full, Fr padding) {
    u64 id = thread_number();
    if (id >= rows * full) return;
    u64 row = id / full, at = id % full;
    out[id] = at < length ? in[row * length + at] : padding;
}
