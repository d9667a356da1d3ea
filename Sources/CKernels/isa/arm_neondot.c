// NEON with instructions for products of bytes (the extension "dotprod"); it replaces only the slots for bytes.
#include <string.h>

#include "../isa.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#define CK_HAS_DOT4
#include "../vec/vec_neon.h"
#include "../body/math_body.h"

// 4 x 16 sums in 16 registers. Panels are as wide as those of plain NEON. A row of the panel takes four more registers, and so
// does the correction for unsigned activations.
enum { MR8 = 4, NV = 4, NR = NV * VL };
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
static int supported(void) { return (getauxval(AT_HWCAP) >> 20 & 1) != 0; }  // HWCAP_ASIMDDP
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

const ck_isa ck_isa_neondot = {"neondot", supported, overlay};
