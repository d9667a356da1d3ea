// One instruction set: how to recognise it, and the slots it does better than those before it.
#ifndef CK_ISA_H
#define CK_ISA_H

#include "CKernels.h"

typedef struct {
  const char *name;
  int (*supported)(void);
  void (*overlay)(ck_table *);
} ck_isa;

// The widest of those before it is what an instruction set for one kind of numbers stands on.
extern const ck_isa ck_isa_avx512;

#endif
