// The two halves of group norm, and layer norm, written once against vec/ for the type that element_*.h has chosen.

// Each lane is a channel, so lanes are never added together. Two passes, over rows that are still in the cache.
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
