// Decides sums of multiples of points: tables of fixed bases, rows of small integers over them, rows combined.
#include "curve.cuh"
#include "runs.cuh"

// `out[c][d - 1] = d Q_c` for `d <= multiples`, where `Q_c` is the base, or twice the last multiple in the table of the
// digit below. One thread a base; its one inversion serves all multiples. `points` and `products` hold them meanwhile.
KERNEL(multiply_bases, Affine* out, const Affine* bases, u64 stride, u64 doubled, u64 count, u64 multiples, Point* points,
       Fq* products) {
    u64 c = thread_number();
    if (c >= count) return;
    Point base = Point::of(bases[c * stride]);
    if (doubled) base = base.doubled();
    Point sum = base;
    Fq product = Fq::one();
    for (u64 d = 0; d < multiples; d++) {
        points[d * count + c] = sum;
        products[d * count + c] = product;
        if (!sum.is_infinity()) product = product * sum.zzz;
        sum.add(base);
    }
    Fq inverse = product.inverse();
    for (u64 d = multiples; d-- > 0;) {
        Point point = points[d * count + c];
        Affine result = {};
        if (!point.is_infinity()) {
            Fq below = inverse * products[d * count + c], ratio = point.zz * below;
            result = {point.x * ratio.squared(), point.y * below};
            inverse = inverse * point.zzz;
        }
        out[c * multiples + d] = result;
    }
}

// The nonzero signed digits of every `step`-th integer of a run, `-2^(width - 1) <= digit < 2^(width - 1)`.
struct Digits {
    const u8* values;
    u64 next_index, length, step;
    u32 kind, width;
    i64 rest = 0, digit = 0;
    u64 index = 0, place = 0, next_place = 0;

    // Moves to the next one; false at the end. Lanes find theirs before all of them add.
    DEVICE bool next() {
        while (true) {
            if (rest == 0) {
                if (next_index >= length) return false;
                index = next_index, next_index += step, next_place = 0;
                rest = load_int(values, kind, index);
                continue;
            }
            place = next_place++;
            i64 low = rest & ((i64(1) << width) - 1);
            bool negative = low >> (width - 1);
            digit = negative ? low - (i64(1) << width) : low;
            rest = (rest >> width) + negative;
            if (digit != 0) return true;
        }
    }
};

// For every unit of every run: the sum of its entries times their columns' bases. `tables[k]` has the multiples of
// `2^(width k)` times the bases.
KERNEL(commit_rows, Point* out, const Run* runs, u64 run_count, const Affine* const* tables, u64 width, u64 units) {
    u64 unit = thread_number();
    if (unit >= units) return;
    Run run = run_of(runs, run_count, unit);
    Digits digits = {run.values, unit - run.first_unit, run.length, run.units(), run.kind, u32(width)};
    Point sum = Point::infinity();
    while (digits.next()) {
        u64 magnitude = digits.digit < 0 ? -digits.digit : digits.digit;
        Affine multiple = tables[digits.place][((run.column + digits.index) << (width - 1)) + magnitude - 1];
        sum.add(digits.digit < 0 ? -multiple : multiple);
    }
    out[unit] = sum;
}

// `out[slice][i] = sum over k and b < 16 of 2^b digits[k][16 slice + b] vectors[k][i]`; digits are -1, 0 or 1, the same
// for all threads of a slice.
KERNEL(combine_rows, Point* out, const Affine* vectors, const signed char* digits, u64 count, u64 length, u64 slices) {
    u64 id = thread_number();
    if (id >= slices * length) return;
    u64 i = id % length, slice = id / length;
    Point sum = Point::infinity();
    for (u64 b = 16; b-- > 0;) {
        sum = sum.doubled();
        for (u64 k = 0; k < count; k++) {
            int digit = digits[(k * slices + slice) * 16 + b];
            if (digit == 0) continue;
            Affine point = vectors[k * length + i];
            sum.add(digit < 0 ? -point : point);
        }
    }
    out[id] = sum;
}

// `out[i] = sum over slices of 2^(16 slice) in[slice][i]`.
KERNEL(combine_slices, Point* out, const Point* in, u64 length, u64 slices) {
    u64 i = thread_number();
    if (i >= length) return;
    Point sum = Point::infinity();
    for (u64 slice = slices; slice-- > 0;) {
        for (int b = 0; b < 16; b++) sum = sum.doubled();
        sum.add(in[slice * length + i]);
    }
    out[i] = sum;
}
