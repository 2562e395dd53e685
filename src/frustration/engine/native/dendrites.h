// Dendrites. A layer of N units with K dendrites each is one linear layer of (K + 1) N rows, row k N + u the neuron
// (k = 0) or a dendrite of unit u, and this pass over its sums:
//
//   a_k = f(z_k + sum over j < k of D_kj a_j)    y = z_0 + sum over k of T_k a_k
//
// So the first layer, the products and what they skip serve as they are. A unit whose y stays below 0 gets no
// gradient, and then none of its rows does. Measured: [2*32] takes 1.6 times as long with K = 1, 3.2 times with K = 3.
#pragma once
#include "adamw.h"
#include "memory.h"
#include "panels.h"

// What a dendrite makes of its sum, and the slope as a function of that.
struct Sigmoid {
    INLINE_MEMBER static V of(V z) {
        V e = exp_negative(z > 0.f ? -z : z), inverse = 1.f / (e + 1.f);
        return z > 0.f ? inverse : e * inverse;
    }
    INLINE_MEMBER static V slope(V a) { return a * (1.f - a); }
};
struct Tanh {
    INLINE_MEMBER static V of(V z) {
        V size = z > 0.f ? z : -z, square = z * z, e = exp_negative(size * -2.f);
        V far = (1.f - e) / (e + 1.f), near = splat(-5.70498872745e-3f);  // near 0: the polynomial of Cephes
        for (float c : {2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f, -3.33332819422e-1f})
            near = fma(near, square, splat(c));
        return size < 0.625f ? fma(near * square, z, z) : z > 0.f ? far : -far;
    }
    INLINE_MEMBER static V slope(V a) { return 1.f - a * a; }
};
struct Relu {
    INLINE_MEMBER static V of(V z) { return relu(z); }
    INLINE_MEMBER static V slope(V a) { return a > 0.f ? splat(1.f) : V{}; }
};
struct LeakyRelu {
    INLINE_MEMBER static V of(V z) { return z > 0.f ? z : z * 0.01f; }
    INLINE_MEMBER static V slope(V a) { return a > 0.f ? splat(1.f) : splat(0.01f); }
};
struct Softplus {
    INLINE_MEMBER static V of(V z) {
        V e = exp_negative(z > 0.f ? -z : z), one_more = e + 1.f;
        V exactly = e / (one_more - 1.f);  // what rounding took from e
        return relu(z) + (one_more == 1.f ? e : log_above_one(one_more) * exactly);
    }
    INLINE_MEMBER static V slope(V a) {  // 1 - exp(-a), near 0 by its series
        V near = a * (1.f - a * 0.5f * (1.f - a * (1.f / 3) * (1.f - a * 0.25f * (1.f - a * 0.2f))));
        return a < 0.125f ? near : 1.f - exp_negative(-a);
    }
};

// The dendrites of one layer of one network: T [K][units], then D, a row for (k, j) = (2, 1), (3, 1), (3, 2), …
class Dendrites {
public:
    float* arrays[3] = {};  // values, AdamW's means and squares

    // function: library.py has the same order.
    Dendrites(Arena& arena, int units, int count, int function) : units(units), count(count), function(function) {
        if (!count) return;
        for (float*& array : arrays) array = arena.zeros<float>(padded());
        gradient = arena.zeros<float>(padded());
        partial = arena.zeros<float>(16 * kinds());
    }

    int64_t floats() const { return kinds() * units; }
    int64_t padded() const { return (floats() + 15) / 16 * 16; }

