// softmax(q k^T) v without the whole matrix of scores: a block of keys at a time, with a running maximum and sum for every
// query (Milakov & Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135). Two products around exp2.

enum { KEY_BLOCK = CK_BF16_ATTENTION_KEYS };

static void attention_bf16(const ck_bf16_attention *p) {
  const size_t width = (p->d + NR - 1) / NR * NR, pairs = (p->d + 1) / 2;
  // Scores and sums are in panels, [panel][rows][NR], the layout that products leave between calls.
  const size_t panel = p->rows * NR;
  float *scores = p->scratch;
  float *sums = scores + CK_BF16_ATTENTION_ROWS * KEY_BLOCK;
  uint16_t *weights = (uint16_t *)(sums + CK_BF16_ATTENTION_ROWS * width);
  float largest[CK_BF16_ATTENTION_ROWS], total[CK_BF16_ATTENTION_ROWS];
  // Exponents have base 2. scale > 0, so the largest score stays the largest.
  // With a bias the scores are scaled first, because the bias is not.
  const float factor = (p->bias ? 1 : p->scale) * 1.44269504088896341f;
  const size_t last_seen = p->visible + p->rows - 1 < p->count ? p->visible + p->rows - 1 : p->count;

  for (size_t first = 0; first < last_seen; first += KEY_BLOCK) {
    const size_t keys = last_seen - first < KEY_BLOCK ? last_seen - first : KEY_BLOCK;
    for (size_t key = 0; key < keys; key += NR) {
      const uint16_t *tap[1] = {p->q};
      ck_bf16_product product = {.taps = 1, .tap = tap, .row_stride = p->q_stride, .k = p->d,
                                 .panel = p->keys + (first + key) / NR * pairs * 2 * NR, .m = p->rows, .n = NR,
                                 .sums = scores + key / NR * panel};
      product_bf16(&product);
    }
    for (size_t i = 0; i < p->rows; i++) {
      uint16_t *w = weights + i * KEY_BLOCK;
      size_t seen = p->visible + i < first ? 0 : p->visible + i - first;
      if (seen > keys) seen = keys;
      const size_t whole = seen / VL * VL, rest = seen - whole;
#define CK_SCORES(j) (scores + (j) / NR * panel + i * NR + (j) % NR)
      if (p->bias) {
        const float *bias = p->bias + (ptrdiff_t)first - (ptrdiff_t)i;
        const vf by = v_set1(p->scale);
        for (size_t j = 0; j < whole; j += VL) v_store(CK_SCORES(j), v_fma(v_load(CK_SCORES(j)), by, v_load(bias + j)));
        for (size_t j = whole; j < seen; j++) *CK_SCORES(j) = *CK_SCORES(j) * p->scale + bias[j];
      }
      float max = first == 0 ? scores[i * NR] * factor : largest[i];
      if (whole) {
        vf most = v_load(CK_SCORES(0));
        for (size_t j = VL; j < whole; j += VL) most = v_max(most, v_load(CK_SCORES(j)));
        const float value = v_largest(most) * factor;
        max = value > max ? value : max;
      }
      for (size_t j = 0; j < rest; j++) max = CK_SCORES(whole)[j] * factor > max ? CK_SCORES(whole)[j] * factor : max;
      const vf scale = v_set1(factor), offset = v_set1(-max);
      vf sum = v_zero();
      for (size_t j = 0; j < whole; j += VL) {
        vf e = v_exp2_rough(v_fma(v_load(CK_SCORES(j)), scale, offset));
        sum = v_add(sum, e);
        v_store16(w + j, e);
      }
      float added = v_sum(sum);
      if (rest) {
        float e[VL];
        v_store(e, v_exp2_rough(v_fma(v_load(CK_SCORES(whole)), scale, offset)));
        for (size_t j = 0; j < rest; j++) added += e[j];
        v_store16_n(w + whole, v_load(e), rest);
      }
#undef CK_SCORES
      // Keys that this query does not see, and the missing half of an odd last pair.
      for (size_t j = seen; j < keys + keys % 2; j++) w[j] = 0;
      if (first == 0) {
        total[i] = added;
      } else if (largest[i] == max) {
        total[i] += added;
      } else {
        const float shrink = exp2f(largest[i] - max);
        total[i] = total[i] * shrink + added;
        const vf by = v_set1(shrink);
        for (size_t c = 0; c < width; c += VL) {
          float *o = sums + c / NR * panel + i * NR + c % NR;
          v_store(o, v_mul(v_load(o), by));
        }
      }
      largest[i] = max;
    }
    for (size_t c = 0; c < p->d; c += NR) {
      const uint16_t *tap[1] = {weights};
      ck_bf16_product product = {.taps = 1, .tap = tap, .row_stride = KEY_BLOCK, .k = keys + keys % 2,
                                 .panel = p->values + (c / NR * ((p->count + 1) / 2) + first / 2) * 2 * NR, .m = p->rows,
                                 .n = p->d - c < NR ? p->d - c : NR, .sums = sums + c / NR * panel, .continues = first > 0};
      product_bf16(&product);
    }
  }
  for (size_t i = 0; i < p->rows; i++) {
    const vf inverse = v_set1(1.0f / total[i]);
    for (size_t c = 0; c < p->d; c += VL) {
      const size_t left = p->d - c;
      v_store16_n(p->out + i * p->out_stride + c,
                  v_mul(v_load(sums + c / NR * panel + i * NR + c % NR), inverse), left);
    }
  }
}
