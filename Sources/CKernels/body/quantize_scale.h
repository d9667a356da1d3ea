// How a range of numbers becomes a scale and a zero: the same in every instruction set.
#include <stdint.h>

// Of numbers that are spread over 0...255, zero among them exactly. Ranges that are not finite have a scale that is not a
// number, so that it shows in the results.
static inline void ck_quantized_range(float smallest, float largest, float *scale, int32_t *zero) {
  // Not their difference by 255, which may be too large for a float.
  const float step = largest / 255.0f - smallest / 255.0f;
  *scale = step;
  *zero = 0;
  if (step > 0) {
    const float below = -smallest / step;
    *zero = below < 255.0f ? (int32_t)(below + 0.5f) : 255;
  }
}

static inline float ck_inverse_scale(float scale) {
  const float inverse = 1.0f / scale;
  // Of zero and of the smallest numbers it is infinite, and their quantised numbers are all zero.
  return inverse <= 3.0e38f ? inverse : 0.0f;
}

// What is not a number stays so.
static inline float ck_weight_scale(float most) { return most == 0 ? 1.0f : most / 127.0f; }
