// Between float32 and bfloat16, written once against vec/.

static void widen(const uint16_t *x, size_t count, float *y) {
  size_t i = 0;
  for (; i + VL <= count; i += VL) v_store(y + i, v_load16(x + i));
  if (i < count) v_store_n(y + i, v_load16_n(x + i, count - i), count - i);
}

static void narrow(const float *x, size_t count, uint16_t *y) {
  size_t i = 0;
  for (; i + VL <= count; i += VL) v_store16(y + i, v_load(x + i));
  if (i < count) v_store16_n(y + i, v_load_n(x + i, count - i), count - i);
}
