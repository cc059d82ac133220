// `a b + c + d` as its low and its high word, where the device has words of 64 bits.
fn multiply_add(a: u32, b: u32, c: u32, d: u32) -> vec2<u32> {
    let sum = u64(a) * u64(b) + u64(c) + u64(d);
    return vec2<u32>(u32(sum), u32(sum >> 32u));
}
