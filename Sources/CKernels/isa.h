// An instruction set: how to detect it, and the slots for which it has faster kernels than those before it.
#ifndef CK_ISA_H
#define CK_ISA_H

#include "CKernels.h"

typedef struct {
  const char *name;
  int (*supported)(void);
  void (*overlay)(ck_table *);
} ck_isa;

// The instruction sets for bfloat16 and for bytes are based on it.
extern const ck_isa ck_isa_neondot, ck_isa_neoni8mm, ck_isa_avx2, ck_isa_avx512;

// AVX-VNNI's kernels, in the encoding of AVX-512.
int ck_avxvnni_evex_supported(void);
void ck_avxvnni_evex_overlay(ck_table *t);

#endif
