#include "CPeaks.h"

// Twelve chains of dependent sums: more than latency times execution units, but fewer than the registers of any instruction
// set.
#define CHAINS 12
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

// Makes the compiler treat a register's value as used and unknown, without an instruction.
#if defined(__x86_64__)
#define USE(x) __asm__ volatile("" : "+v"(x))
#else
#define USE(x) __asm__ volatile("" : "+w"(x))
#endif

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define LOOP(type, zero, step)                                                                                     \
  type a = zero, b = zero;                                                                                         \
  USE(a);                                                                                                          \
  USE(b);                                                                                                          \
  type c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero, c7 = zero, c8 = zero,          \
       c9 = zero, c10 = zero, c11 = zero;                                                                          \
  for (size_t iteration = 0; iteration < iterations; iteration++) {                                                \
    EACH(step)                                                                                                     \
  }

#define SSE_STEP(i) c##i = _mm_add_ps(c##i, _mm_mul_ps(a, b)); USE(c##i);
static void sse(size_t iterations) { LOOP(__m128, _mm_setzero_ps(), SSE_STEP) }

#define FMA_STEP(i) c##i = _mm256_fmadd_ps(a, b, c##i); USE(c##i);
__attribute__((target("avx2,fma"))) static void avx2(size_t iterations) { LOOP(__m256, _mm256_setzero_ps(), FMA_STEP) }

#define FMA512_STEP(i) c##i = _mm512_fmadd_ps(a, b, c##i); USE(c##i);
__attribute__((target("avx512f"))) static void avx512(size_t iterations) { LOOP(__m512, _mm512_setzero_ps(), FMA512_STEP) }

__attribute__((target("avx512f,avx512bf16"))) static void bf16(size_t iterations) {
#define BF16_STEP(i) c##i = _mm512_dpbf16_ps(c##i, (__m512bh)a, (__m512bh)b); USE(c##i);
  LOOP(__m512, _mm512_setzero_ps(), BF16_STEP)
}

__attribute__((target("avx512f,avx512vnni"))) static void vnni(size_t iterations) {
#define VNNI_STEP(i) c##i = _mm512_dpbusd_epi32(c##i, a, b); USE(c##i);
  LOOP(__m512i, _mm512_setzero_si512(), VNNI_STEP)
}

__attribute__((target("avxvnni"))) static void avxvnni(size_t iterations) {
#define AVXVNNI_STEP(i) c##i = _mm256_dpbusd_avx_epi32(c##i, a, b); USE(c##i);
  LOOP(__m256i, _mm256_setzero_si256(), AVXVNNI_STEP)
}

static int has_sse(void) { return 1; }
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static int has_avx512(void) { return __builtin_cpu_supports("avx512f"); }
static int has_bf16(void) { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
static int has_vnni(void) { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }

static int has_avxvnni(void) {
  unsigned a, b, c, d;
  return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}

static const cp_peak all[] = {
    {"fp32 SSE", 2.0 * 4 * CHAINS, has_sse, sse},
    {"fp32 AVX2 FMA", 2.0 * 8 * CHAINS, has_avx2, avx2},
    {"fp32 AVX-512 FMA", 2.0 * 16 * CHAINS, has_avx512, avx512},
    {"bf16 vdpbf16ps", 2.0 * 32 * CHAINS, has_bf16, bf16},
    {"int8 vpdpbusd, 256 bits", 2.0 * 32 * CHAINS, has_avxvnni, avxvnni},
    {"int8 vpdpbusd", 2.0 * 64 * CHAINS, has_vnni, vnni},
};

#elif defined(__aarch64__)
#include <arm_neon.h>

static void neon(size_t iterations) {
  float32x4_t a = vdupq_n_f32(0), b = vdupq_n_f32(0);
  USE(a);
  USE(b);
#define DECLARE_ONE(i) float32x4_t c##i = vdupq_n_f32(0);
  EACH(DECLARE_ONE)
  for (size_t iteration = 0; iteration < iterations; iteration++) {
#define NEON_STEP(i) c##i = vfmaq_f32(c##i, a, b); USE(c##i);
    EACH(NEON_STEP)
  }
}

static int has_neon(void) { return 1; }

static const cp_peak all[] = {{"fp32 NEON FMA", 2.0 * 4 * CHAINS, has_neon, neon}};

#else

static void scalar(size_t iterations) {
  volatile float sum = 0;
  for (size_t iteration = 0; iteration < iterations; iteration++) sum = sum + 1.5f * 0.5f;
}

static int has_scalar(void) { return 1; }

static const cp_peak all[] = {{"fp32", 2.0, has_scalar, scalar}};

#endif

const cp_peak *cp_peak_at(size_t index) {
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (!all[i].is_supported()) continue;
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
  uint64_t sum = 0;
  for (size_t k = 0; k < 16; k++) sum ^= sums[k];
  return sum;
}
