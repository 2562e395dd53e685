// Trains and evaluates small networks of awkward sizes through the C interface; scripts/test_native.py runs it
// under the sanitizers. Prints a hash of every weight: the same on every CPU with fused multiply-add.
#include "api.cpp"
#include <cstdio>

static uint64_t state = 12345;
static uint32_t random_word() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

struct Case {
    std::vector<int32_t> widths;
    int samples, batch, networks, core;
    std::vector<int32_t> dendrites = {};  // none
    int function = 0, bf16 = 0, numbers = 0;  // numbers: samples are no images
};

static uint64_t run(const Case& c) {
    int features = c.widths.front(), classes = c.widths.back();
    std::vector<uint8_t> bytes((size_t)c.samples * features);
    std::vector<int64_t> labels(c.samples), order(c.samples);
    for (auto& byte : bytes) byte = random_word() % 4 ? 0 : random_word() & 255;
    for (int i = 0; i < c.samples; i++) labels[i] = random_word() % classes, order[i] = c.samples - 1 - i;
    std::vector<int32_t> pixels(features), label(labels.begin(), labels.end());
    for (int j = 0; j < features; j++) pixels[j] = features - 1 - j;
    std::vector<uint8_t> core;
    std::vector<int64_t> start = {0};
    std::vector<Lit> rim;
    for (int i = 0; i < c.samples; i++) {
        for (int j = 0; j < features; j++) {
            uint8_t byte = bytes[(size_t)i * features + pixels[j]];
            if (j < c.core) core.push_back(byte);
            else if (byte) rim.push_back({(uint16_t)(j - c.core), byte});
        }
        start.push_back((int64_t)rim.size());
    }
    std::vector<float> values;
    if (c.numbers) {
        for (uint8_t byte : bytes) values.push_back((byte - 77) * 0.013f);
        start.assign(c.samples + 1, 0);
    }
    Images images{c.samples, label.data(), core.data(), start.data(), rim.data(), c.numbers ? values.data() : nullptr};
    Pixels layout{features, c.core, 0, c.numbers ? 0 : -0.4f, 0.012f, pixels.data()};
    std::vector<int32_t> dendrites = c.dendrites;
    dendrites.resize(c.widths.size() - 1);
    Team* team = team_new(c.networks, (int)dendrites.size(), c.widths.data(), dendrites.data(), c.function, &layout,
                          c.batch, c.bf16);
    if (!team) {
        printf("not enough memory\n");
        exit(1);
    }
    std::vector<Plan> plans;
    int64_t parameters = 0;
    for (size_t l = 0; l < dendrites.size(); l++) {
        int64_t k = dendrites[l], units = c.widths[l + 1];
        parameters += (k + 1) * units * (c.widths[l] + 1) + (k + k * (k - 1) / 2) * units;
    }
    std::vector<float> flat(parameters);
    for (int n = 0; n < c.networks; n++) {
        for (float& w : flat) w = ((int)(random_word() >> 8) - (1 << 23)) * 0x1p-25f;
        team_write(team, n, flat.data(), WEIGHTS);
        Dropout dropout{77u + n, n % 2 ? 1u << 30 : 0, n % 2 ? 4 / 3.f : 1};
        plans.push_back({n * 10, dropout, 1e-3, n == 2 ? 0.99f : 1, n % 2, n == 3});
    }
    int64_t steps = (c.samples + c.batch - 1) / c.batch;
    std::vector<double> losses(steps * c.networks);
    Epoch training{&images, order.data(), c.samples, plans.data(), losses.data()};
    for (int epoch = 0; epoch < 3; epoch++) {
        team_forget_moments(team);
        for (int64_t step = 0; step < steps;) step = team_advance(team, &training, step, 1e-4);
    }
    std::vector<int64_t> correct(c.networks);
    correct[0] = c.networks > 1 ? -1 : 0;
    for (int64_t done = 0; done < c.samples;) done = team_evaluate(team, &images, done, correct.data(), 1e-4);
    uint64_t hash = 1469598103934665603ull;
    for (int n = 0; n < c.networks; n++)
        for (int array = 0; array < 3 && n != 3; array++) {  // the fourth rests, and is anything
            team_read(team, n, flat.data(), array);
            for (float w : flat) {
                uint32_t bits;
                memcpy(&bits, &w, 4);
                hash = (hash ^ bits) * 1099511628211ull;
            }
        }
    team_free(team);
    return hash;
}

int main() {
    std::vector<int32_t> deep(302, 5), wide(42, 24);
    deep.front() = wide.front() = 40;
    deep.back() = wide.back() = 10;
    for (const Case& c : std::vector<Case>{{{40, 3}, 70, 16, 4, 0},
                                           {{40, 37, 10}, 600, 256, 4, 11},
                                           {{40, 45, 45, 10}, 300, 128, 3, 40},
                                           {{1, 1, 1}, 1, 1, 1, 0},
                                           {{3, 2, 1, 2, 50}, 9, 4, 2, 1},
                                           {{33, 70, 4, 300}, 520, 515, 1, 7},
                                           {deep, 64, 50, 4, 13},
                                           {wide, 90, 64, 2, 20},
                                           {{40, 3}, 70, 16, 4, 0, {2}, 1},
                                           {{40, 37, 10}, 600, 256, 4, 11, {1, 3}, 4},
                                           {{40, 45, 1, 4, 10}, 300, 128, 3, 40, {0, 3, 1, 0}, 2},
                                           {{1, 1, 1}, 1, 1, 1, 0, {1, 1}, 3},
                                           {deep, 64, 50, 4, 13, std::vector<int32_t>(301, 2), 0},
                                           {wide, 90, 64, 3, 20, std::vector<int32_t>(41, 1), 2},
                                           {{40, 37, 10}, 600, 256, 4, 40, {}, 0, 0, 1},
                                           {{1, 1, 2}, 3, 2, 1, 1, {}, 0, 0, 1},
                                           {{54, 64, 64, 7}, 300, 128, 3, 54, {1, 0, 2}, 1, 0, 1},
                                           {{40, 67, 130, 64, 10}, 300, 128, 3, 40, {}, 0, 1},
                                           {{40, 65, 71, 99, 10}, 90, 64, 3, 40, {1, 0, 2, 1}, 0, 1}}) {
        printf("%zu layers, batch %d: %016lx\n", c.widths.size() - 1, c.batch, (unsigned long)run(c));
    }
    int32_t sizes[] = {4, 1 << 24, 1 << 24, 2}, none[] = {0, 0, 0}, order[] = {0, 1, 2, 3};
    Pixels layout{4, 0, 0, 0, 1, order};
    if (team_new(1, 3, sizes, none, 0, &layout, 4, 0)) return 1;
    printf("refused: what does not fit\n");
}
