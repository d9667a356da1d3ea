// The kernels of x86_avxvnni.c with AVX-512 VNNI's encoding of the 256-bit instructions: the same results.
#include <string.h>

#include "../isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512vl,avx512vnni"))), apply_to = function)
#define CK_DOT4 _mm256_dpbusd_epi32
#include "../body/avxvnni_body.h"
#pragma clang attribute pop

#define CK_INT8_ONLY
#include "../body/overlay_body.h"

int ck_avxvnni_evex_supported(void) { return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl"); }
void ck_avxvnni_evex_overlay(ck_table *t) { overlay_int8(t); }
#endif
