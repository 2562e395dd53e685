// Arrays for vectors: 64-byte aligned, zeroed, freed with their owner.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

// Arrays lie one after the other in blocks of huge pages. Measured: fewer misses of the address cache in first
// layers; the layers of a network beside each other: 115*115 1.05 times as fast.
class Arena {
public:
    Arena() = default;
    Arena(const Arena&) = delete;
    ~Arena() {
        for (void* block : blocks) free(block);
    }

    template <class T> T* zeros(int64_t count) {
        size_t bytes = ((size_t)count * sizeof(T) / 64 + 1) * 64;
        if (bytes > left) {
            left = (bytes + BLOCK - 1) / BLOCK * BLOCK;
            blocks.push_back(nullptr);  // first, for it may throw
            blocks.back() = next = (char*)aligned_alloc(BLOCK, left);
            if (!next) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
            if (BLOCK > 64) madvise(next, left, MADV_HUGEPAGE);
#endif
        }
        left -= bytes;
        return (T*)memset(std::exchange(next, next + bytes), 0, bytes);
    }

private:
#ifdef __SANITIZE_ADDRESS__
    static constexpr size_t BLOCK = 64;  // each array a block of its own, so that a step beyond its end is seen
#else
    static constexpr size_t BLOCK = 2 << 20;
#endif
    std::vector<void*> blocks;
    char* next = nullptr;
    size_t left = 0;
};
