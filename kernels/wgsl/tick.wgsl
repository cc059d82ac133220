// Counts the dispatches that ran to their end, in the word that no allocation has.
struct Arguments {
    first_thread: u32,
    threads: u32,
}

@compute @workgroup_size(1)
fn main() {
    memory[0].x += 1u;
}
