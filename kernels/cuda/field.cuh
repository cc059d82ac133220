// Decides arithmetic modulo a prime: the scalar field Fr and the base field Fq of BLS12-381, in Montgomery form as ark has it.
#pragma once
#include "machine.cuh"

// `LIMBS` limbs of 32 bits, below the modulus; the value times 2^(32 LIMBS). The modulus leaves the top bit free.
template <class P>
struct alignas(16) Field {
    static constexpr int LIMBS = P::LIMBS;
    u32 limbs[LIMBS];

    static DEVICE Field zero() { return {}; }
    static DEVICE Field one() {
        Field x;
#pragma unroll
        for (int i = 0; i < LIMBS; i++) x.limbs[i] = P::one(i);
        return x;
    }
    // The field element of an integer below the modulus.
    static DEVICE Field of(const Field& integer) {
        Field square;
#pragma unroll
        for (int i = 0; i < LIMBS; i++) square.limbs[i] = P::radix_squared(i);
        return integer * square;
    }

    DEVICE bool is_zero() const {
        u32 any = 0;
#pragma unroll
        for (int i = 0; i < LIMBS; i++) any |= limbs[i];
        return any == 0;
    }

    friend DEVICE bool operator==(const Field& a, const Field& b) {
        u32 any = 0;
#pragma unroll
        for (int i = 0; i < LIMBS; i++) any |= a.limbs[i] ^ b.limbs[i];
        return any == 0;
    }

    // Less the modulus where that leaves no negative number.
    DEVICE Field reduced() const {
        Field less;
        Carry carry;
        carry.start_sub(less.limbs[0], limbs[0], P::modulus(0));
#pragma unroll
        for (int i = 1; i < LIMBS; i++) carry.sub(less.limbs[i], limbs[i], P::modulus(i));
        u32 borrow = carry.borrow();
#pragma unroll
        for (int i = 0; i < LIMBS; i++) less.limbs[i] = borrow ? limbs[i] : less.limbs[i];
        return less;
    }

    friend DEVICE Field operator+(Field a, const Field& b) {
        Carry carry;
        carry.start_add(a.limbs[0], b.limbs[0]);
#pragma unroll
        for (int i = 1; i < LIMBS; i++) carry.add(a.limbs[i], b.limbs[i]);
        return a.reduced();
    }

    friend DEVICE Field operator-(const Field& a, const Field& b) {
        Field x;
        Carry carry;
        carry.start_sub(x.limbs[0], a.limbs[0], b.limbs[0]);
#pragma unroll
        for (int i = 1; i < LIMBS; i++) carry.sub(x.limbs[i], a.limbs[i], b.limbs[i]);
        u32 mask = carry.borrow();
        carry.start_add(x.limbs[0], P::modulus(0) & mask);
#pragma unroll
        for (int i = 1; i < LIMBS; i++) carry.add(x.limbs[i], P::modulus(i) & mask);
        return x;
    }

    friend DEVICE Field operator-(const Field& a) { return zero() - a; }

    DEVICE Field& operator+=(const Field& b) { return *this = *this + b; }

    // Limbs of even and of odd weight are summed apart: each is one chain of wide products. After a step the lowest limb
    // is 0 and falls away, and even and odd change places.
    friend DEVICE Field operator*(const Field& a, const Field& b) {
        u32 even[LIMBS], odd[LIMBS];
#pragma unroll
        for (int i = 0; i < LIMBS; i += 2) {
            set_pair(even[i], even[i + 1], a.limbs[i], b.limbs[0]);
            set_pair(odd[i], odd[i + 1], a.limbs[i + 1], b.limbs[0]);
        }
        reduce_step(even, odd);
#pragma unroll
        for (int i = 1; i < LIMBS; i++) {
            if (i % 2) {
                step(odd, even, a.limbs, b.limbs[i]);
            } else {
                step(even, odd, a.limbs, b.limbs[i]);
            }
        }
        Field x;
        Carry carry;
        carry.start_add(even[0], odd[1]);
#pragma unroll
        for (int i = 1; i < LIMBS - 1; i++) carry.add(even[i], odd[i + 1]);
        carry.end_add(even[LIMBS - 1]);
#pragma unroll
        for (int i = 0; i < LIMBS; i++) x.limbs[i] = even[i];
        return x.reduced();
    }

    DEVICE Field squared() const { return *this * *this; }

