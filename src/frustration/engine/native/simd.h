// One vector type for every CPU. Arithmetic, comparisons and shuffles are the vector extensions of GCC and
// Clang; only what they cannot express (fused multiply-add, square root, 32 x 32 -> 64 bit product, "any
// lane") has one line per CPU, and only here.
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
#define FRUSTRATION_AVX512
constexpr int LANES = 16, TILE_ROWS = 12, TILE_VECTORS = 2;  // 24 of 32 registers accumulate
#elif defined(__AVX2__) && defined(__FMA__)
#define FRUSTRATION_AVX2
constexpr int LANES = 8, TILE_ROWS = 6, TILE_VECTORS = 2;  // 12 of 16
#elif defined(__aarch64__)
constexpr int LANES = 4, TILE_ROWS = 6, TILE_VECTORS = 4;  // 24 of 32
#else
#define FRUSTRATION_NO_FMA
constexpr int LANES = 4, TILE_ROWS = 6, TILE_VECTORS = 4;  // plain x86-64: last bits differ
#endif
constexpr int PANEL = TILE_VECTORS * LANES;  // how many samples one register tile spans; 16 or 32

typedef float V __attribute__((vector_size(4 * LANES), may_alias));
typedef int32_t VI __attribute__((vector_size(4 * LANES), may_alias));
typedef uint32_t VU __attribute__((vector_size(4 * LANES), may_alias));
typedef uint64_t VQ __attribute__((vector_size(4 * LANES), may_alias));

#define INLINE_MEMBER inline __attribute__((always_inline))
#define INLINE static INLINE_MEMBER

INLINE V load(const float* p) { return *(const V*)p; }
INLINE VU load(const uint32_t* p) { return *(const VU*)p; }
INLINE void store(float* p, V v) { *(V*)p = v; }
INLINE void store(uint32_t* p, VU v) { *(VU*)p = v; }
INLINE V splat(float x) { return x - V{}; }
INLINE VU splat(uint32_t x) { return x - VU{}; }
INLINE V relu(V a) { return a < 0.f ? V{} : a; }  // a NaN stays one

INLINE V fma(V a, V b, V c) {  // a * b + c, rounded once
#if defined(FRUSTRATION_AVX512)
    return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(FRUSTRATION_AVX2)
    return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
    return (V)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

// Two bfloat16 in one word: their products and the sum, a.high * b.high first, each step rounded once. What the
// instruction of AVX512-BF16 does on AMD's Zen 5, bit for bit (64 million random cases).
INLINE V fma(VU a, VU b, V c) {
#if defined(FRUSTRATION_AVX512) && defined(__AVX512BF16__)
    return (V)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
#else
    return fma((V)(a << 16), (V)(b << 16), fma((V)(a & 0xffff0000u), (V)(b & 0xffff0000u), c));
#endif
}

INLINE V sqrt(V a) {
#if defined(FRUSTRATION_AVX512)
    return (V)_mm512_sqrt_ps((__m512)a);
#elif defined(FRUSTRATION_AVX2)
    return (V)_mm256_sqrt_ps((__m256)a);
#elif defined(__aarch64__)
    return (V)vsqrtq_f32((float32x4_t)a);
#else
    return (V)_mm_sqrt_ps((__m128)a);
#endif
}

INLINE bool any(VI mask) {  // is any lane set? Lanes are 0 or -1.
#if defined(FRUSTRATION_AVX512)
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask);
#elif defined(FRUSTRATION_AVX2)
    return _mm256_movemask_epi8((__m256i)mask);
#elif defined(__aarch64__)
    return vmaxvq_u32((uint32x4_t)mask);
#else
    return _mm_movemask_epi8((__m128i)mask);
#endif
}

INLINE VQ multiply_low(VQ a, VQ b) {  // the low 32 bits of every 64-bit lane, multiplied to 64 bits
#if defined(FRUSTRATION_AVX512)
    return (VQ)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(FRUSTRATION_AVX2)
    return (VQ)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__aarch64__)
    return (VQ)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b));
#else
    return (VQ)_mm_mul_epu32((__m128i)a, (__m128i)b);
#endif
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

// exp(x) for x <= 0, relative error 1e-7 (the polynomial of the Cephes library). A NaN stays one.
INLINE V exp_negative(V x) {
    x = x < -87.f ? splat(-87.f) : x;
    V n = fma(x, splat(1.44269504f), splat(12582912.f)) - 12582912.f;  // x / log(2), to the nearest integer
    V r = fma(n, splat(2.12194440e-4f), fma(n, splat(-0.693359375f), x));
    V p = splat(1.9875691500e-4f);
    for (float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
        p = fma(p, r, splat(c));
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
    V p = splat(7.0376836292e-2f);
    for (float c : {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f,
                    2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f})
        p = fma(p, m, splat(c));
    V square = m * m;
    V y = fma(e, splat(-2.12194440e-4f), p * m * square);
    y = fma(square, splat(-0.5f), y);
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
