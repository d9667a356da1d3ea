// The scale and the zero point for a range of numbers: the same in every instruction set.
#include <stdint.h>

// Maps a range to 0...255 so that one byte means exactly zero. If the range is not finite, the scale is NaN, and so are the
// results.
static inline void ck_quantized_range(float smallest, float largest, float *scale, int32_t *zero) {
  // Not (largest - smallest) / 255, because the difference may overflow.
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
  // For a scale of zero or close to it this is infinite; all numbers are then quantised to zero.
  return inverse <= 3.0e38f ? inverse : 0.0f;
}

// The scale for a column of weights, from its largest magnitude. NaN stays NaN.
static inline float ck_weight_scale(float most) { return most == 0 ? 1.0f : most / 127.0f; }
