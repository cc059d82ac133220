// `a b + c + d` as its low and its high word, from products of halves: no step is above 2^32 - 1.
fn multiply_add(a: u32, b: u32, c: u32, d: u32) -> vec2<u32> {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let lowest = a_low * b_low;
    let middle = a_high * b_low + (lowest >> 16u);
    let other = a_low * b_high + (middle & 0xffffu);
    let product = (other << 16u) | (lowest & 0xffffu);
    let with_c = product + c;
    let low = with_c + d;
    let carries = u32(with_c < product) + u32(low < with_c);
    return vec2<u32>(low, a_high * b_high + (middle >> 16u) + (other >> 16u) + carries);
}