    // sums [panels][rows][PANEL] become activations a_k in the dendrites' rows; y is [panels][units][PANEL].
    void forward(float* sums, float* y, bool with_relu, int panels) const {
        with_function([&](auto f) {
            int64_t next = (int64_t)units * PANEL;  // from a unit's row to that of its next dendrite
            for (int p = 0; p < panels; p++)
                for (int u = 0; u < units; u++)
                    for (int s = 0; s < PANEL; s += LANES) {
                        float* a = sums + p * (count + 1) * next + (int64_t)u * PANEL + s;
                        V sum = load(a);
                        for (int k = 1; k <= count; k++) {
                            V z = load(a + k * next);
                            for (int j = 1; j < k; j++) z = fma(splat(d(k, j)[u]), load(a + j * next), z);
                            V a_k = f.of(z);
                            store(a + k * next, a_k);
                            sum = fma(splat(t(k)[u]), a_k, sum);
                        }
                        store(y + p * next + (int64_t)u * PANEL + s, with_relu ? relu(sum) : sum);
                    }
        });
    }

    // From the gradient of y, a row per live unit, to that of the sums, count + 1 blocks of such rows; then AdamW.
    // weight[s], if given: how many equal samples column s is.
    void backward(const float* sums, const float* delta, const Units& live, const float* weight, float* delta_sums,
                  int panels, const AdamW& optimizer) {
        std::fill(gradient, gradient + padded(), 0.f);
        with_function([&](auto f) {
            int64_t next = (int64_t)units * PANEL, next_live = (int64_t)live.count * PANEL;
            for (int i = 0; i < live.count; i++) {
                int u = live.index[i];
                std::fill(partial, partial + 16 * kinds(), 0.f);
                for (int p = 0; p < panels; p++)
                    for (int s = 0; s < PANEL; s += LANES) {
                        const float* a = sums + p * (count + 1) * next + (int64_t)u * PANEL + s;
                        float* to = delta_sums + p * (count + 1) * next_live + (int64_t)i * PANEL + s;
                        V g = load(delta + p * next_live + (int64_t)i * PANEL + s);
                        V samples = weight ? load(weight + p * PANEL + s) : splat(1.f);
                        store(to, g);
                        for (int k = count; k >= 1; k--) {
                            V a_k = load(a + k * next), counted = a_k * samples, sum = g * t(k)[u];
                            add(row_of_t(k), s, g * counted);
                            for (int j = k + 1; j <= count; j++) {
                                V delta_j = load(to + j * next_live);
                                sum = fma(splat(d(j, k)[u]), delta_j, sum);
                                add(row_of_d(j, k), s, delta_j * counted);
                            }
                            store(to + k * next_live, sum * f.slope(a_k));
                        }
                    }
                for (int64_t row = 0; row < kinds(); row++)
                    gradient[row * units + u] = sum_of_16(partial + 16 * row);
            }
        });
        optimizer.row(arrays[0], arrays[1], arrays[2], gradient, padded());
    }

    void forget_moments() {
        if (!count) return;
        for (int which : {1, 2}) std::fill(arrays[which], arrays[which] + padded(), 0.f);
    }

    // The rows of the linear layer that belong to live units, in ascending order.
    void find_rows(const Units& live, Units& rows) const {
        rows.count = 0;
        for (int k = 0; k <= count; k++)
            for (int i = 0; i < live.count; i++) rows.index[rows.count++] = k * units + live.index[i];
    }

private:
    int units, count, function;
    float *gradient = nullptr, *partial = nullptr;  // 16 partial sums on every CPU, [row of T and D][16]

    int64_t kinds() const { return count + (int64_t)count * (count - 1) / 2; }
    int64_t row_of_t(int k) const { return k - 1; }
    int64_t row_of_d(int k, int j) const { return count + (int64_t)(k - 1) * (k - 2) / 2 + j - 1; }
    const float* t(int k) const { return arrays[0] + row_of_t(k) * units; }
    const float* d(int k, int j) const { return arrays[0] + row_of_d(k, j) * units; }

    INLINE_MEMBER void add(int64_t row, int sample, V x) const {
        float* sum = partial + 16 * row + sample % 16;
        store(sum, load(sum) + x);
    }

    template <class F> void with_function(F f) const {
        switch (function) {
            case 0: return f(Sigmoid{});
            case 1: return f(Relu{});
            case 2: return f(Tanh{});
            case 3: return f(LeakyRelu{});
            case 4: return f(Softplus{});
        }
    }
};
