// The first layer on images that are mostly background: 81 % of MNIST's bytes are 0.
//
// Both of its products visit only the other bytes. A pixel's value is offset + value[byte], where the
// background's value is 0; so z = W value + (b + offset * rowsum(W)): the offset, which would make every pixel
// count, goes into the bias, and rowsum(W) comes along with AdamW. Measured: rms distance of z to float64
// 0.9e-7, of the dense product 1.4e-7.
//
// The units of all networks that share a batch stand side by side in slabs of 16 or 32 columns,
// [slab][pixel][column]: they share the walk over the images (measured: 1*16 in six modes at once 2.7 times
// as fast as one by one), and a slab of weights, 100 KB, stays in the second-level cache for the batch.
#pragma once
#include "adamw.h"
#include "images.h"
#include <algorithm>

struct PixelValues {
    float offset;      // the background's
    float value[256];  // of a byte, above the background's
};

// A batch seen from the pixels: which samples light it, and how. Made once per step for all networks.
class Lit {
public:
    static constexpr int CHUNK = 256;  // a sample's number within its chunk and its byte fit 16 bits

    Lit(Arena& arena, int features, int64_t samples) : features(features) {
        int64_t chunks = (samples + CHUNK - 1) / CHUNK;
        room = (int)std::min<int64_t>(samples, CHUNK);
        counts = arena.zeros<uint16_t>(chunks * features);
        entries = arena.zeros<uint16_t>(chunks * features * room);
    }

    void sort(const Batch& batch) {
        const Images& x = *batch.images;
        chunks = (batch.samples + CHUNK - 1) / CHUNK;
        memset(counts, 0, sizeof(uint16_t) * chunks * features);
        for (int s = 0; s < batch.samples; s++) {
            uint16_t *count = counts + (int64_t)(s / CHUNK) * features;
            uint16_t *entry = entries + (int64_t)(s / CHUNK) * features * room;
            for (int64_t q = x.start[batch.rows[s]], end = x.start[batch.rows[s] + 1]; q < end; q++) {
                unsigned j = x.pixel[q];
                entry[(int64_t)j * room + count[j]++] = (uint16_t)(s % CHUNK | x.value[q] << 8);
            }
        }
    }

    int chunks = 0;
    int count(int chunk, int pixel) const { return counts[(int64_t)chunk * features + pixel]; }
    const uint16_t* of(int chunk, int pixel) const { return entries + ((int64_t)chunk * features + pixel) * room; }

private:
    int features, room;
    uint16_t *counts, *entries;
};

