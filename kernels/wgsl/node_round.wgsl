// A round of the sumcheck over nodes of which some variables are bound.
// Uses: quads_stored round
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    tables: u32,
    size: u32,
    lambda: Fr,
    row_weights: u32,
    high: u32,
    low: u32,
    rows: u32,
    length: u32,
}
