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

// sums[r][j] += sum over k of a[r * row_step + index[k] * k_step] * b[index[k]][j]; no index: 0, 1, 2, …
// A row of b has WIDTH floats.
template <int R, int N, bool INDEXED = false, int WIDTH = PANEL>
INLINE void accumulate(V (&sums)[R][N], const float* a, int64_t row_step, int64_t k_step, const float* b,
                       int64_t count, const int* index = nullptr) {
    for (int64_t k = 0; k < count; k++) {
        int64_t i = INDEXED ? index[k] : k;
        const float *a_k = a + i * k_step, *b_k = b + i * WIDTH;
        V x[N];
        for (int j = 0; j < N; j++) x[j] = load(b_k + j * LANES);
        for (int r = 0; r < R; r++) {
            V w = splat(a_k[r * row_step]);
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

// out = weights in + bias, and ReLU if asked for.
template <bool RELU>
static void forward(const Dense& layer, const float* in, const Units& live, float* out, int panels) {
    Tiles tiles(layer.outputs);
    for (int block = 0; block < tiles.count; block += BLOCK) {
        int end = std::min(tiles.count, block + BLOCK);
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
                    if (live.all(layer.inputs))
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
// delta_out has a row for each unit in `out`. delta_in gets a row for each unit in `in`, or, if FULL, for all
// inputs, of which the dead ones are left alone. A dropped activation is 0, as a dead one is: no mask is
// needed on the way back. The weights are packed column by column first: reads of the transpose would
// touch a cache line and a page per element.
template <bool FULL>
static void input_gradient(const Dense& layer, const float* delta_out, const Units& out, const float* h,
                           const Units& in, float* delta_in, float scale, int panels, float* packed) {
    Tiles tiles(in.count);
    int depth = out.count;
    for (int block = 0; block < tiles.count; block += BLOCK) {
        int end = std::min(tiles.count, block + BLOCK);
        float* q = packed;
        for (int tile = block; tile < end; tile++) {
            const int* unit = in.index.data() + tiles.start(tile);
            int height = tiles.height(tile);
            for (int k = 0; k < depth; k++, q += height) {
                const float* w = layer.weights + out.index[k] * layer.stride();
                for (int r = 0; r < height; r++) q[r] = w[unit[r]];
            }
        }
        for (int p = 0; p < panels; p++) {
            const float* d = delta_out + (int64_t)p * depth * PANEL;
            const float* h_p = h + (int64_t)p * layer.inputs * PANEL;
            float* y = delta_in + (int64_t)p * (FULL ? layer.inputs : in.count) * PANEL;
            q = packed;
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
                            float* to = y + (int64_t)(FULL ? unit[r] : start + r) * PANEL + j * LANES;
                            store(to, on > 0.f ? sums[r][j] * scale : V{});
                        }
                });
                q += (int64_t)height * depth;
            }
        }
    }
}