// One slab of S columns: pointers into the arrays of SparseInput.
template <int S> struct Slab {
    static constexpr int VECTORS = S / LANES;
    static constexpr int PARTS = S == 16 ? 4 : 2;  // independent partial sums hide the latency of an fma

    // row(column, panel): where that column's activations of a panel go, or null for a column of nobody.
    template <class Row>
    static void forward(const float* weights, const float* bias, const PixelValues& values, const Batch& batch,
                        bool with_relu, Row row) {
        const Images& x = *batch.images;
        alignas(64) float tile[LANES * S];
        for (int first = 0; first < batch.panels * PANEL; first += LANES) {
            for (int s = 0; s < LANES; s++) {
                V sums[PARTS][VECTORS] = {};
                for (int k = 0; k < VECTORS; k++) sums[0][k] = load(bias + k * LANES);
                auto add = [&](V* sum, int64_t q) {
                    const float* w = weights + (int64_t)x.pixel[q] * S;
                    V value = splat(values.value[x.value[q]]);
                    for (int k = 0; k < VECTORS; k++) sum[k] = fma(value, load(w + k * LANES), sum[k]);
                };
                int64_t q = x.start[batch.rows[first + s]], end = x.start[batch.rows[first + s] + 1];
                for (; q + PARTS <= end; q += PARTS)
                    for (int part = 0; part < PARTS; part++) add(sums[part], q + part);
                for (; q < end; q++) add(sums[0], q);
                for (int k = 0; k < VECTORS; k++) {
                    V z = sums[0][k];
                    for (int part = 1; part < PARTS; part++) z = z + sums[part][k];
                    store(tile + s * S + k * LANES, with_relu ? relu(z) : z);
                }
            }
            for (int k = 0; k < VECTORS; k++) {
                V block[LANES];
                for (int s = 0; s < LANES; s++) block[s] = load(tile + s * S + k * LANES);
                transpose(block);
                for (int c = 0; c < LANES; c++)
                    if (float* out = row(k * LANES + c, first / PANEL)) store(out + first % PANEL, block[c]);
            }
        }
    }

    // Gradient and AdamW, pixel by pixel: the gradient of a pixel's S weights never leaves the registers.
    // `tile` has room for S floats per column of the batch.
    struct Parameters {
        float *weights, *means, *squares, *bias, *bias_mean, *bias_square, *row_sum;
        const float *rate, *scale, *decay;  // AdamW's, by column: networks may be at different steps
    };
    template <class Row>
    static void gradient(const Parameters& at, const PixelValues& values, const Lit& lit, int features, int panels,
                         float* tile, Row row) {
        V total[VECTORS] = {}, row_sum[VECTORS] = {};
        for (int k = 0; k < VECTORS; k++)
            for (int first = 0; first < panels * PANEL; first += LANES) {
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
        auto adamw = [&](float* w, float* mean, float* square, V gradient, int k) {
            V m = load(mean), v = load(square);
            V rate = load(at.rate + k * LANES), scale = load(at.scale + k * LANES), decay = load(at.decay + k * LANES);
            V updated = AdamW::step(load(w), gradient, m, v, rate, scale, decay);
            store(w, updated);
            store(mean, m);
            store(square, v);
            return updated;
        };
        for (int j = 0; j < features; j++) {
            V sums[PARTS][VECTORS] = {};
            for (int k = 0; k < VECTORS; k++) sums[0][k] = total[k] * values.offset;
            for (int chunk = 0; chunk < lit.chunks; chunk++) {
                const float* deltas = tile + (int64_t)chunk * Lit::CHUNK * S;
                const uint16_t* entry = lit.of(chunk, j);
                auto add = [&](V* sum, unsigned e) {
                    const float* d = deltas + (e & 255) * S;
                    V value = splat(values.value[e >> 8]);
                    for (int k = 0; k < VECTORS; k++) sum[k] = fma(value, load(d + k * LANES), sum[k]);
                };
                int q = 0, end = lit.count(chunk, j);
                for (; q + PARTS <= end; q += PARTS)
                    for (int part = 0; part < PARTS; part++) add(sums[part], entry[q + part]);
                for (; q < end; q++) add(sums[0], entry[q]);
            }
            for (int k = 0; k < VECTORS; k++) {
                V g = sums[0][k];
                for (int part = 1; part < PARTS; part++) g = g + sums[part][k];
                int64_t o = (int64_t)j * S + k * LANES;
                row_sum[k] = row_sum[k] + adamw(at.weights + o, at.means + o, at.squares + o, g, k);
            }
        }
        for (int k = 0; k < VECTORS; k++) {
            adamw(at.bias + k * LANES, at.bias_mean + k * LANES, at.bias_square + k * LANES, total[k], k);
            store(at.row_sum + k * LANES, row_sum[k]);
        }
    }
};

// The first layers of `networks` networks of `units` units each.
class SparseInput {
public:
    enum Array { WEIGHTS, MEANS, SQUARES };

    SparseInput(Arena& arena, int networks, int units, int features, const PixelValues& values, int64_t columns)
        : units(units), features(features), size(units <= 2 ? 16 : 32), values(values), lit(arena, features, columns) {
        int64_t used = (int64_t)networks * units;
        slabs = (int)((used + size - 1) / size);
        int64_t all = (int64_t)slabs * size;
        for (auto& array : arrays) array = arena.zeros<float>(all * features);
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
        for (int u = 0; u < units; u++) {
            int64_t column = (int64_t)network * units + u;
            const float* from = arrays[which] + column / size * features * size + column % size;
            for (int j = 0; j < features; j++) flat[(int64_t)u * features + j] = from[(int64_t)j * size];
            flat[(int64_t)units * features + u] = biases[which][column];
        }
    }
    void write(int network, const float* flat, Array which) {
        for (int u = 0; u < units; u++) {
            int64_t column = (int64_t)network * units + u;
            float sum = 0, *to = arrays[which] + column / size * features * size + column % size;
            for (int j = 0; j < features; j++) sum += to[(int64_t)j * size] = flat[(int64_t)u * features + j];
            biases[which][column] = flat[(int64_t)units * features + u];
            if (which == WEIGHTS) row_sum[column] = sum;
            else touched[column / size] = 1;
        }
    }

    void forget_moments() {
        for (Array which : {MEANS, SQUARES}) {
            memset(arrays[which], 0, sizeof(float) * slabs * size * features);
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
        for (int64_t c = 0; c < (int64_t)slabs * size; c++) folded[c] = biases[WEIGHTS][c] + values.offset * row_sum[c];
        each_slab([&](auto slab, int s) {
            if (training && idle(s)) return;
            slab.forward(arrays[WEIGHTS] + (int64_t)s * features * size, folded + s * size, values, batch, with_relu,
                         rows(activations, s));
        });
    }

    void gradient(const Batch& batch, float* deltas) {
        lit.sort(batch);
        each_slab([&](auto slab, int s) {
            auto row = rows(deltas, s);
            if (nothing_to_do(s, batch.panels, row)) return;
            int64_t w = (int64_t)s * features * size, c = (int64_t)s * size;
            slab.gradient({arrays[WEIGHTS] + w, arrays[MEANS] + w, arrays[SQUARES] + w, biases[WEIGHTS] + c,
                           biases[MEANS] + c, biases[SQUARES] + c, row_sum + c, rate + c, scale + c, decay + c},
                          values, lit, features, batch.panels, tile, row);
        });
    }

private:
    int units, features, size, slabs;
    PixelValues values;
    Lit lit;
    float *arrays[3], *biases[3], *row_sum, *folded, *rate, *scale, *decay, *tile;
    std::vector<int64_t> offset;  // of a column's activations; looked up, for a division per access cost 7 %
    std::vector<uint8_t> touched, resting;

    template <class F> void each_slab(F f) {
        for (int s = 0; s < slabs; s++) {
            if (size == 16) f(Slab<16>{}, s);
            else f(Slab<32>{}, s);
        }
    }

    auto rows(float* base, int slab) const {
        const int64_t* at = offset.data() + (int64_t)slab * size;
        int64_t panel_size = (int64_t)units * PANEL;
        return [=](int column, int panel) { return at[column] < 0 ? nullptr : base + at[column] + panel * panel_size; };
    }

    bool idle(int slab) const {
        auto first = resting.begin() + (int64_t)slab * size;
        return std::all_of(first, first + size, [](uint8_t rests) { return rests; });
    }

    // Gradient exactly 0, moments still 0, decay without effect: AdamW would change no bit. In very deep
    // networks the first layers' gradient underflows. Measured: 512*1 1.25 to 1.34 times as fast.
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
