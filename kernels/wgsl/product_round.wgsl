// The round of the sumcheck of `a(x) b(x)`, 0 beyond the tables.
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

fn terms(first: u32, whole: bool) -> array<Fr, 2> {
    let a = entry(arguments.a, first);
    let b = entry(arguments.b, first);
    var next_a: Fr;
    var next_b: Fr;
    if (whole) {
        next_a = entry(arguments.a, first + 1u);
        next_b = entry(arguments.b, first + 1u);
    }
    let rise = fr_sub(fr_mul(next_a, next_b), fr_mul(a, b));
    return array<Fr, 2>(rise, fr_mul(fr_sub(next_a, a), fr_sub(next_b, b)));
}
