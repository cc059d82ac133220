// Decides how kernels run without a GPU: the threads of a launch one after the other, on all cores.
#include <algorithm>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "../../cuda/machine.cuh"

namespace shim {
thread_local unsigned long long number, count;

static std::map<std::string, Call>& table() {
    static std::map<std::string, Call> entries;
    return entries;
}

Entry::Entry(const char* name, Call call) { table()[name] = call; }
}  // namespace shim

#include "../../cuda/kernels.cu"
#include "arithmetic.cu"

// Runs `threads` threads of a kernel. Returns 1 where there is none of that name.
extern "C" int zkllm_shim_launch(const char* name, unsigned long long threads, void* const* arguments) {
    auto found = shim::table().find(name);
    if (found == shim::table().end()) return 1;
    auto part = [=](u64 from, u64 to) {
        shim::count = threads;
        for (shim::number = from; shim::number < to; shim::number++) found->second(arguments);
    };
    u64 cores = threads < 512 ? 1 : std::max(1u, std::thread::hardware_concurrency());
    u64 each = (threads + cores - 1) / cores;
    std::vector<std::thread> others;
    for (u64 from = each; from < threads; from += each) others.emplace_back(part, from, std::min(from + each, threads));
    part(0, std::min(each, threads));
    for (auto& other : others) other.join();
    return 0;
}
