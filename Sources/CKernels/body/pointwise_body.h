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
