// softmax(q k^T) v without storing the whole matrix of scores. It takes one block of keys at a time, and keeps a running
// maximum and sum for each query (Milakov & Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135). Two
// products, with exp2 between them.
//
// A few queries at a time, so that their scores and weights stay in the L1 cache. The block's keys and values stay in the L2
// cache until all queries of the call have used them.

enum { KEY_BLOCK = CK_BF16_ATTENTION_KEYS, QUERY_ROWS = MR16 };

// The scores of some queries and the keys of one panel, and the largest scores so far in each lane.
static inline __attribute__((always_inline)) void score_tile(const uint16_t *q, size_t q_stride, const int rows, size_t d, const uint16_t *keys, float *scores, float *most) {
  vf sum[MR16][NV];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < NV; v++) sum[i][v] = v_zero();
  }
  const uint16_t *a[(MR16 + 2) / 3];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i += 3) a[i / 3] = q + i * q_stride;
  const size_t pairs = d / 2;
  for (size_t k = 0; k < pairs; k++, keys += 2 * NR) {
    vp column[NV];
#pragma clang loop unroll(full)
    for (int v = 0; v < NV; v++) column[v] = v_load_pairs(keys + 2 * v * VL);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      vp x = v_set1_pair(pair_at(a[i / 3] + (i % 3) * q_stride + 2 * k));
#pragma clang loop unroll(full)
      for (int v = 0; v < NV; v++) sum[i][v] = v_dot2(sum[i][v], x, column[v]);
    }
  }
  if (d % 2) {
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      vp x = v_set1_pair(a[i / 3][(i % 3) * q_stride + 2 * pairs]);
#pragma clang loop unroll(full)
      for (int v = 0; v < NV; v++) sum[i][v] = v_dot2(sum[i][v], x, v_load_pairs(keys + 2 * v * VL));
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) {
    vf largest = v_load(most + i * VL);
#pragma clang loop unroll(full)
    for (int v = 0; v < NV; v++) {
      v_store(scores + i * KEY_BLOCK + v * VL, sum[i][v]);
      largest = v_max(largest, sum[i][v]);
    }
    v_store(most + i * VL, largest);
  }
}

static void score_panel(const uint16_t *q, size_t q_stride, size_t rows, size_t d, const uint16_t *keys, float *scores, float *most) {
  switch (rows) {
#define CK_ROWS(r) case r: if (r <= MR16) score_tile(q, q_stride, r <= MR16 ? r : 1, d, keys, scores, most); break;
    CK_ROWS(1) CK_ROWS(2) CK_ROWS(3) CK_ROWS(4) CK_ROWS(5) CK_ROWS(6) CK_ROWS(7) CK_ROWS(8)
#undef CK_ROWS
    default: break;
  }
}

#ifdef CK_HAS_HALVES
// The weighted sums of one panel and of the first half vector of the next one, for heads of 40: their last columns fill half a
// vector.
static inline __attribute__((always_inline)) void value_tile(const uint16_t *weights, const int rows, size_t pairs, const uint16_t *values, const uint16_t *rest, float *sums, float *rest_sums, int continues) {
  vf sum[MR16][NV];
  vh half[MR16];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < NV; v++) sum[i][v] = continues ? v_load(sums + i * NR + v * VL) : v_zero();
    half[i] = continues ? h_load(rest_sums + i * NR) : h_zero();
  }
  for (size_t k = 0; k < pairs; k++, values += 2 * NR, rest += 2 * NR) {
    vp column[NV];
#pragma clang loop unroll(full)
    for (int v = 0; v < NV; v++) column[v] = v_load_pairs(values + 2 * v * VL);
    const __m256i last = h_load_pairs(rest);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      const vp x = v_set1_pair(pair_at(weights + i * KEY_BLOCK + 2 * k));
#pragma clang loop unroll(full)
      for (int v = 0; v < NV; v++) sum[i][v] = v_dot2(sum[i][v], x, column[v]);
      half[i] = h_dot2(half[i], x, last);
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < NV; v++) v_store(sums + i * NR + v * VL, sum[i][v]);
    h_store(rest_sums + i * NR, half[i]);
  }
}

