// The first layer, on images that are mostly background.
//
// Core pixels are multiplied as in any dense layer; of the rim, both products visit only pixels that are not
// background. Measured against visiting lit pixels everywhere: 1*16 1.2, 1*64 1.13, 1*2048 1.1 times as fast. A
// pixel's value is offset + above[byte], so z = W above + (b + offset * rowsum(W)): the offset, which would make
// every pixel count, goes into the bias, and rowsum(W) comes along with AdamW. Measured: rms distance of z to
// float64 0.9e-7, of the plain product 1.4e-7. Samples that are numbers are all core, and their offset is 0.
//
// The units of all networks that share a batch stand side by side in slabs of 16 or 32 columns, [slab][pixel][column],
// the biases after the last pixel. They share the walk over the images (measured: 1*16 in six modes at once 2.2 times
// as fast as one by one, 8*8 2.7 times), and a slab of weights, 100 KB, stays in the second-level cache for the batch.
#pragma once
#include "images.h"
#include "products.h"

class InputLayer {
    // row(column, panel): the address of a column's activations, null for a column of nobody. (Before its first use:
    // its type is deduced.) Looked up: a division per access cost 7 %.
    auto rows(float* base, int slab) const {
        return [base, at = place.data() + slab * width, panel_size = units * PANEL](int column, int panel) {
            return at[column] < 0 ? nullptr : base + at[column] + panel * panel_size;
        };
    }

public:
    // `networks` first layers of `units` units each.
    InputLayer(Arena& arena, int64_t networks, int64_t units, const Pixels& pixels, int64_t columns)
        : units(units), features(pixels.features), core(pixels.core), width(networks * units <= 16 ? 16 : 32),
          slabs((int)((networks * units + width - 1) / width)), offset(pixels.offset),
          weights(arena, slabs * width * (features + 1)), tile(arena.zeros<float>(columns * width)), touched(slabs),
          awake(slabs), position(features), place(slabs * width, -1) {
        for (int k = 0; k < features; k++) position[pixels.order[k]] = k;
        for (float** array : {&row_sum, &rate, &scale, &decay}) *array = arena.zeros<float>(slabs * width);
        for (int64_t c = 0; c < networks * units; c++) place[c] = c / units * units * columns + c % units * PANEL;
    }

    // f(number) for every weight or moment of a network: rows [units][features], then the biases.
    template <class F> void visit(int network, Array which, F f) {
        for (int64_t column = network * units; column < (network + 1) * units; column++)
            for (int k : position) f(first_of(which, column)[k * width]);
        for (int64_t column = network * units; column < (network + 1) * units; column++)
            f(first_of(which, column)[features * width]);
    }

    // After weights or moments of a network were written.
    void written(int network, Array which) {
        for (int64_t column = network * units; column < (network + 1) * units; column++) {
            touched[column / width] |= which != WEIGHTS;
            float sum = 0;
            for (int k = 0; k < features; k++) sum += first_of(WEIGHTS, column)[k * width];
            row_sum[column] = sum;
        }
    }

    void forget_moments() {
        weights.forget_moments();
        std::fill(touched.begin(), touched.end(), 0);
    }

    // Which networks are worked on from here on; what the others' columns become is undefined.
    template <class F> void wake(F wanted) {
        std::fill(awake.begin(), awake.end(), 0);
        for (int64_t c = 0; c < slabs * width && place[c] >= 0; c++) awake[c / width] |= wanted((int)(c / units));
    }

    // Before a step: what AdamW does to a network.
    void plan(int network, const AdamW& with) {
        std::fill_n(rate + network * units, units, with.rate);
        std::fill_n(scale + network * units, units, with.scale);
        std::fill_n(decay + network * units, units, with.decay);
    }

    // Activations [network][panels][unit][PANEL], networks units * columns apart.
    void forward(const Batch& batch, bool with_relu, float* sums) {
        for (int s = 0; s < slabs; s++)
            if (awake[s]) width == 16 ? forward<16>(s, batch, with_relu, sums) : forward<32>(s, batch, with_relu, sums);
    }

    // Gradient and AdamW, of the batch that `forward` has just seen.
    void gradient(const Batch& batch, float* deltas) {
        for (int s = 0; s < slabs; s++)
            if (awake[s] && (touched[s] || !nothing_to_do(s, batch.panels, deltas))) {
                width == 16 ? gradient<16>(s, batch, deltas) : gradient<32>(s, batch, deltas);
                touched[s] = 1;
            }
    }

private:
    int64_t units, features, core, width;
    int slabs;
    float offset;
    Parameters weights;
    float *tile, *row_sum, *rate, *scale, *decay;
    std::vector<uint8_t> touched, awake;  // by slab
    std::vector<int> position;            // of a pixel in a slab
    std::vector<int64_t> place;           // of a column's activations

    float* first_of(Array which, int64_t column) const {
        return weights.arrays[which] + column / width * width * (features + 1) + column % width;
    }

