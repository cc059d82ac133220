// Decides how kernels reach memory and find their work. Memory is one buffer, addresses are bytes from its start; 0 is
// the address of nothing. What a launch is given is a kernel's `Arguments`; a launch may be dispatched in parts.
@group(0) @binding(0) var<storage, read_write> memory: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> arguments: Arguments;

var<private> thread: u32;

// Sets `thread`; false where the launch has fewer.
fn begins(id: vec3<u32>) -> bool {
    thread = arguments.first_thread + id.x;
    return thread < arguments.threads;
}

fn load_word(at: u32) -> u32 {
    return memory[at / 16u][at / 4u % 4u];
}
