// The first layer, on images that are mostly background.
//
// Core pixels are multiplied as in any dense layer; of the rim, both products visit only pixels that are not
// background. Measured against visiting lit pixels everywhere: 1*16 1.2, 1*64 1.13, 1*2048 1.1 times as fast. A
// pixel's value is offset + above[byte], so z = W above + (b + offset * rowsum(W)): the offset, which would make
// every pixel count, goes into the bias, and rowsum(W) comes along with AdamW. Measured: rms distance of z to
// float64 0.9e-7, of the plain product 1.4e-7.
//
// The units of all networks that share a batch stand side by side in slabs of 16 or 32 columns,
// [slab][pixel][column]. They share the walk over the images (measured: 1*16 in six modes at once 2.2 times as
// fast as one by one, 8*8 2.7 times), and a slab of weights, 100 KB, stays in the second-level cache for the batch.
#pragma once
#include "adamw.h"
#include "images.h"
#include "products.h"

// The rim of a batch seen from its pixels: which samples light one, and how. Made once per step.
class LitRim {
public:
    static constexpr int CHUNK = 256;  // a sample's number within its chunk and its byte fit 16 bits

    LitRim(Arena& arena, int pixels, int64_t columns) : pixels(pixels) {
        int64_t chunks = (columns + CHUNK - 1) / CHUNK;
        room = (int)std::min<int64_t>(columns, CHUNK);
        counts = arena.zeros<uint16_t>(chunks * pixels);
        entries = arena.zeros<uint16_t>(chunks * pixels * room);
    }

    void sort(const Batch& batch) {
        const Images& x = *batch.images;
        chunks = (int)((batch.columns() + CHUNK - 1) / CHUNK);
        memset(counts, 0, sizeof(uint16_t) * chunks * pixels);
        for (int64_t s = 0; s < batch.columns(); s++) {
            uint16_t* count = counts + (int64_t)(s / CHUNK) * pixels;
            uint16_t* entry = entries + (int64_t)(s / CHUNK) * pixels * room;
            for (int64_t q = x.start[batch.rows[s]], end = x.start[batch.rows[s] + 1]; q < end; q++) {
                int64_t j = x.rim[q].pixel;
                entry[j * room + count[j]++] = (uint16_t)(s % CHUNK | x.rim[q].byte << 8);
            }
        }
    }

    // f(part, sample, byte) for every sample that lights a pixel: round robin over PARTS as long as there are
    // enough, the rest of a chunk into part 0.
    template <int PARTS, class F> INLINE_MEMBER void visit(int pixel, F f) const {
        for (int chunk = 0; chunk < chunks; chunk++) {
            int64_t at = (int64_t)chunk * pixels + pixel, first = (int64_t)chunk * CHUNK;
            const uint16_t* entry = entries + at * room;
            int q = 0, end = counts[at];
            for (; q + PARTS <= end; q += PARTS)
                for (int part = 0; part < PARTS; part++) f(part, first + (entry[q + part] & 255), entry[q + part] >> 8);
            for (; q < end; q++) f(0, first + (entry[q] & 255), entry[q] >> 8);
        }
    }

private:
    int pixels, room, chunks = 0;
    uint16_t *counts, *entries;
};

// What of the input layer all slabs share.
struct InputShape {
    int features, core;
    float offset, above[256];  // a pixel's value is offset + above[byte]

    InputShape(int features, int core, const PixelValues& values)
        : features(features), core(core), offset(values.offset) {
        for (int b = 0; b < 256; b++) above[b] = values.above((uint8_t)b);
    }
};

