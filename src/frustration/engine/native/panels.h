// Activations, and the lists of units that are alive.
//
// Activations are feature-major and cut into panels of PANEL samples: unit u of W, sample s, lies at
// ((s / PANEL) * W + u) * PANEL + s % PANEL. Lanes are samples, so no width needs padding; a register tile
// reads one contiguous stream. Measured: 15 % faster at width 115 than [W][256], whose rows of 1 KB share few
// sets of the cache.
//
// A batch that does not fill its last panel is filled up with copies of its last sample, which get no
// gradient: what is decided about a batch (alive? all columns equal?) cannot depend on the width of panels.
#pragma once
#include "simd.h"
#include <numeric>
#include <vector>

INLINE int panels_for(int64_t samples) { return (int)((samples + PANEL - 1) / PANEL); }

// Units of one layer, ascending. A ReLU unit that is 0 for the whole batch gives nothing to the next layer
// and gets no gradient; products run over live units only. Adding 0 * w never changes a sum, so this is
// exact. Measured: in deep square networks half the units are dead; 32*32 trains 1.6, 115*115 1.8 times as fast.
struct Units {
    std::vector<int> index;
    int64_t count = 0;

    explicit Units(int width) : index(width + 1), count(width) { std::iota(index.begin(), index.end(), 0); }
    bool all(int64_t width) const { return count == width; }

    void find_live(const float* h, int64_t width, int panels) {  // mostly found in a unit's first vector
        count = 0;
        for (int u = 0; u < width; u++)
            for (int p = 0; p < panels; p++) {
                const float* x = h + (p * width + u) * PANEL;
                VI on = {};
                for (int j = 0; j < PANEL; j += LANES) on |= load(x + j) != 0.f;
                if (!any(on)) continue;
                index[count++] = u;
                break;
            }
    }
};

// The sum of 16 partial sums, which it overwrites, in the same order on every CPU.
static float sum_of_16(float* parts) {
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) parts[i] += parts[i + half];
    return parts[0];
}

static bool all_zero(const float* x, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES)
        if (any(load(x + i) != 0.f)) return false;
    return true;
}

// Whether all samples have equal activations. At nn.Linear's default start the differences
// between samples shrink by 0.4 per layer; narrow networks lose them altogether (64*4: from layer 14 on).
// Equal columns stay equal, so from there on one column stands for the batch going up, and one per class
// going down. The one sum this regroups is the weight gradient's. Measured: 64*4 1.4, 512*1 1.6, 632*4 2.0 times
// as fast. It is decided anew for every batch.
static bool columns_equal(const float* h, const Units& live, int64_t width, int panels) {
    for (int k = 0; k < live.count; k++) {
        const float* x = h + live.index[k] * PANEL;
        V first = splat(*x);
        for (int p = 0; p < panels; p++, x += width * PANEL)
            for (int j = 0; j < PANEL; j += LANES)
                if (any(load(x + j) != first)) return false;
    }
    return true;
}
