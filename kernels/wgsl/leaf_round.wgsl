// A round of the sumcheck over the nodes above leaves or a stored level.
// Uses: quads_below round
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    p: u32,
    q: u32,
    leaves: u32,
    kind: u32,
    plus: u32,
    side: u32,
    first: u32,
    before: u32,
    below_length: u32,
    lambda: Fr,
    row_weights: u32,
    high: u32,
    low: u32,
    rows: u32,
    length: u32,
}
