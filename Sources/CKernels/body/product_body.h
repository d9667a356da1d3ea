// The product kernel, written once against vec/. The including file defines MR and NV (vectors of a panel's row).
#define NR (NV * VL)

// One register tile: `rows` rows by `vectors` vectors. Only every third row has a pointer; the rows are at base + i * stride
// with i = 0, 1, 2. One pointer per row would need too many registers, and x86 addresses allow no other factors.
static inline __attribute__((always_inline)) void tile(const ck_product *p, size_t row, const int rows, const int vectors) {
  vf sum[MR][NV];
  float *out = p->out + row * p->out_stride;
  const size_t stride = p->row_stride, n = p->n;
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
      size_t left = n - (size_t)v * VL;
      sum[i][v] = p->accumulate ? v_load_n(out + i * p->out_stride + v * VL, left) : v_zero();
    }
  }
  const float *b = p->panel;
  for (size_t t = 0; t < p->taps; t++) {
    const float *a[(MR + 2) / 3];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i += 3) a[i / 3] = p->tap[t] + (row + i) * stride;
    for (size_t k = 0; k < p->k; k++, b += NR) {
      vf column[NV];
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) column[v] = v_load(b + v * VL);
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; i++) {
        vf x = v_set1(a[i / 3][(i % 3) * stride + k]);
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sum[i][v] = v_fma(x, column[v], sum[i][v]);
      }
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
      size_t left = n - (size_t)v * VL;
      vf x = sum[i][v];
      if (p->bias) x = v_add(x, v_load(p->bias + v * VL));
      if (p->residual) x = v_add(x, v_load_n(p->residual + (row + i) * p->residual_stride + v * VL, left));
      v_store_n(out + i * p->out_stride + v * VL, x, left);
    }
  }
}

static inline __attribute__((always_inline)) void tiles(const ck_product *p, const int vectors) {
  size_t row = 0;
  for (; row + MR <= p->m; row += MR) tile(p, row, MR, vectors);
  switch (p->m - row) {
#define CK_REST(r) case r: if (r < MR) tile(p, row, r < MR ? r : 1, vectors); break;
    CK_REST(1) CK_REST(2) CK_REST(3) CK_REST(4) CK_REST(5) CK_REST(6) CK_REST(7)
#undef CK_REST
    default: break;
  }
}

static void product(const ck_product *p) {
  // A panel whose second half is only padding takes half the time; a head of 40 is 32 + 8.
  if (p->n <= VL) tiles(p, 1);
  else if (NV > 2 && p->n <= 2 * VL) tiles(p, NV > 2 ? 2 : 1);
  else if (NV > 3 && p->n <= 3 * VL) tiles(p, NV > 3 ? 3 : 1);
  else tiles(p, NV);
}
