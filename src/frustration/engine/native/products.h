// The products of a dense layer, all through one register tile.
//
// Every sum runs in one fixed order (k ascending; samples ascending), whatever the width of vectors.
#pragma once
#include "adamw.h"
#include "bfloat16.h"
#include <type_traits>

// One dense layer of one network.
struct Dense {
    int64_t inputs, outputs, stride;
    Parameters weights;  // [outputs][stride]: the inputs' weights, then the bias
    uint8_t* touched;    // [outputs]: whether a row's moments may be other than 0

    Dense(Arena& arena, int inputs, int outputs)
        : inputs(inputs), outputs(outputs), stride((inputs + 1 + 15) / 16 * 16), weights(arena, outputs * stride),
          touched(arena.zeros<uint8_t>(outputs)) {}

    const float* row(int output) const { return weights.arrays[WEIGHTS] + output * stride; }

    template <class F> void visit(Array which, F f) {  // f(number): rows [outputs][inputs], then the biases
        float* at = weights.arrays[which];
        for (int o = 0; o < outputs; o++)
            for (int i = 0; i < inputs; i++) f(at[o * stride + i]);
        for (int o = 0; o < outputs; o++) f(at[o * stride + inputs]);
    }
};

// Rows in tiles of nearly equal height: 115 rows are 11 + 12 + 11 + …, not 9 times 12 and 7.
struct Tiles {
    int64_t rows;
    int count;
    explicit Tiles(int64_t rows) : rows(rows), count((int)((rows + TILE_ROWS - 1) / TILE_ROWS)) {}
    int start(int tile) const { return (int)(rows * tile / count); }

    template <class F> inline ALWAYS_INLINE void each(int from, int to, F f) const {  // f(first row, height)
        for (int tile = from; tile < to; tile++) f(start(tile), start(tile + 1) - start(tile));
    }
};
constexpr int TILES_PER_PASS = 4;  // tiles per pass over the samples: their weights stay in the second-level cache

// The left operand of a product: (r, k) is at[r * row + k * step], `panel` further on in every next panel of k.
template <class T> struct Left {
    const T* at;
    int64_t row, step, panel = 0;
};

// Calls f with a tile's height as a compile-time constant.
template <class F, int... R> INLINE void with_height(int height, F f, std::integer_sequence<int, R...>) {
    (void)((height == R + 1 && (f(std::integral_constant<int, R + 1>{}), true)) || ...);
}

// A register tile: use(r, j, start(r, j) + sum over k of a(r, i) * b[i][j]), i = index[k] or, without an index, k; b
// goes on where a panel of k has ended, and its rows have WIDTH numbers.
template <int N, int WIDTH = PANEL, bool INDEXED = false, class T, class Start, class Use>
INLINE void multiply(int height, Left<T> a, const T* b, int64_t count, Start start, Use use, int panels = 1,
                     const int* index = nullptr) {
    auto tile = [&](auto rows) {
        constexpr int R = rows;
        V sums[R][N];
        for (int r = 0; r < R; r++)
            for (int j = 0; j < N; j++) sums[r][j] = start(r, j);
        const T* b_panel = b;
        for (int panel = 0; panel < panels; panel++, b_panel += count * WIDTH)
            for (int64_t k = 0; k < count; k++) {
                int64_t i = INDEXED ? index[k] : k;
                const T *a_k = a.at + panel * a.panel + i * a.step, *b_k = b_panel + i * WIDTH;
                decltype(load(b)) x[N];
                for (int j = 0; j < N; j++) x[j] = load(b_k + j * LANES);
                for (int r = 0; r < R; r++) {
                    auto w = splat(a_k[r * a.row]);
                    for (int j = 0; j < N; j++) sums[r][j] = fma(w, x[j], sums[r][j]);
                }
            }
        for (int r = 0; r < R; r++)
            for (int j = 0; j < N; j++) use(r, j, sums[r][j]);
    };
    with_height(height, tile, std::make_integer_sequence<int, TILE_ROWS>{});
}
INLINE V zero(int, int) { return V{}; }

// Read a number of every cache line, so that misses overlap before a tile's rows are read side by side.
// Measured: 115*115, whose networks do not fit the cache, 1.09 times as fast.
INLINE void fetch(const float* from, const float* to) {
    float sum = 0;
    for (; from < to; from += 16) sum += *from;
    asm volatile("" ::"r"(sum));
}

