// Decides what an inference does to tensors of integers that stay on the device: made at random, read, rounded, summed along axes,
// turned, divided, looked up, counted, stored in few bytes.
#include "ints.cuh"

// The sum of the steps of a place's indices in a box: lengths of its axes, and the steps along each, the last axis' first.
DEVICE u64 offset_of(u32 place, const u64* lengths, u64 axes, const u64* steps) {
    u64 offset = 0;
    for (u64 axis = axes; axis-- > 0;) {
        u32 length = u32(lengths[axis]);
        offset += steps[place % length];
        place /= length, steps += length;
    }
    return offset;
}

// A term of a sum: cells, and their steps along the reader's axes.
struct Part {
    const u8* cells;
    u64 kind;
    i64 coefficient;
    const u64* steps;
};

// A sum over a box of axes, row major: fewer than 2^32 places.
struct Reading {
    const Part* parts;
    u64 count;
    const u64* lengths;
    u64 axes;
    i64 constant;

    DEVICE i64 at(u32 place) const {
        i64 sum = constant;
        for (u64 k = 0; k < count; k++) {
            Part part = parts[k];
            sum += part.coefficient * load_int(part.cells, u32(part.kind), offset_of(place, lengths, axes, part.steps));
        }
        return sum;
    }
};

// Pairs of a later and an earlier index, the last two axes: rows of `length`, squares of `rows` rows one after the other. There
// is a pair where the column is not above `row + shift`. All are there if `length` is 0.
struct Pairs {
    u64 length, rows, shift;

    DEVICE u64 exist(u64 row) const {
        u64 there = row % rows + shift + 1;
        return there < length ? there : length;
    }
    DEVICE bool there(u64 place) const { return !length || place % length < exist(place / length); }
};

// `(sum + half) >> shift` at every place, or what a row's top is above that, where there are tops; 0 where there is no pair.
KERNEL(read_ints, i64* out, const Part* parts, u64 part_count, const u64* lengths, u64 axes, u64 constant, u64 half, u64 shift,
       const i64* tops, u64 row_length, u64 pair_length, u64 pair_rows, u64 pair_shift, u64 count) {
    u64 place = thread_number();
    if (place >= count) return;
    Reading reading = {parts, part_count, lengths, axes, i64(constant)};
    i64 value = 0;
    if (Pairs{pair_length, pair_rows, pair_shift}.there(place)) {
        value = (reading.at(u32(place)) + i64(half)) >> shift;
        if (tops) value = tops[place / row_length] - value;
    }
    out[place] = value;
}

// The greatest `sum >> shift` of every row of pairs; 0 of none.
KERNEL(top_ints, i64* out, const Part* parts, u64 part_count, const u64* lengths, u64 axes, u64 constant, u64 shift,
       u64 pair_length, u64 pair_rows, u64 pair_shift, u64 rows) {
    u64 row = thread_number();
    if (row >= rows) return;
    Reading reading = {parts, part_count, lengths, axes, i64(constant)};
    u64 exist = Pairs{pair_length, pair_rows, pair_shift}.exist(row);
    i64 top = 0;
    for (u64 column = 0; column < exist; column++) {
        i64 value = reading.at(u32(row * pair_length + column)) >> shift;
        top = column == 0 || value > top ? value : top;
    }
    out[row] = top;
}

// The sum of the cells at `offsets` from every place.
KERNEL(sum_ints, i64* out, const u8* cells, u64 kind, const u64* lengths, u64 axes, const u64* steps, const u64* offsets,
       u64 offset_count, u64 count) {
    u64 place = thread_number();
    if (place >= count) return;
    u64 base = offset_of(u32(place), lengths, axes, steps);
    i64 sum = 0;
    for (u64 k = 0; k < offset_count; k++) sum += load_int(cells, u32(kind), base + offsets[k]);
    out[place] = sum;
}

// Of two tensors: products, quotients to the nearest integer, or the entries of the first that the second one numbers; 0 where
// there is no pair.
KERNEL(multiply_each, i64* out, const i64* left, const i64* right, u64 pair_length, u64 pair_rows, u64 pair_shift, u64 count) {
    u64 place = thread_number();
    if (place >= count) return;
    out[place] = Pairs{pair_length, pair_rows, pair_shift}.there(place) ? left[place] * right[place] : 0;
}

