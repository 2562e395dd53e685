// Inverted dropout. The masks are Philox4x32-10 (Salmon et al., 2011): unit u of hidden layer l, sample s, step t
// reads word s mod 4 of the block with the counter (s / 4, u, l, t). They depend on nothing else.
#pragma once
#include "panels.h"

struct Dropout {
    uint64_t key;
    uint64_t threshold;  // dropped where the word is below this; at most 2^32
    float scale;         // 1 / (1 - p)
};

constexpr int WORKERS = LANES / 2;  // blocks made at once, each in a lane of 64 bits

// One layer's masks, one chunk of 2 * LANES samples after the other.
//
// The upper half of a 64-bit lane is never cleared: products and the last step read only the lower. What
// the first three rounds compute from the sample alone is made once per chunk, not once per unit: 15 of
// 20 products are left. Measured: 0.28 ns per activation instead of 0.35.
class Philox {
public:
    Philox(uint64_t key, uint32_t step, uint32_t layer) : step(step) {
        for (int r = 0; r < 10; r++) {
            k0[r] = (uint32_t)key + r * 0x9E3779B9u;
            k1[r] = (uint32_t)(key >> 32) + r * 0xBB67AE85u;
        }
        uint64_t product = layer * B;
        high_of_layer = product >> 32;
        low_of_layer = (uint32_t)product;
    }

    // Begin the chunk that starts at block `first`.
    void chunk(uint64_t first) {
        VQ block;
        for (int i = 0; i < WORKERS; i++) block[i] = first + i;
        VQ a = multiply_low(block, VQ{} + A);
        VQ b = multiply_low((a >> 32) ^ step ^ k1[0], VQ{} + B);
        VQ c = multiply_low((b >> 32) ^ low_of_layer ^ k0[1], VQ{} + A);
        second = a ^ k1[1];
        third0 = b ^ k0[2];
        third2 = (c >> 32) ^ k1[2];
        third3 = c;
    }

    // The words of one unit: samples 0 to LANES - 1 of the chunk, and the rest.
    void unit(uint64_t unit, VU& early, VU& late) const {
        uint64_t a = (uint32_t)(high_of_layer ^ unit ^ k0[0]) * A;
        VQ b = multiply_low(second ^ (a >> 32), VQ{} + B);
        VQ c0 = (b >> 32) ^ third0, c1 = b, c2 = third2 ^ (uint64_t)(uint32_t)a, c3 = third3;
        for (int r = 3; r < 10; r++) {
            VQ x = multiply_low(c0, VQ{} + A), y = multiply_low(c2, VQ{} + B);
            c0 = (y >> 32) ^ c1 ^ k0[r];
            c2 = (x >> 32) ^ c3 ^ k1[r];
            c1 = y;
            c3 = x;
        }
        VQ even = (c0 & LOW) | (c1 << 32), odd = (c2 & LOW) | (c3 << 32);
        early = (VU)zip_low(even, odd);
        late = (VU)zip_high(even, odd);
    }

private:
    static constexpr uint64_t A = 0xD2511F53, B = 0xCD9E8D57, LOW = 0xFFFFFFFF;
    uint64_t step, k0[10], k1[10], high_of_layer, low_of_layer;
    VQ second, third0, third2, third3;
};

// Drop activations of one hidden layer's live units, scale the others.
static void drop(float* h, int width, const Units& live, int panels, const Dropout& dropout, uint32_t step,
                 uint32_t layer) {
    Philox philox(dropout.key, step, layer);
    V scale = splat(dropout.scale);
    // At threshold 0 nothing is dropped, at 2^32 everything: neither fits a comparison of 32-bit words alone.
    VU all_stay = VU{} - (uint32_t)(dropout.threshold == 0), last_dropped = VU{} + (uint32_t)(dropout.threshold - 1);
    for (int chunk = 0; chunk < panels * PANEL; chunk += 2 * LANES) {
        philox.chunk(chunk / 4);
        float* samples = h + (int64_t)(chunk / PANEL) * width * PANEL + chunk % PANEL;
        for (int k = 0; k < live.count; k++) {
            VU words[2];
            philox.unit(live.index[k], words[0], words[1]);
            float* x = samples + (int64_t)live.index[k] * PANEL;
            for (int i = 0; i < 2; i++) {
                V kept = load(x + i * LANES) * scale;
                store(x + i * LANES, ((VU)(words[i] > last_dropped) | all_stay) != 0 ? kept : V{});
            }
        }
    }
}
