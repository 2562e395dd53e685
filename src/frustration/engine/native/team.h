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

// How one network is trained for one epoch; engine/native/library.py has the same structure.
struct Plan {
    int64_t steps_before;  // of AdamW
    uint64_t dropout_key;
    uint64_t dropout_threshold;
    double learning_rate;
    float dropout_scale;
    float decay;
    int32_t dropout;
    int32_t rests;
};

// Asks its caller back in every now and then, to look for an interrupt.
class Deadline {
public:
    explicit Deadline(double seconds)
        : end(Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {}
    bool passed() const { return Clock::now() >= end; }

private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point end;
};

class Team {
public:
    // widths: features, hidden layers, classes. counts: dendrites per unit of every layer but the features.
    // order: the pixels, those of the core first. bf16: wide hidden layers train with rounded operands.
    Team(int networks, const std::vector<int>& widths, const std::vector<int>& counts, int function,
         const PixelValues& values, const int32_t* order, int core, int64_t batch_size, bool bf16)
        : networks(networks),
          layers((int)widths.size() - 1),
          widths(widths),
          counts(counts),
          batch_size(batch_size),
          bf16(bf16),
          columns(std::max<int64_t>(panels_for(batch_size), panels_for(EVALUATED)) * PANEL),
          input(arena, networks, rows(0), InputShape(widths[0], core, values), order, columns),
          batch(arena, values, core, columns),
          first_units(widths[1]),
          merged(layers + 1) {
        for (int n = 0; n < networks; n++) add_layers(function);
        for (int width : widths) live.emplace_back(width);
        reserve_activations();
    }

    int64_t parameters() const {
        int64_t count = 0;
        for (int l = 0; l < layers; l++) count += (int64_t)rows(l) * (widths[l] + 1) + dendrites[l].floats();
        return count;
    }

    using Array = InputLayer::Array;

    // One network's weights or moments, flat; by layer: W [rows, inputs], biases [rows], T, D.
    void read(int network, float* flat, Array which) {
        input.read(network, flat, which);
        for_each_weight(network, which, flat + input_size(), [](float& packed, float& flat) { flat = packed; });
    }
    void write(int network, const float* flat, Array which) {
        input.write(network, flat, which);
        for_each_weight(network, which, flat + input_size(), [](float& packed, float flat) { packed = flat; });
        if (which == InputLayer::WEIGHTS) return;
        for (int l = 1; l < layers; l++) memset(layer(network, l).touched, 1, rows(l));
    }

    // Before an epoch: all moments 0 (write those that are not), and what is to be done.
    void begin(const Images& images, const int64_t* new_order, int64_t samples, const Plan* new_plans) {
        for (int64_t s = 0; s < samples; s++)
            if (new_order[s] < 0 || new_order[s] >= images.count())
                throw std::invalid_argument("the order names a sample that is not there");
        training_images = &images;
        order.assign(new_order, new_order + samples);
        plans.assign(new_plans, new_plans + networks);
        step = 0;
        losses.assign(steps() * networks, 0.0);
        input.forget_moments();
        for (Dense& d : dense) {
            memset(d.means, 0, sizeof(float) * d.floats());
            memset(d.squares, 0, sizeof(float) * d.floats());
            memset(d.touched, 0, d.outputs);
        }
        for (Dendrites& d : dendrites) d.forget_moments();
    }

    int64_t steps() const { return ((int64_t)order.size() + batch_size - 1) / batch_size; }

    // Train on; returns how many steps are done. Comes back early after `seconds`.
    int64_t advance(double seconds) {
        FlushDenormals flush;
        Deadline deadline(seconds);
        for (int64_t end = steps(); step < end; step++) {
            if (step > 0 && deadline.passed()) break;
            train_step();
        }
        return step;
    }

    // [steps][networks]: mean loss over the batch of every step.
    const std::vector<double>& step_losses() const { return losses; }

