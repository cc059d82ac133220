// Decides how small integers are read and multiplied with field elements: sums of products, reduced once.
// Uses: fr packed

// The integer at `index` of many of a kind, in two's complement: its low and its high word.
fn load_int(values: u32, kind: u32, index: u32) -> vec2<u32> {
    let low = load_low(values, kind, index);
    if ((kind & 15u) == 8u) { return vec2<u32>(low, load_word(values + (index + (kind >> 8u)) * 8u + 4u)); }
    if ((kind & 16u) != 0u) { return vec2<u32>(low, 0u); }
    return vec2<u32>(low, bitcast<u32>(bitcast<i32>(low) >> 31u));
}

fn negated(x: vec2<u32>) -> vec2<u32> {
    return vec2<u32>(0u - x.x, ~x.y + u32(x.x == 0u));
}

// A sum of products of field elements and 64-bit integers: fewer than 2^32 terms.
alias WideSum = array<u32, 11>;

fn wide_add(sum: ptr<function, WideSum>, weight: Fr, x: vec2<u32>) {
    var signed_weight = weight;
    var magnitude = x;
    if (x.y >> 31u == 1u) {
        // The modulus less the weight: a number below 2^255 too.
        signed_weight = fr_difference(FR_MODULUS, weight).limbs;
        magnitude = negated(x);
    }
    wide_add_row(sum, 0u, signed_weight, magnitude.x);
    if (magnitude.y != 0u) { wide_add_row(sum, 1u, signed_weight, magnitude.y); }
}

// `sum += 2^(32 shift) weight x`.
fn wide_add_row(sum: ptr<function, WideSum>, shift: u32, weight: Fr, x: u32) {
    var limbs = weight;
    var carry = 0u;
    for (var i = 0u; i < 8u; i++) {
        let product = multiply_add(limbs[i], x, (*sum)[i + shift], carry);
        (*sum)[i + shift] = product.x;
        carry = product.y;
    }
    for (var i = 8u + shift; i < 11u; i++) {
        let result = (*sum)[i] + carry;
        carry = u32(result < carry);
        (*sum)[i] = result;
    }
}

// The limbs of weight 2^256 and more times that, plus the others.
fn wide_reduced(wide: WideSum) -> Fr {
    var limbs = wide;
    var low: Fr;
    var high: Fr;
    for (var i = 0u; i < 8u; i++) { low[i] = limbs[i]; }
    for (var i = 0u; i < 3u; i++) { high[i] = limbs[8u + i]; }
    // 2^256 is less than three times the modulus.
    low = fr_reduced(fr_reduced(low));
    return fr_add(low, fr_mul(high, FR_RADIX_SQUARED));
}