static void value_panel(const uint16_t *weights, size_t rows, size_t pairs, const uint16_t *values, const uint16_t *rest, float *sums, float *rest_sums, int continues) {
  switch (rows) {
#define CK_ROWS(r) case r: if (r <= MR16) value_tile(weights, r <= MR16 ? r : 1, pairs, values, rest, sums, rest_sums, continues); break;
    CK_ROWS(1) CK_ROWS(2) CK_ROWS(3) CK_ROWS(4) CK_ROWS(5) CK_ROWS(6) CK_ROWS(7) CK_ROWS(8)
#undef CK_ROWS
    default: break;
  }
}
#endif

// Quantises a few queries to bytes with an offset of 128; each row has its own scale.
static void quantize_queries(const uint16_t *q, size_t q_stride, size_t rows, size_t d, uint8_t *bytes, float *scale) {
  for (size_t i = 0; i < rows; i++, q += q_stride, bytes += CK_INT8_ATTENTION_WIDTH) {
    vf most = v_zero();
    for (size_t c = 0; c < d; c += VL) most = v_max(most, v_abs(v_load16_n(q + c, d - c)));
    scale[i] = ck_weight_scale(v_largest(most));
    const vf inverse = v_set1(ck_inverse_scale(scale[i]));
    for (size_t c = 0; c < d; c += VL) {
      v_store_bytes(bytes + c, v_add_int(v_nearest_int(v_mul(v_load16_n(q + c, d - c), inverse)), v_set1_int(128)));
    }
  }
}

// As score_tile, but on bytes.
static inline __attribute__((always_inline)) void byte_score_tile(const uint8_t *q, const int rows, size_t quads, const int8_t *keys, const float *scales, const int32_t *sums, float *scores, float *most) {
  vi sum[MR16][NV];
#pragma clang loop unroll(full)
  for (int v = 0; v < NV; v++) {
    const vi start = v_load_int(sums + v * VL);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) sum[i][v] = start;
  }
  for (size_t k = 0; k < quads; k++, keys += 4 * NR) {
    vq column[NV];
#pragma clang loop unroll(full)
    for (int v = 0; v < NV; v++) column[v] = v_load_quads(keys + 4 * v * VL);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      uint32_t quad;
      memcpy(&quad, q + i * CK_INT8_ATTENTION_WIDTH + 4 * k, sizeof quad);
      const vq x = v_set1_quad(quad);
#pragma clang loop unroll(full)
      for (int v = 0; v < NV; v++) sum[i][v] = v_dot4(sum[i][v], x, column[v]);
    }
  }
  vf scale[NV];
#pragma clang loop unroll(full)
  for (int v = 0; v < NV; v++) scale[v] = v_load(scales + v * VL);
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) {
    vf largest = v_load(most + i * VL);
#pragma clang loop unroll(full)
    for (int v = 0; v < NV; v++) {
      const vf score = v_mul(v_from_int(sum[i][v]), scale[v]);
      v_store(scores + i * KEY_BLOCK + v * VL, score);
      largest = v_max(largest, score);
    }
    v_store(most + i * VL, largest);
  }
}

static void byte_score_panel(const uint8_t *q, size_t rows, size_t quads, const int8_t *keys, const float *scales, const int32_t *sums, float *scores, float *most) {
  switch (rows) {
#define CK_ROWS(r) case r: if (r <= MR16) byte_score_tile(q, r <= MR16 ? r : 1, quads, keys, scales, sums, scores, most); break;
    CK_ROWS(1) CK_ROWS(2) CK_ROWS(3) CK_ROWS(4) CK_ROWS(5) CK_ROWS(6) CK_ROWS(7) CK_ROWS(8)
#undef CK_ROWS
    default: break;
  }
}

