// AVX-512 with instructions for products of bytes; it replaces only the slots for bytes.
#include <string.h>

#include "../isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma"))), apply_to = function)
#define CK_HAS_DOT4
#include "../vec/vec_avx512.h"
#include "../body/math_body.h"

// 8 x 32 sums in 16 registers. Panels are as wide as those of plain AVX-512.
enum { MR8 = 8, NV = 2, NR = NV * VL };
#include "../body/activated_body.h"
#include "../body/int8_product_body.h"
#include "../body/quantize_scale.h"
#include "../body/quantize_body.h"
#include "../body/stored_body.h"
#define CK_UNPACK unpack_int8
#define CK_UNPACK_FN(part) int8_unpack_##part
#define CK_GROUP 4
#include "../body/unpack_body.h"
#pragma clang attribute pop

static int supported(void) { return __builtin_cpu_supports("avx512vnni") && ck_isa_avx512.supported(); }

#define CK_INT8_ONLY
#include "../body/overlay_body.h"

static void overlay(ck_table *t) {
  overlay_int8(t);
  t->has_native_int8 = 1;
}
#else
static int supported(void) { return 0; }
static void overlay(ck_table *t) { (void)t; }
#endif

const ck_isa ck_isa_avx512vnni = {"avx512vnni", supported, overlay};
