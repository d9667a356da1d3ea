#include <string.h>

#include "../isa.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include "../vec/vec_neon.h"

// 6 x 16 floats: of the 32 registers, sums take 24, a row of the panel 4, and the broadcast number 1. Pairs of bfloat16 are
// widened, so a row takes twice as many.
enum { MR = 6, MR16 = 5, MR8 = 4, NV = 4 };
#include "../body/all_bodies.h"

static int supported(void) { return 1; }

#include "../body/overlay_body.h"
#else
static int supported(void) { return 0; }
static void overlay(ck_table *t) { (void)t; }
#endif

const ck_isa ck_isa_neon = {"neon", supported, overlay};
