// The products of a dense layer, all through one register tile: sums[r][j] += a(r, k) * b[k][j].
//
// Every sum runs in one fixed order (k ascending; samples ascending), whatever the width of vectors.
#pragma once
#include "panels.h"
#include <algorithm>
#include <type_traits>

// One dense layer of one network, with AdamW's memory.
struct Dense {
    int inputs, outputs;
    float *weights, *means, *squares;  // [outputs][stride]: the inputs' weights, then the bias
    uint8_t* touched;                  // [outputs]: whether a row's moments may be other than 0

    int64_t stride() const { return (inputs + 1 + 15) / 16 * 16; }
    int64_t floats() const { return outputs * stride(); }
};

// Calls f with a tile's height as a compile-time constant.
template <class F> INLINE void with_rows(int rows, F f) {
#define ROWS(R)                                                              \
    case R:                                                                  \
        if constexpr (R <= TILE_ROWS) f(std::integral_constant<int, R>{});   \
        break;
    switch (rows) {
        ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8) ROWS(9) ROWS(10) ROWS(11) ROWS(12)
    }
#undef ROWS
}

// Rows in tiles of nearly equal height: 115 rows are 11 + 12 + 11 + …, not 9 times 12 and 7.
struct Tiles {
    int rows, count;
    explicit Tiles(int rows) : rows(rows), count((rows + TILE_ROWS - 1) / TILE_ROWS) {}
    int start(int tile) const { return (int)((int64_t)rows * tile / count); }
    int height(int tile) const { return start(tile + 1) - start(tile); }
};
constexpr int BLOCK = 4;  // tiles per pass over the samples: their weights stay in the second-level cache

// Opt-in: operands rounded to bfloat16 (to nearest, even), two consecutive k in one word; sums stay float32 and in
// their order, the first of a pair in the upper half: so what is skipped still changes no bit. Measured with
// AVX512-BF16: 4*632 and 2*939 1.4, 4*119 1.2, 2*115 1.1 times as fast.
using Pair = uint32_t;
constexpr int BF16_LEAST = 64;  // inputs and outputs of a layer that gains by it

INLINE VU rounded(V x) {
    VU bits = (VU)x;
    return x == x ? bits + 0x7fff + (bits >> 16 & 1) : bits | 0x400000;  // a NaN stays one
}
INLINE VU pair(V first, V second) { return (rounded(first) & 0xffff0000u) | rounded(second) >> 16; }

// Pairs of neighbours: out[k] of x[2 k] and x[2 k + 1]; 2 * LANES numbers at a time.
static void pair_neighbours(const float* x, int64_t count, Pair* out) {
    for (int64_t i = 0; i < count; i += 2 * LANES) {
        VU a = rounded(load(x + i)), b = rounded(load(x + i + LANES));
        for (int k = 0; k < LANES / 2; k++) {
            out[i / 2 + k] = (a[2 * k] & 0xffff0000u) | a[2 * k + 1] >> 16;
            out[i / 2 + LANES / 2 + k] = (b[2 * k] & 0xffff0000u) | b[2 * k + 1] >> 16;
        }
    }
}

// Pairs of rows: [panel][rows][PANEL] to [panel][(count + 1) / 2][PANEL], of the rows index[k]; no index: of all.
static void pair_rows(const float* x, int64_t rows, int panels, Pair* out, const int* index, int64_t count) {
    for (int p = 0; p < panels; p++, x += rows * PANEL)
        for (int64_t k = 0; k < count; k += 2, out += PANEL)
            for (int j = 0; j < PANEL; j += LANES) {
                V first = load(x + (index ? index[k] : k) * PANEL + j);
                V second = k + 1 < count ? load(x + (index ? index[k + 1] : k + 1) * PANEL + j) : V{};
                store(out + j, pair(first, second));
            }
}

// Room for paired operands: [a block's rows][inputs] and [panels][rows][PANEL].
struct PairRoom {
    Pair *rows = nullptr, *panels = nullptr;
    float* row = nullptr;
};

// sums[r][j] += sum over k of a[r * row_step + index[k] * k_step] * b[index[k]][j]; no index: 0, 1, 2, …
// A row of b has WIDTH floats.
template <int R, int N, bool INDEXED = false, int WIDTH = PANEL, class T>
INLINE void accumulate(V (&sums)[R][N], const T* a, int64_t row_step, int64_t k_step, const T* b, int64_t count,
                       const int* index = nullptr) {
    for (int64_t k = 0; k < count; k++) {
        int64_t i = INDEXED ? index[k] : k;
        const T *a_k = a + i * k_step, *b_k = b + i * WIDTH;
        decltype(load(b)) x[N];
        for (int j = 0; j < N; j++) x[j] = load(b_k + j * LANES);
        for (int r = 0; r < R; r++) {
            auto w = splat(a_k[r * row_step]);
            for (int j = 0; j < N; j++) sums[r][j] = fma(w, x[j], sums[r][j]);
        }
    }
}

// Read a number of every cache line, so that misses overlap before a tile's rows are read side by side.
// Measured: 115*115, whose networks do not fit the cache, 1.09 times as fast.
INLINE void fetch(const float* from, const float* to) {
    float sum = 0;
    for (; from < to; from += 16) sum += *from;
    asm volatile("" ::"r"(sum));
}

