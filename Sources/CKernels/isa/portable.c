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

static int supported(void) { return 1; }

#include "../body/overlay_body.h"

const ck_isa ck_isa_portable = {"portable", supported, overlay};
