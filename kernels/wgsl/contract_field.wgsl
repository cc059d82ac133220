// Contracts field elements.
// Uses: contract fr
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    x: u32,
    weights: u32,
    outer: u32,
    middle: u32,
    inner: u32,
    lanes: u32,
}
alias Sum = Fr;

fn add(sum: ptr<function, Sum>, weight: Fr, index: u32) {
    *sum = fr_add(*sum, fr_mul(weight, fr_load(arguments.x + 32u * index)));
}

fn reduced(sum: Sum) -> Fr {
    return sum;
}