    // Sums run over the core in one chain, then over the rim, whatever the CPU.
    template <int S> void forward(int slab, const Batch& batch, bool with_relu, float* activations) const {
        constexpr int VECTORS = S / LANES, TILE = std::min(VECTORS, TILE_VECTORS);
        const float *w = first_of(WEIGHTS, slab * S), *bias = w + features * S, *sum_of_row = row_sum + slab * S;
        float* z = tile;
        Tiles samples(batch.columns);
        samples.each(0, samples.count, [&](int start, int height) ALWAYS_INLINE {
            for (int k = 0; k < S; k += TILE * LANES) {
                Left<float> x{batch.core + start * batch.core_stride, batch.core_stride, 1};
                auto folded = [&, at = k](int, int j) {
                    return load(bias + at + j * LANES) + load(sum_of_row + at + j * LANES) * offset;
                };
                auto keep = [&](int r, int j, V sum) { store(z + (start + r) * S + k + j * LANES, sum); };
                multiply<TILE, S>(height, x, w + k, core, folded, keep);
            }
        });
        // Sample by sample: its sums stay in the registers. Measured: 1*16 to 8*8 classify 1.12 times as fast as pixel
        // by pixel; several samples abreast gain nothing.
        for (int64_t sample = 0; sample < batch.columns; sample++) {
            V sums[VECTORS];
            for (int k = 0; k < VECTORS; k++) sums[k] = load(z + sample * S + k * LANES);
            for (const Lit *lit = batch.begin(sample), *end = batch.end(sample); lit < end; lit++) {
                V value = splat(batch.above[lit->byte]);
                const float* of_pixel = w + (core + lit->pixel) * S;
                for (int k = 0; k < VECTORS; k++) sums[k] = fma(value, load(of_pixel + k * LANES), sums[k]);
            }
            for (int k = 0; k < VECTORS; k++) store(z + sample * S + k * LANES, sums[k]);
        }
        auto row = rows(activations, slab);
        for (int first = 0; first < batch.columns; first += LANES)
            for (int k = 0; k < S; k += LANES) {
                V block[LANES];
                for (int s = 0; s < LANES; s++) block[s] = load(z + (first + s) * S + k);
                transpose(block);
                for (int c = 0; c < LANES; c++)
                    if (float* out = row(k + c, first / PANEL))
                        store(out + first % PANEL, with_relu ? relu(block[c]) : block[c]);
            }
    }

    // The gradient of a pixel's S weights never leaves the registers.
    template <int S> void gradient(int slab, const Batch& batch, float* deltas) const {
        constexpr int VECTORS = S / LANES, TILE = std::min(VECTORS, TILE_VECTORS);
        float* d = tile;
        auto row = rows(deltas, slab);
        V total[VECTORS] = {}, sum_of_rows[VECTORS] = {};
        for (int k = 0; k < VECTORS; k++)
            for (int first = 0; first < batch.columns; first += LANES) {
                V block[LANES];
                for (int c = 0; c < LANES; c++) {
                    const float* from = row(k * LANES + c, first / PANEL);
                    block[c] = from ? load(from + first % PANEL) : V{};
                }
                transpose(block);
                for (int s = 0; s < LANES; s++) {
                    store(d + (first + s) * S + k * LANES, block[s]);
                    total[k] = total[k] + block[s];
                }
            }
        auto step = [&](int64_t pixel, int k, V gradient) ALWAYS_INLINE {
            int at = slab * S + k * LANES;  // looked up anew: registers are for the sums
            Rates with{load(rate + at), load(scale + at), load(decay + at)};
            return weights.step(slab * S * (features + 1) + pixel * S + k * LANES, gradient, with);
        };
        Tiles pixels(core);
        pixels.each(0, pixels.count, [&](int start, int height) ALWAYS_INLINE {
            for (int k = 0; k < VECTORS; k += TILE) {
                Left<float> x{batch.core + start, 1, batch.core_stride};
                auto of_offset = [&, k](int, int j) { return total[k + j] * offset; };
                auto keep = [&, k](int r, int j, V sum) { sum_of_rows[k + j] += step(start + r, k + j, sum); };
                multiply<TILE, S>(height, x, d + k * LANES, batch.columns, of_offset, keep);
            }
        });
        for (int64_t pixel = core; pixel < features; pixel++) {
            V sums[Batch::PARTS][VECTORS] = {};
            for (int k = 0; k < VECTORS; k++) sums[0][k] = total[k] * offset;
            batch.visit(pixel - core, [&](int part, int64_t sample, float value) {
                for (int k = 0; k < VECTORS; k++)
                    sums[part][k] = fma(splat(value), load(d + sample * S + k * LANES), sums[part][k]);
            });
            for (int k = 0; k < VECTORS; k++) sum_of_rows[k] += step(pixel, k, sums[0][k] + sums[1][k]);
        }
        for (int k = 0; k < VECTORS; k++) {
            step(features, k, total[k]);
            store(row_sum + slab * S + k * LANES, sum_of_rows[k]);
        }
    }

    // Gradient exactly 0, moments still 0, decay without effect: AdamW would change no bit. In very deep
    // networks the first layers' gradient underflows. Measured: 512*1 1.08 times as fast.
    bool nothing_to_do(int slab, int panels, float* deltas) const {
        auto row = rows(deltas, slab);
        for (int c = 0; c < width && row(c, 0); c++) {
            if (decay[slab * width + c] != 1.f) return false;
            for (int p = 0; p < panels; p++)
                if (!all_zero(row(c, p), PANEL)) return false;
        }
        return true;
    }
};
