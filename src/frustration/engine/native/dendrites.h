// Dendrites. A layer of N units with K dendrites each is one linear layer of (K + 1) N rows, row k N + u the neuron
// (k = 0) or a dendrite of unit u, and this pass over its sums:
//
//   a_k = f(z_k + sum over j < k of D_kj a_j)    y = z_0 + sum over k of T_k a_k
//
// So the first layer, the products and what they skip serve as they are. A unit whose y stays below 0 gets no
// gradient, and then none of its rows does. Measured: [2*32] takes 1.7 times as long with K = 1, 3.4 times with K = 3.
#pragma once
#include "adamw.h"
#include "panels.h"

INLINE V sigmoid(V z) {
    V e = exp_negative(z > 0.f ? -z : z), inverse = 1.f / (e + 1.f);
    return z > 0.f ? inverse : e * inverse;
}
INLINE V hyperbolic_tangent(V z) {
    V size = z > 0.f ? z : -z, square = z * z, e = exp_negative(size * -2.f), far = (1.f - e) / (e + 1.f);
    V near = polynomial(square, {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f,
                                 -3.33332819422e-1f});  // of Cephes, near 0
    return size < 0.625f ? fma(near * square, z, z) : z > 0.f ? far : -far;
}
INLINE V softplus(V z) {
    V e = exp_negative(z > 0.f ? -z : z), one_more = e + 1.f;
    V exactly = e / (one_more - 1.f);  // what rounding took from e
    return relu(z) + (one_more == 1.f ? e : log_above_one(one_more) * exactly);
}
INLINE V slope_of_softplus(V a) {  // 1 - exp(-a), near 0 by its series
    V near = a * (1.f - a * 0.5f * (1.f - a * (1.f / 3) * (1.f - a * 0.25f * (1.f - a * 0.2f))));
    return a < 0.125f ? near : 1.f - exp_negative(-a);
}

// f(of, slope): what a dendrite makes of its sum, and the slope as a function of that. The order is that of
// FORWARD_FUNCTIONS in dendrites/settings.py.
template <class F> static void with_function(int function, F f) {
    V one = splat(1.f);
    switch (function) {
        case 0: return f([](V z) { return sigmoid(z); }, [=](V a) { return a * (one - a); });
        case 1: return f([](V z) { return relu(z); }, [=](V a) { return a > 0.f ? one : V{}; });
        case 2: return f([](V z) { return hyperbolic_tangent(z); }, [=](V a) { return one - a * a; });
        case 3: return f([](V z) { return z > 0.f ? z : z * 0.01f; }, [=](V a) { return a > 0.f ? one : one * 0.01f; });
        case 4: return f([](V z) { return softplus(z); }, [](V a) { return slope_of_softplus(a); });
    }
}

// The dendrites of one layer of one network: T [K][units], then D, a row for (k, j) = (2, 1), (3, 1), (3, 2), …
class Dendrites {
public:
    Parameters weights;

    Dendrites(Arena& arena, int64_t units, int count, int function)
        : weights(arena, (rows(count) * units + 15) / 16 * 16), units(units), count(count), function(function),
          gradient(arena.zeros<float>(weights.count)), partial(arena.zeros<float>(16 * rows(count))) {}

    template <class F> void visit(Array which, F f) {  // f(number): T, then D
        for (int64_t i = 0; i < rows(count) * units; i++) f(weights.arrays[which][i]);
    }

    // sums [panels][rows][PANEL] become activations a_k in the dendrites' rows; y is [panels][units][PANEL].
    void forward(float* sums, float* y, bool with_relu, int panels) const {
        int64_t next = units * PANEL;  // from a unit's row to that of its next dendrite
        with_function(function, [&](auto of, auto) {
            for (int p = 0; p < panels; p++, sums += (count + 1) * next, y += next)
                for (int64_t at = 0; at < next; at += LANES) {
                    float* a = sums + at;
                    int u = (int)(at / PANEL);
                    V sum = load(a);
                    for (int k = 1; k <= count; k++) {
                        V z = load(a + k * next);
                        for (int j = 1; j < k; j++) z = fma(splat(weight(k, j)[u]), load(a + j * next), z);
                        V a_k = of(z);
                        store(a + k * next, a_k);
                        sum = fma(splat(weight(k)[u]), a_k, sum);
                    }
                    store(y + at, with_relu ? relu(sum) : sum);
                }
        });
    }

    // From the gradient of y, a row per live unit, to that of the sums, count + 1 blocks of such rows; then AdamW.
    // samples[s], if given: how many equal samples column s is.
    void backward(const float* sums, const float* delta, const Units& live, const float* samples, float* delta_sums,
                  int panels, const AdamW& optimizer) {
        int64_t next = units * PANEL, next_live = live.count * PANEL;
        std::fill_n(gradient, weights.count, 0.f);
        with_function(function, [&](auto, auto slope) {
            for (int64_t i = 0; i < live.count; i++) {
                int64_t u = live.index[i];
                std::fill_n(partial, 16 * rows(count), 0.f);
                for (int64_t column = 0; column < panels * PANEL; column += LANES) {
                    int64_t p = column / PANEL, s = column % PANEL;
                    const float* a = sums + p * (count + 1) * next + u * PANEL + s;
                    float* to = delta_sums + p * (count + 1) * next_live + i * PANEL + s;
                    auto add = [&](int k, int j, V x) {
                        float* sum = partial + 16 * row(k, j) + s % 16;
                        store(sum, load(sum) + x);
                    };
                    V g = load(delta + p * next_live + i * PANEL + s);
                    store(to, g);
                    for (int k = count; k >= 1; k--) {
                        V a_k = load(a + k * next), sum = g * weight(k)[u];
                        V counted = a_k * (samples ? load(samples + column) : splat(1.f));
                        add(k, 0, g * counted);
                        for (int j = k + 1; j <= count; j++) {
                            V delta_j = load(to + j * next_live);
                            sum = fma(splat(weight(j, k)[u]), delta_j, sum);
                            add(j, k, delta_j * counted);
                        }
                        store(to + k * next_live, sum * slope(a_k));
                    }
                }
                for (int64_t r = 0; r < rows(count); r++) gradient[r * units + u] = sum_of_16(partial + 16 * r);
            }
        });
        weights.step(0, gradient, weights.count, optimizer);
    }

    // The rows of the linear layer that belong to live units, in ascending order.
    void find_rows(const Units& live, Units& found) const {
        found.count = 0;
        for (int k = 0; k <= count; k++)
            for (int i = 0; i < live.count; i++) found.index[found.count++] = (int)(k * units) + live.index[i];
    }

private:
    int64_t units;
    int count, function;
    float *gradient, *partial;  // 16 partial sums on every CPU, [row of T and D][16]

    static int64_t rows(int64_t count) { return count + count * (count - 1) / 2; }
    int64_t row(int64_t k, int j) const { return j ? count + (k - 1) * (k - 2) / 2 + j - 1 : k - 1; }
    const float* weight(int k, int j = 0) const { return weights.arrays[WEIGHTS] + row(k, j) * units; }  // T_k or D_kj
};
