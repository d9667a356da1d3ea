// Activations and sums, written once against vec/ for the type that element_*.h has chosen.

#define CK_POINTWISE(name)                                                                        \
  static void CK_FN(name)(const CK_NUMBER *x, size_t count, CK_NUMBER *y) {                       \
    size_t i = 0;                                                                                 \
    for (; i + VL <= count; i += VL) CK_STORE(y + i, v_##name(CK_LOAD(x + i)));                   \
    if (i < count) CK_STORE_N(y + i, v_##name(CK_LOAD_N(x + i, count - i)), count - i);           \
  }
CK_POINTWISE(silu)
CK_POINTWISE(gelu)
CK_POINTWISE(quick_gelu)
CK_POINTWISE(gelu_tanh)
#undef CK_POINTWISE

static void CK_FN(geglu)(const CK_NUMBER *x, size_t rows, size_t width, CK_NUMBER *y) {
  for (size_t i = 0; i < rows; i++, x += 2 * width, y += width) {
    size_t j = 0;
    for (; j + VL <= width; j += VL) CK_STORE(y + j, v_mul(CK_LOAD(x + j), v_gelu(CK_LOAD(x + width + j))));
    if (j < width) {
      size_t rest = width - j;
      CK_STORE_N(y + j, v_mul(CK_LOAD_N(x + j, rest), v_gelu(CK_LOAD_N(x + width + j, rest))), rest);
    }
  }
}

static void CK_FN(add)(const CK_NUMBER *a, const CK_NUMBER *b, size_t count, CK_NUMBER *y) {
  size_t i = 0;
  for (; i + VL <= count; i += VL) CK_STORE(y + i, v_add(CK_LOAD(a + i), CK_LOAD(b + i)));
  if (i < count) CK_STORE_N(y + i, v_add(CK_LOAD_N(a + i, count - i), CK_LOAD_N(b + i, count - i)), count - i);
}

static void CK_FN(add_scaled)(const CK_NUMBER *residual, const CK_NUMBER *x, size_t rows, size_t channels, const float *scale,
                              CK_NUMBER *y) {
  for (size_t i = 0; i < rows; i++, x += channels, residual += channels, y += channels) {
    for (size_t c = 0; c < channels; c += VL) {
      size_t n = channels - c < VL ? channels - c : VL;
      CK_STORE_N(y + c, v_fma(CK_LOAD_N(x + c, n), v_load_n(scale + c, n), CK_LOAD_N(residual + c, n)), n);
    }
  }
}

static inline __attribute__((always_inline)) void CK_FN(gate_by)(const ck_gate *p, ck_activation activation) {
  for (size_t i = 0; i < p->rows; i++) {
    const CK_NUMBER *gate = (const CK_NUMBER *)p->gate + i * p->gate_stride;
    const CK_NUMBER *x = (const CK_NUMBER *)p->x + i * p->x_stride;
    CK_NUMBER *y = (CK_NUMBER *)p->y + i * p->y_stride;
    for (size_t j = 0; j < p->width; j += VL) {
      size_t n = p->width - j < VL ? p->width - j : VL;
      CK_STORE_N(y + j, v_mul(activated(CK_LOAD_N(gate + j, n), activation), CK_LOAD_N(x + j, n)), n);
    }
  }
}

// The activation is a constant in each loop, so that the switch is outside of the loop.
static void CK_FN(gate)(const ck_gate *p) {
  switch (p->activation) {
    case CK_IDENTITY: CK_FN(gate_by)(p, CK_IDENTITY); break;
    case CK_SILU: CK_FN(gate_by)(p, CK_SILU); break;
    case CK_GELU: CK_FN(gate_by)(p, CK_GELU); break;
    case CK_QUICK_GELU: CK_FN(gate_by)(p, CK_QUICK_GELU); break;
    case CK_GELU_TANH: CK_FN(gate_by)(p, CK_GELU_TANH); break;
  }
}
