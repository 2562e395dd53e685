// Inverted dropout. The masks are Philox4x32-10 (Salmon et al., 2011): unit u of hidden layer l, sample s, step t
// reads word s mod 4 of the block with the counter (s / 4, u, l, t). They depend on nothing else.
#pragma once
#include "panels.h"

struct Dropout {
    uint64_t key;
    uint64_t threshold;  // dropped where the word is below this; at most 2^32
    float scale;         // 1 / (1 - p)
};

// Ten rounds, a counter in every lane of 64 bits, of which only the lower halves count: the upper are never cleared.
// What the first three rounds make of sample, layer and step alone the compiler moves out of the loop over units.
INLINE void philox(VQ& c0, VQ& c1, VQ& c2, VQ& c3, uint64_t key) {
    for (uint32_t r = 0; r < 10; r++) {
        VQ a = multiply_low(c0, VQ{} + 0xD2511F53), b = multiply_low(c2, VQ{} + 0xCD9E8D57);
        c0 = (b >> 32) ^ c1 ^ (uint64_t)((uint32_t)key + r * 0x9E3779B9u);
        c2 = (a >> 32) ^ c3 ^ (uint64_t)((uint32_t)(key >> 32) + r * 0xBB67AE85u);
        c1 = b;
        c3 = a;
    }
}

// Drop activations of one hidden layer's live units, scale the others.
static void drop(float* h, int64_t width, const Units& live, int panels, const Dropout& dropout, uint32_t step,
                 uint32_t layer) {
    V scale = splat(dropout.scale);
    // At threshold 0 nothing is dropped, at 2^32 everything: neither fits a comparison of 32-bit words alone.
    VU all_stay = VU{} - (uint32_t)(dropout.threshold == 0), last_dropped = VU{} + (uint32_t)(dropout.threshold - 1);
    for (int chunk = 0; chunk < panels * PANEL; chunk += 2 * LANES) {
        VQ blocks;
        for (int i = 0; i < LANES / 2; i++) blocks[i] = chunk / 4 + i;
        float* samples = h + chunk / PANEL * width * PANEL + chunk % PANEL;
        for (int k = 0; k < live.count; k++) {
            VQ c0 = blocks, c1 = VQ{} + live.index[k], c2 = VQ{} + layer, c3 = VQ{} + step;
            philox(c0, c1, c2, c3, dropout.key);
            VQ even = (c0 & 0xffffffff) | (c1 << 32), odd = (c2 & 0xffffffff) | (c3 << 32);
            VU words[] = {(VU)zip_low(even, odd), (VU)zip_high(even, odd)};
            float* x = samples + live.index[k] * PANEL;
            for (int i = 0; i < 2; i++) {
                V kept = load(x + i * LANES) * scale;
                store(x + i * LANES, ((VU)(words[i] > last_dropped) | all_stay) != 0 ? kept : V{});
            }
        }
    }
}
