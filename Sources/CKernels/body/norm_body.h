// The two halves of group norm, and layer norm, written once against vec/ for the type that element_*.h has chosen.

// Each lane is a channel, so sums across lanes are never needed. There are two passes over rows that are still in the cache.
static void CK_FN(moments)(const CK_NUMBER *x, size_t rows, size_t channels, float *mean, float *m2) {
  vf inverse = v_set1(1.0f / (float)rows);
  for (size_t c = 0; c < channels; c += VL) {
    size_t n = channels - c < VL ? channels - c : VL;
    vf sum = v_zero();
    for (size_t i = 0; i < rows; i++) sum = v_add(sum, CK_LOAD_N(x + i * channels + c, n));
    vf average = v_mul(sum, inverse), square = v_zero();
    for (size_t i = 0; i < rows; i++) {
      vf deviation = v_sub(CK_LOAD_N(x + i * channels + c, n), average);
      square = v_fma(deviation, deviation, square);
    }
    v_store_n(mean + c, average, n);
    v_store_n(m2 + c, square, n);
  }
}

static void CK_FN(scale_shift)(const CK_NUMBER *x, size_t x_stride, size_t rows, size_t channels, const float *scale,
                               const float *shift, int silu, CK_NUMBER *y, size_t y_stride) {
  for (size_t i = 0; i < rows; i++, x += x_stride, y += y_stride) {
    for (size_t c = 0; c < channels; c += VL) {
      size_t n = channels - c < VL ? channels - c : VL;
      vf v = v_fma(CK_LOAD_N(x + c, n), v_load_n(scale + c, n), v_load_n(shift + c, n));
      CK_STORE_N(y + c, silu ? v_silu(v) : v, n);
    }
  }
}

static void CK_FN(layer_norm)(const CK_NUMBER *x, size_t rows, size_t width, const float *gamma, const float *beta, float epsilon,
                              CK_NUMBER *y) {
  for (size_t i = 0; i < rows; i++, x += width, y += width) {
    vf sum = v_zero(), square = v_zero();
    size_t whole = width / VL * VL, rest = width - whole;
    for (size_t j = 0; j < whole; j += VL) sum = v_add(sum, CK_LOAD(x + j));
    if (rest) sum = v_add(sum, CK_LOAD_N(x + whole, rest));
    const float average = v_sum(sum) / (float)width;
    const vf mean = v_set1(average);
    for (size_t j = 0; j < whole; j += VL) {
      vf deviation = v_sub(CK_LOAD(x + j), mean);
      square = v_fma(deviation, deviation, square);
    }
    float variance = v_sum(square);
    if (rest) {
      float last[VL];
      v_store(last, v_sub(CK_LOAD_N(x + whole, rest), mean));
      for (size_t j = 0; j < rest; j++) variance += last[j] * last[j];
    }
    vf inverse = v_set1(1.0f / sqrtf(variance / (float)width + epsilon));
    for (size_t j = 0; j < width; j += VL) {
      size_t n = width - j < VL ? width - j : VL;
      vf normal = v_mul(v_sub(CK_LOAD_N(x + j, n), mean), inverse);
      CK_STORE_N(y + j, v_fma(normal, v_load_n(gamma + j, n), v_load_n(beta + j, n)), n);
    }
  }
}

// 1 / sqrt(mean(x^2) + epsilon)
static inline float CK_FN(inverse_rms)(const CK_NUMBER *x, size_t width, float epsilon) {
  vf squares = v_zero();
  for (size_t j = 0; j < width; j += VL) {
    vf value = CK_LOAD_N(x + j, width - j < VL ? width - j : VL);
    squares = v_fma(value, value, squares);
  }
  return 1.0f / sqrtf(v_sum(squares) / (float)width + epsilon);
}

static void CK_FN(rms_norm)(const ck_rms_norm *p) {
  for (size_t i = 0; i < p->rows; i++) {
    const CK_NUMBER *x = (const CK_NUMBER *)p->x + i * p->x_stride;
    const CK_NUMBER *residual = p->residual ? (const CK_NUMBER *)p->residual + i * p->residual_stride : 0;
    CK_NUMBER *y = (CK_NUMBER *)p->y + i * p->y_stride;
    const vf inverse = v_set1(CK_FN(inverse_rms)(x, p->width, p->epsilon));
    for (size_t j = 0; j < p->width; j += VL) {
      size_t n = p->width - j < VL ? p->width - j : VL;
      vf normal = v_mul(CK_LOAD_N(x + j, n), inverse), gamma = v_load_n(p->gamma + j, n);
      CK_STORE_N(y + j, residual ? v_fma(normal, gamma, CK_LOAD_N(residual + j, n)) : v_mul(normal, gamma), n);
    }
  }
}

// A part of a head, normalised unless gamma is null.
static inline vf CK_FN(head_part)(const CK_NUMBER *x, const float *gamma, vf inverse, size_t n) {
  vf value = CK_LOAD_N(x, n);
  return gamma ? v_mul(v_mul(value, inverse), v_load_n(gamma, n)) : value;
}

static void CK_FN(heads)(const ck_heads *p) {
  const size_t d = p->d, half = d / 2;
  for (size_t i = 0; i < p->rows; i++) {
    const float *cosines = p->cosines ? p->cosines + i * d : 0, *sines = p->cosines ? p->sines + i * d : 0;
    const CK_NUMBER *x = (const CK_NUMBER *)p->x + i * p->x_stride;
    CK_NUMBER *y = (CK_NUMBER *)p->y + i * p->y_stride;
    for (size_t head = 0; head < p->heads; head++, x += d, y += d) {
      const float *gamma = p->gamma;
      const vf inverse = v_set1(gamma ? CK_FN(inverse_rms)(x, d, p->epsilon) : 1.0f);
      if (!cosines) {
        for (size_t j = 0; j < d; j += VL) {
          size_t n = d - j < VL ? d - j : VL;
          CK_STORE_N(y + j, CK_FN(head_part)(x + j, gamma ? gamma + j : 0, inverse, n), n);
        }
      } else if (p->halves) {
        for (size_t j = 0; j < half; j += VL) {
          size_t n = half - j < VL ? half - j : VL, k = j + half;
          vf a = CK_FN(head_part)(x + j, gamma ? gamma + j : 0, inverse, n);
          vf b = CK_FN(head_part)(x + k, gamma ? gamma + k : 0, inverse, n);
          CK_STORE_N(y + j, v_fma(a, v_load_n(cosines + j, n), v_mul(b, v_load_n(sines + j, n))), n);
          CK_STORE_N(y + k, v_fma(b, v_load_n(cosines + k, n), v_mul(a, v_load_n(sines + k, n))), n);
        }
      } else {
        for (size_t j = 0; j < d; j += VL) {
          size_t n = d - j < VL ? d - j : VL;
          vf a = CK_FN(head_part)(x + j, gamma ? gamma + j : 0, inverse, n);
          CK_STORE_N(y + j, v_fma(a, v_load_n(cosines + j, n), v_mul(v_swap_pairs(a), v_load_n(sines + j, n))), n);
        }
      }
    }
  }
}
