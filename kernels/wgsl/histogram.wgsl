// `counts[row]` = how often it occurs; what is not below `size` is counted in `counts[size]`. Memory is seen as counters.
struct Arguments {
    first_thread: u32,
    threads: u32,
    counts: u32,
    rows: u32,
    length: u32,
    size: u32,
}
@group(0) @binding(0) var<storage, read_write> memory: array<atomic<u32>>;
@group(0) @binding(1) var<storage, read> arguments: Arguments;

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let thread = arguments.first_thread + id.x;
    if (thread >= arguments.threads) { return; }
    for (var i = thread; i < arguments.length; i += arguments.threads) {
        let row = atomicLoad(&memory[arguments.rows / 4u + i]);
        atomicAdd(&memory[arguments.counts / 4u + min(row, arguments.size)], 1u);
    }
}
