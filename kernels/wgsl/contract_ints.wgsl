// Contracts small integers.
// Uses: contract ints places
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    x: u32,
    kind: u32,
    side: u32,
    first: u32,
    before: u32,
    weights: u32,
    outer: u32,
    middle: u32,
    inner: u32,
    lanes: u32,
}
alias Sum = WideSum;

fn add(sum: ptr<function, Sum>, weight: Fr, index: u32) {
    let place = stored_place(index, arguments.side, arguments.first, arguments.before);
    if (place != NOWHERE) { wide_add(sum, weight, load_int(arguments.x, arguments.kind, place)); }
}

fn reduced(sum: Sum) -> Fr {
    return wide_reduced(sum);
}