    // Classify on from image `first`; adds to correct[network], which is and stays -1 where a logit is not
    // finite. Returns the image to go on with.
    int64_t evaluate(const Images& images, int64_t first, int64_t* correct, double seconds) {
        FlushDenormals flush;
        Deadline deadline(seconds);
        for (int64_t begin = first; first < images.count(); first += EVALUATED) {
            if (first > begin && deadline.passed()) break;
            int count = (int)std::min<int64_t>(EVALUATED, images.count() - first);
            batch.take(images, nullptr, first, count);
            input.forward(batch, layers > 1 && !counts[0], false, first_sums);
            for (int n = 0; n < networks; n++) {
                const float* logits = forward_from_first(n, false, nullptr);
                int64_t right = count_correct(logits, widths[layers], count, batch.labels.data(), merged[layers - 1]);
                correct[n] = right < 0 || correct[n] < 0 ? -1 : correct[n] + right;
            }
        }
        return std::min(first, images.count());
    }

private:
    static constexpr int EVALUATED = 256;  // images classified at once

    Arena arena;
    int networks, layers;
    std::vector<int> widths, counts;
    int64_t batch_size;
    bool bf16;
    int64_t columns;
    InputLayer input;
    Batch batch;
    std::vector<Dense> dense;          // [network][layer], from the second layer on
    std::vector<Dendrites> dendrites;  // [network][layer]
    Units first_units, live_rows{0};
    // By layer of activations; 0 is the input.
    std::vector<Units> live;
    std::vector<uint8_t> merged;  // one column stands for the batch
    std::vector<float*> hidden;   // its activations, of the network at work
    // By linear layer: its rows' sums, of the network at work. Without dendrites they are its activations.
    std::vector<float*> row_sums;
    PairRoom pairs;
    float *first_sums, *first_delta, *delta[3], *row_delta, *turned, *packed, *gradients, *per_class;

    const Images* training_images = nullptr;
    std::vector<int64_t> order;
    std::vector<Plan> plans;
    std::vector<double> losses;
    std::vector<int32_t> class_labels;
    int64_t step = 0;

    int rows(int l) const { return (counts[l] + 1) * widths[l + 1]; }
    int64_t input_size() const { return (int64_t)rows(0) * (widths[0] + 1); }
    Dense& layer(int network, int l) { return dense[(int64_t)network * (layers - 1) + l - 1]; }
    Dendrites& dendrites_of(int network, int l) { return dendrites[(int64_t)network * layers + l]; }

    // The layers of one network lie together, in huge pages where there are many. Measured: 115*115 1.05 times as fast.
    void add_layers(int function) {
        size_t first = dense.size();
        int64_t floats = 0;
        for (int l = 0; l < layers; l++) {
            dendrites.emplace_back(arena, widths[l + 1], counts[l], function);
            if (l == 0) continue;
            dense.push_back({widths[l], rows(l), nullptr, nullptr, nullptr, arena.zeros<uint8_t>(rows(l))});
            floats += dense.back().floats();
        }
        for (float* Dense::*array : {&Dense::weights, &Dense::means, &Dense::squares}) {
            float* at = arena.zeros<float>(floats);
            for (size_t i = first; i < dense.size(); at += dense[i++].floats()) dense[i].*array = at;
        }
    }

    void reserve_activations() {
        int64_t widest = 16, most_rows = 16, longest = 16, floats = 0;
        for (int l = 0; l < layers; l++) {
            widest = std::max<int64_t>(widest, widths[l + 1]);
            most_rows = std::max<int64_t>(most_rows, rows(l));
            if (l > 0) longest = std::max<int64_t>(longest, widths[l] + 32);
            floats += (l > 0 ? rows(l) : 0) + (counts[l] ? widths[l + 1] : 0);
        }
        int64_t first = (int64_t)networks * rows(0) * columns;
        first_sums = arena.zeros<float>(first);
        first_delta = layers > 1 || counts[0] ? arena.zeros<float>(first) : first_sums;  // else: the logits'
        float* at = arena.zeros<float>(floats * columns);
        row_sums.assign(layers, nullptr);
        hidden.assign(layers + 1, nullptr);
        for (int l = 0; l < layers; l++) {
            if (l > 0) row_sums[l] = at, at += rows(l) * columns;
            hidden[l + 1] = row_sums[l];
            if (counts[l]) hidden[l + 1] = at, at += widths[l + 1] * columns;
        }
        for (float*& d : delta) d = arena.zeros<float>(widest * columns);
        bool any_grown = std::any_of(counts.begin(), counts.end(), [](int count) { return count > 0; });
        row_delta = any_grown ? arena.zeros<float>(most_rows * columns) : nullptr;
        live_rows = Units((int)most_rows);
        turned = arena.zeros<float>((panels_for(widest + 1) * PANEL) * columns);
        packed = arena.zeros<float>(BLOCK * TILE_ROWS * (most_rows + 16));
        gradients = arena.zeros<float>(gradient_room(longest));
        if (bf16) {
            pairs.rows = arena.zeros<Pair>(std::max<int64_t>(BLOCK * TILE_ROWS * (most_rows + 32), most_rows * columns));
            pairs.panels = arena.zeros<Pair>((most_rows + 2 * PANEL) * columns);
            pairs.row = arena.zeros<float>(most_rows + 32);
        }
        per_class = arena.zeros<float>(panels_for(widths[layers]) * PANEL);
        class_labels.resize(widths[layers]);
        std::iota(class_labels.begin(), class_labels.end(), 0);
    }