static void quantize_keys(const ck_quantized_keys *p) {
  const size_t quads = (p->d + 3) / 4;
  __attribute__((aligned(64))) int32_t lines[VL][CK_INT8_ATTENTION_WIDTH / 4 + 16];
  for (size_t column = 0; column < NR; column += VL) {
    for (size_t i = 0; i < VL; i++) {
      const size_t key = column + i;
      // Writes up to a whole vector past the last group of four; those bytes are not used.
      memset(lines[i], 0, sizeof lines[i]);
      p->scale[key] = 0;
      p->sum[key] = 0;
      if (key >= p->rows) continue;
      const uint16_t *x = p->x + key * p->x_stride;
      vf most = v_zero();
      for (size_t c = 0; c < p->d; c += VL) most = v_max(most, v_abs(v_sub(v_load16_n(x + c, p->d - c), v_load_n(p->mean + c, p->d - c))));
      p->scale[key] = ck_weight_scale(v_largest(most));
      const vf inverse = v_set1(ck_inverse_scale(p->scale[key]));
      int8_t *bytes = (int8_t *)lines[i];
      for (size_t c = 0; c < p->d; c += VL) {
        v_store_low_bytes((uint8_t *)bytes + c, v_nearest_int(v_mul(v_sub(v_load16_n(x + c, p->d - c), v_load_n(p->mean + c, p->d - c)), inverse)));
      }
      int32_t sum = 0;
      for (size_t c = 0; c < p->d; c++) sum += bytes[c];
      p->sum[key] = -128 * sum;
    }
    int32_t *to = (int32_t *)p->panel + column;
    for (size_t quad = 0; quad < quads; quad += VL) {
      vi x[VL];
      for (int i = 0; i < VL; i++) x[i] = v_load_int(lines[i] + quad);
      v_transpose(x);
      for (size_t i = 0; i < VL && quad + i < quads; i++) v_store_int(to + (quad + i) * NR, x[i]);
    }
  }
}

