// Loops that do nothing but the arithmetic that kernels are made of, on numbers that stay in registers: what a processor can
// do at most, to hold kernels against.
#ifndef CPEAKS_H
#define CPEAKS_H

#include <stddef.h>
#include <stdint.h>

/// One kind of arithmetic.
typedef struct {
  const char *name;        ///< of the arithmetic and the instruction
  double operations;       ///< products and sums of one turn of the loop
  void (*run)(size_t turns);
} cp_peak;

/// The kinds of arithmetic that this machine has instructions for, the plainest first; null past the last.
const cp_peak *cp_peak_at(size_t index);

/// Reads an array once, in whole cache lines, and gives back something that depends on all of it.
uint64_t cp_read(const void *start, size_t bytes);

#endif
