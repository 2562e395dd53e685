// A part of the data set, and the batches taken from it.
//
// Pixels are sorted into a core, which most images light, and a rim, which few do (81 % of MNIST's bytes are
// background). Of the core all bytes are kept, of the rim those that are not background; the core comes first.
// Which pixels are core is the caller's choice and the same for all parts. Colour images are all core.
#pragma once
#include "memory.h"
#include "panels.h"
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

struct Images {
    struct Lit {
        uint16_t pixel;  // counted from the first rim pixel
        uint8_t byte;
    };

    int core;
    std::vector<int32_t> labels;
    uint8_t* core_bytes;  // [images][core]
    int64_t* start;       // [images + 1] of an image's lit rim pixels
    Lit* rim;

    int64_t count() const { return (int64_t)labels.size(); }

    // order: [features] the pixels, core first, then rim.
    Images(const uint8_t* bytes, const int64_t* label, int64_t images, int features, int classes, int background,
           const int32_t* order, int core)
        : core(core), labels(label, label + images) {
        if (features - core > 65536) throw std::invalid_argument("the rim has at most 65536 pixels");
        for (int64_t i = 0; i < images; i++)
            if (label[i] < 0 || label[i] >= classes) throw std::invalid_argument("a label is not one of the classes");
        core_bytes = arena.zeros<uint8_t>(images * core);
        start = arena.zeros<int64_t>(images + 1);
        for (int64_t i = 0; i < images; i++) {
            start[i + 1] = start[i];
            for (int k = core; k < features; k++) start[i + 1] += bytes[i * features + order[k]] != background;
        }
        rim = arena.zeros<Lit>(start[images]);
        for (int64_t i = 0; i < images; i++, bytes += features) {
            for (int k = 0; k < core; k++) core_bytes[i * core + k] = bytes[order[k]];
            Lit* lit = rim + start[i];
            for (int k = core; k < features; k++)
                if (bytes[order[k]] != background) *lit++ = {(uint16_t)(k - core), bytes[order[k]]};
        }
    }

    // Bring an image into the cache, by reading a byte of every line. Images are visited in random order; reads of
    // many of them overlap here, and cannot where each is worked on. Measured: 1*16 and 8*8 in six modes 1.36 and
    // 1.39 times as fast; prefetch instructions gained nothing.
    unsigned fetch(int64_t image) const {
        unsigned sum = 0;
        for (int k = 0; k < core; k += 64) sum += core_bytes[image * core + k];
        for (int64_t q = start[image]; q < start[image + 1]; q += 64 / sizeof(Lit)) sum += rim[q].byte;
        return sum;
    }

private:
    Arena arena;
};

// A pixel's value is offset + (byte - background) * step.
struct PixelValues {
    int background;
    float offset, step;

    PixelValues(const float* values, int background) : background(background), offset(values[background]) {
        step = (float)(((double)values[255] - values[0]) / 255);
        for (int b = 0; b < 256; b++)
            if (!(std::abs((double)offset + above(b) - values[b]) <= 1e-6 * (std::abs(values[b]) + std::abs(offset))))
                throw std::invalid_argument("pixel values must rise evenly from byte to byte");
    }

    float above(uint8_t byte) const { return (float)(byte - background) * step; }
};

// The images of one step. A row for every column: the last image is repeated in those that fill a panel.
class Batch {
public:
    const Images* images;
    int samples = 0, panels = 0;
    std::vector<int64_t> rows;
    std::vector<int32_t> labels;
    float* core;          // [columns][core_stride] values above the background
    int64_t core_stride;

    Batch(Arena& arena, const PixelValues& values, int core_pixels, int64_t columns)
        : core_stride((core_pixels + 15) / 16 * 16), values(values) {
        core = arena.zeros<float>(columns * core_stride);
    }

    int64_t columns() const { return (int64_t)panels * PANEL; }

    // The samples order[first], order[first + 1], …, or first, first + 1, … without an order.
    void take(const Images& from, const int64_t* order, int64_t first, int count) {
        images = &from;
        samples = count;
        panels = panels_for(count);
        rows.resize(columns());
        labels.resize(columns());
        for (int64_t s = 0; s < columns(); s++) {
            int64_t at = first + std::min<int64_t>(s, count - 1);
            rows[s] = order ? order[at] : at;
            fetched += from.fetch(rows[s]);
        }
        for (int64_t s = 0; s < columns(); s++) {
            labels[s] = from.labels[rows[s]];
            // Arithmetic and not a table: it is done in vectors. Measured: 1*16 1.06, 8*8 1.08 times as fast.
            const uint8_t* bytes = from.core_bytes + rows[s] * from.core;
            float* to = core + s * core_stride;
            for (int k = 0; k < from.core; k++) to[k] = values.above(bytes[k]);
        }
    }

private:
    PixelValues values;
    unsigned fetched = 0;
};