// out = weights in + bias, and ReLU if asked for. With room for them, from paired operands.
static void forward(const Dense& layer, const float* in, const Units& live, float* out, bool with_relu, int panels,
                    const PairRoom* room) {
    Tiles tiles(layer.outputs);
    int64_t pairs = (live.count + 1) / 2, stride = (pairs + LANES - 1) / LANES * LANES;
    const int* units = live.index.data();
    if (room) pair_rows(in, layer.inputs, panels, room->panels, units, live.count);
    for (int block = 0; block < tiles.count; block += TILES_PER_PASS) {
        int end = std::min(tiles.count, block + TILES_PER_PASS), first = tiles.start(block), last = tiles.start(end);
        for (int o = first; room && o < last; o++) {
            for (int i = 0; i < live.count; i++) room->gathered[i] = layer.row(o)[live.index[i]];
            room->gathered[live.count] = 0;  // the last one's partner, if their number is odd
            pair_neighbours(room->gathered, live.count, room->rows + (o - first) * stride);
        }
        fetch(layer.row(first), layer.row(last));
        for (int p = 0; p < panels; p++)
            tiles.each(block, end, [&](int start, int height) ALWAYS_INLINE {
                float* z = out + (p * layer.outputs + start) * PANEL;
                auto bias = [&](int r, int) { return splat(layer.row(start + r)[layer.inputs]); };
                auto keep = [&](int r, int j, V sum) { store(z + r * PANEL + j * LANES, with_relu ? relu(sum) : sum); };
                Left<float> w{layer.row(start), layer.stride, 1};
                const float* x = in + p * layer.inputs * PANEL;
                if (!room)
                    return multiply<TILE_VECTORS, PANEL, true>(height, w, x, live.count, bias, keep, 1, units);
                Left<Pair> paired{room->rows + (start - first) * stride, stride, 1};
                multiply<TILE_VECTORS>(height, paired, room->panels + p * pairs * PANEL, pairs, bias, keep);
            });
    }
}

// delta_in[i] = (h[i] > 0) * scale * sum over o of weights[o][i] * delta_out[o].
//
// delta_out has a row for each unit in `out`. delta_in gets a row for each unit in `in`, or, if full, for all
// inputs, of which the dead ones are left alone. A dropped activation is 0, as a dead one is: no mask is
// needed on the way back. The weights are packed column by column first: reads of the transpose would
// touch a cache line and a page per element. T: float, or Pair of rows of delta_out; `row`: room for a row of pairs.
template <class T>
static void input_gradient(const Dense& layer, const T* delta_out, const Units& out, const float* h, const Units& in,
                           float* delta_in, bool full, float scale, int panels, T* packed, [[maybe_unused]] T* row) {
    Tiles tiles(in.count);
    constexpr int EACH = std::is_same_v<T, Pair> ? 2 : 1;
    int64_t depth = (out.count + EACH - 1) / EACH;
    for (int block = 0; block < tiles.count; block += TILES_PER_PASS) {
        int end = std::min(tiles.count, block + TILES_PER_PASS), first = tiles.start(block);
        const int *units = in.index.data() + first, *last = in.index.data() + tiles.start(end) - 1;
        for (int64_t k = 0; k < depth; k++) {
            const T* w;
            if constexpr (EACH == 1) {
                w = layer.row(out.index[k]);
            } else {
                const float* even = layer.row(out.index[2 * k]);
                const float* odd = 2 * k + 1 < out.count ? layer.row(out.index[2 * k + 1]) : nullptr;
                for (int i = *units / LANES * LANES; i <= *last; i += LANES)
                    store(row + i, pair(load(even + i), odd ? load(odd + i) : V{}));
                w = row;
            }
            tiles.each(block, end, [&](int start, int height) ALWAYS_INLINE {
                T* q = packed + (start - first) * depth + k * height;
                for (int r = 0; r < height; r++) q[r] = w[units[start - first + r]];
            });
        }
        for (int p = 0; p < panels; p++)
            tiles.each(block, end, [&](int start, int height) ALWAYS_INLINE {
                const int* unit = units + start - first;
                Left<T> q{packed + (start - first) * depth, 1, height};
                multiply<TILE_VECTORS>(height, q, delta_out + p * depth * PANEL, depth, zero, [&](int r, int j, V sum) {
                    int64_t to = full ? p * layer.inputs + unit[r] : p * in.count + start + r;
                    V on = load(h + (p * layer.inputs + unit[r]) * PANEL + j * LANES);
                    store(delta_in + to * PANEL + j * LANES, on > 0.f ? sum * scale : V{});
                });
            });
    }
}

static void input_gradient(const Dense& layer, const float* delta, const Units& out, const float* h, const Units& in,
                           float* delta_in, bool full, float scale, int panels, float* packed, const PairRoom* room) {
    if (!room) return input_gradient<float>(layer, delta, out, h, in, delta_in, full, scale, panels, packed, nullptr);
    pair_rows(delta, out.count, panels, room->panels, nullptr, out.count);
    input_gradient(layer, room->panels, out, h, in, delta_in, full, scale, panels, room->rows, room->row);
}
