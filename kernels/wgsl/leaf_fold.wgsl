// The fold of the nodes above leaves or a stored level.
// Uses: quads_below quads_fold
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
    rows: u32,
    length: u32,
    r: Fr,
}
