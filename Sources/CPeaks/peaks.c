#include "CPeaks.h"

// Twelve chains of dependent sums: more than the latency times the units, and fewer than any instruction set's registers.
#define CHAINS 12
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

// Keeps a register's value in use, and from being known, without doing anything with it.
#if defined(__x86_64__)
#define USE(x) __asm__ volatile("" : "+v"(x))
#else
#define USE(x) __asm__ volatile("" : "+w"(x))
#endif

#if defined(__x86_64__)
#include <immintrin.h>

#define LOOP(type, zero, step)                                                                                     \
  type a = zero, b = zero;                                                                                         \
  USE(a);                                                                                                          \
  USE(b);                                                                                                          \
  type c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero, c7 = zero, c8 = zero,          \
       c9 = zero, c10 = zero, c11 = zero;                                                                          \
  for (size_t turn = 0; turn < turns; turn++) {                                                                    \
    EACH(step)                                                                                                     \
  }

#define SSE_STEP(i) c##i = _mm_add_ps(c##i, _mm_mul_ps(a, b)); USE(c##i);
static void sse(size_t turns) { LOOP(__m128, _mm_setzero_ps(), SSE_STEP) }

#define FMA_STEP(i) c##i = _mm256_fmadd_ps(a, b, c##i); USE(c##i);
__attribute__((target("avx2,fma"))) static void avx2(size_t turns) { LOOP(__m256, _mm256_setzero_ps(), FMA_STEP) }

#define FMA512_STEP(i) c##i = _mm512_fmadd_ps(a, b, c##i); USE(c##i);
__attribute__((target("avx512f"))) static void avx512(size_t turns) { LOOP(__m512, _mm512_setzero_ps(), FMA512_STEP) }

__attribute__((target("avx512f,avx512bf16"))) static void bf16(size_t turns) {
#define BF16_STEP(i) c##i = _mm512_dpbf16_ps(c##i, (__m512bh)a, (__m512bh)b); USE(c##i);
  LOOP(__m512, _mm512_setzero_ps(), BF16_STEP)
}

__attribute__((target("avx512f,avx512vnni"))) static void vnni(size_t turns) {
#define VNNI_STEP(i) c##i = _mm512_dpbusd_epi32(c##i, a, b); USE(c##i);
  LOOP(__m512i, _mm512_setzero_si512(), VNNI_STEP)
}

static const cp_peak all[] = {
    {"fp32 SSE", 2.0 * 4 * CHAINS, sse},
    {"fp32 AVX2 FMA", 2.0 * 8 * CHAINS, avx2},
    {"fp32 AVX-512 FMA", 2.0 * 16 * CHAINS, avx512},
    {"bf16 vdpbf16ps", 2.0 * 32 * CHAINS, bf16},
    {"int8 vpdpbusd", 2.0 * 64 * CHAINS, vnni},
};

static int is_supported(size_t index) {
  switch (index) {
    case 0: return 1;
    case 1: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case 2: return __builtin_cpu_supports("avx512f");
    case 3: return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16");
    default: return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
  }
}

#elif defined(__aarch64__)
#include <arm_neon.h>

static void neon(size_t turns) {
  float32x4_t a = vdupq_n_f32(0), b = vdupq_n_f32(0);
  USE(a);
  USE(b);
#define DECLARE_ONE(i) float32x4_t c##i = vdupq_n_f32(0);
  EACH(DECLARE_ONE)
  for (size_t turn = 0; turn < turns; turn++) {
#define NEON_STEP(i) c##i = vfmaq_f32(c##i, a, b); USE(c##i);
    EACH(NEON_STEP)
  }
}

static const cp_peak all[] = {{"fp32 NEON FMA", 2.0 * 4 * CHAINS, neon}};

static int is_supported(size_t index) { return index == 0; }

#else

static void scalar(size_t turns) {
  volatile float sum = 0;
  for (size_t turn = 0; turn < turns; turn++) sum = sum + 1.5f * 0.5f;
}

static const cp_peak all[] = {{"fp32", 2.0, scalar}};

static int is_supported(size_t index) { return index == 0; }

#endif

const cp_peak *cp_peak_at(size_t index) {
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (!is_supported(i)) continue;
    if (index == 0) return &all[i];
    index--;
  }
  return NULL;
}

uint64_t cp_read(const void *start, size_t bytes) {
  const uint64_t *words = start;
  size_t count = bytes / sizeof *words / 16 * 16;
  uint64_t sums[16] = {0};
  for (size_t i = 0; i < count; i += 16) {
    for (size_t k = 0; k < 16; k++) sums[k] ^= words[i + k];
  }
  uint64_t all_of_it = 0;
  for (size_t k = 0; k < 16; k++) all_of_it ^= sums[k];
  return all_of_it;
}
