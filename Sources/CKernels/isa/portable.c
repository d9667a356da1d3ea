// Plain C for every slot: the fallback, the reference for the other instruction sets, and their documentation.
#include <math.h>
#include <string.h>

#include "../body/quantize_scale.h"
#include "../isa.h"

enum { MR = 4, NR = 16 };

static void product(const ck_product *p) {
  for (size_t i = 0; i < p->m; i++) {
    float sum[NR] = {0};
    float *out = p->out + i * p->out_stride;
    if (p->accumulate) memcpy(sum, out, p->n * sizeof *sum);
    const float *b = p->panel;
    for (size_t t = 0; t < p->taps; t++) {
      const float *a = p->tap[t] + i * p->row_stride;
      for (size_t k = 0; k < p->k; k++, b += NR) {
        for (size_t j = 0; j < NR; j++) sum[j] += a[k] * b[j];
      }
    }
    for (size_t j = 0; j < p->n; j++) {
      if (p->bias) sum[j] += p->bias[j];
      if (p->residual) sum[j] += p->residual[i * p->residual_stride + j];
      out[j] = sum[j];
    }
  }
}

static void attention(const ck_attention *p) {
  size_t panels = (p->count + NR - 1) / NR, stride = panels * NR;
  for (size_t i = 0; i < p->rows; i++) {
    const float *q = p->q + i * p->q_stride;
    float *s = p->scores + i * stride, *out = p->out + i * p->out_stride;
    size_t seen = p->visible + i < p->count ? p->visible + i : p->count;
    float max = -INFINITY, sum = 0;
    for (size_t key = 0; key < seen; key++) {
      const float *column = p->keys + key / NR * p->d * NR + key % NR;
      float dot = 0;
      for (size_t c = 0; c < p->d; c++) dot += q[c] * column[c * NR];
      s[key] = dot * p->scale + (p->bias ? p->bias[(ptrdiff_t)key - (ptrdiff_t)i] : 0);
      max = fmaxf(max, s[key]);
    }
    for (size_t key = 0; key < seen; key++) sum += s[key] = expf(s[key] - max);
    for (size_t c = 0; c < p->d; c++) {
      const float *column = p->values + c / NR * p->count * NR + c % NR;
      float dot = 0;
      for (size_t key = 0; key < seen; key++) dot += s[key] * column[key * NR];
      out[c] = dot / sum;
    }
  }
}

static void moments(const float *x, size_t rows, size_t channels, float *mean, float *m2) {
  for (size_t c = 0; c < channels; c++) mean[c] = m2[c] = 0;
  for (size_t i = 0; i < rows; i++) {
    for (size_t c = 0; c < channels; c++) mean[c] += x[i * channels + c];
  }
  for (size_t c = 0; c < channels; c++) mean[c] /= (float)rows;
  for (size_t i = 0; i < rows; i++) {
    for (size_t c = 0; c < channels; c++) {
      float deviation = x[i * channels + c] - mean[c];
      m2[c] += deviation * deviation;
    }
  }
}

static float gelu_tanh1(float x) { return 0.5f * x * (1 + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x))); }
static float silu1(float x) { return x / (1 + expf(-x)); }
static float gelu1(float x) { return 0.5f * x * (1 + erff(x * 0.70710678118654752f)); }

static void scale_shift(const float *x, size_t x_stride, size_t rows, size_t channels, const float *scale, const float *shift, int silu,
                        float *y, size_t y_stride) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t c = 0; c < channels; c++) {
      float v = x[i * x_stride + c] * scale[c] + shift[c];
      y[i * y_stride + c] = silu ? silu1(v) : v;
    }
  }
}

static void layer_norm(const float *x, size_t rows, size_t width, const float *gamma, const float *beta, float epsilon, float *y) {
  for (size_t i = 0; i < rows; i++, x += width, y += width) {
    float mean = 0, variance = 0;
    for (size_t j = 0; j < width; j++) mean += x[j];
    mean /= (float)width;
    for (size_t j = 0; j < width; j++) variance += (x[j] - mean) * (x[j] - mean);
    float inverse = 1 / sqrtf(variance / (float)width + epsilon);
    for (size_t j = 0; j < width; j++) y[j] = (x[j] - mean) * inverse * gamma[j] + beta[j];
  }
}

static void geglu(const float *x, size_t rows, size_t width, float *y) {
  for (size_t i = 0; i < rows; i++, x += 2 * width, y += width) {
    for (size_t j = 0; j < width; j++) y[j] = x[j] * gelu1(x[width + j]);
  }
}

