// Decides how small integers are read and multiplied with field elements: sums of products, reduced once.
#pragma once
#include "field.cuh"

// The integer at `index` of many of `kind % 16` bytes, 1, 2, 4 or 8, without a sign if `kind / 16` is odd; the first one is
// `kind / 256` integers from the beginning of their memory, which is whole words of 8 bytes.
DEVICE i64 load_int(const u8* values, u32 kind, u64 index) {
    u32 bytes = kind & 15;
    u64 at = (index + (kind >> 8)) * bytes;
    u64 word = ((const u64*)values)[at / 8];
    u32 above = 64 - 8 * bytes;
    word <<= above - at % 8 * 8;
    return kind & 16 ? i64(word >> above) : i64(word) >> above;
}

// A sum of products of field elements and 64-bit integers: fewer than 2^32 terms.
struct WideSum {
    u32 limbs[11];

    DEVICE void add(const Fr& weight, i64 x) {
        // The modulus less the weight for a negative one: a number below 2^255 too.
        Fr signed_weight;
        Carry carry;
        carry.start_sub(signed_weight.limbs[0], Scalars::modulus(0), weight.limbs[0]);
#pragma unroll
        for (int i = 1; i < 8; i++) carry.sub(signed_weight.limbs[i], Scalars::modulus(i), weight.limbs[i]);
#pragma unroll
        for (int i = 0; i < 8; i++) signed_weight.limbs[i] = x < 0 ? signed_weight.limbs[i] : weight.limbs[i];
        u64 magnitude = x < 0 ? 0 - u64(x) : u64(x);
        add_row<3>(limbs, signed_weight, u32(magnitude));
        if (magnitude >> 32) add_row<2>(limbs + 1, signed_weight, u32(magnitude >> 32));
    }

    // The sum of limbs of weight 2^256 and more times that, plus the others.
    DEVICE Fr reduced() const {
        Fr low, high = {};
#pragma unroll
        for (int i = 0; i < 8; i++) low.limbs[i] = limbs[i];
#pragma unroll
        for (int i = 0; i < 3; i++) high.limbs[i] = limbs[8 + i];
        // 2^256 is less than three times the modulus.
        return low.reduced().reduced() + Fr::of(high);
    }

private:
    // `sum += weight x`, where `sum` has `ROOM` limbs more than the weight.
    template <int ROOM>
    static DEVICE void add_row(u32* sum, const Fr& weight, u32 x) {
        Carry carry;
        carry.start_mad(sum[0], sum[1], weight.limbs[0], x);
#pragma unroll
        for (int i = 2; i < 8; i += 2) carry.mad(sum[i], sum[i + 1], weight.limbs[i], x);
#pragma unroll
        for (int i = 8; i < 7 + ROOM; i++) carry.add(sum[i], 0);
        carry.end_add(sum[7 + ROOM]);
        carry.start_mad(sum[1], sum[2], weight.limbs[1], x);
#pragma unroll
        for (int i = 2; i < 8; i += 2) carry.mad(sum[i + 1], sum[i + 2], weight.limbs[i + 1], x);
#pragma unroll
        for (int i = 9; i < 7 + ROOM; i++) carry.add(sum[i], 0);
        carry.end_add(sum[7 + ROOM]);
    }
};

// Where the integers of squares are of which only those not above a diagonal are stored: `side` rows and columns each, one after
// the other. The first place is `first` in its square, and `before` of that are stored before. All are stored if `side` is 0.
struct Places {
    u64 side, first, before;

    // Makes a place that of what is stored; false where nothing is.
    DEVICE bool find(u64& place) const {
        if (!side) return true;
        place += first;
        u64 line = place / side, column = place % side, square = line / side, row = line % side;
        place = square * (side * (side + 1) / 2) + row * (row + 1) / 2 + column - before;
        return column <= row;
    }
};

// Entries of a tensor: field elements, or small integers where there are none.
struct Entries {
    const Fr* field;
    const u8* ints;
    u64 kind;

    DEVICE Fr times(u64 at, const Fr& factor) const {
        if (field) return factor * field[at];
        WideSum sum = {};
        sum.add(factor, load_int(ints, u32(kind), at));
        return sum.reduced();
    }
    DEVICE Fr at(u64 at) const { return field ? field[at] : times(at, Fr::one()); }
};
