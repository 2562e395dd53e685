// The weight gradient of a dense layer, row by row into AdamW: there is no array of gradients.
#pragma once
#include "products.h"

INLINE void step_row(const Dense& layer, int row, const float* gradient, const AdamW& optimizer) {
    layer.weights.step(row * layer.stride, gradient, layer.stride, optimizer);
}

// A layer's rows of units that live are stepped with their gradients; the others have gradient 0, and only their
// moments decay. They are skipped while those are still 0 and weight decay does nothing: that would change no bit.
static void step_the_others(const Dense& layer, const Units& stepped, const AdamW& optimizer, float* zeros) {
    std::fill_n(zeros, layer.stride, 0.f);
    for (int row = 0, k = 0; row < layer.outputs; row++) {
        if (k < stepped.count && stepped.index[k] == row) layer.touched[row] = 1, k++;
        else if (layer.touched[row] || optimizer.decay != 1.f) step_row(layer, row, zeros, optimizer);
    }
}

// The live rows of h turned sample-major, [lane / PANEL][sample][PANEL], and one more lane of ones, which
// makes the bias's gradient one of the weights'. weight[s], if given: how many equal samples column s is.
static void transpose_live(const float* h, int64_t width, const Units& live, const float* weight, float* turned,
                           int panels) {
    int64_t columns = panels * PANEL;
    for (int lane = 0; lane <= live.count; lane += LANES)
        for (int s = 0; s < columns; s += LANES) {
            V block[LANES];
            for (int i = 0; i < LANES; i++) {
                int k = lane + i;
                const float* x = h + (s / PANEL * width + live.index[k < live.count ? k : 0]) * PANEL + s % PANEL;
                block[i] = k < live.count ? load(x) : splat((float)(k == live.count));
                if (weight) block[i] = block[i] * load(weight + s);
            }
            transpose(block);
            float* out = turned + (lane / PANEL * columns + s) * PANEL + lane % PANEL;
            for (int i = 0; i < LANES; i++) store(out + i * PANEL, block[i]);
        }
}

// gradient[o][i] = sum over s of delta[o][s] * turned[s][i], then AdamW. delta has a row per unit of `out`.
// T: float, or Pair of samples of both.
template <class T>
static void weight_gradient(const Dense& layer, const T* delta, const Units& out, const Units& in, const T* turned,
                            int panels, const AdamW& optimizer, float* gradients) {
    Tiles tiles(out.count);
    constexpr int DEPTH = std::is_same_v<T, Pair> ? PANEL / 2 : PANEL;
    int64_t lanes = in.count + 1, length = panels_for(lanes) * PANEL;
    float* spread = gradients + TILES_PER_PASS * TILE_ROWS * length;  // a gradient with a place for every input
    std::fill_n(spread, layer.stride, 0.f);
    for (int block = 0; block < tiles.count; block += TILES_PER_PASS) {
        int end = std::min(tiles.count, block + TILES_PER_PASS), first = tiles.start(block);
        for (int64_t lane = 0; lane < lanes; lane += PANEL)
            tiles.each(block, end, [&](int start, int height) ALWAYS_INLINE {
                Left<T> d{delta + start * DEPTH, DEPTH, 1, out.count * DEPTH};
                const T* x = turned + lane * panels * DEPTH;
                float* g = gradients + (start - first) * length + lane;
                auto product = [&](auto vectors, int at) {
                    auto keep = [&](int r, int j, V sum) { store(g + r * length + at + j * LANES, sum); };
                    multiply<vectors>(height, d, x + at, DEPTH, zero, keep, panels);
                };
                if (lanes - lane > PANEL - LANES) return product(std::integral_constant<int, TILE_VECTORS>{}, 0);
                for (int at = 0; at < lanes - lane; at += LANES) product(std::integral_constant<int, 1>{}, at);
            });
        for (int k = first; k < tiles.start(end); k++) {
            const float* g = gradients + (k - first) * length;
            if (!in.all(layer.inputs)) {
                for (int i = 0; i < in.count; i++) spread[in.index[i]] = g[i];
                spread[layer.inputs] = g[in.count];
                g = spread;
            }
            step_row(layer, out.index[k], g, optimizer);
        }
    }
    step_the_others(layer, out, optimizer, spread);
}

static void weight_gradient(const Dense& layer, const float* delta, const Units& out, const Units& in,
                            const float* turned, int panels, const AdamW& optimizer, float* gradients,
                            const PairRoom* room) {
    if (!room) return weight_gradient(layer, delta, out, in, turned, panels, optimizer, gradients);
    int64_t columns = panels * PANEL;
    pair_neighbours(delta, out.count * columns, room->rows);
    pair_rows(turned, columns, panels_for(in.count + 1), room->panels, nullptr, columns);
    weight_gradient(layer, room->rows, out, in, room->panels, panels, optimizer, gradients);
}

// The same for layers of at most NARROW inputs, where lanes stay samples (turned, 2 of 16 lanes would work), in 16
// partial sums on every CPU. Measured: 512*1 1.8 times as fast, with dropout 2.3 times.
constexpr int NARROW = 4;

static void narrow_weight_gradient(const Dense& layer, const float* delta, const Units& out, const float* h,
                                   const float* weight, int panels, const AdamW& optimizer, float* gradient) {
    constexpr int PARTS = 16 / LANES;
    std::fill_n(gradient, layer.stride, 0.f);
    for (int k = 0; k < out.count; k++) {
        V sums[NARROW + 1][PARTS] = {};
        for (int s = 0; s < panels * PANEL; s += LANES) {
            int64_t p = s / PANEL, at = s % PANEL;
            V d = load(delta + (p * out.count + k) * PANEL + at);
            if (weight) d = d * load(weight + s);
            for (int i = 0; i <= layer.inputs; i++) {
                V& sum = sums[i][s / LANES % PARTS];
                sum = i < layer.inputs ? fma(d, load(h + (p * layer.inputs + i) * PANEL + at), sum) : sum + d;
            }
        }
        for (int i = 0; i <= layer.inputs; i++) gradient[i] = sum_of_16((float*)sums[i]);
        step_row(layer, out.index[k], gradient, optimizer);
    }
    step_the_others(layer, out, optimizer, gradient);
}
