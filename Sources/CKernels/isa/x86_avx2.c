#include <string.h>

#include "../isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "../vec/vec_avx2.h"

// 6 x 16 floats: of the 16 registers, sums take 12, a row of the panel 2, and the broadcast number 1. Pairs of bfloat16 are
// widened, so a row takes twice as many.
enum { MR = 6, MR16 = 4, MR8 = 4, NV = 2 };
#include "../body/all_bodies.h"
#pragma clang attribute pop

static int supported(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"); }

#include "../body/overlay_body.h"
#else
static int supported(void) { return 0; }
static void overlay(ck_table *t) { (void)t; }
#endif

const ck_isa ck_isa_avx2 = {"avx2", supported, overlay};
