// Decides how a host compiler sees a kernel: a function in a table, its threads a loop.
#pragma once
#include <cstddef>
#include <cstring>
#include <tuple>
#include <utility>

#define DEVICE inline
#define DEVICE_CALL inline

namespace shim {
// Of the thread being run, and how many there are.
extern thread_local unsigned long long number, count;

using Call = void (*)(void* const* arguments);
struct Entry {
    Entry(const char* name, Call call);
};

template <class T>
T load(const void* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

// Calls `kernel` with arguments given as the driver takes them: addresses of values.
template <class... A, std::size_t... I>
void unpack(void (*kernel)(A...), void* const* arguments, std::index_sequence<I...>) {
    kernel(load<A>(arguments[I])...);
}
template <class... A>
void apply(void (*kernel)(A...), void* const* arguments) {
    unpack(kernel, arguments, std::index_sequence_for<A...>{});
}
}  // namespace shim

#define KERNEL(name, ...)                                                                                    \
    static void name(__VA_ARGS__);                                                                           \
    static shim::Entry name##_entry(#name, [](void* const* arguments) { shim::apply(name, arguments); });    \
    static void name(__VA_ARGS__)

inline u64 thread_number() { return shim::number; }
inline u64 thread_count() { return shim::count; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline void add_atomically(u32* place, u32 value) { __atomic_fetch_add(place, value, __ATOMIC_RELAXED); }
