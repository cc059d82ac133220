// The fold of nodes of which some variables are bound.
// Uses: quads_stored quads_fold
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    tables: u32,
    size: u32,
    lambda: Fr,
    rows: u32,
    length: u32,
    r: Fr,
}
