// Opt-in: operands rounded to bfloat16 (to nearest, even), two consecutive k in one word. Sums stay float32 and in
// their order, the first of a pair in the upper half: so what is skipped still changes no bit. Measured with
// AVX512-BF16: 4*632 and 2*939 1.4, 4*119 1.2, 2*115 1.1 times as fast.
#pragma once
#include "memory.h"
#include "panels.h"

constexpr int BF16_LEAST = 64;  // inputs and outputs of a layer that gains by it

using Pair = uint32_t;
typedef uint32_t VHalf __attribute__((vector_size(2 * LANES), may_alias));

// a.low * b.low + (a.high * b.high + c), each step rounded once: what the instruction does on AMD's Zen 5, bit for bit
// (64 million random cases).
INLINE V fma(VU a, VU b, V c) {
#ifdef __AVX512BF16__
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
#else
    return fma((V)(a << 16), (V)(b << 16), fma((V)(a & 0xffff0000u), (V)(b & 0xffff0000u), c));
#endif
}

INLINE VU rounded(V x) {
    VU bits = (VU)x;
    return x == x ? bits + 0x7fff + (bits >> 16 & 1) : bits | 0x400000;  // a NaN stays one
}
INLINE VU pair(V first, V second) { return (rounded(first) & 0xffff0000u) | rounded(second) >> 16; }

// Pairs of neighbours: out[k] of x[2 k] and x[2 k + 1]; LANES numbers at a time.
static void pair_neighbours(const float* x, int64_t count, Pair* out) {
    for (int64_t i = 0; i < count; i += LANES) {
        VQ two = (VQ)rounded(load(x + i));  // the first in the lower half
        *(VHalf*)(out + i / 2) = __builtin_convertvector((two & 0xffff0000u) | two >> 48, VHalf);
    }
}

// Pairs of rows: [panel][rows][PANEL] to [panel][(count + 1) / 2][PANEL], of the rows index[k]; no index: of all.
static void pair_rows(const float* x, int64_t rows, int panels, Pair* out, const int* index, int64_t count) {
    auto row = [&](int64_t k, int j) { return k < count ? load(x + (index ? index[k] : k) * PANEL + j) : V{}; };
    for (int p = 0; p < panels; p++, x += rows * PANEL)
        for (int64_t k = 0; k < count; k += 2, out += PANEL)
            for (int j = 0; j < PANEL; j += LANES) store(out + j, pair(row(k, j), row(k + 1, j)));
}

// Room for paired operands of layers of up to `most` inputs or rows: `rows` of one pass, or [panels][most][PANEL].
struct PairRoom {
    Pair *rows, *panels, *row;
    float* gathered;

    PairRoom(Arena& arena, int64_t most, int64_t columns, int64_t rows_per_pass)
        : rows(arena.zeros<Pair>(std::max(rows_per_pass * (most + 32), most * columns))),
          panels(arena.zeros<Pair>((most + 2 * PANEL) * columns)), row(arena.zeros<Pair>(most + 32)),
          gathered(arena.zeros<float>(most + 32)) {}
};