KERNEL(divide_each, i64* out, const i64* numerators, const i64* denominators, u64 pair_length, u64 pair_rows, u64 pair_shift,
       u64 count) {
    u64 place = thread_number();
    if (place >= count) return;
    if (!Pairs{pair_length, pair_rows, pair_shift}.there(place)) {
        out[place] = 0;
        return;
    }
    i64 doubled = 2 * denominators[place], sum = 2 * numerators[place] + denominators[place];
    i64 quotient = sum / doubled;
    out[place] = quotient - (quotient * doubled > sum);
}

KERNEL(take_each, i64* out, const i64* table, const i64* rows, u64 pair_length, u64 pair_rows, u64 pair_shift, u64 count) {
    u64 place = thread_number();
    if (place >= count) return;
    out[place] = Pairs{pair_length, pair_rows, pair_shift}.there(place) ? table[rows[place]] : 0;
}

// Turns the halves of rows of `2 pairs` by the angles of their time: `turns[time][pair]` is (cos, sin). A time has `inner` rows.
KERNEL(turn_ints, i64* out, const i64* in, const i64* turns, u64 pairs, u64 inner, u64 times, u64 first_time, u64 count) {
    u64 id = thread_number();
    if (id >= count) return;
    u64 row = id / pairs, pair = id % pairs, time = first_time + row / inner % times;
    i64 cos = turns[2 * (time * pairs + pair)], sin = turns[2 * (time * pairs + pair) + 1];
    i64 left = in[2 * row * pairs + pair], right = in[(2 * row + 1) * pairs + pair];
    out[2 * row * pairs + pair] = cos * left - sin * right;
    out[(2 * row + 1) * pairs + pair] = sin * left + cos * right;
}

// Weights of a random model to the nearest integer, halves away from 0: see `random.rs`. `numbers` are what weights are centred
// on and how far they spread, twice what they are scaled by, and gains. Operations are not fused: the host does not either.
KERNEL(random_weights, i64* out, u64 stream, const double* numbers, u64 gains, u64 count) {
    u64 index = thread_number();
    if (index >= count) return;
    u64 z = stream + (index + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^= z >> 31;
    i32 sum = i32((z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48)) - 131070;
    float weight = float(numbers[0]) + __fmul_rn(float(numbers[1]), float(sum) / 37837.2f);
    i64 doubled = i64(double(weight) * numbers[3 + index % gains] * numbers[2]);
    out[index] = (doubled + (doubled < 0 ? -1 : 1)) / 2;
}

// Stores integers in so many bytes: of squares of `side` only what is not above a diagonal, rows of `row` at multiples of `full`.
KERNEL(store_ints, u8* out, u64 bytes, const i64* in, u64 side, u64 row, u64 full, u64 count) {
    u64 place = thread_number();
    if (place >= count) return;
    u64 to = place;
    if (!Places{side, 0, 0}.find(to)) return;
    if (row < full) to = to / row * full + to % row;
    i64 value = in[place];
    if (bytes == 1) out[to] = u8(value);
    if (bytes == 2) ((unsigned short*)out)[to] = (unsigned short)value;
    if (bytes == 4) ((u32*)out)[to] = u32(value);
    if (bytes == 8) ((i64*)out)[to] = value;
}

// The least and the greatest of those that each thread sees.
KERNEL(ends_ints, i64* out, const i64* in, u64 count) {
    u64 first = thread_number();
    if (first >= count) return;
    i64 least = in[first], greatest = least;
    for (u64 i = first; i < count; i += thread_count()) {
        least = in[i] < least ? in[i] : least;
        greatest = in[i] > greatest ? in[i] : greatest;
    }
    out[2 * first] = least;
    out[2 * first + 1] = greatest;
}

// Counts how often each row is numbered where there is a pair. Neighbours in number are often the same one or two: a thread
// adds what it has seen of each when another one comes.
KERNEL(count_ints, u32* counts, const i64* rows, u64 pair_length, u64 pair_rows, u64 pair_shift, u64 count) {
    Pairs pairs = {pair_length, pair_rows, pair_shift};
    i64 number[2] = {0, 1};
    u32 seen[2] = {0, 0};
    for (u64 i = thread_number(); i < count; i += thread_count()) {
        if (!pairs.there(i)) continue;
        i64 row = rows[i];
#pragma unroll
        for (int parity = 0; parity < 2; parity++) {
            if ((row & 1) != parity) continue;
            if (number[parity] != row) {
                if (seen[parity]) add_atomically(counts + number[parity], seen[parity]);
                number[parity] = row, seen[parity] = 0;
            }
            seen[parity]++;
        }
    }
    for (int parity = 0; parity < 2; parity++)
        if (seen[parity]) add_atomically(counts + number[parity], seen[parity]);
}