static void silu(const float *x, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = silu1(x[i]);
}

static void gelu(const float *x, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = gelu1(x[i]);
}

static void quick_gelu(const float *x, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = x[i] / (1 + expf(-1.702f * x[i]));
}

static void gelu_tanh(const float *x, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = gelu_tanh1(x[i]);
}

static void add_scaled(const float *residual, const float *x, size_t rows, size_t channels, const float *scale, float *y) {
  for (size_t i = 0; i < rows * channels; i++) y[i] = residual[i] + x[i] * scale[i % channels];
}

static void add(const float *a, const float *b, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = a[i] + b[i];
}

static void lane_products(const float *a, const float *x, size_t x_stride, size_t vectors, size_t count, float *sums) {
  for (size_t v = 0; v < vectors; v++, x += x_stride, sums += 16) {
    for (size_t l = 0; l < 16; l++) sums[l] = 0;
    for (size_t i = 0; i < count; i++) sums[i % 16] = fmaf(a[i], x[i], sums[i % 16]);
  }
}

static float widened(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint16_t narrowed(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  // Keep NaN a NaN: its payload may be in the low 16 bits only.
  if (x != x) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void widen(const uint16_t *x, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = widened(x[i]);
}

static void narrow(const float *x, size_t count, uint16_t *y) {
  for (size_t i = 0; i < count; i++) y[i] = narrowed(x[i]);
}

static int widen_f16(const void *x, size_t count, float *y) {
  int finite = 1;
  for (size_t i = 0; i < count; i++) {
    uint16_t half;
    memcpy(&half, (const char *)x + 2 * i, sizeof half);
    uint32_t magnitude = half & 0x7fff;
    // Subnormal numbers are multiples of 2^-24. For other numbers the exponent's bias changes from 15 to 127; an exponent of
    // all ones (infinity, NaN) stays all ones.
    float value = (float)magnitude * 0x1p-24f;
    if (magnitude >= 0x400) {
      uint32_t bits = (magnitude << 13) + ((magnitude >= 0x7c00 ? 224u : 112u) << 23);
      memcpy(&value, &bits, sizeof value);
    }
    y[i] = half >> 15 ? -value : value;
    finite &= magnitude < 0x7c00;
  }
  return finite;
}

static float activated(float x, ck_activation activation) {
  switch (activation) {
    case CK_IDENTITY: return x;
    case CK_SILU: return silu1(x);
    case CK_GELU: return gelu1(x);
    case CK_QUICK_GELU: return x / (1 + expf(-1.702f * x));
    case CK_GELU_TANH: return gelu_tanh1(x);
  }
  return x;
}

static void product_bf16(const ck_bf16_product *p) {
  for (size_t i = 0; i < p->m; i++) {
    float sum[NR] = {0};
    if (p->continues) memcpy(sum, p->sums + i * NR, sizeof sum);
    const uint16_t *b = p->panel;
    for (size_t t = 0; t < p->taps; t++) {
      const uint16_t *a = p->tap[t] + i * p->row_stride;
      for (size_t k = 0; k < p->k; k += 2, b += 2 * NR) {
        float even = widened(a[k]), odd = k + 1 < p->k ? widened(a[k + 1]) : 0;
        for (size_t j = 0; j < NR; j++) sum[j] += odd * widened(b[2 * j + 1]) + even * widened(b[2 * j]);
      }
    }
    if (!p->finishes) {
      memcpy(p->sums + i * NR, sum, sizeof sum);
      continue;
    }
    for (size_t j = 0; j < p->n; j++) {
      float x = activated(sum[j] + (p->bias ? p->bias[j] : 0), p->activation);
      if (p->residual) x += widened(p->residual[i * p->residual_stride + j]);
      if (p->out32) p->out32[i * p->out_stride + j] = x;
      else p->out[i * p->out_stride + j] = narrowed(x);
    }
  }
}

// One query at a time. Scores are computed twice, because the scratch memory is too small for all of them.
static float score(const ck_bf16_attention *p, const uint16_t *q, size_t i, size_t key) {
  const uint16_t *column = p->keys + (key / NR * ((p->d + 1) / 2) * NR + key % NR) * 2;
  float dot = 0;
  for (size_t c = 0; c < p->d; c++) dot += widened(q[c]) * widened(column[c / 2 * 2 * NR + c % 2]);
  return dot * p->scale + (p->bias ? p->bias[(ptrdiff_t)key - (ptrdiff_t)i] : 0);
}

static void attention_bf16(const ck_bf16_attention *p) {
  for (size_t i = 0; i < p->rows; i++) {
    const uint16_t *q = p->q + i * p->q_stride;
    float *weighted = p->scratch;
    size_t seen = p->visible + i < p->count ? p->visible + i : p->count;
    float max = -INFINITY, sum = 0;
    for (size_t key = 0; key < seen; key++) max = fmaxf(max, score(p, q, i, key));
    for (size_t c = 0; c < p->d; c++) weighted[c] = 0;
    for (size_t key = 0; key < seen; key++) {
      float weight = expf(score(p, q, i, key) - max);
      sum += weight;
      weight = widened(narrowed(weight));
      for (size_t c = 0; c < p->d; c++) {
        weighted[c] += weight * widened(p->values[((c / NR * ((p->count + 1) / 2) + key / 2) * NR + c % NR) * 2 + key % 2]);
      }
    }
    for (size_t c = 0; c < p->d; c++) p->out[i * p->out_stride + c] = narrowed(weighted[c] / sum);
  }
}

// One query at a time, as above, but with scores computed from bytes.
static float byte_score(const ck_bf16_attention *p, const int32_t *q, float scale, size_t key) {
  const int8_t *column = p->keys8 + (key / NR * ((p->d + 3) / 4) * NR + key % NR) * 4;
  int32_t dot = 0;
  for (size_t c = 0; c < p->d; c++) dot += q[c] * column[c / 4 * 4 * NR + c % 4];
  return (float)dot * p->key_scales[key] * (scale * p->scale);
}

static int32_t nearest(float x) { return x > -1e9f && x < 1e9f ? (int32_t)rintf(x) : 0; }

static float bias_of(const ck_bf16_attention *p, size_t query, size_t key) {
  return p->bias ? p->bias[(ptrdiff_t)key - (ptrdiff_t)query] : 0;
}

static void attention_int8(const ck_bf16_attention *p) {
  for (size_t i = 0; i < p->rows; i++) {
    const uint16_t *q = p->q + i * p->q_stride;
    int32_t bytes[CK_INT8_ATTENTION_WIDTH];
    float most = 0;
    for (size_t c = 0; c < p->d; c++) most = fmaxf(most, fabsf(widened(q[c])));
    const float scale = ck_weight_scale(most), inverse = ck_inverse_scale(scale);
    for (size_t c = 0; c < p->d; c++) bytes[c] = nearest(widened(q[c]) * inverse);
    float *weighted = p->scratch;
    size_t seen = p->visible + i < p->count ? p->visible + i : p->count;
    float max = -INFINITY, sum = 0;
    for (size_t key = 0; key < seen; key++) max = fmaxf(max, byte_score(p, bytes, scale, key) + bias_of(p, i, key));
    for (size_t c = 0; c < p->d; c++) weighted[c] = 0;
    for (size_t key = 0; key < seen; key++) {
      float weight = expf(byte_score(p, bytes, scale, key) + bias_of(p, i, key) - max);
      sum += weight;
      weight = widened(narrowed(weight));
      for (size_t c = 0; c < p->d; c++) {
        weighted[c] += weight * widened(p->values[((c / NR * ((p->count + 1) / 2) + key / 2) * NR + c % NR) * 2 + key % 2]);
      }
    }
    for (size_t c = 0; c < p->d; c++) p->out[i * p->out_stride + c] = narrowed(weighted[c] / sum);
  }
}

static void quantize_keys(const ck_quantized_keys *p) {
  for (size_t j = 0; j < NR; j++) {
    float most = 0;
    int32_t sum = 0;
    const uint16_t *x = p->x + j * p->x_stride;
    for (size_t c = 0; c < p->d && j < p->rows; c++) most = fmaxf(most, fabsf(widened(x[c]) - p->mean[c]));
    const float scale = ck_weight_scale(most), inverse = ck_inverse_scale(scale);
    for (size_t c = 0; c < (p->d + 3) / 4 * 4; c++) {
      const int32_t q = j < p->rows && c < p->d ? nearest((widened(x[c]) - p->mean[c]) * inverse) : 0;
      p->panel[(c / 4 * NR + j) * 4 + c % 4] = (int8_t)q;
      sum += q;
    }
    p->scale[j] = j < p->rows ? scale : 0;
    p->sum[j] = -128 * sum;
  }
}

static void moments_bf16(const uint16_t *x, size_t rows, size_t channels, float *mean, float *m2) {
  for (size_t c = 0; c < channels; c++) mean[c] = m2[c] = 0;
  for (size_t i = 0; i < rows; i++) {
    for (size_t c = 0; c < channels; c++) mean[c] += widened(x[i * channels + c]);
  }
  for (size_t c = 0; c < channels; c++) mean[c] /= (float)rows;
  for (size_t i = 0; i < rows; i++) {
    for (size_t c = 0; c < channels; c++) {
      float deviation = widened(x[i * channels + c]) - mean[c];
      m2[c] += deviation * deviation;
    }
  }
}

static void scale_shift_bf16(const uint16_t *x, size_t x_stride, size_t rows, size_t channels, const float *scale,
                             const float *shift, int silu, uint16_t *y, size_t y_stride) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t c = 0; c < channels; c++) {
      float v = widened(x[i * x_stride + c]) * scale[c] + shift[c];
      y[i * y_stride + c] = narrowed(silu ? silu1(v) : v);
    }
  }
}

