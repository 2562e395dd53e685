// The weight gradient of a dense layer, row by row into AdamW: there is no array of gradients.
#pragma once
#include "adamw.h"
#include "products.h"

// Rows of live units are stepped in order; the others have gradient 0, and only their moments decay.
// They are skipped while those are still 0 and weight decay does nothing: such a step would change no bit.
class RowStepper {
public:
    // `row` has room for one row of the layer.
    RowStepper(const Dense& layer, const AdamW& optimizer, float* row) : layer(layer), optimizer(optimizer), row(row) {}

    void step(int unit, const float* gradient) {
        rest_until(unit);
        update(unit, gradient);
        layer.touched[unit] = 1;
        next = unit + 1;
    }

    void finish() { rest_until(layer.outputs); }

private:
    const Dense& layer;
    const AdamW& optimizer;
    float* row;
    int next = 0;

    void rest_until(int unit) {
        bool cleared = false;
        for (; next < unit; next++) {
            if (!layer.touched[next] && optimizer.decay == 1.f) continue;
            if (!cleared) std::fill(row, row + layer.stride(), 0.f);
            cleared = true;
            update(next, row);
        }
    }

    void update(int unit, const float* gradient) {
        int64_t at = unit * layer.stride();
        optimizer.row(layer.weights + at, layer.means + at, layer.squares + at, gradient, layer.stride());
    }
};

// The live rows of h turned sample-major, [lane / PANEL][sample][PANEL], and one more lane of ones, which
// makes the bias's gradient one of the weights'. weight[s], if given: how many equal samples column s is.
static void transpose_live(const float* h, int width, const Units& live, const float* weight, float* turned,
                           int panels) {
    int64_t columns = (int64_t)panels * PANEL;
    for (int lane = 0; lane <= live.count; lane += LANES) {
        float* out = turned + lane / PANEL * columns * PANEL + lane % PANEL;
        for (int s = 0; s < columns; s += LANES) {
            const float* x = h + (int64_t)(s / PANEL) * width * PANEL + s % PANEL;
            V block[LANES];
            for (int i = 0; i < LANES; i++) {
                int k = lane + i;
                block[i] = k < live.count ? load(x + (int64_t)live.index[k] * PANEL) : splat((float)(k == live.count));
                if (weight) block[i] = block[i] * load(weight + s);
            }
            transpose(block);
            for (int i = 0; i < LANES; i++) store(out + (int64_t)(s + i) * PANEL, block[i]);
        }
    }
}

// Room that weight_gradient needs in `gradients`, for rows of `stride` floats.
INLINE int64_t gradient_room(int64_t stride) { return (BLOCK * TILE_ROWS + 2) * (stride + PANEL); }

// gradient[o][i] = sum over s of delta[o][s] * turned[s][i], then AdamW. delta has a row per unit of `out`.
// T: float, or Pair of samples of both.
template <class T>
static void weight_gradient(const Dense& layer, const T* delta, const Units& out, const Units& in, const T* turned,
                            int panels, const AdamW& optimizer, float* gradients) {
    Tiles tiles(out.count);
    constexpr int DEPTH = std::is_same_v<T, Pair> ? PANEL / 2 : PANEL;
    int lanes = in.count + 1;
    int64_t length = (int64_t)panels_for(lanes) * PANEL;
    float* spread = gradients + BLOCK * TILE_ROWS * length;  // a gradient with a place for every input
    RowStepper stepper(layer, optimizer, spread + layer.stride());
    bool dense = in.all(layer.inputs);
    if (!dense) std::fill(spread, spread + layer.stride(), 0.f);

    for (int block = 0; block < tiles.count; block += BLOCK) {
        int end = std::min(tiles.count, block + BLOCK), first = tiles.start(block);
        for (int lane = 0; lane < lanes; lane += PANEL) {
            for (int tile = block; tile < end; tile++) {
                int start = tiles.start(tile);
                const T* x = turned + lane * (int64_t)panels * DEPTH;
                float* g = gradients + (start - first) * length + lane;
                auto product = [&](auto rows, auto vectors) {
                    constexpr int R = rows, N = vectors;
                    V sums[R][N] = {};
                    for (int p = 0; p < panels; p++) {
                        const T* d = delta + ((int64_t)p * out.count + start) * DEPTH;
                        accumulate<R, N>(sums, d, DEPTH, 1, x + (int64_t)p * DEPTH * PANEL, DEPTH);
                    }
                    for (int r = 0; r < R; r++)
                        for (int j = 0; j < N; j++) store(g + r * length + j * LANES, sums[r][j]);
                };
                with_rows(tiles.height(tile), [&](auto rows) {
                    if (lanes - lane > PANEL - LANES) return product(rows, std::integral_constant<int, TILE_VECTORS>{});
                    for (int j = 0; j < lanes - lane; j += LANES, x += LANES, g += LANES)
                        product(rows, std::integral_constant<int, 1>{});
                });
            }
        }
        for (int k = first; k < tiles.start(end); k++) {
            const float* g = gradients + (k - first) * length;
            if (!dense) {
                for (int i = 0; i < in.count; i++) spread[in.index[i]] = g[i];
                spread[layer.inputs] = g[in.count];
                g = spread;
            }
            stepper.step(out.index[k], g);
        }
    }
    stepper.finish();
}

// The same for layers of at most NARROW inputs, where lanes stay samples (turned, 2 of 16 lanes would work).
// 16 partial sums on every CPU.
constexpr int NARROW = 4;

static void narrow_weight_gradient(const Dense& layer, const float* delta, const Units& out, const float* h,
                                   const float* weight, int panels, const AdamW& optimizer, float* gradients) {
    constexpr int PARTS = 16 / LANES;
    float* gradient = gradients;
    RowStepper stepper(layer, optimizer, gradients + layer.stride());
    std::fill(gradient, gradient + layer.stride(), 0.f);
    for (int k = 0; k < out.count; k++) {
        V sums[NARROW + 1][PARTS] = {};
        for (int p = 0, part = 0; p < panels; p++) {
            const float* d = delta + ((int64_t)p * out.count + k) * PANEL;
            const float* x = h + (int64_t)p * layer.inputs * PANEL;
            for (int j = 0; j < PANEL; j += LANES, part = (part + 1) % PARTS) {
                V y = load(d + j);
                if (weight) y = y * load(weight + p * PANEL + j);
                for (int i = 0; i < layer.inputs; i++) sums[i][part] = fma(y, load(x + i * PANEL + j), sums[i][part]);
                sums[layer.inputs][part] = sums[layer.inputs][part] + y;
            }
        }
        for (int i = 0; i <= layer.inputs; i++) {
            alignas(64) float lane[16];
            for (int part = 0; part < PARTS; part++) store(lane + part * LANES, sums[i][part]);
            gradient[i] = sum_of_16(lane);
        }
        stepper.step(out.index[k], gradient);
    }
    stepper.finish();
}
