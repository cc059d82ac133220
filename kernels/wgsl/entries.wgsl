// Decides how entries of a tensor are read: field elements, or small integers where there are none.
// Uses: ints
struct Entries {
    field: u32,
    ints: u32,
    kind: u32,
}

fn entry_times(entries: Entries, index: u32, factor: Fr) -> Fr {
    if (entries.field != 0u) { return fr_mul(factor, fr_load(entries.field + 32u * index)); }
    var sum: WideSum;
    wide_add(&sum, factor, load_int(entries.ints, entries.kind, index));
    return wide_reduced(sum);
}

fn entry(entries: Entries, index: u32) -> Fr {
    if (entries.field != 0u) { return fr_load(entries.field + 32u * index); }
    return entry_times(entries, index, FR_ONE);
}