static void layer_norm_bf16(const uint16_t *x, size_t rows, size_t width, const float *gamma, const float *beta, float epsilon,
                            uint16_t *y) {
  for (size_t i = 0; i < rows; i++, x += width, y += width) {
    float mean = 0, variance = 0;
    for (size_t j = 0; j < width; j++) mean += widened(x[j]);
    mean /= (float)width;
    for (size_t j = 0; j < width; j++) variance += (widened(x[j]) - mean) * (widened(x[j]) - mean);
    float inverse = 1 / sqrtf(variance / (float)width + epsilon);
    for (size_t j = 0; j < width; j++) y[j] = narrowed((widened(x[j]) - mean) * inverse * gamma[j] + beta[j]);
  }
}

static void geglu_bf16(const uint16_t *x, size_t rows, size_t width, uint16_t *y) {
  for (size_t i = 0; i < rows; i++, x += 2 * width, y += width) {
    for (size_t j = 0; j < width; j++) y[j] = narrowed(widened(x[j]) * gelu1(widened(x[width + j])));
  }
}

static void silu_bf16(const uint16_t *x, size_t count, uint16_t *y) {
  for (size_t i = 0; i < count; i++) y[i] = narrowed(silu1(widened(x[i])));
}

static void gelu_bf16(const uint16_t *x, size_t count, uint16_t *y) {
  for (size_t i = 0; i < count; i++) y[i] = narrowed(gelu1(widened(x[i])));
}

