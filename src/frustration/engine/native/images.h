// Images as library.py prepares them, and the batches taken from them.
//
// Pixels are sorted into a core, which most images light, and a rim, which few do (81 % of MNIST's bytes are
// background). Of the core all bytes are kept, of the rim those that are not background; the core comes first.
// Which pixels are core is the caller's choice and the same for all parts. Colour images are all core.
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
};

// The images of one step. A row for every column: the last image is repeated in those that fill a panel. The rim
// is turned round: which samples light a pixel, and how.
class Batch {
public:
    int samples = 0, panels = 0;
    int64_t columns = 0, core_stride;
    int32_t* labels;
    float* core;  // [columns][core_stride] values above the background

    Batch(Arena& arena, const Pixels& pixels, int64_t most)
        : core_stride((pixels.core + 15) / 16 * 16), labels(arena.zeros<int32_t>(most)),
          core(arena.zeros<float>(most * core_stride)), pixels(pixels), rim(pixels.features - pixels.core),
          room(std::min(most, CHUNK)), rows(arena.zeros<int64_t>(most)),
          lit(arena.zeros<uint16_t>((most + CHUNK - 1) / CHUNK * rim)),
          entries(arena.zeros<uint16_t>((most + CHUNK - 1) / CHUNK * rim * room)) {
        for (int b = 0; b < 256; b++) above[b] = pixels.above(b);
    }

    // The samples order[first], order[first + 1], …, or first, first + 1, … without an order.
    void take(const Images& images, const int64_t* order, int64_t first, int count) {
        samples = count;
        panels = panels_for(count);
        columns = panels * PANEL;
        for (int64_t s = 0; s < columns; s++) {
            int64_t at = first + std::min<int64_t>(s, count - 1);
            rows[s] = order ? order[at] : at;
            labels[s] = images.labels[rows[s]];
            fetched += fetch(images, rows[s]);
        }
        std::fill_n(lit, (columns + CHUNK - 1) / CHUNK * rim, 0);
        for (int64_t s = 0; s < columns; s++) {
            // Arithmetic and not a table: it is done in vectors. Measured: 1*16 1.06, 8*8 1.08 times as fast.
            const uint8_t* bytes = images.core + rows[s] * pixels.core;
            float* to = core + s * core_stride;
            for (int k = 0; k < pixels.core; k++) to[k] = pixels.above(bytes[k]);
            for (int64_t q = images.start[rows[s]], end = images.start[rows[s] + 1]; q < end; q++) {
                int64_t at = s / CHUNK * rim + images.rim[q].pixel;
                entries[at * room + lit[at]++] = (uint16_t)(s % CHUNK | images.rim[q].byte << 8);
            }
        }
    }

    // f(part, sample, value) for every sample that lights a pixel of the rim: round robin over PARTS as long as
    // there are enough, the rest of a chunk into part 0.
    template <int PARTS, class F> inline ALWAYS_INLINE void visit(int pixel, F f) const {
        for (int64_t first = 0, at = pixel; first < columns; first += CHUNK, at += rim) {
            const uint16_t* entry = entries + at * room;
            auto call = [&](int part, int q) { f(part, first + (entry[q] & 255), above[entry[q] >> 8]); };
            int q = 0, end = lit[at];
            for (; q + PARTS <= end; q += PARTS)
                for (int part = 0; part < PARTS; part++) call(part, q + part);
            for (; q < end; q++) call(0, q);
        }
    }

private:
    static constexpr int64_t CHUNK = 256;  // a sample's number within its chunk and its byte fit 16 bits

    Pixels pixels;
    int64_t rim, room, *rows;
    uint16_t *lit, *entries;  // [chunks][rim], [chunks][rim][room]
    float above[256];
    unsigned fetched = 0;

    // Bring an image into the cache, by reading a byte of every line. Images are visited in random order; reads of
    // many of them overlap here, and cannot where each is worked on. Measured: 1*16 and 8*8 in six modes 1.36 and
    // 1.39 times as fast; prefetch instructions gained nothing.
    unsigned fetch(const Images& x, int64_t image) const {
        unsigned sum = 0;
        for (int k = 0; k < pixels.core; k += 64) sum += x.core[image * pixels.core + k];
        for (int64_t q = x.start[image]; q < x.start[image + 1]; q += 64 / sizeof(Lit)) sum += x.rim[q].byte;
        return sum;
    }
};
