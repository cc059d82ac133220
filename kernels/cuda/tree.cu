// Decides the fraction tree: the level above a level, and the sumcheck between them. What is not there is 0/1.
#include "ints.cuh"
#include "rounds.cuh"

struct Fraction {
    Fr p, q;

    // Whether it is 0/1. Few are, and those side by side: what is above a diagonal.
    DEVICE bool is_padding() const { return p.limbs[0] == 0 && p.is_zero() && q == Fr::one(); }
};

// Numbers of a table's rows: `plus` more than small integers of a kind; none where no integer is stored.
struct Numbers {
    const u8* values;
    u64 kind, plus;
    Places places;

    // Whether there is a number at a place, and which.
    DEVICE bool find(u64 place, u64& number) const {
        if (!places.find(place)) return false;
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

    // Whether there is a fraction that is not 0/1 for the reason that nobody numbers a row, and where its `q` is.
    DEVICE bool find(u64 index, u64& row) const {
        row = index;
        return !rows.values || rows.find(index, row);
    }

    // Where the children of a node begin; `whole` unless the second is padding.
    DEVICE u64 children(u64 node, bool& whole) const {
        u64 half = (length + 1) / 2, first = 2 * (node % half);
        whole = first + 1 < length;
        return node / half * length + first;
    }

    // Both children of a node; false where both are 0/1.
    DEVICE bool pair(u64 node, Fraction* out) const {
        bool whole;
        u64 first = children(node, whole), row, other = 0;
        bool left = find(first, row), right = whole && find(first + 1, other);
        out[0].p = out[1].p = Fr::zero(), out[0].q = out[1].q = Fr::one();
        if (left) out[0].p = p ? p[first] : Fr::one(), out[0].q = q[row];
        if (right) out[1].p = p ? p[first + 1] : Fr::one(), out[1].q = q[other];
        return p ? !(out[0].is_padding() && out[1].is_padding()) : left || right;
    }
};

// `p x` for a `p` that may be known to be 0 or 1.
DEVICE Fr times(bool unit, const Fr& p, const Fr& x) {
    if (!unit) return p * x;
    return p.limbs[0] ? x : Fr::zero();
}

// `(p0 q1 + p1 q0) / (q0 q1)` for every node.
KERNEL(level_above, Fr* out_p, Fr* out_q, const Fr* p, const Fr* q, const u8* rows, u64 kind, u64 plus, u64 side,
       u64 first_place, u64 before, u64 length, u64 nodes) {
    u64 node = thread_number();
    if (node >= nodes) return;
    Level below = {p, q, {rows, kind, plus, {side, first_place, before}}, length};
    Fraction pair[2];
    if (below.pair(node, pair)) {
        pair[0].p = times(!p, pair[0].p, pair[1].q) + times(!p, pair[1].p, pair[0].q);
        pair[0].q = pair[0].q * pair[1].q;
    }
    out_p[node] = pair[0].p;
    out_q[node] = pair[0].q;
}

// The summand `p0 q1 + q0 s` with `s = p1 + lambda q1`, of `[p0, s, q0, q1]` with the padding `[0, lambda, 1, 1]`.
template <class Q>
struct Quads {
    Q source;
    Fr lambda;

    // False where they are those of the padding.
    DEVICE bool values(u64 node, Fr* out) const { return source.values(node, lambda, out); }
    DEVICE bool is_padding(const Fr* quad) const {
        return Fraction{quad[0], quad[2]}.is_padding() && quad[1] == lambda && quad[3] == Fr::one();
    }
    DEVICE void padding(Fr* out) const { out[0] = Fr::zero(), out[1] = lambda, out[2] = out[3] = Fr::one(); }

    DEVICE void terms(u64 first, bool whole, Fr* out) const {
        Fr low[4], high[4];
        bool there = values(first, low);
        if (whole) {
            there |= values(first + 1, high);
        } else {
            padding(high);
        }
        out[0] = out[1] = Fr::zero();
        bool unit = source.units();
        if (!there || (!unit && is_padding(low) && is_padding(high))) return;
        out[0] = times(unit, high[0], high[3]) + high[2] * high[1] - times(unit, low[0], low[3]) - low[2] * low[1];
        out[1] = (high[2] - low[2]) * (high[1] - low[1]);
        // Of units the first factor is 0, but at the edges of what is there.
        Fr rise = high[0] - low[0];
        if (!unit || !rise.is_zero()) out[1] += rise * (high[3] - low[3]);
    }
};

// From the level below, nothing bound.
struct Below {
    Level level;

    // Whether the numerators are 0 or 1.
    DEVICE bool units() const { return !level.p; }

    DEVICE bool values(u64 node, const Fr& lambda, Fr* out) const {
        Fraction pair[2];
        bool there = level.pair(node, pair);
        out[0] = pair[0].p, out[2] = pair[0].q, out[3] = pair[1].q;
        out[1] = there ? pair[1].p + lambda * pair[1].q : lambda;
        return there;
    }
};

// From four tables of `size` one after the other.
struct Stored {
    const Fr* tables;
    u64 size;

    DEVICE bool units() const { return false; }

    DEVICE bool values(u64 node, const Fr&, Fr* out) const {
#pragma unroll
        for (int k = 0; k < 4; k++) out[k] = tables[k * size + node];
        return true;
    }
};

KERNEL(leaf_round, Fr* out, const Fr* p, const Fr* q, const u8* leaves, u64 kind, u64 plus, u64 side, u64 first,
       u64 before, u64 below_length, Fr lambda, const Fr* row_weights, const Fr* high, const Fr* low, u64 rows, u64 length) {
    Quads<Below> quads = {{{p, q, {leaves, kind, plus, {side, first, before}}, below_length}}, lambda};
    sum_round(out, quads, {row_weights, high, low, rows, length});
}

KERNEL(leaf_fold, Fr* out, const Fr* p, const Fr* q, const u8* leaves, u64 kind, u64 plus, u64 side, u64 first,
       u64 before, u64 below_length, Fr lambda, u64 rows, u64 length, Fr r) {
    fold<4>(out, Quads<Below>{{{p, q, {leaves, kind, plus, {side, first, before}}, below_length}}, lambda}, rows, length, r);
}

KERNEL(node_round, Fr* out, const Fr* tables, u64 size, Fr lambda, const Fr* row_weights, const Fr* high, const Fr* low,
       u64 rows, u64 length) {
    sum_round(out, Quads<Stored>{{tables, size}, lambda}, {row_weights, high, low, rows, length});
}

KERNEL(node_fold, Fr* out, const Fr* tables, u64 size, Fr lambda, u64 rows, u64 length, Fr r) {
    fold<4>(out, Quads<Stored>{{tables, size}, lambda}, rows, length, r);
}