static void quick_gelu_bf16(const uint16_t *x, size_t count, uint16_t *y) {
  for (size_t i = 0; i < count; i++) y[i] = narrowed(activated(widened(x[i]), CK_QUICK_GELU));
}

static void gelu_tanh_bf16(const uint16_t *x, size_t count, uint16_t *y) {
  for (size_t i = 0; i < count; i++) y[i] = narrowed(gelu_tanh1(widened(x[i])));
}

static void add_scaled_bf16(const uint16_t *residual, const uint16_t *x, size_t rows, size_t channels, const float *scale,
                            uint16_t *y) {
  for (size_t i = 0; i < rows * channels; i++) y[i] = narrowed(widened(residual[i]) + widened(x[i]) * scale[i % channels]);
}

static void add_bf16(const uint16_t *a, const uint16_t *b, size_t count, uint16_t *y) {
  for (size_t i = 0; i < count; i++) y[i] = narrowed(widened(a[i]) + widened(b[i]));
}

// Winograd's three matrices for F(2, 3) at the points 0, 1, -1, and for F(4, 3) at 0, a, -a, b, -b. The last point of each is
// infinity. body/winograd_math.h explains the choice.
enum { SIDE = 6 };
#define A 0.625f
#define B 1.5f
#define A2 (A * A)
#define B2 (B * B)
#define SHARE_A (1 / (2 * A2 * (A2 - B2)))
#define SHARE_B (1 / (2 * B2 * (B2 - A2)))
static const float window2[SIDE][SIDE] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
static const float taps2[SIDE][SIDE] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
static const float results2[SIDE][SIDE] = {{1, 1, 1, 0}, {0, 1, -1, -1}};
static const float window4[SIDE][SIDE] = {{A2 * B2, 0, -A2 - B2, 0, 1, 0}, {0, -A * B2, -B2, A, 1, 0}, {0, A * B2, -B2, -A, 1, 0},
                                          {0, -B * A2, -A2, B, 1, 0},      {0, B * A2, -A2, -B, 1, 0}, {0, A2 * B2, 0, -A2 - B2, 0, 1}};
