// Decides the fraction tree: the level above a level, and the sumcheck between them. What is not there is 0/1.
#include "ints.cuh"
#include "rounds.cuh"

struct Fraction {
    Fr p, q;
};

// Numbers of a table's rows: `plus` more than small integers of a kind. If there are squares of `side` rows and columns, one
// after the other, and `first` is a place in one of them, there are numbers only where a place is not above the diagonal, and
// `before` of them are before the first.
struct Numbers {
    const u8* values;
    u64 kind, plus, side, first, before;

    // Whether there is a number at a place, and which.
    DEVICE bool find(u64 place, u64& number) const {
        if (side) {
            place += first;
            u64 line = place / side, column = place % side, square = line / side, row = line % side;
            if (column > row) return false;
            place = square * (side * (side + 1) / 2) + row * (row + 1) / 2 + column - before;
        }
        number = load_int(values, u32(kind), place) + plus;
        return true;
    }
};

// The fractions of one level: all `p` are 1 where there is no table of them, and leaves are made on the fly where there
// are `rows`: then `q` is the table that they number. What numbers no row is 0/1.
struct Level {
    const Fr *p, *q;
    Numbers rows;
    // Of a row of the tensor.
    u64 length;

    DEVICE Fraction at(u64 index) const {
        u64 row = index;
        if (rows.values && !rows.find(index, row)) return {Fr::zero(), Fr::one()};
        return {p ? p[index] : Fr::one(), q[row]};
    }

    // Where the children of a node begin; `whole` unless the second is padding.
    DEVICE u64 children(u64 node, bool& whole) const {
        u64 half = (length + 1) / 2, first = 2 * (node % half);
        whole = first + 1 < length;
        return node / half * length + first;
    }
};

// `(p0 q1 + p1 q0) / (q0 q1)` for every node.
KERNEL(level_above, Fr* out_p, Fr* out_q, const Fr* p, const Fr* q, const u8* rows, u64 kind, u64 plus, u64 side,
       u64 first_place, u64 before, u64 length, u64 nodes) {
    u64 node = thread_number();
    if (node >= nodes) return;
    Level below = {p, q, {rows, kind, plus, side, first_place, before}, length};
    bool whole;
    u64 first = below.children(node, whole);
    Fraction sum = below.at(first);
    if (whole) {
        Fraction other = below.at(first + 1);
        sum.p = sum.p * other.q + other.p * sum.q;
        sum.q = sum.q * other.q;
    }
    out_p[node] = sum.p;
    out_q[node] = sum.q;
}

// The summand `p0 q1 + q0 s` with `s = p1 + lambda q1`, of `[p0, s, q0, q1]` with the padding `[0, lambda, 1, 1]`.
template <class Q>
struct Quads {
    Q source;
    Fr lambda;

    DEVICE void values(u64 node, Fr* out) const { source.values(node, lambda, out); }
    DEVICE void padding(Fr* out) const { out[0] = Fr::zero(), out[1] = lambda, out[2] = out[3] = Fr::one(); }

    DEVICE void terms(u64 first, bool whole, Fr* out) const {
        Fr low[4], high[4];
        values(first, low);
        if (whole) {
            values(first + 1, high);
        } else {
            padding(high);
        }
        out[0] = high[0] * high[3] + high[2] * high[1] - low[0] * low[3] - low[2] * low[1];
        out[1] = (high[0] - low[0]) * (high[3] - low[3]) + (high[2] - low[2]) * (high[1] - low[1]);
    }
};

// From the level below, nothing bound.
struct Below {
    Level level;

    DEVICE void values(u64 node, const Fr& lambda, Fr* out) const {
        bool whole;
        u64 first = level.children(node, whole);
        Fraction zero = level.at(first), one = whole ? level.at(first + 1) : Fraction{Fr::zero(), Fr::one()};
        out[0] = zero.p, out[1] = one.p + lambda * one.q, out[2] = zero.q, out[3] = one.q;
    }
};

// From four tables of `size` one after the other.
struct Stored {
    const Fr* tables;
    u64 size;

    DEVICE void values(u64 node, const Fr&, Fr* out) const {
#pragma unroll
        for (int k = 0; k < 4; k++) out[k] = tables[k * size + node];
    }
};

KERNEL(leaf_round, Fr* out, const Fr* p, const Fr* q, const u8* leaves, u64 kind, u64 plus, u64 side, u64 first,
       u64 before, u64 below_length, Fr lambda, const Fr* row_weights, const Fr* high, const Fr* low, u64 rows, u64 length) {
    Quads<Below> quads = {{{p, q, {leaves, kind, plus, side, first, before}, below_length}}, lambda};
    sum_round(out, quads, {row_weights, high, low, rows, length});
}

KERNEL(leaf_fold, Fr* out, const Fr* p, const Fr* q, const u8* leaves, u64 kind, u64 plus, u64 side, u64 first,
       u64 before, u64 below_length, Fr lambda, u64 rows, u64 length, Fr r) {
    fold<4>(out, Quads<Below>{{{p, q, {leaves, kind, plus, side, first, before}, below_length}}, lambda}, rows, length, r);
}

KERNEL(node_round, Fr* out, const Fr* tables, u64 size, Fr lambda, const Fr* row_weights, const Fr* high, const Fr* low,
       u64 rows, u64 length) {
    sum_round(out, Quads<Stored>{{tables, size}, lambda}, {row_weights, high, low, rows, length});
}

KERNEL(node_fold, Fr* out, const Fr* tables, u64 size, Fr lambda, u64 rows, u64 length, Fr r) {
    fold<4>(out, Quads<Stored>{{tables, size}, lambda}, rows, length, r);
}