    template <class T, class F> void for_each_weight(int network, Array which, T* flat, F move) {
        for (int l = 0; l < layers; l++) {
            if (l > 0) {
                const Dense& d = layer(network, l);
                float* packed = which == InputLayer::WEIGHTS ? d.weights : which == InputLayer::MEANS ? d.means : d.squares;
                for (int o = 0; o < d.outputs; o++)
                    for (int i = 0; i < d.inputs; i++) move(packed[o * d.stride() + i], *flat++);
                for (int o = 0; o < d.outputs; o++) move(packed[o * d.stride() + d.inputs], *flat++);
            }
            const Dendrites& grown = dendrites_of(network, l);
            for (int64_t i = 0; i < grown.floats(); i++) move(grown.arrays[which][i], *flat++);
        }
    }

    // Whether a layer is trained with paired operands: hidden ones from 64 inputs and outputs on.
    const PairRoom* paired(int l, bool training) const {
        bool wide = l > 0 && l + 1 < layers && std::min(widths[l], rows(l)) >= BF16_LEAST;
        return bf16 && training && wide ? &pairs : nullptr;
    }

    // In merged layers: one column per class, all the same on the way up.
    int panels_of(int l) const { return merged[l] ? panels_for(widths[layers]) : batch.panels; }

    void train_step() {
        int64_t first = step * batch_size, samples = (int64_t)order.size();
        batch.take(*training_images, order.data(), first, (int)std::min(batch_size, samples - first));
        for (int n = 0; n < networks; n++) input.plan(n, optimizer(n), plans[n].rests);
        input.forward(batch, layers > 1 && !counts[0], true, first_sums);
        for (int n = 0; n < networks; n++) {
            const Plan& p = plans[n];
            if (p.rests) {  // its columns share slabs with others
                memset(first_delta + n * first_size(), 0, sizeof(float) * first_size());
                continue;
            }
            Dropout dropout{p.dropout_key, p.dropout_threshold, p.dropout_scale};
            float* logits = forward_from_first(n, true, p.dropout ? &dropout : nullptr);
            losses[step * networks + n] = loss(logits) / batch.samples;
            backward(n, logits, p.dropout ? p.dropout_scale : 1.f);
        }
        input.gradient(batch, first_delta);
    }

    int64_t first_size() const { return (int64_t)rows(0) * columns; }

    AdamW optimizer(int network) const {
        const Plan& p = plans[network];
        return AdamW(p.steps_before + step + 1, p.learning_rate, p.decay);
    }

    // The logits of one network, its first layer's sums done.
    float* forward_from_first(int network, bool training, const Dropout* dropout) {
        row_sums[0] = first_sums + network * first_size();
        if (!counts[0]) hidden[1] = row_sums[0];
        merged[0] = merged[1] = false;
        for (int l = 0; l < layers; l++) {
            bool with_relu = l + 1 < layers;
            if (l > 0) {
                float* h = hidden[l];
                live[l].find_live(h, widths[l], panels_of(l - 1));
                if (dropout) drop(h, widths[l], live[l], batch.panels, *dropout, (uint32_t)step, (uint32_t)(l - 1));
                merged[l] = l > 1 && (merged[l - 1] || may_merge(h, l, dropout));
                auto product = with_relu && !counts[l] ? ::forward<true> : ::forward<false>;
                product(layer(network, l), h, live[l], row_sums[l], panels_of(l), paired(l, training));
            }
            if (counts[l]) dendrites_of(network, l).forward(row_sums[l], hidden[l + 1], with_relu, panels_of(l));
        }
        return hidden[layers];
    }