static const float taps4[SIDE][SIDE] = {{1 / (A2 * B2), 0, 0},
                                        {SHARE_A, A * SHARE_A, A2 * SHARE_A},
                                        {SHARE_A, -A * SHARE_A, A2 * SHARE_A},
                                        {SHARE_B, B * SHARE_B, B2 * SHARE_B},
                                        {SHARE_B, -B * SHARE_B, B2 * SHARE_B},
                                        {0, 0, 1}};
static const float results4[SIDE][SIDE] = {
  {1, 1, 1, 1, 1, 0}, {0, A, -A, B, -B, 0}, {0, A2, A2, B2, B2, 0}, {0, A2 * A, -A2 * A, B2 * B, -B2 * B, 1}};

// y = matrix x matrix^T for x[size][size], y[rows][rows].
static void two_sided(const float matrix[SIDE][SIDE], size_t rows, size_t size, const float x[SIDE][SIDE], float y[SIDE][SIDE]) {
  float half[SIDE][SIDE];
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < size; j++) {
      half[i][j] = 0;
      for (size_t k = 0; k < size; k++) half[i][j] += matrix[i][k] * x[k][j];
    }
  }
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < rows; j++) {
      y[i][j] = 0;
      for (size_t k = 0; k < size; k++) y[i][j] += matrix[j][k] * half[i][k];
    }
  }
}

static float number_at(const void *numbers, size_t index, int is16) {
  return is16 ? widened(((const uint16_t *)numbers)[index]) : ((const float *)numbers)[index];
}

static void set_number(void *numbers, size_t index, float value, int is16) {
  if (is16) ((uint16_t *)numbers)[index] = narrowed(value);
  else ((float *)numbers)[index] = value;
}

static void window_positions(const ck_winograd_input *p, int is16) {
  const size_t tile = (size_t)p->tile, side = tile + 2;
  for (size_t t = 0; t < p->tiles; t++) {
    for (size_t c = 0; c < p->channels; c++) {
      float window[SIDE][SIDE], v[SIDE][SIDE];
      for (size_t i = 0; i < side; i++) {
        for (size_t j = 0; j < side; j++) {
          int exists = i < p->rows && t * tile + j < p->columns;
          size_t row = (i + p->doubled) >> p->doubled, column = (t * tile + j + p->doubled) >> p->doubled;
          window[i][j] = exists ? number_at(p->x, row * p->row_stride + column * p->channels + c, is16) : 0;
        }
      }
      two_sided(tile == 4 ? window4 : window2, side, side, window, v);
      for (size_t i = 0; i < side * side; i++) {
        set_number(p->v, i * p->position_stride + t * p->channels + c, v[i / side][i % side], is16);
      }
    }
  }
}

static void position_results(const ck_winograd_output *p, int is16) {
  const size_t tile = (size_t)p->tile, side = tile + 2;
  for (size_t t = 0; t < p->tiles; t++) {
    for (size_t n = 0; n < p->n; n++) {
      float sums[SIDE][SIDE], y[SIDE][SIDE];
      for (size_t i = 0; i < side * side; i++) sums[i / side][i % side] = p->sums[i * p->position_stride + t * NR + n];
      two_sided(tile == 4 ? results4 : results2, tile, side, sums, y);
      for (size_t i = 0; i < tile && i < p->rows; i++) {
        for (size_t j = 0; j < tile && t * tile + j < p->columns; j++) {
          float value = y[i][j] + (p->bias ? p->bias[n] : 0);
          size_t column = t * tile + j;
          if (p->residual) value += number_at(p->residual, i * p->residual_row_stride + column * p->residual_stride + n, is16);
          set_number(p->out, i * p->out_row_stride + column * p->out_stride + n, value, is16);
        }
      }
    }
  }
}

