// Plain C for every slot: the oracle for the other instruction sets, the documentation, and the fallback.
#include <math.h>
#include <string.h>

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
      s[key] = dot * p->scale;
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

static void add(const float *a, const float *b, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = a[i] + b[i];
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
  // What is not a number stays so: its last bits alone may say it.
  if (x != x) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void widen(const uint16_t *x, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = widened(x[i]);
}

static void narrow(const float *x, size_t count, uint16_t *y) {
  for (size_t i = 0; i < count; i++) y[i] = narrowed(x[i]);
}

static float activated(float x, int activation) {
  switch (activation) {
    case CK_SILU: return silu1(x);
    case CK_GELU: return gelu1(x);
    case CK_QUICK_GELU: return x / (1 + expf(-1.702f * x));
    default: return x;
  }
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

// One query at a time, over all its scores at once: `scratch` is not used, so they are made twice.
static float score(const ck_bf16_attention *p, const uint16_t *q, size_t key) {
  const uint16_t *column = p->keys + (key / NR * ((p->d + 1) / 2) * NR + key % NR) * 2;
  float dot = 0;
  for (size_t c = 0; c < p->d; c++) dot += widened(q[c]) * widened(column[c / 2 * 2 * NR + c % 2]);
  return dot * p->scale;
}

static void attention_bf16(const ck_bf16_attention *p) {
  for (size_t i = 0; i < p->rows; i++) {
    const uint16_t *q = p->q + i * p->q_stride;
    float *weighted = p->scratch;
    size_t seen = p->visible + i < p->count ? p->visible + i : p->count;
    float max = -INFINITY, sum = 0;
    for (size_t key = 0; key < seen; key++) max = fmaxf(max, score(p, q, key));
    for (size_t c = 0; c < p->d; c++) weighted[c] = 0;
    for (size_t key = 0; key < seen; key++) {
      float weight = expf(score(p, q, key) - max);
      sum += weight;
      weight = widened(narrowed(weight));
      for (size_t c = 0; c < p->d; c++) {
        weighted[c] += weight * widened(p->values[((c / NR * ((p->count + 1) / 2) + key / 2) * NR + c % NR) * 2 + key % 2]);
      }
    }
    for (size_t c = 0; c < p->d; c++) p->out[i * p->out_stride + c] = narrowed(weighted[c] / sum);
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

static void add_bf16(const uint16_t *a, const uint16_t *b, size_t count, uint16_t *y) {
  for (size_t i = 0; i < count; i++) y[i] = narrowed(widened(a[i]) + widened(b[i]));
}

static int supported(void) { return 1; }

#include "../body/overlay_body.h"

const ck_isa ck_isa_portable = {"portable", supported, overlay};
