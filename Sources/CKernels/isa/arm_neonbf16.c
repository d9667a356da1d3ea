// NEON with instructions for bfloat16 (the extension "bf16"): only kernels that read, write or multiply bfloat16. Its products
// of 2x2 tiles (bfmmla) are not used: they would need panels of another layout. All processors that have it have i8mm too.
#include <string.h>

#include "../isa.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#pragma clang attribute push(__attribute__((target("bf16,dotprod,i8mm"))), apply_to = function)
#define CK_HAS_DOT2
#define CK_HAS_USDOT
#include "../vec/vec_neon.h"
#include "../body/math_body.h"
#include "../body/activated_body.h"
#include "../body/convert_body.h"
#include "../body/element_bf16.h"
#include "../body/norm_body.h"
#include "../body/pointwise_body.h"

// 6 x 16 sums in 24 registers. Panels are as wide as those of plain NEON.
enum { MR16 = 6, NV = 4, NR = NV * VL };
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

#if defined(__linux__)
#include <sys/auxv.h>
static int supported(void) { return ck_isa_neoni8mm.supported() && (getauxval(AT_HWCAP2) >> 14 & 1) != 0; }  // HWCAP2_BF16
#else
static int supported(void) { return 0; }
#endif

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

const ck_isa ck_isa_neonbf16 = {"neonbf16", supported, overlay};
