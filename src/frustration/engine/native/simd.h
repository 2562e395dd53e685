// One vector type for every CPU. Arithmetic, comparisons and shuffles are the vector extensions of GCC and
// Clang; only what they cannot express (fused multiply-add, square root, 32 x 32 -> 64 bit product, "any
// lane") names instructions, and only here.
//
// Width and the shape of register tiles are all that differs. Lanes are always samples or units, never parts
// of one sum, and the compiler may not fuse on its own (-ffp-contract=off): so every CPU with FMA makes the
// same bits.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <utility>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__)
constexpr int LANES = 16, TILE_ROWS = 12, TILE_VECTORS = 2;  // 24 of 32 registers accumulate
#define ON_THIS_CPU(avx512, avx2, neon, plain) avx512
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int LANES = 8, TILE_ROWS = 6, TILE_VECTORS = 2;  // 12 of 16
#define ON_THIS_CPU(avx512, avx2, neon, plain) avx2
#elif defined(__aarch64__)
constexpr int LANES = 4, TILE_ROWS = 6, TILE_VECTORS = 4;  // 24 of 32
#define ON_THIS_CPU(avx512, avx2, neon, plain) neon
#else
constexpr int LANES = 4, TILE_ROWS = 6, TILE_VECTORS = 4;  // plain x86-64: last bits differ
#define ON_THIS_CPU(avx512, avx2, neon, plain) plain
#endif
constexpr bool HAS_FMA = ON_THIS_CPU(true, true, true, false);
constexpr int PANEL = TILE_VECTORS * LANES;  // how many samples one register tile spans; 16 or 32

typedef float V __attribute__((vector_size(4 * LANES), may_alias));
typedef int32_t VI __attribute__((vector_size(4 * LANES), may_alias));
typedef uint32_t VU __attribute__((vector_size(4 * LANES), may_alias));
typedef uint64_t VQ __attribute__((vector_size(4 * LANES), may_alias));

#define ALWAYS_INLINE __attribute__((always_inline))
#define INLINE static inline ALWAYS_INLINE

INLINE V load(const float* p) { return *(const V*)p; }
INLINE VU load(const uint32_t* p) { return *(const VU*)p; }
INLINE void store(float* p, V v) { *(V*)p = v; }
INLINE void store(uint32_t* p, VU v) { *(VU*)p = v; }
INLINE V splat(float x) { return x - V{}; }
INLINE VU splat(uint32_t x) { return x - VU{}; }
INLINE V relu(V a) { return a < 0.f ? V{} : a; }  // a NaN stays one

INLINE V fma(V a, V b, V c) {  // a * b + c, rounded once
    return ON_THIS_CPU(_mm512_fmadd_ps(a, b, c), _mm256_fmadd_ps(a, b, c), vfmaq_f32(c, a, b), a * b + c);
}
INLINE V sqrt(V a) { return ON_THIS_CPU(_mm512_sqrt_ps(a), _mm256_sqrt_ps(a), vsqrtq_f32(a), _mm_sqrt_ps(a)); }

INLINE bool any(VI mask) {  // is any lane set? Lanes are 0 or -1.
    return ON_THIS_CPU(_mm512_test_epi32_mask((__m512i)mask, (__m512i)mask), _mm256_movemask_epi8((__m256i)mask),
                       vmaxvq_u32((uint32x4_t)mask), _mm_movemask_epi8((__m128i)mask));
}

INLINE VQ multiply_low(VQ a, VQ b) {  // the low 32 bits of every 64-bit lane, multiplied to 64 bits
    return (VQ)ON_THIS_CPU(_mm512_mul_epu32((__m512i)a, (__m512i)b), _mm256_mul_epu32((__m256i)a, (__m256i)b),
                           vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b)),
                           _mm_mul_epu32((__m128i)a, (__m128i)b));
}

// Interleave the low (FIRST = 0) or the high halves of two vectors: a[FIRST], b[FIRST], a[FIRST + 1], …
template <int FIRST, class T, int... I> INLINE T interleave(T a, T b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, ((I & 1) * sizeof...(I) + FIRST + I / 2)...);
}
template <class T> using Places = std::make_integer_sequence<int, sizeof(T) / sizeof(T{}[0])>;
template <class T> INLINE T zip_low(T a, T b) { return interleave<0>(a, b, Places<T>{}); }
template <class T> INLINE T zip_high(T a, T b) { return interleave<Places<T>::size() / 2>(a, b, Places<T>{}); }

INLINE void transpose(V* rows) {  // LANES x LANES, by log2(LANES) perfect shuffles
    for (int size = 1; size < LANES; size *= 2) {
        V shuffled[LANES];
        for (int i = 0; i < LANES / 2; i++) {
            shuffled[2 * i] = zip_low(rows[i], rows[i + LANES / 2]);
            shuffled[2 * i + 1] = zip_high(rows[i], rows[i + LANES / 2]);
        }
        for (int i = 0; i < LANES; i++) rows[i] = shuffled[i];
    }
}

INLINE V polynomial(V x, std::initializer_list<float> coefficients) {  // the highest power's first
    auto c = coefficients.begin();
    V p = splat(*c);
    while (++c != coefficients.end()) p = fma(p, x, splat(*c));
    return p;
}

// exp(x) for x <= 0, relative error 1e-7 (the polynomial of the Cephes library). A NaN stays one.
INLINE V exp_negative(V x) {
    x = x < -87.f ? splat(-87.f) : x;
    V n = fma(x, splat(1.44269504f), splat(12582912.f)) - 12582912.f;  // x / log(2), to the nearest integer
    V r = fma(n, splat(2.12194440e-4f), fma(n, splat(-0.693359375f), x));
    V p = polynomial(r, {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f,
                         5.0000001201e-1f});
    p = fma(p, r * r, r) + 1.f;
    return p * (V)((__builtin_convertvector(n, VI) + 127) << 23);  // times 2^n
}

// log(x) for finite x >= 1, absolute error 1e-7 (Cephes again). Not libm's: that differs between systems.
INLINE V log_above_one(V x) {
    VI bits = (VI)x;
    V e = __builtin_convertvector((bits >> 23) - 126, V);
    V m = (V)((bits & 0x007fffff) | 0x3f000000);  // x = m 2^e, 0.5 <= m < 1
    VI small = m < 0.707106781f;
    e = small ? e - 1.f : e;
    m = (small ? m + m : m) - 1.f;
    V p = polynomial(m, {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                         -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f});
    V square = m * m;
    V y = fma(square, splat(-0.5f), fma(e, splat(-2.12194440e-4f), p * m * square));
    return fma(e, splat(0.693359375f), m + y);
}

// Numbers below 2^-126 become 0, for the calling thread and as long as this lives. Moments of nearly dead
// weights decay into that range, where arithmetic is slow: measured: AdamW alone up to twice as slow.
struct FlushDenormals {
#if defined(__x86_64__)
    unsigned before = _mm_getcsr();
    FlushDenormals() { _mm_setcsr(before | 0x8040); }
    ~FlushDenormals() { _mm_setcsr(before); }
#elif defined(__aarch64__)
    uint64_t before;
    FlushDenormals() {
        asm volatile("mrs %0, fpcr" : "=r"(before));
        asm volatile("msr fpcr, %0" ::"r"(before | (1ull << 24)));
    }
    ~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(before)); }
#endif
    FlushDenormals(const FlushDenormals&) = delete;
};
