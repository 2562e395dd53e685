// A part of the data set: images of bytes, kept sparse or dense, and their labels.
#pragma once
#include "memory.h"
#include "panels.h"
#include <algorithm>
#include <stdexcept>
#include <vector>

struct Images {
    int features;
    bool sparse;
    std::vector<int32_t> labels;
    // Sparse: the bytes that are not the background, image by image.
    std::vector<int64_t> start;
    std::vector<uint16_t> pixel;
    std::vector<uint8_t> value;
    // Dense: all of them; the caller keeps them alive.
    const uint8_t* bytes;

    int64_t count() const { return (int64_t)labels.size(); }

    Images(const uint8_t* bytes, const int64_t* label, int64_t images, int features, int classes, int background,
           bool sparse)
        : features(features), sparse(sparse), labels(label, label + images), bytes(bytes) {
        for (int64_t i = 0; i < images; i++)
            if (label[i] < 0 || label[i] >= classes) throw std::invalid_argument("a label is not one of the classes");
        if (!sparse) return;
        if (features > 65536) throw std::invalid_argument("sparse images have at most 65536 pixels");
        int64_t total = images * features;
        int64_t lit = total - std::count(bytes, bytes + total, (uint8_t)background);
        start.reserve(images + 1);
        pixel.reserve(lit);
        value.reserve(lit);
        start.push_back(0);
        for (int64_t i = 0; i < images; i++) {
            for (int j = 0; j < features; j++) {
                if (bytes[i * features + j] == background) continue;
                pixel.push_back((uint16_t)j);
                value.push_back(bytes[i * features + j]);
            }
            start.push_back((int64_t)pixel.size());
        }
    }
};

// The images of one step; `rows` has one for every column, the last one repeated.
struct Batch {
    const Images* images;
    int samples = 0, panels = 0;
    std::vector<int64_t> rows;
    std::vector<int32_t> labels;

    // The samples order[0], …, or first, first + 1, … without an order.
    void take(const Images& from, const int64_t* order, int64_t first, int count) {
        images = &from;
        samples = count;
        panels = panels_for(count);
        rows.resize((int64_t)panels * PANEL);
        labels.resize(rows.size());
        for (int64_t s = 0; s < (int64_t)rows.size(); s++) {
            int64_t at = first + std::min<int64_t>(s, count - 1);
            rows[s] = order ? order[at] : at;
            labels[s] = from.labels[rows[s]];
        }
    }
};
