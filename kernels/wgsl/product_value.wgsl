// The sums of `a(x) b(x)` over even and over odd entries.
// Uses: round entries
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    a: Entries,
    b: Entries,
    row_weights: u32,
    high: u32,
    low: u32,
    rows: u32,
    length: u32,
}

fn product(index: u32) -> Fr {
    return fr_mul(entry(arguments.a, index), entry(arguments.b, index));
}

fn terms(first: u32, whole: bool) -> array<Fr, 2> {
    var odd: Fr;
    if (whole) { odd = product(first + 1u); }
    return array<Fr, 2>(product(first), odd);
}
