// Decides arithmetic modulo a prime, in Montgomery form as ark has it. The text is there twice: for the scalar field Fr,
// 8 limbs, and for the base field Fq, 12 limbs. The modulus leaves the top bit of the limbs free.
// Uses: wide
alias Field = array<u32, LIMBS>;

fn field_load(at: u32) -> Field {
    var x: Field;
    for (var k = 0u; k < LIMBS / 4u; k++) {
        let part = memory[at / 16u + k];
        for (var i = 0u; i < 4u; i++) { x[4u * k + i] = part[i]; }
    }
    return x;
}

fn field_store(at: u32, value: Field) {
    var x = value;
    for (var k = 0u; k < LIMBS / 4u; k++) {
        memory[at / 16u + k] = vec4<u32>(x[4u * k], x[4u * k + 1u], x[4u * k + 2u], x[4u * k + 3u]);
    }
}

fn field_is_zero(value: Field) -> bool {
    var x = value;
    var any = 0u;
    for (var i = 0u; i < LIMBS; i++) { any |= x[i]; }
    return any == 0u;
}

// `a - b` of integers, and 1 if that borrows.
struct FieldDifference {
    limbs: Field,
    borrow: u32,
}

fn field_difference(left: Field, right: Field) -> FieldDifference {
    var a = left;
    var b = right;
    var borrow = 0u;
    for (var i = 0u; i < LIMBS; i++) {
        let less = a[i] - b[i];
        let result = less - borrow;
        borrow = u32(a[i] < b[i]) | u32(less < borrow);
        a[i] = result;
    }
    return FieldDifference(a, borrow);
}

// `a + mask & b` of integers that leave the top bit free together.
fn field_sum(left: Field, right: Field, mask: u32) -> Field {
    var a = left;
    var b = right;
    var carry = 0u;
    for (var i = 0u; i < LIMBS; i++) {
        let more = a[i] + (b[i] & mask);
        let result = more + carry;
        carry = u32(more < a[i]) | u32(result < more);
        a[i] = result;
    }
    return a;
}

// Less the modulus where that leaves no negative number.
fn field_reduced(value: Field) -> Field {
    let less = field_difference(value, FIELD_MODULUS);
    return field_sum(less.limbs, FIELD_MODULUS, 0u - less.borrow);
}

fn field_add(a: Field, b: Field) -> Field {
    return field_reduced(field_sum(a, b, 0xffffffffu));
}

fn field_sub(a: Field, b: Field) -> Field {
    let less = field_difference(a, b);
    return field_sum(less.limbs, FIELD_MODULUS, 0u - less.borrow);
}

// Montgomery's product, limb by limb (Acar's CIOS); one carry word, because the top bit is free.
fn field_mul(left: Field, right: Field) -> Field {
    var a = left;
    var b = right;
    var modulus = FIELD_MODULUS;
    var t: Field;
    for (var i = 0u; i < LIMBS; i++) {
        var product = multiply_add(a[0], b[i], t[0], 0u);
        let factor = product.x * FIELD_MINUS_INVERSE;
        var reduction = multiply_add(factor, modulus[0], product.x, 0u);
        for (var j = 1u; j < LIMBS; j++) {
            product = multiply_add(a[j], b[i], t[j], product.y);
            reduction = multiply_add(factor, modulus[j], product.x, reduction.y);
            t[j - 1u] = reduction.x;
        }
        t[LIMBS - 1u] = product.y + reduction.y;
    }
    return field_reduced(t);
}

// 1 / x, and 0 of 0: x^(modulus - 2).
fn field_inverse(x: Field) -> Field {
    var two: Field;
    two[0] = 2u;
    var exponent = field_difference(FIELD_MODULUS, two).limbs;
    var power = FIELD_ONE;
    for (var bit = 32u * LIMBS; bit > 0u; bit--) {
        let multiply = (exponent[(bit - 1u) / 32u] >> ((bit - 1u) % 32u) & 1u) == 1u;
        // The square, and times x: one product in the text.
        for (var k = 0u; k < 1u + u32(multiply); k++) {
            var factor = power;
            if (k == 1u) { factor = x; }
            power = field_mul(power, factor);
        }
    }
    return power;
}
