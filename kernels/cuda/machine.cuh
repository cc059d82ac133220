// Decides what differs between a GPU and a host compiler: entry points, thread numbers, carry chains. All else is written once.
#pragma once

using u8 = unsigned char;
using u32 = unsigned int;
using i32 = int;
using u64 = unsigned long long;
using i64 = long long;

// A kernel has no barrier and no shared memory: threads meet between launches only. So the host runs it as a loop.
#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#define DEVICE_CALL __device__ __noinline__
#define KERNEL(name, ...) extern "C" __global__ void __launch_bounds__(128) name(__VA_ARGS__)
DEVICE u64 thread_number() { return u64(blockIdx.x) * blockDim.x + threadIdx.x; }
DEVICE u64 thread_count() { return u64(gridDim.x) * blockDim.x; }
DEVICE void add_atomically(u32* place, u32 value) { atomicAdd(place, value); }
#else
#include "shim.hpp"
#endif

// -x, in a way that the assembler does not see through: a product with a plain -x it does not fuse to a wide one.
DEVICE u32 opaque_minus(u32 x) {
#ifdef __CUDA_ARCH__
    u32 result;
    asm volatile("{ .reg .u32 less; sub.u32 less, %1, 1; lop3.b32 %0, less, less, less, 0x0f; }" : "=r"(result) : "r"(x));
    return result;
#else
    return 0 - x;
#endif
}

// A chain of additions with carry (or of subtractions with borrow), limb by limb. `start_` begins a new one.
// Products are added in pairs of instructions in one statement, so that the assembler fuses them to wide ones; `low` is written
// before the other operands are read for the last time (&).
struct Carry {
#ifdef __CUDA_ARCH__
    DEVICE void start_mad(u32& low, u32& high, u32 a, u32 b) {
        asm volatile("mad.lo.cc.u32 %0, %2, %3, %0; madc.hi.cc.u32 %1, %2, %3, %1;" : "+&r"(low), "+r"(high) : "r"(a), "r"(b));
    }
    DEVICE void mad(u32& low, u32& high, u32 a, u32 b) {
        asm volatile("madc.lo.cc.u32 %0, %2, %3, %0; madc.hi.cc.u32 %1, %2, %3, %1;" : "+&r"(low), "+r"(high) : "r"(a), "r"(b));
    }
    DEVICE void mad_to(u32& low, u32& high, u32 a, u32 b, u32 c, u32 d) {
        asm volatile("madc.lo.cc.u32 %0, %2, %3, %4; madc.hi.cc.u32 %1, %2, %3, %5;"
                     : "=&r"(low), "=r"(high) : "r"(a), "r"(b), "r"(c), "r"(d));
    }
    DEVICE void start_add(u32& x, u32 y) { asm volatile("add.cc.u32 %0, %0, %1;" : "+r"(x) : "r"(y)); }
    DEVICE void add(u32& x, u32 y) { asm volatile("addc.cc.u32 %0, %0, %1;" : "+r"(x) : "r"(y)); }
    DEVICE void end_add(u32& x) { asm volatile("addc.u32 %0, %0, 0;" : "+r"(x)); }
    DEVICE void start_sub(u32& x, u32 a, u32 b) { asm volatile("sub.cc.u32 %0, %1, %2;" : "=r"(x) : "r"(a), "r"(b)); }
    DEVICE void sub(u32& x, u32 a, u32 b) { asm volatile("subc.cc.u32 %0, %1, %2;" : "=r"(x) : "r"(a), "r"(b)); }
    // All ones if the chain borrowed.
    DEVICE u32 borrow() {
        u32 mask;
        asm volatile("subc.u32 %0, 0, 0;" : "=r"(mask));
        return mask;
    }
#else
    u32 bit = 0;
    DEVICE void start_mad(u32& low, u32& high, u32 a, u32 b) { bit = 0, mad_to(low, high, a, b, low, high); }
    DEVICE void mad(u32& low, u32& high, u32 a, u32 b) { mad_to(low, high, a, b, low, high); }
    DEVICE void mad_to(u32& low, u32& high, u32 a, u32 b, u32 c, u32 d) {
        u64 first = u64(a) * b + c + bit;  // below 2^64: (2^32 - 1)^2 + 2^32 - 1 + 1
        u64 second = (first >> 32) + d;
        low = u32(first), high = u32(second), bit = u32(second >> 32);
    }
    DEVICE void start_add(u32& x, u32 y) { bit = 0, add(x, y); }
    DEVICE void add(u32& x, u32 y) {
        u64 sum = u64(x) + y + bit;
        x = u32(sum), bit = u32(sum >> 32);
    }
    DEVICE void end_add(u32& x) { x += bit; }
    DEVICE void start_sub(u32& x, u32 a, u32 b) { bit = 0, sub(x, a, b); }
    DEVICE void sub(u32& x, u32 a, u32 b) {
        u64 difference = u64(a) - b - bit;
        x = u32(difference), bit = u32(difference >> 63);
    }
    DEVICE u32 borrow() { return 0 - bit; }
#endif
};
