// The product of bfloat16 numbers, written once against vec/. The including file defines MR16 and NV; NR is the same as for the
// float32 product.

// The bits of two neighbouring numbers, with any alignment.
static inline __attribute__((always_inline)) uint32_t pair_at(const uint16_t *p) {
  uint32_t pair;
  memcpy(&pair, p, sizeof pair);
  return pair;
}

// One register tile. Rows are addressed as in the float32 product.
static inline __attribute__((always_inline)) void tile_bf16(const ck_bf16_product *p, size_t row, const int rows, const int vectors) {
  vf sum[MR16][NV];
  const size_t stride = p->row_stride, n = p->n, pairs = p->k / 2;
  float *partial = p->sums + row * NR;
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) sum[i][v] = p->continues ? v_load(partial + i * NR + v * VL) : v_zero();
  }
  const uint16_t *b = p->panel;
  for (size_t t = 0; t < p->taps; t++) {
    const uint16_t *a[(MR16 + 2) / 3];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i += 3) a[i / 3] = p->tap[t] + (row + i) * stride;
    for (size_t k = 0; k < pairs; k++, b += 2 * NR) {
      vp column[NV];
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) column[v] = v_load_pairs(b + 2 * v * VL);
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; i++) {
        vp x = v_set1_pair(pair_at(a[i / 3] + (i % 3) * stride + 2 * k));
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sum[i][v] = v_dot2(sum[i][v], x, column[v]);
      }
    }
    if (p->k % 2) {
      // The last row of the panel is half zeros, and `a` must not be read past its last number.
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; i++) {
        vp x = v_set1_pair(a[i / 3][(i % 3) * stride + 2 * pairs]);
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sum[i][v] = v_dot2(sum[i][v], x, v_load_pairs(b + 2 * v * VL));
      }
      b += 2 * NR;
    }
  }
  if (!p->finishes) {
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) v_store(partial + i * NR + v * VL, sum[i][v]);
    }
    return;
  }
#pragma clang loop unroll(full)
  for (int v = 0; v < vectors; v++) {
    const size_t left = n - (size_t)v * VL;
    const vf bias = p->bias ? v_load(p->bias + v * VL) : v_zero();
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      vf x = activated(v_add(sum[i][v], bias), p->activation);
      const size_t at = (row + i) * p->out_stride + v * VL;
      if (p->residual) x = v_add(x, v_load16_n(p->residual + (row + i) * p->residual_stride + v * VL, left));
      if (p->out32) v_store_n(p->out32 + at, x, left);
      else v_store16_n(p->out + at, x, left);
    }
  }
}

static inline __attribute__((always_inline)) void tiles_bf16(const ck_bf16_product *p, const int vectors) {
  size_t row = 0;
  for (; row + MR16 <= p->m; row += MR16) tile_bf16(p, row, MR16, vectors);
  switch (p->m - row) {
#define CK_REST(r) case r: if (r < MR16) tile_bf16(p, row, r < MR16 ? r : 1, vectors); break;
    CK_REST(1) CK_REST(2) CK_REST(3) CK_REST(4) CK_REST(5) CK_REST(6) CK_REST(7)
#undef CK_REST
    default: break;
  }
}

static void product_bf16(const ck_bf16_product *p) {
  // A panel whose second half is only padding takes half the time; a head of 40 is 32 + 8.
  if (p->n <= VL) tiles_bf16(p, 1);
  else if (NV > 2 && p->n <= 2 * VL) tiles_bf16(p, NV > 2 ? 2 : 1);
  else if (NV > 3 && p->n <= 3 * VL) tiles_bf16(p, NV > 3 ? 3 : 1);
  else tiles_bf16(p, NV);
}
