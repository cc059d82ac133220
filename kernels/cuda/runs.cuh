// Decides how a matrix given in runs of small integers is shared out among threads.
#pragma once
#include "ints.cuh"

// Consecutive entries of one row. Its entries go to units, one thread each: the first unit takes every `units`-th entry
// from the first on, the next unit those beside them.
struct Run {
    u64 first_unit;
    const u8* values;
    u32 row, column, length, kind;

    DEVICE u64 units() const { return (length + 63) / 64; }
};

// The run that a unit belongs to: the last one whose first unit is not beyond it. No run is empty.
DEVICE Run run_of(const Run* runs, u64 count, u64 unit) {
    u64 low = 0, high = count;
    while (high - low > 1) {
        u64 middle = (low + high) / 2;
        (runs[middle].first_unit <= unit ? low : high) = middle;
    }
    return runs[low];
}