static void tap_positions(const ck_winograd_weights *p, int is16) {
  const size_t side = (size_t)p->tile + 2;
  for (size_t input = 0; input < p->inputs; input++) {
    for (size_t n = 0; n < NR; n++) {
      float g[SIDE][SIDE], u[SIDE][SIDE];
      for (size_t i = 0; i < 9; i++) g[i / 3][i % 3] = p->taps[(input * 9 + i) * NR + n];
      two_sided(p->tile == 4 ? taps4 : taps2, side, 3, g, u);
      for (size_t i = 0; i < side * side; i++) {
        size_t at = is16 ? (input / 2 * NR + n) * 2 + input % 2 : input * NR + n;
        set_number(p->panel, i * p->position_stride + at, u[i / side][i % side], is16);
        if (is16 && input + 1 == p->inputs && input % 2 == 0) set_number(p->panel, i * p->position_stride + at + 1, 0, 1);
      }
    }
  }
}

static void winograd_input(const ck_winograd_input *p) { window_positions(p, 0); }
static void winograd_output(const ck_winograd_output *p) { position_results(p, 0); }
static void winograd_weights(const ck_winograd_weights *p) { tap_positions(p, 0); }
static void winograd_input_bf16(const ck_winograd_input *p) { window_positions(p, 1); }
static void winograd_output_bf16(const ck_winograd_output *p) { position_results(p, 1); }
static void winograd_weights_bf16(const ck_winograd_weights *p) { tap_positions(p, 1); }

static void product_int8(const ck_int8_product *p) {
  for (size_t i = 0; i < p->m; i++) {
    int32_t sum[NR] = {0};
    if (p->continues) memcpy(sum, p->sums + i * NR, sizeof sum);
    const int8_t *b = p->panel;
    for (size_t t = 0; t < p->taps; t++) {
      const uint8_t *a = p->tap[t] + i * p->row_stride;
      for (size_t k = 0; k < 4 * p->quads; k += 4, b += 4 * NR) {
        for (size_t j = 0; j < NR; j++) {
          for (size_t l = 0; l < 4; l++) sum[j] += a[k + l] * b[4 * j + l];
        }
      }
    }
    if (!p->finishes) {
      memcpy(p->sums + i * NR, sum, sizeof sum);
      continue;
    }
    float x[NR];
    const size_t of = i * p->scale_stride;
    for (size_t j = 0; j < NR; j++) {
      x[j] = (float)(sum[j] - p->zero[of] * p->column_sum[j]) * p->column_scale[j] * p->scale[of] + (p->bias ? p->bias[j] : 0);
    }
    for (size_t j = 0; j < p->n; j++) {
      float y = p->is_gated ? x[j] * gelu1(x[NR / 2 + j]) : activated(x[j], p->activation);
      if (p->residual) y += widened(p->residual[i * p->residual_stride + j]);
      if (p->out32) p->out32[i * p->out_stride + j] = y;
      else p->out[i * p->out_stride + j] = narrowed(y);
    }
  }
}

static void range(const uint16_t *x, size_t count, float *smallest, float *largest) {
  *smallest = *largest = 0;
  float non_finite = 0;
  for (size_t i = 0; i < count; i++) {
    float value = widened(x[i]);
    *smallest = fminf(*smallest, value);
    *largest = fmaxf(*largest, value);
    // fminf and fmaxf ignore NaN, so accumulate x * 0, which is NaN for NaN and infinity.
    non_finite += value * 0;
  }
  *smallest += non_finite;
  *largest += non_finite;
}

static int32_t limited(int32_t x, int32_t least, int32_t most) { return x < least ? least : x > most ? most : x; }

static void quantize(const ck_quantization *p) {
  for (size_t i = 0; i < p->rows; i++) {
    const uint16_t *x = p->x + i * p->x_stride;
    uint8_t *y = p->y + i * p->y_stride;
    float *scale = p->scale + i * p->scale_stride;
    int32_t *zero = p->zero + i * p->scale_stride;
    if (p->scale_stride) {
      float smallest, largest;
      range(x, p->k, &smallest, &largest);
      ck_quantized_range(smallest, largest, scale, zero);
    }
    const float inverse = ck_inverse_scale(*scale);
    for (size_t k = 0; k < p->k; k++) y[k] = (uint8_t)limited(nearest(widened(x[k]) * inverse) + *zero, 0, 255);
    for (size_t k = p->k; k % 4; k++) y[k] = 0;
  }
}