    bool may_merge(const float* h, int l, const Dropout* dropout) const {
        return !dropout && widths[layers] <= batch.samples && columns_equal(h, live[l], widths[l], batch.panels);
    }

    // The sum of the batch's losses; the logits become their gradient. In merged layers column c becomes the
    // gradient of a sample of class c, and per_class[c] says how many samples that is.
    double loss(float* logits) {
        int classes = widths[layers];
        float share = 1.f / batch.samples;
        if (!merged[layers - 1])
            return softmax_loss(logits, classes, batch.samples, batch.panels, batch.labels.data(), share);
        std::fill(per_class, per_class + panels_for(classes) * PANEL, 0.f);
        for (int s = 0; s < batch.samples; s++) per_class[batch.labels[s]] += 1;
        return softmax_loss(logits, classes, classes, panels_for(classes), class_labels.data(), share, per_class);
    }

    void backward(int network, float* d, float scale) {
        AdamW opt = optimizer(network);
        float* first = first_delta + network * first_size();
        live[layers].count = widths[layers];  // all logits count
        for (int l = layers - 1; l >= 1; l--) {
            if (l + 1 < layers && merged[l + 1] && !merged[l]) d = expand(d, l + 1);
            const float* weight = merged[l] ? per_class : nullptr;
            if (counts[l]) {
                Dendrites& grown = dendrites_of(network, l);
                grown.backward(row_sums[l], d, live[l + 1], weight, row_delta, panels_of(l), opt);
                grown.find_rows(live[l + 1], live_rows);
                d = row_delta;
            }
            const Dense& at = layer(network, l);
            const Units &in = live[l], &out = counts[l] ? live_rows : live[l + 1];
            float* h = hidden[l];
            float* below = delta[l & 1];
            int panels = panels_of(l), all_columns = panels * PANEL;
            if (l == 1 && !counts[0]) below = first;
            if (l == 1 && !in.all(widths[1])) memset(below, 0, sizeof(float) * widths[1] * all_columns);
            const PairRoom* room = paired(l, true);
            if (room) {
                pair_rows(d, out.count, panels, room->panels, nullptr, out.count);
                input_gradient(at, room->panels, out, h, in, below, l == 1, scale, panels, room->rows, (Pair*)room->row);
            } else {
                input_gradient(at, d, out, h, in, below, l == 1, scale, panels, packed);
            }
            if (at.inputs <= NARROW) {
                narrow_weight_gradient(at, d, out, h, weight, panels, opt, gradients);
            } else {
                transpose_live(h, at.inputs, in, weight, turned, panels);
                if (room) {
                    pair_neighbours(d, (int64_t)out.count * all_columns, room->rows);
                    pair_rows(turned, all_columns, panels_for(in.count + 1), room->panels, nullptr, all_columns);
                    weight_gradient(at, room->rows, out, in, room->panels, panels, opt, gradients);
                } else {
                    weight_gradient(at, d, out, in, turned, panels, opt, gradients);
                }
            }
            d = below;
            // Where the gradient underflowed, nothing below moves.
            if (l > 1 && all_zero(d, (int64_t)panels_of(l) * in.count * PANEL)) live[l].count = 0;
        }
        if (counts[0]) dendrites_of(network, 0).backward(row_sums[0], d, first_units, nullptr, first, batch.panels, opt);
    }

    // From a column per class to one per sample: the gradient of layer l of activations.
    float* expand(const float* d, int l) {
        int rows = live[l].count;
        float* full = delta[2];
        for (int s = 0; s < batch.panels * PANEL; s++) {
            int c = batch.labels[s];
            const float* from = d + (int64_t)(c / PANEL) * rows * PANEL + c % PANEL;
            float* to = full + (int64_t)(s / PANEL) * rows * PANEL + s % PANEL;
            for (int k = 0; k < rows; k++) to[(int64_t)k * PANEL] = s < batch.samples ? from[(int64_t)k * PANEL] : 0.f;
        }
        return full;
    }
};
