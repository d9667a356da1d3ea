// Unpacks stored weights to panels, written once against vec/. CK_UNPACK is the kernel's name; CK_GROUP is how many inputs
// share 32 bits of a column.

static inline __attribute__((always_inline)) vf CK_UNPACK_FN(lines)(const ck_unpacking *p, const ck_stored stored, size_t column, size_t first,
                                                                size_t count, int32_t (*lines)[LINE_INPUTS + 16]) {
  vf difference = v_zero();
  for (size_t i = 0; i < VL; i++) {
    const uint8_t *row = p->rows[column + i];
    if (row == NULL) {
      memset(lines[i], 0, count / CK_GROUP * 4);
      continue;
    }
    const float *factors = p->factors ? p->factors[column + i] : NULL;
#if CK_GROUP == 4
    const vf inverse = v_set1(p->inverse[column + i]);
#endif
    for (size_t k = 0; k < count; k += 32) {
      vf w[STORED];
      stored_weights(stored, row, (first + k) / 32, factors ? factors[(first + k) / p->factor_inputs] : 1.0f, w);
      for (int v = 0; v < STORED; v++) {
        const size_t at = k + (size_t)v * VL;
#if CK_GROUP == 1
        difference = v_add(difference, v_sub(w[v], w[v]));
        v_store((float *)lines[i] + at, w[v]);
#elif CK_GROUP == 2
        v_store16((uint16_t *)lines[i] + at, w[v]);
#else
        v_store_low_bytes((uint8_t *)lines[i] + at, v_nearest_int(v_mul(w[v], inverse)));
#endif
      }
    }
  }
  return difference;
}

static inline __attribute__((always_inline)) int CK_UNPACK_FN(run)(const ck_unpacking *p, const ck_stored stored) {
  __attribute__((aligned(64))) int32_t lines[VL][LINE_INPUTS + 16];
  int32_t *panel = (int32_t *)p->panel;
  vf difference = v_zero();
  for (size_t column = 0; column < NR; column += VL) {
    for (size_t first = 0; first < p->count; first += LINE_INPUTS) {
      const size_t count = p->count - first < LINE_INPUTS ? p->count - first : LINE_INPUTS, groups = count / CK_GROUP;
      difference = v_add(difference, CK_UNPACK_FN(lines)(p, stored, column, p->first + first, count, lines));
      int32_t *to = panel + first / CK_GROUP * NR + column;
      for (size_t g = 0; g < groups; g += VL) {
        vi x[VL];
        for (int i = 0; i < VL; i++) x[i] = v_load_int(lines[i] + g);
        v_transpose(x);
        if (groups - g >= VL) {
          for (int i = 0; i < VL; i++) v_store_int(to + (g + i) * NR, x[i]);
        } else {
          for (size_t i = 0; i < groups - g; i++) v_store_int(to + (g + i) * NR, x[i]);
        }
      }
    }
  }
  return v_sum(difference) == 0;
}

#define CK_RUN(stored) result = CK_UNPACK_FN(run)(p, stored)
#if CK_GROUP == 1
static int CK_UNPACK(const ck_unpacking *p) {
  int result = 0;
  CK_STORED_CASES(CK_RUN)
  return result;
}
#else
static void CK_UNPACK(const ck_unpacking *p) {
  int result = 0;
  CK_STORED_CASES(CK_RUN)
  (void)result;
}
#endif
#undef CK_RUN
#undef CK_UNPACK
#undef CK_UNPACK_FN
#undef CK_GROUP
