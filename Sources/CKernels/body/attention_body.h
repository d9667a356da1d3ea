// softmax(q k^T) v for a block of queries: all scores first, then the softmax, then the weighted sum. Two products, with exp
// between them.

static void attention(const ck_attention *p) {
  const size_t panels = (p->count + NR - 1) / NR, stride = panels * NR;
  for (size_t panel = 0; panel < panels; panel++) {
    const float *tap[1] = {p->q};
    ck_product scores = {.taps = 1, .tap = tap, .row_stride = p->q_stride, .k = p->d, .panel = p->keys + panel * p->d * NR, .m = p->rows,
                         .n = NR, .out = p->scores + panel * NR, .out_stride = stride};
    product(&scores);
  }
  float inverse[CK_ATTENTION_ROWS];
  for (size_t i = 0; i < p->rows; i++) {
    float *s = p->scores + i * stride;
    size_t seen = p->visible + i < p->count ? p->visible + i : p->count;
    size_t whole = seen / VL * VL, rest = seen - whole;
    float factor = p->scale;
    if (p->bias) {
      // The scores are scaled here, because the bias must not be scaled.
      const float *bias = p->bias - i;
      vf by = v_set1(factor);
      for (size_t j = 0; j < whole; j += VL) v_store(s + j, v_fma(v_load(s + j), by, v_load(bias + j)));
      for (size_t j = whole; j < seen; j++) s[j] = s[j] * factor + bias[j];
      factor = 1;
    }
    float max = s[0];
    vf largest = v_set1(max);
    for (size_t j = 0; j < whole; j += VL) largest = v_max(largest, v_load(s + j));
    max = v_largest(largest);
    for (size_t j = whole; j < seen; j++) max = s[j] > max ? s[j] : max;
    // scale > 0, so the largest score is still the largest after scaling.
    vf scale = v_set1(factor), offset = v_set1(-max * factor), total = v_zero();
    for (size_t j = 0; j < whole; j += VL) {
      vf e = v_exp(v_fma(v_load(s + j), scale, offset));
      total = v_add(total, e);
      v_store(s + j, e);
    }
    float sum = 0;
    if (rest) {
      v_store(s + whole, v_exp(v_fma(v_load(s + whole), scale, offset)));
      for (size_t j = whole; j < seen; j++) sum += s[j];
    }
    inverse[i] = 1.0f / (sum + v_sum(total));
    for (size_t j = seen; j < p->count; j++) s[j] = 0;
  }
  for (size_t c = 0; c < p->d; c += NR) {
    const float *tap[1] = {p->scores};
    ck_product sums = {.taps = 1, .tap = tap, .row_stride = stride, .k = p->count, .panel = p->values + c / NR * p->count * NR, .m = p->rows,
                       .n = p->d - c < NR ? p->d - c : NR, .out = p->out + c, .out_stride = p->out_stride};
    product(&sums);
  }
  for (size_t i = 0; i < p->rows; i++) {
    for (size_t c = 0; c < p->d; c++) p->out[i * p->out_stride + c] *= inverse[i];
  }
}
