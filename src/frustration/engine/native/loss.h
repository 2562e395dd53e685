// Softmax and cross-entropy.
#pragma once
#include "panels.h"
#include <algorithm>

// Logits [panels][classes][PANEL] become the gradient of share * loss; returns the sum of the losses of the first
// `samples` columns, weight[column] times each if given. Columns beyond get no gradient; without labels, a column's is
// its number. Where a logit is not finite the sum is not finite either.
static double softmax_loss(float* logits, int64_t classes, int samples, int panels, const int32_t* labels, float share,
                           const float* weight = nullptr) {
    double total = 0;
    for (int first = 0; first < panels * PANEL; first += LANES) {
        float* z = logits + first / PANEL * classes * PANEL + first % PANEL;
        auto at_label = [&](int i) -> float& { return z[(labels ? labels[first + i] : first + i) * PANEL + i]; };
        int used = std::clamp(samples - first, 0, LANES);
        V labelled = {}, inside = {}, top = load(z), sum = {};
        for (int i = 0; i < used; i++) labelled[i] = at_label(i), inside[i] = share;
        for (int c = 1; c < classes; c++) {
            V x = load(z + c * PANEL);
            top = x > top ? x : top;
        }
        for (int c = 0; c < classes; c++) {
            V e = exp_negative(load(z + c * PANEL) - top);
            sum = sum + e;
            store(z + c * PANEL, e);
        }
        V losses = (top - labelled) + (sum == sum ? log_above_one(sum) : sum), factor = inside / sum;
        for (int c = 0; c < classes; c++) store(z + c * PANEL, load(z + c * PANEL) * factor);
        for (int i = 0; i < used; i++) {
            total += weight ? (double)weight[first + i] * losses[i] : losses[i];
            at_label(i) -= share;
        }
    }
    return total;
}

// How many of the first `samples` columns have their largest logit (the first, if equal) at their label; -1
// where a logit is not finite. Merged: all columns are equal.
static int64_t count_correct(const float* logits, int64_t classes, int samples, const int32_t* labels, bool merged) {
    int64_t correct = 0;
    for (int first = 0; first < samples; first += LANES) {
        int column = merged ? 0 : first;
        const float* z = logits + column / PANEL * classes * PANEL + column % PANEL;
        V top = load(z), nothing = top * 0.f;  // 0, or NaN
        VI best = {};
        for (int c = 1; c < classes; c++) {
            V x = load(z + c * PANEL);
            best = x > top ? VI{} + c : best;
            top = x > top ? x : top;
            nothing += x * 0.f;
        }
        if (any(nothing != 0.f)) return -1;
        for (int i = 0; i < std::min(LANES, samples - first); i++) correct += best[i] == labels[first + i];
    }
    return correct;
}
