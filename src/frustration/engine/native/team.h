// A team: networks of one shape that see the same batches, such as the modes of one trial.
//
// It trains in one thread; several teams train in several threads. What a network becomes does not depend
// on the others: they share the walk over the images, and no sum.
#pragma once
#include "dendrites.h"
#include "dropout.h"
#include "input.h"
#include "loss.h"
#include "weight_gradient.h"
#include <chrono>
#include <optional>

// How one network is trained for one epoch. library.py has this and the next structure too.
struct Plan {
    int64_t steps_before;  // of AdamW
    Dropout dropout;
    double learning_rate;
    float decay;
    int32_t drops, rests;
};
struct Epoch {
    const Images* images;
    const int64_t* order;  // [samples]
    int64_t samples;
    const Plan* plans;  // [networks]
    double* losses;     // [steps][networks]: mean loss over the batch of every step
};

// One linear layer of one network. (The dense part of the first is in the input layer.)
struct Layer {
    Dense dense;
    Dendrites dendrites;
};

class Team {
public:
    // widths: features, hidden layers, classes. counts: dendrites per unit of every layer but the features.
    // bf16: wide hidden layers train with rounded operands.
    Team(int networks, const std::vector<int>& widths, const std::vector<int>& counts, int function,
         const Pixels& pixels, int64_t batch_size, bool bf16)
        : networks(networks), layers((int)counts.size()), widths(widths), counts(counts), batch_size(batch_size),
          columns(std::max<int64_t>(panels_for(batch_size), panels_for(EVALUATED)) * PANEL),
          input(arena, networks, rows(0), pixels, columns), batch(arena, pixels, columns), first_units(widths[1]),
          merged(layers + 1), hidden(layers + 1), row_sums(layers) {
        for (int l = 0; l < networks * layers; l++) {
            int in = widths[l % layers], out = widths[l % layers + 1], count = counts[l % layers];
            all_layers.push_back({{arena, in, l % layers ? (count + 1) * out : 0}, {arena, out, count, function}});
        }
        for (int width : widths) live.emplace_back(width);
        int64_t most = 16;
        for (int l = 0; l < layers; l++) most = std::max<int64_t>({most, widths[l + 1] + 32, rows(l)});
        auto room = [&](int64_t units) { return arena.zeros<float>(units * columns); };
        first_sums = room((int64_t)networks * rows(0));
        first_delta = layers > 1 || counts[0] ? room((int64_t)networks * rows(0)) : first_sums;  // else: the logits'
        for (int l = 0; l < layers; l++) {
            if (l > 0) row_sums[l] = room(rows(l));
            hidden[l + 1] = counts[l] ? room(widths[l + 1]) : row_sums[l];
        }
        for (float** array : {&delta[0], &delta[1], &delta[2], &row_delta, &turned}) *array = room(most);
        live_rows = Units((int)most);
        packed = arena.zeros<float>(TILES_PER_PASS * TILE_ROWS * most);
        gradients = arena.zeros<float>((TILES_PER_PASS * TILE_ROWS + 2) * (most + PANEL));
        if (bf16) pairs.emplace(arena, most, columns, TILES_PER_PASS * TILE_ROWS);
        per_class = arena.zeros<float>(panels_for(widths[layers]) * PANEL);
    }

    // f(number) for all weights or moments of a network; by layer: W [rows, inputs], biases [rows], T, D.
    template <class F> void visit(int network, Array which, F f) {
        input.visit(network, which, f);
        for (int l = 0; l < layers; l++) {
            layer(network, l).dense.visit(which, f);
            layer(network, l).dendrites.visit(which, f);
        }
    }
    void written(int network, Array which) {
        input.written(network, which);
        if (which == WEIGHTS) return;
        for (int l = 1; l < layers; l++) memset(layer(network, l).dense.touched, 1, rows(l));
    }

    // At the beginning of an epoch; moments that are not 0 are written afterwards.
    void forget_moments() {
        input.forget_moments();
        for (Layer& layer : all_layers) {
            layer.dense.weights.forget_moments();
            memset(layer.dense.touched, 0, layer.dense.outputs);
            layer.dendrites.weights.forget_moments();
        }
    }