// S columns of weights. Sums run over the core in one chain, then over the rim in PARTS, whatever the CPU.
template <int S> struct Slab {
    static constexpr int VECTORS = S / LANES, TILE = std::min(VECTORS, TILE_VECTORS);
    static constexpr int PARTS = 2;  // independent partial sums, as many for every S

    // Pointers into the arrays of InputLayer.
    float *weights, *means, *squares, *bias, *bias_mean, *bias_square, *row_sum;
    const float *folded;                 // the bias with the offset in it
    const float *rate, *scale, *decay;   // AdamW's, by column: networks may be at different steps

    // row(column, panel): where that column's activations of a panel go, or null for a column of nobody.
    // `tile` has room for S floats per column of the batch.
    template <class Row>
    void forward(const InputShape& shape, const Batch& batch, const LitRim& lit, bool with_relu, float* tile,
                 Row row) const {
        Tiles samples((int)batch.columns());
        for (int t = 0; t < samples.count; t++) {
            const float* x = batch.core + samples.start(t) * batch.core_stride;
            float* z = tile + (int64_t)samples.start(t) * S;
            with_rows(samples.height(t), [&](auto rows) {
                constexpr int R = rows;
                for (int k = 0; k < S; k += TILE * LANES) {
                    V sums[R][TILE];
                    for (int r = 0; r < R; r++)
                        for (int j = 0; j < TILE; j++) sums[r][j] = load(folded + k + j * LANES);
                    accumulate<R, TILE, false, S>(sums, x, batch.core_stride, 1, weights + k, shape.core);
                    for (int r = 0; r < R; r++)
                        for (int j = 0; j < TILE; j++) store(z + r * S + k + j * LANES, sums[r][j]);
                }
            });
        }
        // Pixel by pixel: the weights stay in registers, the samples' sums in the first-level cache.
        for (int j = 0; j < shape.features - shape.core; j++) {
            V w[VECTORS];
            for (int k = 0; k < VECTORS; k++) w[k] = load(weights + (int64_t)(shape.core + j) * S + k * LANES);
            lit.visit<1>(j, [&](int, int64_t sample, int byte) {
                V value = splat(shape.above[byte]);
                float* z = tile + sample * S;
                for (int k = 0; k < VECTORS; k++) store(z + k * LANES, fma(value, w[k], load(z + k * LANES)));
            });
        }
        for (int first = 0; first < batch.columns(); first += LANES)
            for (int k = 0; k < S; k += LANES) {
                V block[LANES];
                for (int s = 0; s < LANES; s++) block[s] = load(tile + (int64_t)(first + s) * S + k);
                transpose(block);
                for (int c = 0; c < LANES; c++)
                    if (float* out = row(k + c, first / PANEL))
                        store(out + first % PANEL, with_relu ? relu(block[c]) : block[c]);
            }
    }

    // Gradient and AdamW: the gradient of a pixel's S weights never leaves the registers.
    template <class Row>
    void gradient(const InputShape& shape, const Batch& batch, const LitRim& lit, float* tile, Row row) const {
        V total[VECTORS] = {}, sum_of_rows[VECTORS] = {};
        for (int k = 0; k < VECTORS; k++)
            for (int first = 0; first < batch.columns(); first += LANES) {
                V block[LANES];
                for (int c = 0; c < LANES; c++) {
                    const float* d = row(k * LANES + c, first / PANEL);
                    block[c] = d ? load(d + first % PANEL) : V{};
                }
                transpose(block);
                for (int s = 0; s < LANES; s++) {
                    store(tile + (int64_t)(first + s) * S + k * LANES, block[s]);
                    total[k] = total[k] + block[s];
                }
            }
        Tiles core(shape.core);
        for (int t = 0; t < core.count; t++) {
            const float* x = batch.core + core.start(t);
            with_rows(core.height(t), [&](auto rows) {
                constexpr int R = rows;
                for (int k = 0; k < VECTORS; k += TILE) {
                    V sums[R][TILE];
                    for (int r = 0; r < R; r++)
                        for (int j = 0; j < TILE; j++) sums[r][j] = total[k + j] * shape.offset;
                    accumulate<R, TILE, false, S>(sums, x, 1, batch.core_stride, tile + k * LANES, batch.columns());
                    for (int r = 0; r < R; r++)
                        for (int j = 0; j < TILE; j++)
                            sum_of_rows[k + j] += adamw(weights, means, squares, core.start(t) + r, k + j, sums[r][j]);
                }
            });
        }
        for (int j = 0; j < shape.features - shape.core; j++) {
            V sums[PARTS][VECTORS] = {};
            for (int k = 0; k < VECTORS; k++) sums[0][k] = total[k] * shape.offset;
            lit.visit<PARTS>(j, [&](int part, int64_t sample, int byte) {
                V value = splat(shape.above[byte]);
                const float* d = tile + sample * S;
                for (int k = 0; k < VECTORS; k++) sums[part][k] = fma(value, load(d + k * LANES), sums[part][k]);
            });
            for (int k = 0; k < VECTORS; k++)
                sum_of_rows[k] += adamw(weights, means, squares, shape.core + j, k, together(sums, k));
        }
        for (int k = 0; k < VECTORS; k++) {
            adamw(bias, bias_mean, bias_square, 0, k, total[k]);
            store(row_sum + k * LANES, sum_of_rows[k]);
        }
    }

private:
    INLINE_MEMBER V together(const V (&sums)[PARTS][VECTORS], int k) const {
        V sum = sums[0][k];
        for (int part = 1; part < PARTS; part++) sum = sum + sums[part][k];
        return sum;
    }

    INLINE_MEMBER V adamw(float* w, float* mean, float* square, int pixel, int k, V gradient) const {
        int64_t at = (int64_t)pixel * S + k * LANES;
        V m = load(mean + at), v = load(square + at);
        V rates = load(rate + k * LANES), scales = load(scale + k * LANES), decays = load(decay + k * LANES);
        V updated = AdamW::step(load(w + at), gradient, m, v, rates, scales, decays);
        store(w + at, updated);
        store(mean + at, m);
        store(square + at, v);
        return updated;
    }
};

