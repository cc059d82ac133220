// Decides how integers of a kind are stored: in `kind % 16` bytes each, 1, 2, 4 or 8, without a sign if `kind / 16` is odd; the
// first one is `kind / 256` integers from the beginning of their memory.

// The low word of the integer at `index`, in two's complement.
fn load_low(values: u32, kind: u32, index: u32) -> u32 {
    let bytes = kind & 15u;
    let at = values + (index + (kind >> 8u)) * bytes;
    var low = load_word(at);
    if (bytes >= 4u) { return low; }
    let above = 32u - 8u * bytes;
    low <<= above - at % 4u * 8u;
    if ((kind & 16u) != 0u) { return low >> above; }
    return bitcast<u32>(bitcast<i32>(low) >> above);
}
