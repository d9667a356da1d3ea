// The product of 8-bit integers, written once against vec/. The including file defines MR8 and NV; NR is the same as for the
// float32 product.

// The bytes of four neighbouring numbers, with any alignment.
static inline __attribute__((always_inline)) uint32_t quad_at(const uint8_t *p) {
  uint32_t quad;
  memcpy(&quad, p, sizeof quad);
  return quad;
}

// One register tile. Rows are addressed as in the float32 product.
static inline __attribute__((always_inline)) void tile_int8(const ck_int8_product *p, size_t row, const int rows, const int vectors, const int is_gated) {
  vi sum[MR8][NV];
  const size_t stride = p->row_stride, quads = p->quads;
  int32_t *partial = p->sums + row * NR;
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) sum[i][v] = p->continues ? v_load_int(partial + i * NR + v * VL) : v_zero_int();
  }
  const int8_t *b = p->panel;
  for (size_t t = 0; t < p->taps; t++) {
    const uint8_t *a[(MR8 + 2) / 3];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i += 3) a[i / 3] = p->tap[t] + (row + i) * stride;
    for (size_t k = 0; k < quads; k++, b += 4 * NR) {
      vq column[NV];
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) column[v] = v_load_quads(b + 4 * v * VL);
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; i++) {
        vq x = v_set1_quad(quad_at(a[i / 3] + (i % 3) * stride + 4 * k));
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sum[i][v] = v_dot4(sum[i][v], x, column[v]);
      }
    }
  }
  if (!p->finishes) {
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) v_store_int(partial + i * NR + v * VL, sum[i][v]);
    }
    return;
  }
  vf x[MR8][NV];
#pragma clang loop unroll(full)
  for (int v = 0; v < vectors; v++) {
    const vf scale = v_load(p->column_scale + v * VL), bias = p->bias ? v_load(p->bias + v * VL) : v_zero();
    const vi column_sum = v_load_int(p->column_sum + v * VL);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      const size_t of = (row + i) * p->scale_stride;
      const vi exact = v_sub_int(sum[i][v], v_mul_int(column_sum, v_set1_int(p->zero[of])));
      x[i][v] = v_fma(v_mul(v_from_int(exact), scale), v_set1(p->scale[of]), bias);
    }
  }
#pragma clang loop unroll(full)
  for (int v = 0; v < (is_gated ? vectors / 2 : vectors); v++) {
    const size_t done = (size_t)v * VL;
    if (done < p->n) {
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; i++) {
        vf y = is_gated ? v_mul(x[i][v], v_gelu(x[i][vectors / 2 + v])) : activated(x[i][v], p->activation);
        const size_t at = (row + i) * p->out_stride + done;
        if (p->residual) y = v_add(y, v_load16_n(p->residual + (row + i) * p->residual_stride + done, p->n - done));
        if (p->out32) v_store_n(p->out32 + at, y, p->n - done);
        else v_store16_n(p->out + at, y, p->n - done);
      }
    }
  }
}

static inline __attribute__((always_inline)) void tiles_int8(const ck_int8_product *p, const int vectors, const int is_gated) {
  size_t row = 0;
  for (; row + MR8 <= p->m; row += MR8) tile_int8(p, row, MR8, vectors, is_gated);
  switch (p->m - row) {
#define CK_REST(r) case r: if (r < MR8) tile_int8(p, row, r < MR8 ? r : 1, vectors, is_gated); break;
    CK_REST(1) CK_REST(2) CK_REST(3) CK_REST(4) CK_REST(5) CK_REST(6) CK_REST(7)
#undef CK_REST
    default: break;
  }
}

static void product_int8(const ck_int8_product *p) {
  if (p->is_gated) tiles_int8(p, NV, 1);
  else if (p->n <= VL) tiles_int8(p, 1, 0);
  else if (NV > 2 && p->n <= 2 * VL) tiles_int8(p, NV > 2 ? 2 : 1, 0);
  else tiles_int8(p, NV, 0);
}