static void quantize_panel(const ck_quantized_panel *p) {
  const size_t quads = (p->inputs + 3) / 4;
  for (size_t j = 0; j < NR; j++) {
    float most = 0, non_finite = 0;
    for (size_t i = 0; i < p->taps * p->inputs; i++) {
      most = fmaxf(most, fabsf(p->x[i * NR + j]));
      non_finite += p->x[i * NR + j] * 0;
    }
    const float scale = ck_weight_scale(most + non_finite), inverse = ck_inverse_scale(scale);
    int32_t sum = 0;
    for (size_t t = 0; t < p->taps; t++) {
      for (size_t k = 0; k < 4 * quads; k++) {
        const int32_t q = k < p->inputs ? nearest(p->x[(t * p->inputs + k) * NR + j] * inverse) : 0;
        p->panel[((t * quads + k / 4) * NR + j) * 4 + k % 4] = (int8_t)q;
        sum += q;
      }
    }
    p->column_scale[j] = scale;
    p->column_sum[j] = sum;
  }
}

// Decodes one stored weight, as ggml's reference functions do.
static float half_at(const uint8_t *p) {
  const uint32_t half = (uint32_t)p[0] | (uint32_t)p[1] << 8, magnitude = half & 0x7fff;
  float value;
  if (magnitude < 0x400) {
    value = (float)magnitude * 0x1p-24f;
  } else {
    const uint32_t bits = (magnitude << 13) + ((magnitude >= 0x7c00 ? 224u : 112u) << 23);
    memcpy(&value, &bits, sizeof value);
  }
  return half & 0x8000 ? -value : value;
}

static float stored_weight(ck_stored stored, const uint8_t *row, size_t k, float factor) {
#pragma STDC FP_CONTRACT OFF
  const size_t i = k % 32, part = k % 256 / 32;
  switch (stored) {
    case CK_Q4_0: {
      const uint8_t *block = row + k / 32 * 18;
      const int pair = block[2 + i % 16];
      return half_at(block) * (float)((i < 16 ? pair & 15 : pair >> 4) - 8);
    }
    case CK_Q8_0: {
      const uint8_t *block = row + k / 32 * 34;
      return (float)(int8_t)block[2 + i] * half_at(block);
    }
    case CK_Q4_K:
    case CK_Q5_K: {
      const uint8_t *block = row + k / 256 * (stored == CK_Q4_K ? 144 : 176), *s = block + 4;
      int scale, least;
      if (part < 4) {
        scale = s[part] & 63;
        least = s[part + 4] & 63;
      } else {
        scale = (s[part + 4] & 15) | (s[part - 4] >> 6) << 4;
        least = s[part + 4] >> 4 | (s[part] >> 6) << 4;
      }
      int q = block[(stored == CK_Q4_K ? 16 : 48) + part / 2 * 32 + i] >> (part % 2 * 4) & 15;
      if (stored == CK_Q5_K) q |= (block[16 + i] >> part & 1) << 4;
      const float by = half_at(block) * (float)scale, offset = half_at(block + 2) * (float)least;
      const float product = by * (float)q;
      return product - offset;
    }
    case CK_Q6_K: {
      const uint8_t *block = row + k / 256 * 210;
      const int low = block[part / 4 * 64 + part % 2 * 32 + i] >> (part % 4 / 2 * 4) & 15;
      const int high = block[128 + part / 4 * 32 + i] >> (part % 4 * 2) & 3;
      const float by = half_at(block + 208) * (float)(int8_t)block[192 + 2 * part + i / 16];
      return by * (float)((low | high << 4) - 32);
    }
    case CK_F8_E4M3: {
      const int magnitude = row[k] & 0x7f;
      const float value = magnitude == 0x7f ? NAN
        : magnitude < 8 ? (float)magnitude * 0x1p-9f : ldexpf((float)(magnitude % 8 + 8), magnitude / 8 - 10);
      return (row[k] & 0x80 ? -value : value) * factor;
    }
    case CK_F8_E5M2: {
      const uint8_t half[2] = {0, row[k]};
      return half_at(half) * factor;
    }
    case CK_I8: return (float)(int8_t)row[k] * factor;
    case CK_F16: return half_at(row + 2 * k);
    case CK_BF16: return widened((uint16_t)(row[2 * k] | row[2 * k + 1] << 8));
  }
  return 0;
}

static float weight_at(const ck_unpacking *p, size_t k, size_t column) {
  const size_t input = p->first + k;
  if (p->rows[column] == NULL) return 0;
  return stored_weight(p->stored, p->rows[column], input, p->factors ? p->factors[column][input / p->factor_inputs] : 1);
}