    // Train from a step on; returns how many steps are done. Comes back early after `seconds`.
    int64_t advance(const Epoch& epoch, int64_t step, double seconds) {
        FlushDenormals flush;
        input.wake([&](int n) { return !epoch.plans[n].rests; });
        for (double end = now() + seconds; step * batch_size < epoch.samples;) {
            train(epoch, step++);
            if (now() >= end) break;
        }
        return step;
    }

    // Classify on from image `first`; adds to correct[network], which becomes -1 where a logit is not finite. Networks
    // whose count is -1 are passed over. Returns the image to go on with.
    int64_t evaluate(const Images& images, int64_t first, int64_t* correct, double seconds) {
        FlushDenormals flush;
        input.wake([&](int n) { return correct[n] >= 0; });
        for (double end = now() + seconds; first < images.count;) {
            batch.take(images, nullptr, first, (int)std::min<int64_t>(EVALUATED, images.count - first));
            input.forward(batch, layers > 1 && !counts[0], first_sums);
            for (int n = 0; n < networks; n++) {
                if (correct[n] < 0) continue;
                const float* logits = forward_from_first(n, nullptr, 0, false);
                int64_t right = count_correct(logits, widths[layers], batch.samples, batch.labels, merged[layers - 1]);
                correct[n] = right < 0 ? -1 : correct[n] + right;
            }
            first += batch.samples;
            if (now() >= end) break;
        }
        return first;
    }

private:
    static constexpr int EVALUATED = 256;  // images classified at once

    Arena arena;
    int networks, layers;
    std::vector<int> widths, counts;
    int64_t batch_size, columns;
    InputLayer input;
    Batch batch;
    std::vector<Layer> all_layers;  // [network][layer]
    Units first_units, live_rows{0};
    // By layer of activations; 0 is the input.
    std::vector<Units> live;
    std::vector<uint8_t> merged;  // one column stands for the batch
    std::vector<float*> hidden;   // its activations, of the network at work
    // By linear layer: its rows' sums, of the network at work. Without dendrites they are its activations.
    std::vector<float*> row_sums;
    std::optional<PairRoom> pairs;
    float *first_sums, *first_delta, *delta[3], *row_delta, *turned, *packed, *gradients, *per_class;

    int rows(int l) const { return (counts[l] + 1) * widths[l + 1]; }
    Layer& layer(int network, int l) { return all_layers[(int64_t)network * layers + l]; }
    float* of_first(float* base, int network) const { return base + (int64_t)network * rows(0) * columns; }

    static double now() {
        return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    }

    // Whether a layer is trained with paired operands: hidden ones from 64 inputs and outputs on.
    const PairRoom* paired(int l, bool training) const {
        bool wide = l > 0 && l + 1 < layers && std::min(widths[l], rows(l)) >= BF16_LEAST;
        return training && wide && pairs ? &*pairs : nullptr;
    }

    // In merged layers: one column per class, all the same on the way up.
    int panels_of(int l) const { return merged[l] ? panels_for(widths[layers]) : batch.panels; }

    void train(const Epoch& epoch, int64_t step) {
        int64_t first = step * batch_size;
        batch.take(*epoch.images, epoch.order, first, (int)std::min(batch_size, epoch.samples - first));
        batch.turn();
        input.forward(batch, layers > 1 && !counts[0], first_sums);
        for (int n = 0; n < networks; n++) {
            const Plan& plan = epoch.plans[n];
            if (plan.rests) continue;
            AdamW optimizer(plan.steps_before + step + 1, plan.learning_rate, plan.decay);
            input.plan(n, optimizer);
            float* logits = forward_from_first(n, plan.drops ? &plan.dropout : nullptr, (uint32_t)step, true);
            epoch.losses[step * networks + n] = loss(logits) / batch.samples;
            backward(n, logits, plan.drops ? plan.dropout.scale : 1.f, optimizer);
        }
        input.gradient(batch, first_delta);
    }

