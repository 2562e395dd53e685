// The plain C interface that library.py opens with ctypes, which releases Python's lock during calls.
// Functions return a negative number or null where they fail; frustration_error then says why.
#include "team.h"
#include <cstdio>
#include <exception>

namespace {

thread_local char last_error[200];  // in place: where memory has run out, no string can be made

template <class R, class F> R guarded(R failure, F f) {
    try {
        return f();
    } catch (const std::bad_alloc&) {
        strcpy(last_error, "not enough memory; fewer threads, a smaller batch or smaller networks need less");
    } catch (const std::exception& error) {
        snprintf(last_error, sizeof last_error, "%s", error.what());
    }
    return failure;
}

constexpr int64_t MOST_ROWS = 1 << 24;

void require(bool condition, const char* what) {
    if (!condition) throw std::invalid_argument(what);
}

void require_order(const int32_t* order, int features, int core) {
    require(core >= 0 && core <= features, "the core is made of pixels");
    std::vector<uint8_t> seen(features);
    for (int j = 0; j < features; j++) {
        require(order[j] >= 0 && order[j] < features && !seen[order[j]], "the order must name every pixel once");
        seen[order[j]] = 1;
    }
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT const char* frustration_error() { return last_error; }
EXPORT int32_t frustration_lanes() { return LANES; }
EXPORT int32_t frustration_has_bf16() {
#ifdef __AVX512BF16__
    return 1;
#else
    return 0;
#endif
}
EXPORT int32_t frustration_has_fma() {
#ifdef FRUSTRATION_NO_FMA
    return 0;
#else
    return 1;
#endif
}

EXPORT Images* images_new(const uint8_t* bytes, const int64_t* labels, int64_t count, int32_t features, int32_t classes,
                          int32_t background, const int32_t* order, int32_t core) {
    return guarded<Images*>(nullptr, [&] {
        require(count >= 0 && features >= 1 && classes >= 1, "images need features and classes");
        require_order(order, features, core);
        return new Images(bytes, labels, count, features, classes, background, order, core);
    });
}
EXPORT void images_free(Images* images) { delete images; }

// dendrites: [widths - 1] per unit of every linear layer.
EXPORT Team* team_new(int32_t networks, int32_t widths, const int32_t* width, const int32_t* dendrites, int32_t function,
                      const float* values, int32_t background, const int32_t* order, int32_t core, int64_t batch_size,
                      int32_t bf16) {
    return guarded<Team*>(nullptr, [&] {
        require(networks >= 1, "a team needs a network");
        require(widths >= 2 && std::all_of(width, width + widths, [](int w) { return w >= 1; }), "layers need units");
        for (int l = 0; l + 1 < widths; l++)
            require(dendrites[l] >= 0 && (dendrites[l] + 1ll) * width[l + 1] <= MOST_ROWS, "a layer has at most 2^24 rows");
        require(function >= 0 && function < 5, "there is no such forward function");
        require(batch_size >= 1 && batch_size <= 1 << 24, "a batch has 1 to 2^24 samples");
        require(background >= 0 && background < 256, "the background is a byte");
        require_order(order, width[0], core);
        return new Team(networks, {width, width + widths}, {dendrites, dendrites + widths - 1}, function,
                        {values, background}, order, core, batch_size, bf16);
    });
}
EXPORT void team_free(Team* team) { delete team; }
EXPORT int64_t team_parameters(const Team* team) { return team->parameters(); }
EXPORT void team_read(Team* team, int32_t network, float* flat, int32_t array) {
    team->read(network, flat, (Team::Array)array);
}
EXPORT void team_write(Team* team, int32_t network, const float* flat, int32_t array) {
    team->write(network, flat, (Team::Array)array);
}
// Returns the number of steps of the epoch.
EXPORT int64_t team_begin(Team* team, const Images* images, const int64_t* order, int64_t samples, const Plan* plans) {
    return guarded<int64_t>(-1, [&] {
        team->begin(*images, order, samples, plans);
        return team->steps();
    });
}
EXPORT int64_t team_advance(Team* team, double seconds) {
    return guarded<int64_t>(-1, [&] { return team->advance(seconds); });
}
EXPORT void team_losses(const Team* team, double* losses) {
    std::copy(team->step_losses().begin(), team->step_losses().end(), losses);
}
EXPORT int64_t team_evaluate(Team* team, const Images* images, int64_t first, int64_t* correct, double seconds) {
    return guarded<int64_t>(-1, [&] { return team->evaluate(*images, first, correct, seconds); });
}
// What dropout makes of activations of 1, [units][samples]: for tests.
EXPORT int32_t dropout_of_ones(const Plan* plan, uint32_t step, uint32_t layer, int32_t units, int32_t samples,
                               float* out) {
    return guarded<int32_t>(-1, [&] {
        Arena arena;
        int panels = panels_for(samples);
        int64_t columns = (int64_t)panels * PANEL;
        float* h = arena.zeros<float>(units * columns);
        std::fill(h, h + units * columns, 1.f);
        Dropout dropout{plan->dropout_key, plan->dropout_threshold, plan->dropout_scale};
        drop(h, units, Units(units), panels, dropout, step, layer);
        for (int u = 0; u < units; u++)
            for (int s = 0; s < samples; s++)
                out[(int64_t)u * samples + s] = h[((int64_t)(s / PANEL) * units + u) * PANEL + s % PANEL];
        return 0;
    });
}
