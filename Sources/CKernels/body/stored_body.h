// Decodes 32 neighbouring weights of a stored row to floats, written once against vec/. Every operation rounds as in ggml's
// reference functions (ggml-quants.c), so all instruction sets give the same numbers.

enum { STORED = 32 / VL, HALF_STORED = 16 / VL };

// The 6-bit scale and minimum of one of eight parts of a K block.
static inline void stored_part(const uint8_t *bytes, size_t part, float *scale, float *least) {
  if (part < 4) {
    *scale = (float)(bytes[part] & 63);
    *least = (float)(bytes[part + 4] & 63);
  } else {
    *scale = (float)((bytes[part + 4] & 15) | (bytes[part - 4] >> 6) << 4);
    *least = (float)(bytes[part + 4] >> 4 | (bytes[part] >> 6) << 4);
  }
}

// The weights of inputs 32 * index to 32 * index + 31. `stored` is a compile-time constant, so that the compiler keeps one case
// only.
static inline __attribute__((always_inline)) void stored_weights(const ck_stored stored, const uint8_t *row, size_t index, float factor, vf *w) {
  switch (stored) {
    case CK_Q4_0: {
      const uint8_t *block = row + index * 18;
      const vf scale = v_set1(v_half(block));
      for (int v = 0; v < HALF_STORED; v++) {
        const vi pair = v_unsigned_bytes(block + 2 + v * VL);
        w[v] = v_mul(scale, v_from_int(v_sub_int(v_and_int(pair, 15), v_set1_int(8))));
        w[HALF_STORED + v] = v_mul(scale, v_from_int(v_sub_int(v_right(pair, 4), v_set1_int(8))));
      }
      break;
    }
    case CK_Q8_0: {
      const uint8_t *block = row + index * 34;
      const vf scale = v_set1(v_half(block));
      for (int v = 0; v < STORED; v++) w[v] = v_mul(v_from_int(v_signed_bytes(block + 2 + v * VL)), scale);
      break;
    }
    case CK_Q4_K:
    case CK_Q5_K: {
      const size_t part = index % 8;
      const uint8_t *block = row + index / 8 * (stored == CK_Q4_K ? 144 : 176);
      const uint8_t *low = block + (stored == CK_Q4_K ? 16 : 48) + part / 2 * 32;
      float scale, least;
      stored_part(block + 4, part, &scale, &least);
      const vf by = v_set1(v_half(block) * scale), offset = v_set1(v_half(block + 2) * least);
      for (int v = 0; v < STORED; v++) {
        vi q = v_and_int(v_right(v_unsigned_bytes(low + v * VL), (int)(part % 2 * 4)), 15);
        if (stored == CK_Q5_K) {
          q = v_or_int(q, v_left(v_and_int(v_right(v_unsigned_bytes(block + 16 + v * VL), (int)part), 1), 4));
        }
        w[v] = v_sub(v_mul(by, v_from_int(q)), offset);
      }
      break;
    }
    case CK_Q6_K: {
      const size_t part = index % 8;
      const uint8_t *block = row + index / 8 * 210;
      const uint8_t *low = block + part / 4 * 64 + part % 2 * 32, *high = block + 128 + part / 4 * 32;
      const float scale = v_half(block + 208);
      for (int v = 0; v < STORED; v++) {
        const vf by = v_set1(scale * (float)(int8_t)block[192 + 2 * part + (size_t)v * VL / 16]);
        const vi bits = v_and_int(v_right(v_unsigned_bytes(low + v * VL), (int)(part % 4 / 2 * 4)), 15);
        const vi above = v_left(v_and_int(v_right(v_unsigned_bytes(high + v * VL), (int)(part % 4 * 2)), 3), 4);
        w[v] = v_mul(by, v_from_int(v_sub_int(v_or_int(bits, above), v_set1_int(32))));
      }
      break;
    }
    case CK_F8_E4M3:
      for (int v = 0; v < STORED; v++) w[v] = v_mul(v_load_e4m3(row + index * 32 + v * VL), v_set1(factor));
      break;
    case CK_F8_E5M2:
      for (int v = 0; v < STORED; v++) w[v] = v_mul(v_load_e5m2(row + index * 32 + v * VL), v_set1(factor));
      break;
    case CK_I8:
      for (int v = 0; v < STORED; v++) w[v] = v_mul(v_from_int(v_signed_bytes(row + index * 32 + v * VL)), v_set1(factor));
      break;
    case CK_F16:
      for (int v = 0; v < STORED; v++) w[v] = v_load_f16(row + (index * 32 + v * VL) * 2);
      break;
    case CK_BF16:
      for (int v = 0; v < STORED; v++) {
        uint16_t numbers[VL];
        memcpy(numbers, row + (index * 32 + v * VL) * 2, sizeof numbers);
        w[v] = v_load16(numbers);
      }
      break;
  }
}

// Calls `run` with the type as a compile-time constant.
#define CK_STORED_CASES(run)                                                                                               \
  switch (p->stored) {                                                                                                     \
    case CK_Q4_0: run(CK_Q4_0); break;                                                                                     \
    case CK_Q8_0: run(CK_Q8_0); break;                                                                                     \
    case CK_Q4_K: run(CK_Q4_K); break;                                                                                     \
    case CK_Q5_K: run(CK_Q5_K); break;                                                                                     \
    case CK_Q6_K: run(CK_Q6_K); break;                                                                                     \
    case CK_F8_E4M3: run(CK_F8_E4M3); break;                                                                               \
    case CK_F8_E5M2: run(CK_F8_E5M2); break;                                                                               \
    case CK_I8: run(CK_I8); break;                                                                                         \
    case CK_F16: run(CK_F16); break;                                                                                       \
    case CK_BF16: run(CK_BF16); break;                                                                                     \
  }

// Decodes VL rows at a time into lines of 32-bit groups, which are then transposed into the panel.
enum { LINE_INPUTS = 256 };