// out = weights in + bias, and ReLU if asked for. With room for them, from paired operands.
template <bool RELU>
static void forward(const Dense& layer, const float* in, const Units& live, float* out, int panels,
                    const PairRoom* room) {
    Tiles tiles(layer.outputs);
    bool dense = live.all(layer.inputs);
    int64_t pairs = (live.count + 1) / 2, stride = (pairs + LANES - 1) / LANES * LANES;
    if (room) pair_rows(in, layer.inputs, panels, room->panels, live.index.data(), live.count);
    for (int block = 0; block < tiles.count; block += BLOCK) {
        int end = std::min(tiles.count, block + BLOCK), first = tiles.start(block);
        for (int o = first; room && o < tiles.start(end); o++) {
            const float* w = layer.weights + o * layer.stride();
            for (int i = 0; !dense && i <= live.count; i++) room->row[i] = i < live.count ? w[live.index[i]] : 0.f;
            pair_neighbours(dense ? w : room->row, live.count, room->rows + (o - first) * stride);
        }
        fetch(layer.weights + tiles.start(block) * layer.stride(), layer.weights + tiles.start(end) * layer.stride());
        for (int p = 0; p < panels; p++) {
            const float* x = in + (int64_t)p * layer.inputs * PANEL;
            float* y = out + (int64_t)p * layer.outputs * PANEL;
            for (int tile = block; tile < end; tile++) {
                const float* w = layer.weights + tiles.start(tile) * layer.stride();
                float* z = y + (int64_t)tiles.start(tile) * PANEL;
                with_rows(tiles.height(tile), [&](auto height) {
                    constexpr int R = height;
                    V sums[R][TILE_VECTORS];
                    for (int r = 0; r < R; r++)
                        for (V& sum : sums[r]) sum = splat(w[r * layer.stride() + layer.inputs]);
                    if (room)
                        accumulate<R, TILE_VECTORS>(sums, room->rows + (tiles.start(tile) - first) * stride, stride, 1,
                                                    room->panels + p * pairs * PANEL, pairs);
                    else if (dense)
                        accumulate<R, TILE_VECTORS>(sums, w, layer.stride(), 1, x, live.count);
                    else
                        accumulate<R, TILE_VECTORS, true>(sums, w, layer.stride(), 1, x, live.count, live.index.data());
                    for (int r = 0; r < R; r++)
                        for (int j = 0; j < TILE_VECTORS; j++)
                            store(z + r * PANEL + j * LANES, RELU ? relu(sums[r][j]) : sums[r][j]);
                });
            }
        }
    }
}

// delta_in[i] = (h[i] > 0) * scale * sum over o of weights[o][i] * delta_out[o].
//
// delta_out has a row for each unit in `out`. delta_in gets a row for each unit in `in`, or, if full, for all
// inputs, of which the dead ones are left alone. A dropped activation is 0, as a dead one is: no mask is
// needed on the way back. The weights are packed column by column first: reads of the transpose would
// touch a cache line and a page per element. T: float, or Pair of rows of delta_out; `row`: room for a row of pairs.
template <class T>
static void input_gradient(const Dense& layer, const T* delta_out, const Units& out, const float* h, const Units& in,
                           float* delta_in, bool full, float scale, int panels, T* packed, T* row = nullptr) {
    Tiles tiles(in.count);
    constexpr int EACH = std::is_same_v<T, Pair> ? 2 : 1;
    int depth = (out.count + EACH - 1) / EACH;
    auto weights_of = [&](int k) { return layer.weights + out.index[k] * layer.stride(); };
    for (int block = 0; block < tiles.count; block += BLOCK) {
        int end = std::min(tiles.count, block + BLOCK);
        const int *first = in.index.data() + tiles.start(block), *last = in.index.data() + tiles.start(end) - 1;
        for (int k = 0; k < depth; k++) {
            const T* w;
            if constexpr (EACH == 1) {
                w = weights_of(k);
            } else {
                for (int i = *first / LANES * LANES; i <= *last; i += LANES) {
                    V second = 2 * k + 1 < out.count ? load(weights_of(2 * k + 1) + i) : V{};
                    store(row + i, pair(load(weights_of(2 * k) + i), second));
                }
                w = row;
            }
            T* q = packed;
            for (int tile = block; tile < end; tile++) {
                const int* unit = in.index.data() + tiles.start(tile);
                int height = tiles.height(tile);
                for (int r = 0; r < height; r++) q[(int64_t)k * height + r] = w[unit[r]];
                q += (int64_t)height * depth;
            }
        }
        for (int p = 0; p < panels; p++) {
            const T* d = delta_out + (int64_t)p * depth * PANEL;
            const float* h_p = h + (int64_t)p * layer.inputs * PANEL;
            float* y = delta_in + (int64_t)p * (full ? layer.inputs : in.count) * PANEL;
            const T* q = packed;
            for (int tile = block; tile < end; tile++) {
                int start = tiles.start(tile), height = tiles.height(tile);
                const int* unit = in.index.data() + start;
                with_rows(height, [&](auto rows) {
                    constexpr int R = rows;
                    V sums[R][TILE_VECTORS] = {};
                    accumulate<R, TILE_VECTORS>(sums, q, 1, R, d, depth);
                    for (int r = 0; r < R; r++)
                        for (int j = 0; j < TILE_VECTORS; j++) {
                            V on = load(h_p + (int64_t)unit[r] * PANEL + j * LANES);
                            float* to = y + (int64_t)(full ? unit[r] : start + r) * PANEL + j * LANES;
                            store(to, on > 0.f ? sums[r][j] * scale : V{});
                        }
                });
                q += (int64_t)height * depth;
            }
        }
    }
}
