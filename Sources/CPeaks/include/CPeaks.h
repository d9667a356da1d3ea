// Loops that do only the arithmetic of the kernels, on numbers that stay in registers. They measure the processor's peak, which
// the kernels are compared with.
#ifndef CPEAKS_H
#define CPEAKS_H

#include <stddef.h>
#include <stdint.h>

/// One type of arithmetic.
typedef struct {
  const char *name;   ///< the type of number and the instruction
  double operations;  ///< multiplications and additions of one iteration
  int (*is_supported)(void);
  void (*run)(size_t iterations);
} cp_peak;

/// The types of arithmetic that this machine has instructions for, simplest first; null past the last.
const cp_peak *cp_peak_at(size_t index);

/// Reads an array once, and returns a value that depends on all of it.
uint64_t cp_read(const void *start, size_t bytes);

#endif