// The first layers of `networks` networks of `units` units each.
class InputLayer {
    // The address of a column's activations, as slabs ask for it. (Before its first use: its type is deduced.)
    auto rows(float* base, int slab) const {
        const int64_t* at = offset.data() + (int64_t)slab * size;
        int64_t panel_size = (int64_t)units * PANEL;
        return [=](int column, int panel) { return at[column] < 0 ? nullptr : base + at[column] + panel * panel_size; };
    }

public:
    enum Array { WEIGHTS, MEANS, SQUARES };

    // order: [features] pixels, those of the core first.
    InputLayer(Arena& arena, int networks, int units, const InputShape& shape, const int32_t* order, int64_t columns)
        : units(units),
          size((int64_t)networks * units <= 16 ? 16 : 32),
          shape(shape),
          order(order, order + shape.features),
          lit(arena, shape.features - shape.core, columns) {
        int64_t used = (int64_t)networks * units;
        slabs = (int)((used + size - 1) / size);
        int64_t all = (int64_t)slabs * size;
        for (auto& array : arrays) array = arena.zeros<float>(all * shape.features);
        for (auto& array : biases) array = arena.zeros<float>(all);
        for (float** array : {&row_sum, &folded, &rate, &scale, &decay}) *array = arena.zeros<float>(all);
        tile = arena.zeros<float>(columns * size);
        offset.resize(all);
        for (int64_t c = 0; c < all; c++) offset[c] = c < used ? c / units * units * columns + c % units * PANEL : -1;
        touched.assign(slabs, 0);
        resting.assign(all, 1);
    }

    // Copy one network's layer out of or into flat rows [units][features], then the biases.
    void read(int network, float* flat, Array which) const {
        for (int u = 0; u < units; u++, flat += shape.features) {
            const float* from = arrays[which] + first_weight(network, u);
            for (int j = 0; j < shape.features; j++) flat[order[j]] = from[(int64_t)j * size];
        }
        std::copy_n(biases[which] + (int64_t)network * units, units, flat);
    }
    void write(int network, const float* flat, Array which) {
        for (int u = 0; u < units; u++, flat += shape.features) {
            float sum = 0, *to = arrays[which] + first_weight(network, u);
            for (int j = 0; j < shape.features; j++) sum += to[(int64_t)j * size] = flat[order[j]];
            int64_t column = (int64_t)network * units + u;
            if (which == WEIGHTS) row_sum[column] = sum;
            else touched[column / size] = 1;
        }
        std::copy_n(flat, units, biases[which] + (int64_t)network * units);
    }