    // 1 / x, and 0 of 0: x^(modulus - 2).
    DEVICE_CALL Field inverse() const {
        Field power = one();
        for (int i = LIMBS - 1; i >= 0; i--) {
            // The modulus less 2; its second limb is not 0.
            u32 word = P::modulus(i) - (i == 0 ? 2 : i == 1 && P::modulus(0) < 2);
            for (int bit = 31; bit >= 0; bit--) {
                power = power * power;
                if (word >> bit & 1) power = power * *this;
            }
        }
        return power;
    }

private:
    static DEVICE void step(u32* even, u32* odd, const u32* a, u32 b) {
        Carry carry;
        carry.start_add(even[0], odd[1]);
#pragma unroll
        for (int i = 0; i < LIMBS - 2; i += 2) carry.mad_to(odd[i], odd[i + 1], a[i + 1], b, odd[i + 2], odd[i + 3]);
        carry.mad_to(odd[LIMBS - 2], odd[LIMBS - 1], a[LIMBS - 1], b, 0, 0);
        add_row(even, odd, a, b);
        reduce_step(even, odd);
    }

    // Adds the multiple of the modulus that makes the lowest limb 0.
    static DEVICE void reduce_step(u32* even, u32* odd) {
        u32 factor = P::MINUS_INVERSE == 0xffffffff ? opaque_minus(even[0]) : even[0] * P::MINUS_INVERSE;
        Carry carry;
        carry.start_mad(odd[0], odd[1], P::modulus(1), factor);
#pragma unroll
        for (int i = 2; i < LIMBS; i += 2) carry.mad(odd[i], odd[i + 1], P::modulus(i + 1), factor);
        u32 modulus[LIMBS];
#pragma unroll
        for (int i = 0; i < LIMBS; i++) modulus[i] = P::modulus(i);
        add_row(even, odd, modulus, factor);
    }

    static DEVICE void set_pair(u32& low, u32& high, u32 a, u32 b) {
        u64 product = u64(a) * b;
        low = u32(product), high = u32(product >> 32);
    }

    // The limbs of even weight of `a b`; the carry goes to the top odd limb, which has room.
    static DEVICE void add_row(u32* even, u32* odd, const u32* a, u32 b) {
        Carry carry;
        carry.start_mad(even[0], even[1], a[0], b);
#pragma unroll
        for (int i = 2; i < LIMBS; i += 2) carry.mad(even[i], even[i + 1], a[i], b);
        carry.end_add(odd[LIMBS - 1]);
    }
};

// r = 2^255 - ..., the order of the groups.
struct Scalars {
    static constexpr int LIMBS = 8;
    static constexpr u32 MINUS_INVERSE = 0xffffffff;
    static DEVICE constexpr u32 modulus(int i) {
        constexpr u32 limbs[] = {0x00000001, 0xffffffff, 0xfffe5bfe, 0x53bda402,
                                 0x09a1d805, 0x3339d808, 0x299d7d48, 0x73eda753};
        return limbs[i];
    }
    static DEVICE constexpr u32 one(int i) {
        constexpr u32 limbs[] = {0xfffffffe, 0x00000001, 0x00034802, 0x5884b7fa,
                                 0xecbc4ff5, 0x998c4fef, 0xacc5056f, 0x1824b159};
        return limbs[i];
    }
    static DEVICE constexpr u32 radix_squared(int i) {
        constexpr u32 limbs[] = {0xf3f29c6d, 0xc999e990, 0x87925c23, 0x2b6cedcb,
                                 0x7254398f, 0x05d31496, 0x9f59ff11, 0x0748d9d9};
        return limbs[i];
    }
};

// The field of the curve's coordinates.
struct Coordinates {
    static constexpr int LIMBS = 12;
    static constexpr u32 MINUS_INVERSE = 0xfffcfffd;
    static DEVICE constexpr u32 modulus(int i) {
        constexpr u32 limbs[] = {0xffffaaab, 0xb9feffff, 0xb153ffff, 0x1eabfffe, 0xf6b0f624, 0x6730d2a0,
                                 0xf38512bf, 0x64774b84, 0x434bacd7, 0x4b1ba7b6, 0x397fe69a, 0x1a0111ea};
        return limbs[i];
    }
    static DEVICE constexpr u32 one(int i) {
        constexpr u32 limbs[] = {0x0002fffd, 0x76090000, 0xc40c0002, 0xebf4000b, 0x53c758ba, 0x5f489857,
                                 0x70525745, 0x77ce5853, 0xa256ec6d, 0x5c071a97, 0xfa80e493, 0x15f65ec3};
        return limbs[i];
    }
    static DEVICE constexpr u32 radix_squared(int i) {
        constexpr u32 limbs[] = {0x1c341746, 0xf4df1f34, 0x09d104f1, 0x0a76e6a6, 0x4c95b6d5, 0x8de5476c,
                                 0x939d83c0, 0x67eb88a9, 0xb519952d, 0x9a793e85, 0x92cae3aa, 0x11988fe5};
        return limbs[i];
    }
};

using Fr = Field<Scalars>;
using Fq = Field<Coordinates>;
