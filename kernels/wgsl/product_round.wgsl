// The round of the sumcheck of `a(x) b(x)`, 0 beyond the tables.
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

fn terms(first: u32, whole: bool) -> array<Fr, 2> {
    let a = fr_load(arguments.a + 32u * first);
    let b = fr_load(arguments.b + 32u * first);
    var next_a: Fr;
    var next_b: Fr;
    if (whole) {
        next_a = fr_load(arguments.a + 32u * first + 32u);
        next_b = fr_load(arguments.b + 32u * first + 32u);
    }
    let rise = fr_sub(fr_mul(next_a, next_b), fr_mul(a, b));
    return array<Fr, 2>(rise, fr_mul(fr_sub(next_a, a), fr_sub(next_b, b)));
}
