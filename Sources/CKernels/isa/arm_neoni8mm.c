// NEON with products of unsigned and signed bytes (the extension "i8mm"); it replaces only the slots for bytes. Its products of
// 2x2 tiles (smmla) are not used: they would need panels of another layout.
#include <string.h>

#include "../isa.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#define CK_HAS_USDOT
#include "../vec/vec_neon.h"
#include "../body/math_body.h"

// 6 x 16 sums in 24 registers. Panels are as wide as those of plain NEON. A row of the panel takes four more registers.
enum { MR8 = 6, NV = 4, NR = NV * VL };
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

#if defined(__linux__)
#include <sys/auxv.h>
static int supported(void) { return ck_isa_neondot.supported() && (getauxval(AT_HWCAP2) >> 13 & 1) != 0; }  // HWCAP2_I8MM
#else
static int supported(void) { return 0; }
#endif

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

const ck_isa ck_isa_neoni8mm = {"neoni8mm", supported, overlay};
