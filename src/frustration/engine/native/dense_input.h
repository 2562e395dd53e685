// The pixels of one batch as an ordinary layer of activations, for images that are hardly background.
#pragma once
#include "images.h"

class DenseInput {
public:
    float* pixels;  // feature-major, as other activations are
    float* turned;  // sample-major with a lane of ones behind, as weight_gradient wants them

    DenseInput(Arena& arena, int features, const float* values, int64_t columns)
        : pixels(arena.zeros<float>((int64_t)features * columns)),
          turned(arena.zeros<float>((int64_t)panels_for(features + 1) * PANEL * columns)),
          features(features),
          values(values, values + 256) {}

    void take(const Batch& batch, bool training) {
        int64_t columns = (int64_t)batch.panels * PANEL;
        for (int64_t s = 0; s < columns; s++) {
            const uint8_t* bytes = batch.images->bytes + batch.rows[s] * features;
            float* to = pixels + s / PANEL * features * PANEL + s % PANEL;
            for (int j = 0; j < features; j++) to[(int64_t)j * PANEL] = values[bytes[j]];
            if (!training) continue;
            for (int first = 0; first <= features; first += PANEL) {
                float* row = turned + first / PANEL * columns * PANEL + s * PANEL;
                for (int i = 0; i < PANEL; i++) {
                    int j = first + i;
                    row[i] = j < features ? values[bytes[j]] : j == features ? 1.f : 0.f;
                }
            }
        }
    }

private:
    int features;
    std::vector<float> values;
};
