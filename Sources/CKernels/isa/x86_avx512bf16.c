// AVX-512 with instructions for bfloat16: only kernels that read, write or multiply bfloat16. All processors that have it have
// AVX-512 VNNI too.
#include <string.h>

#include "../isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx512vnni,fma"))), apply_to = function)
#define CK_HAS_DOT2
#define CK_HAS_DOT4
#include "../vec/vec_avx512.h"
#include "../body/math_body.h"
#include "../body/activated_body.h"
#include "../body/convert_body.h"
#include "../body/element_bf16.h"
#include "../body/norm_body.h"
#include "../body/pointwise_body.h"

// 8 x 32 sums in 16 registers. Panels are as wide as those of plain AVX-512.
enum { MR16 = 8, NV = 2, NR = NV * VL };
#include "../body/bf16_product_body.h"
#include "../body/quantize_scale.h"
#include "../body/bf16_attention_body.h"
#include "../body/winograd_math.h"
#include "../body/winograd_body.h"
#include "../body/bf16_winograd_weights_body.h"
#include "../body/stored_body.h"
#define CK_UNPACK unpack_bf16
#define CK_UNPACK_FN(part) bf16_unpack_##part
#define CK_GROUP 2
#include "../body/unpack_body.h"
#pragma clang attribute pop

static int supported(void) { return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni") && ck_isa_avx512.supported(); }

#define CK_BF16_ONLY
#include "../body/overlay_body.h"

static void overlay(ck_table *t) {
  overlay_bf16(t);
  t->has_native_bf16 = 1;
}
#else
static int supported(void) { return 0; }
static void overlay(ck_table *t) { (void)t; }
#endif

const ck_isa ck_isa_avx512bf16 = {"avx512bf16", supported, overlay};