static inline __attribute__((always_inline)) void any_attention(const ck_bf16_attention *p, const int is_int8) {
  const size_t width = (p->d + NR - 1) / NR * NR, pairs = (p->d + 1) / 2, quads = (p->d + 3) / 4;
  // Sums are in panels, [panel][rows][NR], the layout that products leave between calls.
  const size_t panel = p->rows * NR;
  float *scores = p->scratch;
  float *sums = scores + QUERY_ROWS * KEY_BLOCK;
  uint16_t *weights = (uint16_t *)(sums + CK_BF16_ATTENTION_ROWS * width);
  float largest[CK_BF16_ATTENTION_ROWS], total[CK_BF16_ATTENTION_ROWS];
  __attribute__((aligned(64))) float most[QUERY_ROWS * VL];
  // Exponents have base 2. scale > 0, so the largest score is still the largest after scaling.
  // If there is a bias, the scores are scaled first, because the bias must not be scaled.
  const float base = (p->bias ? 1 : p->scale) * 1.44269504088896341f;
  float query_scales[CK_BF16_ATTENTION_ROWS];
  __attribute__((aligned(64))) uint8_t queries[is_int8 ? CK_BF16_ATTENTION_ROWS * CK_INT8_ATTENTION_WIDTH + VL : 1];
  if (is_int8) quantize_queries(p->q, p->q_stride, p->rows, p->d, queries, query_scales);
  const size_t last_seen = p->visible + p->rows - 1 < p->count ? p->visible + p->rows - 1 : p->count;

  for (size_t first = 0; first < last_seen; first += KEY_BLOCK) {
    const size_t keys = last_seen - first < KEY_BLOCK ? last_seen - first : KEY_BLOCK;
    for (size_t row = 0; row < p->rows; row += QUERY_ROWS) {
      const size_t rows = p->rows - row < QUERY_ROWS ? p->rows - row : QUERY_ROWS;
      // The maximum of each lane may include keys that a query does not see; those queries go through their scores again.
      for (size_t i = 0; i < rows * VL; i++) most[i] = -3.0e38f;
      const size_t whole_keys = keys / NR * NR;
      for (size_t key = 0; key < keys; key += NR) {
        const size_t at = (first + key) / NR;
        // Ignore the scores of missing keys.
        __attribute__((aligned(64))) float ignored[QUERY_ROWS * VL];
        float *largest_scores = key == whole_keys ? ignored : most;
        if (key == whole_keys) memcpy(ignored, most, rows * VL * sizeof *most);
        if (is_int8) {
          byte_score_panel(queries + row * CK_INT8_ATTENTION_WIDTH, rows, quads, p->keys8 + at * quads * 4 * NR, p->key_scales + at * NR, p->key_sums + at * NR, scores + key, largest_scores);
        } else {
          score_panel(p->q + row * p->q_stride, p->q_stride, rows, p->d, p->keys + at * pairs * 2 * NR, scores + key, largest_scores);
        }
      }
      for (size_t i = 0; i < rows; i++) {
        const size_t query = row + i;
        const float factor = is_int8 && !p->bias ? base * query_scales[query] : base;
        float *s = scores + i * KEY_BLOCK;
        uint16_t *w = weights + i * KEY_BLOCK;
        size_t seen = p->visible + query < first ? 0 : p->visible + query - first;
        if (seen > keys) seen = keys;
        const size_t whole = seen / VL * VL, rest = seen - whole;
        if (p->bias) {
          const float *bias = p->bias + (ptrdiff_t)first - (ptrdiff_t)query;
          const float by = is_int8 ? p->scale * query_scales[query] : p->scale;
          for (size_t j = 0; j < whole; j += VL) v_store(s + j, v_fma(v_load(s + j), v_set1(by), v_load(bias + j)));
          for (size_t j = whole; j < seen; j++) s[j] = s[j] * by + bias[j];
        }
        float max = first == 0 ? s[0] * factor : largest[query];
        size_t counted = 0;
        if (p->bias) {
          // These maxima were taken without the bias.
          vf highest = whole ? v_load(s) : v_set1(s[0]);
          for (size_t j = VL; j < whole; j += VL) highest = v_max(highest, v_load(s + j));
          const float value = v_largest(highest) * factor;
          if (seen) max = value > max ? value : max;
          counted = whole;
        } else if (seen >= whole_keys) {
          counted = whole_keys;
          if (whole_keys) {
            const float value = v_largest(v_load(most + i * VL)) * factor;
            max = value > max ? value : max;
          }
        }
        for (size_t j = counted; j < seen; j++) max = s[j] * factor > max ? s[j] * factor : max;
        const vf scale = v_set1(factor), offset = v_set1(-max);
        vf sum = v_zero();
        size_t j = 0;
        for (; j + 2 * VL <= whole; j += 2 * VL) {
          const vf e = v_exp2_rough(v_fma(v_load(s + j), scale, offset)), f = v_exp2_rough(v_fma(v_load(s + j + VL), scale, offset));
          sum = v_add(v_add(sum, e), f);
          v_store16_both(w + j, e, f);
        }
        if (j < whole) {
          const vf e = v_exp2_rough(v_fma(v_load(s + j), scale, offset));
          sum = v_add(sum, e);
          v_store16(w + j, e);
        }
        float added = v_sum(sum);
        if (rest) {
          float e[VL];
          v_store(e, v_exp2_rough(v_fma(v_load(s + whole), scale, offset)));
          for (size_t l = 0; l < rest; l++) added += e[l];
          v_store16_n(w + whole, v_load(e), rest);
        }
        // Zero the keys that this query does not see, and the missing half of an odd last pair.
        for (size_t l = seen; l < keys + keys % 2; l++) w[l] = 0;
        if (first == 0) {
          total[query] = added;
        } else if (largest[query] == max) {
          total[query] += added;
        } else {
          const float shrink = exp2f(largest[query] - max);
          total[query] = total[query] * shrink + added;
          const vf by = v_set1(shrink);
          for (size_t c = 0; c < width; c += VL) {
            float *o = sums + c / NR * panel + query * NR + c % NR;
            v_store(o, v_mul(v_load(o), by));
          }
        }
        largest[query] = max;
      }
      const size_t whole_pairs = (p->count + 1) / 2, used = (keys + 1) / 2;
      const uint16_t *values = p->values + first / 2 * 2 * NR;
      for (size_t c = 0; c < p->d; c += NR) {
        float *to = sums + c / NR * panel + row * NR;
#ifdef CK_HAS_HALVES
        if (p->d - c > NR && p->d - c <= NR + VL / 2) {
          const uint16_t *from = values + c / NR * whole_pairs * 2 * NR;
          value_panel(weights, rows, used, from, from + whole_pairs * 2 * NR, to, to + panel, first > 0);
          break;
        }
#endif
        const uint16_t *tap[1] = {weights};
        ck_bf16_product product = {.taps = 1, .tap = tap, .row_stride = KEY_BLOCK, .k = 2 * used,
                                   .panel = values + c / NR * whole_pairs * 2 * NR, .m = rows,
                                   .n = p->d - c < NR ? p->d - c : NR, .sums = to, .continues = first > 0};
        product_bf16(&product);
      }
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

static void attention_bf16(const ck_bf16_attention *p) { any_attention(p, 0); }
static void attention_int8(const ck_bf16_attention *p) { any_attention(p, 1); }
