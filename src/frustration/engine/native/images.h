// Images as library.py prepares them, and the batches taken from them.
//
// Pixels are sorted into a core, which most images light, and a rim, which few do (81 % of MNIST's bytes are
// background). Of the core all bytes are kept, of the rim those that are not background; the core comes first.
// Which pixels are core is the caller's choice and the same for all parts. Colour images are all core.
//
// Samples that are numbers have no background: all of their features are core, and their values are kept as they are.
#pragma once
#include "memory.h"
#include "panels.h"

// library.py has these three structures too.
struct Pixels {
    int32_t features, core, background;
    float offset, step;    // a pixel's value is offset + (byte - background) * step
    const int32_t* order;  // [features] pixels, the core's first

    float above(int byte) const { return (float)(byte - background) * step; }
};
struct Lit {
    uint16_t pixel, byte;  // the pixel counted from the first of the rim
};
struct Images {
    int64_t count;
    const int32_t* labels;
    const uint8_t* core;   // [count][core pixels]
    const int64_t* start;  // [count + 1] of an image's lit pixels of the rim
    const Lit* rim;
    const float* values;  // [count][features], in the place of core; null for images
};

// The images of one step. The last one is repeated in the columns that fill a panel.
class Batch {
public:
    static constexpr int PARTS = 2;  // independent partial sums of a pixel, as many on every CPU
    int samples = 0, panels = 0;
    int64_t columns = 0, core_stride;
    int32_t* labels;
    float* core;  // [columns][core_stride] values above the background
    float above[256];

    Batch(Arena& arena, const Pixels& pixels, int64_t most)
        : core_stride((pixels.core + 15) / 16 * 16), labels(arena.zeros<int32_t>(most)),
          core(arena.zeros<float>(most * core_stride)), pixels(pixels), rim(pixels.features - pixels.core),
          room(std::min(most, CHUNK)), rows(arena.zeros<int64_t>(most)),
          lit(arena.zeros<uint16_t>((most + CHUNK - 1) / CHUNK * rim)),
          entries(arena.zeros<uint16_t>((most + CHUNK - 1) / CHUNK * rim * room)) {
        for (int b = 0; b < 256; b++) above[b] = pixels.above(b);
        this->pixels.order = nullptr;  // its owner may let it go
    }

    // The samples order[first], order[first + 1], …, or first, first + 1, … without an order.
    void take(const Images& from, const int64_t* order, int64_t first, int count) {
        images = &from;
        samples = count;
        panels = panels_for(count);
        columns = panels * PANEL;
        for (int64_t s = 0; s < columns; s++) {
            int64_t at = first + std::min<int64_t>(s, count - 1);
            rows[s] = order ? order[at] : at;
            labels[s] = from.labels[rows[s]];
            fetched += fetch(rows[s]);
        }
        for (int64_t s = 0; s < columns; s++) {
            float* to = core + s * core_stride;
            if (from.values) {
                std::copy_n(from.values + rows[s] * pixels.core, pixels.core, to);
                continue;
            }
            // Arithmetic and not a table: it is done in vectors. Measured: 1*16 1.06, 8*8 1.08 times as fast.
            const uint8_t* bytes = from.core + rows[s] * pixels.core;
            for (int k = 0; k < pixels.core; k++) to[k] = pixels.above(bytes[k]);
        }
    }

    // The lit pixels of a column's rim, ascending: from `begin` to `end`.
    const Lit* begin(int64_t column) const { return images->rim + images->start[rows[column]]; }
    const Lit* end(int64_t column) const { return images->rim + images->start[rows[column] + 1]; }

    // Turn the rim round, for `visit`: which columns light a pixel, and how.
    void turn() {
        std::fill_n(lit, (columns + CHUNK - 1) / CHUNK * rim, 0);
        for (int64_t s = 0; s < columns; s++)
            for (const Lit *pixel = begin(s), *last = end(s); pixel < last; pixel++) {
                int64_t at = s / CHUNK * rim + pixel->pixel;
                entries[at * room + lit[at]++] = (uint16_t)(s % CHUNK | pixel->byte << 8);
            }
    }

    // f(part, column, value) for every column that lights a pixel of the rim, after `turn`: round robin over PARTS as
    // long as there are enough, the rest of a chunk into part 0.
    template <class F> inline ALWAYS_INLINE void visit(int64_t pixel, F f) const {
        for (int64_t first = 0, at = pixel; first < columns; first += CHUNK, at += rim) {
            const uint16_t* entry = entries + at * room;
            auto call = [&](int part, int q) { f(part, first + (entry[q] & 255), above[entry[q] >> 8]); };
            int q = 0, count = lit[at];
            for (; q + PARTS <= count; q += PARTS)
                for (int part = 0; part < PARTS; part++) call(part, q + part);
            for (; q < count; q++) call(0, q);
        }
    }

private:
    static constexpr int64_t CHUNK = 256;  // a column's number within its chunk and its byte fit 16 bits

    Pixels pixels;
    const Images* images = nullptr;
    int64_t rim, room, *rows;
    uint16_t *lit, *entries;  // [chunks][rim], [chunks][rim][room]
    unsigned fetched = 0;

    // Bring an image into the cache, by reading a byte of every line. Images are visited in random order; reads of
    // many of them overlap here, and cannot where each is worked on. Measured: 1*16 and 8*8 in six modes 1.36 and
    // 1.39 times as fast; prefetch instructions gained nothing.
    unsigned fetch(int64_t image) const {
        unsigned sum = 0;
        int64_t length = pixels.core * (images->values ? sizeof(float) : 1);
        const uint8_t* bytes = (images->values ? (const uint8_t*)images->values : images->core) + image * length;
        for (int64_t k = 0; k < length; k += 64) sum += bytes[k];
        for (int64_t q = images->start[image]; q < images->start[image + 1]; q += 64 / sizeof(Lit))
            sum += images->rim[q].byte;
        return sum;
    }
};
