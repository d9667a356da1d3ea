// Half precision to float32, written once against vec/.

static int widen_f16(const void *x, size_t count, float *y) {
  const char *source = (const char *)x;
  // x - x is zero for finite numbers and NaN for others, and a sum with NaN is NaN.
  vf difference = v_zero();
  size_t i = 0;
  for (; i + VL <= count; i += VL) {
    vf value = v_load_f16(source + 2 * i);
    difference = v_add(difference, v_sub(value, value));
    v_store(y + i, value);
  }
  if (i < count) {
    uint16_t rest[VL] = {0};
    memcpy(rest, source + 2 * i, 2 * (count - i));
    vf value = v_load_f16(rest);
    difference = v_add(difference, v_sub(value, value));
    v_store_n(y + i, value, count - i);
  }
  return v_sum(difference) == 0;
}
