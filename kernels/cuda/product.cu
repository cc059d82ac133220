// Decides the sumcheck of a product of two tables.
#include "ints.cuh"
#include "rounds.cuh"

// `a(x) b(x)`, 0 beyond the tables.
struct Factors {
    Entries a, b;

    DEVICE void terms(u64 first, bool whole, Fr* out) const {
        Fr a0 = a.at(first), b0 = b.at(first);
        if (!whole) {
            out[1] = a0 * b0;
            out[0] = -out[1];
            return;
        }
        Fr a1 = a.at(first + 1), b1 = b.at(first + 1);
        out[0] = a1 * b1 - a0 * b0;
        out[1] = (a1 - a0) * (b1 - b0);
    }
};

KERNEL(product_round, Fr* out, const Fr* a, const u8* a_ints, u64 a_kind, const Fr* b, const u8* b_ints, u64 b_kind,
       const Fr* row_weights, const Fr* high, const Fr* low, u64 rows, u64 length) {
    sum_round(out, Factors{{a, a_ints, a_kind}, {b, b_ints, b_kind}}, {row_weights, high, low, rows, length});
}

// `a(x) b(x)` of even and of odd entries.
struct Values {
    Entries a, b;

    DEVICE void terms(u64 first, bool whole, Fr* out) const {
        out[0] = a.at(first) * b.at(first);
        out[1] = whole ? a.at(first + 1) * b.at(first + 1) : Fr::zero();
    }
};

KERNEL(product_value, Fr* out, const Fr* a, const u8* a_ints, u64 a_kind, const Fr* b, const u8* b_ints, u64 b_kind,
       const Fr* row_weights, const Fr* high, const Fr* low, u64 rows, u64 length) {
    sum_round(out, Values{{a, a_ints, a_kind}, {b, b_ints, b_kind}}, {row_weights, high, low, rows, length});
}

struct Table {
    Entries entries;

    DEVICE bool values(u64 at, Fr* out) const {
        out[0] = entries.at(at);
        return true;
    }
    DEVICE void padding(Fr* out) const { out[0] = Fr::zero(); }
};

KERNEL(product_fold, Fr* out, const Fr* field, const u8* ints, u64 kind, u64 rows, u64 length, Fr r) {
    fold<1>(out, Table{{field, ints, kind}}, rows, length, r);
}

// Rows of `length`, each filled up to `full`.
KERNEL(pad_rows, Fr* out, const Fr* in, u64 rows, u64 length, u64 full, Fr padding) {
    u64 id = thread_number();
    if (id >= rows * full) return;
    u64 row = id / full, at = id % full;
    out[id] = at < length ? in[row * length + at] : padding;
}
