// The plain C interface that library.py opens with ctypes, which releases Python's lock during calls. What it is given
// library.py has checked. Only team_new takes memory; where there is not enough, it returns null.
#include "team.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int32_t frustration_lanes() { return LANES; }
EXPORT int32_t frustration_has_fma() { return HAS_FMA; }
EXPORT int32_t frustration_has_bf16() {
#ifdef __AVX512BF16__
    return 1;
#else
    return 0;
#endif
}

// widths: [layers + 1]; dendrites: [layers] per unit of every linear layer.
EXPORT Team* team_new(int32_t networks, int32_t layers, const int32_t* widths, const int32_t* dendrites,
                      int32_t function, const Pixels* pixels, int64_t batch_size, int32_t bf16) {
    try {
        return new Team(networks, {widths, widths + layers + 1}, {dendrites, dendrites + layers}, function, *pixels,
                        batch_size, bf16);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
EXPORT void team_free(Team* team) { delete team; }
EXPORT void team_read(Team* team, int32_t network, float* flat, int32_t which) {
    team->visit(network, (Array)which, [&](float number) { *flat++ = number; });
}
EXPORT void team_write(Team* team, int32_t network, const float* flat, int32_t which) {
    team->visit(network, (Array)which, [&](float& number) { number = *flat++; });
    team->written(network, (Array)which);
}
EXPORT void team_forget_moments(Team* team) { team->forget_moments(); }
EXPORT int64_t team_advance(Team* team, const Epoch* epoch, int64_t step, double seconds) {
    return team->advance(*epoch, step, seconds);
}
EXPORT int64_t team_evaluate(Team* team, const Images* images, int64_t first, int64_t* correct, double seconds) {
    return team->evaluate(*images, first, correct, seconds);
}
