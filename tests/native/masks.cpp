// What dropout leaves of activations that are all 1, [units][samples]; test_native_parity.py compiles and calls it.
#include "dropout.h"
#include "memory.h"

extern "C" void dropout_of_ones(uint64_t key, uint64_t threshold, float scale, uint32_t step, uint32_t layer,
                                int32_t units, int32_t samples, float* out) {
    Arena arena;
    int panels = panels_for(samples);
    float* h = arena.zeros<float>((int64_t)units * panels * PANEL);
    std::fill_n(h, (int64_t)units * panels * PANEL, 1.f);
    drop(h, units, Units(units), panels, {key, threshold, scale}, step, layer);
    for (int u = 0; u < units; u++)
        for (int s = 0; s < samples; s++) *out++ = h[(s / PANEL * units + u) * PANEL + s % PANEL];
}
