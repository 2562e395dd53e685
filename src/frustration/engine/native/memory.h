// Arrays for vectors: 64-byte aligned, zeroed, freed with their owner.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

class Arena {
public:
    Arena() = default;
    Arena(const Arena&) = delete;
    ~Arena() {
        for (void* array : owned) free(array);
    }

    // `count` zeros. Large arrays ask for huge pages: fewer misses of the address cache in first layers.
    template <class T> T* zeros(int64_t count) {
        constexpr int64_t MOST = int64_t(1) << 44;
        if (count < 0 || count > MOST / (int64_t)sizeof(T)) throw std::bad_alloc();
        size_t bytes = (size_t)count * sizeof(T) + 64;
        size_t alignment = bytes >= (1u << 20) ? 2u << 20 : 64;
        bytes = (bytes + alignment - 1) / alignment * alignment;
        void* array = aligned_alloc(alignment, bytes);
        if (!array) throw std::bad_alloc();
        owned.push_back(array);
#ifdef MADV_HUGEPAGE
        if (alignment > 64) madvise(array, bytes, MADV_HUGEPAGE);
#endif
        memset(array, 0, bytes);
        return (T*)array;
    }

private:
    std::vector<void*> owned;
};
