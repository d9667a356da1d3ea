// Products of a row with vectors in float32, written once against vec/. A row is read once for four vectors, whose sums hide the
// latency of the multiplication.

static inline __attribute__((always_inline)) void lane_products_of(const float *a, const float *x, size_t x_stride, const int vectors,
                                                               size_t count, float *sums) {
  enum { PARTS = 16 / VL };
  vf sum[4][PARTS];
#pragma clang loop unroll(full)
  for (int v = 0; v < vectors; v++) {
#pragma clang loop unroll(full)
    for (int part = 0; part < PARTS; part++) sum[v][part] = v_zero();
  }
  for (size_t i = 0; i < count; i += 16) {
#pragma clang loop unroll(full)
    for (int part = 0; part < PARTS; part++) {
      const vf row = v_load(a + i + part * VL);
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) sum[v][part] = v_fma(row, v_load(x + v * x_stride + i + part * VL), sum[v][part]);
    }
  }
#pragma clang loop unroll(full)
  for (int v = 0; v < vectors; v++) {
#pragma clang loop unroll(full)
    for (int part = 0; part < PARTS; part++) v_store(sums + 16 * v + part * VL, sum[v][part]);
  }
}

static void lane_products(const float *a, const float *x, size_t x_stride, size_t vectors, size_t count, float *sums) {
  for (; vectors >= 4; vectors -= 4, x += 4 * x_stride, sums += 4 * 16) lane_products_of(a, x, x_stride, 4, count, sums);
  switch (vectors) {
    case 3: lane_products_of(a, x, x_stride, 3, count, sums); break;
    case 2: lane_products_of(a, x, x_stride, 2, count, sums); break;
    case 1: lane_products_of(a, x, x_stride, 1, count, sums); break;
    default: break;
  }
}