static int unpack(const ck_unpacking *p) {
  float difference = 0;
  for (size_t k = 0; k < p->count; k++) {
    for (size_t j = 0; j < NR; j++) {
      const float w = weight_at(p, k, j);
      difference += w - w;
      ((float *)p->panel)[k * NR + j] = w;
    }
  }
  return difference == 0;
}

static void unpack_bf16(const ck_unpacking *p) {
  for (size_t k = 0; k < p->count; k++) {
    for (size_t j = 0; j < NR; j++) ((uint16_t *)p->panel)[(k / 2 * NR + j) * 2 + k % 2] = narrowed(weight_at(p, k, j));
  }
}

static void unpack_int8(const ck_unpacking *p) {
  for (size_t k = 0; k < p->count; k++) {
    for (size_t j = 0; j < NR; j++) {
      ((int8_t *)p->panel)[(k / 4 * NR + j) * 4 + k % 4] = (int8_t)nearest(weight_at(p, k, j) * p->inverse[j]);
    }
  }
}

// The kernels of transformers, once for both types: `read` and `write` depend on the type of `x`.

static float get(const void *x, size_t i, int narrow) { return narrow ? widened(((const uint16_t *)x)[i]) : ((const float *)x)[i]; }
static void set(void *y, size_t i, float value, int narrow) {
  if (narrow) ((uint16_t *)y)[i] = narrowed(value);
  else ((float *)y)[i] = value;
}

static float inverse_rms(const void *x, size_t start, size_t width, float epsilon, int narrow) {
  float squares = 0;
  for (size_t j = 0; j < width; j++) squares += get(x, start + j, narrow) * get(x, start + j, narrow);
  return 1 / sqrtf(squares / (float)width + epsilon);
}

static void any_rms_norm(const ck_rms_norm *p, int narrow) {
  for (size_t i = 0; i < p->rows; i++) {
    float inverse = inverse_rms(p->x, i * p->x_stride, p->width, p->epsilon, narrow);
    for (size_t j = 0; j < p->width; j++) {
      float y = get(p->x, i * p->x_stride + j, narrow) * inverse * p->gamma[j];
      if (p->residual) y += get(p->residual, i * p->residual_stride + j, narrow);
      set(p->y, i * p->y_stride + j, y, narrow);
    }
  }
}
static void rms_norm(const ck_rms_norm *p) { any_rms_norm(p, 0); }
static void rms_norm_bf16(const ck_rms_norm *p) { any_rms_norm(p, 1); }

static void any_heads(const ck_heads *p, int narrow) {
  for (size_t i = 0; i < p->rows; i++) {
    for (size_t head = 0; head < p->heads; head++) {
      size_t x = i * p->x_stride + head * p->d, y = i * p->y_stride + head * p->d;
      float inverse = p->gamma ? inverse_rms(p->x, x, p->d, p->epsilon, narrow) : 1;
      size_t half = p->d / 2, pairs = p->cosines ? half : p->d;
      for (size_t pair = 0; pair < pairs; pair++) {
        size_t j = p->cosines && !p->halves ? 2 * pair : pair, k = p->halves ? pair + half : 2 * pair + 1;
        float a = get(p->x, x + j, narrow) * inverse * (p->gamma ? p->gamma[j] : 1);
        if (!p->cosines) {
          set(p->y, y + j, a, narrow);
          continue;
        }
        float b = get(p->x, x + k, narrow) * inverse * (p->gamma ? p->gamma[k] : 1);
        const float *cosines = p->cosines + i * p->d, *sines = p->sines + i * p->d;
        set(p->y, y + j, a * cosines[j] + b * sines[j], narrow);
        set(p->y, y + k, b * cosines[k] + a * sines[k], narrow);
      }
    }
  }
}
static void heads(const ck_heads *p) { any_heads(p, 0); }
static void heads_bf16(const ck_heads *p) { any_heads(p, 1); }

static void any_gate(const ck_gate *p, int narrow) {
  for (size_t i = 0; i < p->rows; i++) {
    for (size_t j = 0; j < p->width; j++) {
      float gate = activated(get(p->gate, i * p->gate_stride + j, narrow), p->activation);
      set(p->y, i * p->y_stride + j, gate * get(p->x, i * p->x_stride + j, narrow), narrow);
    }
  }
}
static void gate(const ck_gate *p) { any_gate(p, 0); }
static void gate_bf16(const ck_gate *p) { any_gate(p, 1); }

static int supported(void) { return 1; }

#include "../body/overlay_body.h"

const ck_isa ck_isa_portable = {"portable", supported, overlay};