    // The logits of one network, its first layer's sums done.
    float* forward_from_first(int network, const Dropout* dropout, uint32_t step, bool training) {
        row_sums[0] = of_first(first_sums, network);
        if (!counts[0]) hidden[1] = row_sums[0];
        merged[0] = merged[1] = false;
        for (int l = 0; l < layers; l++) {
            const auto& [dense, dendrites] = layer(network, l);
            bool with_relu = l + 1 < layers;
            if (l > 0) {
                float* h = hidden[l];
                live[l].find_live(h, widths[l], panels_of(l - 1));
                if (dropout) drop(h, widths[l], live[l], batch.panels, *dropout, step, (uint32_t)(l - 1));
                bool may_merge = l > 1 && !dropout && widths[layers] <= batch.samples;
                merged[l] = may_merge && (merged[l - 1] || columns_equal(h, live[l], widths[l], batch.panels));
                forward(dense, h, live[l], row_sums[l], with_relu && !counts[l], panels_of(l), paired(l, training));
            }
            if (counts[l]) dendrites.forward(row_sums[l], hidden[l + 1], with_relu, panels_of(l));
        }
        return hidden[layers];
    }

    // The sum of the batch's losses; the logits become their gradient. In merged layers column c becomes the
    // gradient of a sample of class c, and per_class[c] says how many samples that is.
    double loss(float* logits) {
        int classes = widths[layers];
        float share = 1.f / batch.samples;
        if (!merged[layers - 1]) return softmax_loss(logits, classes, batch.samples, batch.panels, batch.labels, share);
        std::fill_n(per_class, panels_for(classes) * PANEL, 0.f);
        for (int s = 0; s < batch.samples; s++) per_class[batch.labels[s]] += 1;
        return softmax_loss(logits, classes, classes, panels_for(classes), nullptr, share, per_class);
    }

    void backward(int network, float* d, float scale, const AdamW& optimizer) {
        float* first = of_first(first_delta, network);
        live[layers].count = widths[layers];  // all logits count
        for (int l = layers - 1; l >= 1; l--) {
            auto& [dense, dendrites] = layer(network, l);
            int panels = panels_of(l);
            const float* weight = merged[l] ? per_class : nullptr;
            if (l + 1 < layers && merged[l + 1] && !merged[l]) d = expand(d, l + 1);
            if (counts[l]) {
                dendrites.backward(row_sums[l], d, live[l + 1], weight, row_delta, panels, optimizer);
                dendrites.find_rows(live[l + 1], live_rows);
                d = row_delta;
            }
            const Units &in = live[l], &out = counts[l] ? live_rows : live[l + 1];
            float *h = hidden[l], *below = l == 1 && !counts[0] ? first : delta[l & 1];
            if (l == 1 && !in.all(widths[1])) std::fill_n(below, widths[1] * batch.columns, 0.f);
            const PairRoom* room = paired(l, true);
            input_gradient(dense, d, out, h, in, below, l == 1, scale, panels, packed, room);
            if (dense.inputs <= NARROW) {
                narrow_weight_gradient(dense, d, out, h, weight, panels, optimizer, gradients);
            } else {
                transpose_live(h, dense.inputs, in, weight, turned, panels);
                weight_gradient(dense, d, out, in, turned, panels, optimizer, gradients, room);
            }
            d = below;
            // Where the gradient underflowed, nothing below moves.
            if (l > 1 && all_zero(d, (int64_t)panels * in.count * PANEL)) live[l].count = 0;
        }
        if (counts[0])
            layer(network, 0).dendrites.backward(row_sums[0], d, first_units, nullptr, first, batch.panels, optimizer);
    }

    // From a column per class to one per sample: the gradient of layer l of activations.
    float* expand(const float* d, int l) {
        int64_t rows = live[l].count;
        for (int s = 0; s < batch.panels * PANEL; s++) {
            int c = batch.labels[s];
            const float* from = d + c / PANEL * rows * PANEL + c % PANEL;
            float* to = delta[2] + s / PANEL * rows * PANEL + s % PANEL;
            for (int64_t k = 0; k < rows; k++) to[k * PANEL] = s < batch.samples ? from[k * PANEL] : 0.f;
        }
        return delta[2];
    }
};
