// Softmax and cross-entropy.
#pragma once
#include "panels.h"
#include <algorithm>

// Logits [panels][classes][PANEL] become the gradient of share * loss; returns the sum of the losses of the
// first `samples` columns, weight[column] times each if given. Columns beyond get no gradient. Where a logit is
// not finite the sum is not finite either.
static double softmax_loss(float* logits, int classes, int samples, int panels, const int32_t* labels, float share,
                           const float* weight = nullptr) {
    double total = 0;
    for (int first = 0; first < panels * PANEL; first += LANES) {
        float* z = logits + (int64_t)(first / PANEL) * classes * PANEL + first % PANEL;
        int used = std::clamp(samples - first, 0, LANES);
        alignas(64) float labelled[LANES] = {}, inside[LANES] = {}, losses[LANES];
        for (int i = 0; i < used; i++) {
            labelled[i] = z[(int64_t)labels[first + i] * PANEL + i];
            inside[i] = share;
        }
        V top = load(z), sum = {};
        for (int c = 1; c < classes; c++) {
            V x = load(z + c * PANEL);
            top = x > top ? x : top;
        }
        for (int c = 0; c < classes; c++) {
            V e = exp_negative(load(z + c * PANEL) - top);
            sum = sum + e;
            store(z + c * PANEL, e);
        }
        store(losses, (top - load(labelled)) + (sum == sum ? log_above_one(sum) : sum));
        V factor = load(inside) / sum;
        for (int c = 0; c < classes; c++) store(z + c * PANEL, load(z + c * PANEL) * factor);
        for (int i = 0; i < used; i++) {
            total += weight ? (double)weight[first + i] * losses[i] : losses[i];
            z[(int64_t)labels[first + i] * PANEL + i] -= share;
        }
    }
    return total;
}

// How many of the first `samples` columns have their largest logit (the first, if equal) at their label; -1
// where a logit is not finite. Merged: column 0 stands for all.
static int64_t count_correct(const float* logits, int classes, int samples, const int32_t* labels, bool merged) {
    int64_t correct = 0;
    for (int s = 0; s < samples; s++) {
        int column = merged ? 0 : s;
        const float* z = logits + (int64_t)(column / PANEL) * classes * PANEL + column % PANEL;
        int best = 0;
        float nothing = 0;
        for (int c = 0; c < classes; c++) {
            if (z[(int64_t)c * PANEL] > z[(int64_t)best * PANEL]) best = c;
            nothing += z[(int64_t)c * PANEL] * 0.f;  // 0, or NaN
        }
        if (nothing != 0.f) return -1;
        correct += best == labels[s];
    }
    return correct;
}
