#include <string.h>

#include "../isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#include "../vec/vec_avx512.h"

// 8 x 32 floats: 16 sums hide the latency of the multiply-add, and the width of most images is a multiple of 8.
enum { MR = 8, MR16 = 8, MR8 = 8, NV = 2 };
#include "../body/all_bodies.h"
#pragma clang attribute pop

static int supported(void) { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"); }

#include "../body/overlay_body.h"
#else
static int supported(void) { return 0; }
static void overlay(ck_table *t) { (void)t; }
#endif

const ck_isa ck_isa_avx512 = {"avx512", supported, overlay};
