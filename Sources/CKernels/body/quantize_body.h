// bfloat16 activations and float32 weights to 8 bits, written once against vec/. Nothing is summed, and every product is
// rounded, so all instruction sets give the same bytes.

static void range(const uint16_t *x, size_t count, float *smallest, float *largest) {
  vf low = v_zero(), high = v_zero(), non_finite = v_zero();
  for (size_t i = 0; i < count; i += VL) {
    const vf value = v_load16_n(x + i, count - i);
    low = v_min(low, value);
    high = v_max(high, value);
    // min and max may ignore NaN, so accumulate x * 0, which is NaN for NaN and infinity.
    non_finite = v_fma(value, v_zero(), non_finite);
  }
  const float zero_or_nan = v_sum(non_finite);
  *smallest = -v_largest(v_sub(v_zero(), low)) + zero_or_nan;
  *largest = v_largest(high) + zero_or_nan;
}

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
    const vf inverse = v_set1(ck_inverse_scale(*scale));
    const vi offset = v_set1_int(*zero);
    size_t k = 0;
    for (; k + VL <= p->k; k += VL) v_store_bytes(y + k, v_add_int(v_nearest_int(v_mul(v_load16(x + k), inverse)), offset));
    if (k < p->k) {
      const size_t rest = p->k - k;
      uint8_t last[VL];
      v_store_bytes(last, v_add_int(v_nearest_int(v_mul(v_load16_n(x + k, rest), inverse)), offset));
      for (size_t j = 0; j < rest; j++) y[k + j] = last[j];
      for (size_t j = rest; (k + j) % 4; j++) y[k + j] = 0;
    }
  }
}

static void quantize_panel(const ck_quantized_panel *p) {
  const size_t quads = (p->inputs + 3) / 4;
  for (size_t v = 0; v < NV; v++) {
    const float *x = p->x + v * VL;
    vf most = v_zero(), non_finite = v_zero();
    for (size_t i = 0; i < p->taps * p->inputs; i++) {
      const vf value = v_load(x + i * NR);
      most = v_max(most, v_abs(value));
      non_finite = v_fma(value, v_zero(), non_finite);
    }
    float scale[VL], inverse[VL];
    v_store(scale, v_add(most, non_finite));
    for (size_t j = 0; j < VL; j++) {
      scale[j] = ck_weight_scale(scale[j]);
      inverse[j] = ck_inverse_scale(scale[j]);
      p->column_scale[v * VL + j] = scale[j];
    }
    const vf by = v_load(inverse);
    vi sum = v_zero_int();
    for (size_t t = 0; t < p->taps; t++) {
      for (size_t quad = 0; quad < quads; quad++) {
        vi q[4];
        for (size_t l = 0; l < 4; l++) {
          const size_t input = 4 * quad + l;
          q[l] = input < p->inputs ? v_nearest_int(v_mul(v_load(x + (t * p->inputs + input) * NR), by)) : v_zero_int();
          sum = v_add_int(sum, q[l]);
        }
        v_store_quads(p->panel + ((t * quads + quad) * NR + v * VL) * 4, q[0], q[1], q[2], q[3]);
      }
    }
    v_store_int(p->column_sum + v * VL, sum);
  }
}
