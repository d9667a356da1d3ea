// AVX2 with instructions for products of bytes (AVX-VNNI); it replaces only the slots for bytes. Processors with AVX-512 VNNI
// have the same instructions in another encoding. x86_avxvnni_evex.c uses that, so that these kernels run there and can be
// tested there too.
#include <string.h>

#include "../isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#define CK_DOT4 _mm256_dpbusd_avx_epi32
#include "../body/avxvnni_body.h"
#pragma clang attribute pop

// __builtin_cpu_supports does not know AVX-VNNI. The operating system must save the registers, as for AVX2.
static int has_vex_form(void) {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}

static int supported(void) { return ck_isa_avx2.supported() && (has_vex_form() || ck_avxvnni_evex_supported()); }

#define CK_INT8_ONLY
#include "../body/overlay_body.h"

static void overlay(ck_table *t) {
  if (has_vex_form()) overlay_int8(t);
  else ck_avxvnni_evex_overlay(t);
  t->has_native_int8 = 1;
}
#else
static int supported(void) { return 0; }
static void overlay(ck_table *t) { (void)t; }
#endif

const ck_isa ck_isa_avxvnni = {"avxvnni", supported, overlay};