    void forget_moments() {
        for (Array which : {MEANS, SQUARES}) {
            memset(arrays[which], 0, sizeof(float) * slabs * size * shape.features);
            memset(biases[which], 0, sizeof(float) * slabs * size);
        }
        std::fill(touched.begin(), touched.end(), 0);
    }

    // Before a step: what AdamW does to a network, or that it rests and keeps its weights.
    void plan(int network, const AdamW& optimizer, bool rests) {
        for (int64_t c = (int64_t)network * units, end = c + units; c < end; c++) {
            rate[c] = rests ? 0.f : optimizer.rate;
            scale[c] = optimizer.scale;
            decay[c] = rests ? 1.f : optimizer.decay;
            resting[c] = rests;
        }
    }

    // Activations [network][panels][unit][PANEL], networks units * columns apart.
    void forward(const Batch& batch, bool with_relu, bool training, float* activations) {
        for (int64_t c = 0; c < (int64_t)slabs * size; c++)
            folded[c] = biases[WEIGHTS][c] + shape.offset * row_sum[c];
        lit.sort(batch);
        each_slab([&](auto slab, int s) {
            if (!training || !idle(s)) slab.forward(shape, batch, lit, with_relu, tile, rows(activations, s));
        });
    }

    // Of the batch that `forward` has just seen.
    void gradient(const Batch& batch, float* deltas) {
        each_slab([&](auto slab, int s) {
            auto row = rows(deltas, s);
            if (!nothing_to_do(s, batch.panels, row)) slab.gradient(shape, batch, lit, tile, row);
        });
    }

private:
    int units, size, slabs;
    InputShape shape;
    std::vector<int32_t> order;
    LitRim lit;
    float *arrays[3], *biases[3], *row_sum, *folded, *rate, *scale, *decay, *tile;
    std::vector<int64_t> offset;  // of a column's activations; looked up: a division per access cost 7 %
    std::vector<uint8_t> touched, resting;

    int64_t first_weight(int network, int unit) const {
        int64_t column = (int64_t)network * units + unit;
        return column / size * shape.features * size + column % size;
    }

    template <class F> void each_slab(F f) {
        for (int s = 0; s < slabs; s++) {
            if (size == 16) f(slab<16>(s), s);
            else f(slab<32>(s), s);
        }
    }

    template <int S> Slab<S> slab(int s) const {
        int64_t w = (int64_t)s * shape.features * S, c = (int64_t)s * S;
        return {arrays[WEIGHTS] + w, arrays[MEANS] + w, arrays[SQUARES] + w, biases[WEIGHTS] + c, biases[MEANS] + c,
                biases[SQUARES] + c, row_sum + c, folded + c, rate + c, scale + c, decay + c};
    }

    bool idle(int slab) const {
        auto first = resting.begin() + (int64_t)slab * size;
        return std::all_of(first, first + size, [](uint8_t rests) { return rests; });
    }

    // Gradient exactly 0, moments still 0, decay without effect: AdamW would change no bit. In very deep
    // networks the first layers' gradient underflows. Measured: 512*1 1.08 times as fast.
    template <class Row> bool nothing_to_do(int slab, int panels, Row row) {
        if (idle(slab)) return true;
        if (touched[slab]) return false;
        touched[slab] = 1;
        for (int c = 0; c < size; c++) {
            int64_t column = (int64_t)slab * size + c;
            if (offset[column] < 0 || resting[column]) continue;
            if (decay[column] != 1.f) return false;
            for (int p = 0; p < panels; p++)
                if (!all_zero(row(c, p), PANEL)) return false;
        }
        touched[slab] = 0;
        return true;
    }
};
