// The sums of `a(x) b(x)` over even and over odd entries.
// Uses: round
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    a: u32,
    b: u32,
    row_weights: u32,
    high: u32,
    low: u32,
    rows: u32,
    length: u32,
}

fn product(entry: u32) -> Fr {
    return fr_mul(fr_load(arguments.a + 32u * entry), fr_load(arguments.b + 32u * entry));
}

fn terms(first: u32, whole: bool) -> array<Fr, 2> {
    var odd: Fr;
    if (whole) { odd = product(first + 1u); }
    return array<Fr, 2>(product(first), odd);
}
