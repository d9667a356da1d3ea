// A vector of 16 floats: the operations that the files in body/ use.
typedef __m512 vf;
#define VL 16

static inline vf v_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void v_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
static inline __mmask16 v_mask(size_t n) { return (__mmask16)((1u << n) - 1); }
// Loads the first n lanes, 1...VL; the others are zero, and memory past them is not read.
static inline vf v_load_n(const float *p, size_t n) { return n >= VL ? v_load(p) : _mm512_maskz_loadu_ps(v_mask(n), p); }
static inline void v_store_n(float *p, vf x, size_t n) {
  if (n >= VL) v_store(p, x);
  else _mm512_mask_storeu_ps(p, v_mask(n), x);
}
static inline vf v_set1(float x) { return _mm512_set1_ps(x); }
static inline vf v_zero(void) { return _mm512_setzero_ps(); }
static inline vf v_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf v_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf v_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf v_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
// The two numbers of each pair of lanes in reverse order.
static inline vf v_swap_pairs(vf a) { return _mm512_permute_ps(a, 0xB1); }
static inline vf v_abs(vf a) { return _mm512_abs_ps(a); }
static inline vf v_copysign(vf magnitude, vf sign) {
  __m512i bit = _mm512_set1_epi32((int)0x80000000);
  return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(bit, _mm512_castps_si512(sign), _mm512_castps_si512(magnitude), 0xCA));
}
static inline vf v_round(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// x * 2^n for an integer n from -127 to 127.
static inline vf v_scale2(vf x, vf n) { return _mm512_scalef_ps(x, n); }
// Clamps an exponent to what v_scale2 accepts; here it accepts any.
static inline vf v_bounded_exponent(vf n) { return n; }
static inline float v_sum(vf a) { return _mm512_reduce_add_ps(a); }
static inline float v_largest(vf a) { return _mm512_reduce_max_ps(a); }

// Half precision, with any alignment.
static inline vf v_load_f16(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

// bfloat16: the upper half of a float. A pair is two of them in 32 bits, the even one in the low half.
typedef __m512i vp;
static inline vf v_load16(const uint16_t *p) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
static inline vf v_load16_n(const uint16_t *p, size_t n) {
  if (n >= VL) return v_load16(p);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(v_mask(n), p)), 16));
}
#ifdef CK_HAS_DOT2
// Rounds to nearest, ties to even; subnormal numbers become zero.
static inline __m256i v_narrow(vf x) { return (__m256i)_mm512_cvtneps_pbh(x); }
// sum + a.odd * b.odd + a.even * b.even
static inline vf v_dot2(vf sum, vp a, vp b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
#else
// Rounds to nearest, ties to even; NaN stays NaN.
static inline __m256i v_narrow(vf x) {
  __m512i bits = _mm512_castps_si512(x);
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  rounded = _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), bits, _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
}
static inline vf v_even(vp x) { return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16)); }
static inline vf v_odd(vp x) { return _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32((int)0xffff0000))); }
// sum + a.odd * b.odd + a.even * b.even
static inline vf v_dot2(vf sum, vp a, vp b) { return v_fma(v_even(a), v_even(b), v_fma(v_odd(a), v_odd(b), sum)); }
#endif
#ifdef CK_HAS_DOT2
// Half a vector, for products whose columns fill no more: they take half the time.
#define CK_HAS_HALVES
typedef __m256 vh;
static inline vh h_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void h_store(float *p, vh x) { _mm256_storeu_ps(p, x); }
static inline vh h_zero(void) { return _mm256_setzero_ps(); }
static inline __m256i h_load_pairs(const uint16_t *p) { return _mm256_load_si256((const __m256i *)p); }
static inline vh h_dot2(vh sum, vp a, __m256i b) { return _mm256_dpbf16_ps(sum, (__m256bh)_mm512_castsi512_si256(a), (__m256bh)b); }
#endif
static inline void v_store16(uint16_t *p, vf x) { _mm256_storeu_si256((__m256i *)p, v_narrow(x)); }
static inline void v_store16_n(uint16_t *p, vf x, size_t n) {
  if (n >= VL) v_store16(p, x);
  else _mm256_mask_storeu_epi16(p, v_mask(n), v_narrow(x));
}
// Two vectors next to each other; `p` needs no alignment.
static inline void v_store16_both(uint16_t *p, vf first, vf second) {
#ifdef CK_HAS_DOT2
  _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(second, first));
#else
  v_store16(p, first);
  v_store16(p + VL, second);
#endif
}
static inline vp v_load_pairs(const uint16_t *p) { return _mm512_load_si512(p); }
static inline vp v_set1_pair(uint32_t pair) { return _mm512_set1_epi32((int)pair); }
// Rounds both, and stores each even number next to its odd one.
static inline void v_store_pairs(uint16_t *p, vf even, vf odd) {
  __m512i above = _mm512_slli_epi32(_mm512_cvtepu16_epi32(v_narrow(odd)), 16);
  _mm512_storeu_si512(p, _mm512_or_si512(_mm512_cvtepu16_epi32(v_narrow(even)), above));
}

// Integers of 32 bits, and groups of four bytes: unsigned for activations, signed for weights.
typedef __m512i vi;
typedef __m512i vq;
static inline vi v_load_int(const int32_t *p) { return _mm512_loadu_si512(p); }
static inline void v_store_int(int32_t *p, vi x) { _mm512_storeu_si512(p, x); }
static inline vi v_zero_int(void) { return _mm512_setzero_si512(); }
static inline vi v_set1_int(int32_t x) { return _mm512_set1_epi32(x); }
static inline vi v_add_int(vi a, vi b) { return _mm512_add_epi32(a, b); }
static inline vi v_sub_int(vi a, vi b) { return _mm512_sub_epi32(a, b); }
static inline vi v_mul_int(vi a, vi b) { return _mm512_mullo_epi32(a, b); }
static inline vf v_from_int(vi a) { return _mm512_cvtepi32_ps(a); }
// Rounds to nearest, ties to even.
static inline vi v_nearest_int(vf a) { return _mm512_cvtps_epi32(a); }
// Stores VL integers as unsigned bytes, clamped to 0...255.
static inline void v_store_bytes(uint8_t *p, vi x) {
  _mm_storeu_si128((__m128i *)p, _mm512_cvtusepi32_epi8(_mm512_max_epi32(x, _mm512_setzero_si512())));
}
static inline vq v_load_quads(const int8_t *p) { return _mm512_load_si512(p); }
static inline vq v_set1_quad(uint32_t quad) { return _mm512_set1_epi32((int)quad); }
// Stores the lowest bytes of four integers next to each other.
static inline void v_store_quads(int8_t *p, vi a, vi b, vi c, vi d) {
  const __m512i byte = _mm512_set1_epi32(0xff);
  __m512i low = _mm512_or_si512(_mm512_and_si512(a, byte), _mm512_slli_epi32(_mm512_and_si512(b, byte), 8));
  __m512i high = _mm512_or_si512(_mm512_slli_epi32(_mm512_and_si512(c, byte), 16), _mm512_slli_epi32(d, 24));
  _mm512_store_si512(p, _mm512_or_si512(low, high));
}
// sum + the four products of the unsigned bytes of `a` and the signed bytes of `b`.
#ifdef CK_HAS_DOT4
static inline vi v_dot4(vi sum, vq a, vq b) { return _mm512_dpbusd_epi32(sum, a, b); }
#else
// Bytes are widened to 16 bits, because vpmaddubsw saturates sums of two products.
static inline vi v_dot4(vi sum, vq a, vq b) {
  __m512i even = _mm512_madd_epi16(_mm512_and_si512(a, _mm512_set1_epi16(0xff)), _mm512_srai_epi16(_mm512_slli_epi16(b, 8), 8));
  __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(a, 8), _mm512_srai_epi16(b, 8));
  return _mm512_add_epi32(sum, _mm512_add_epi32(even, odd));
}
#endif

// Stored weights: VL neighbouring bytes.
static inline vi v_unsigned_bytes(const uint8_t *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
static inline vi v_signed_bytes(const uint8_t *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)); }
static inline vi v_and_int(vi a, int32_t b) { return _mm512_and_si512(a, _mm512_set1_epi32(b)); }
static inline vi v_or_int(vi a, vi b) { return _mm512_or_si512(a, b); }
static inline vi v_left(vi a, int n) { return _mm512_sll_epi32(a, _mm_cvtsi32_si128(n)); }
static inline vi v_right(vi a, int n) { return _mm512_srl_epi32(a, _mm_cvtsi32_si128(n)); }
// One half-precision number.
static inline float v_half(const uint8_t *p) {
  uint16_t bits;
  memcpy(&bits, p, sizeof bits);
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}
// FP8 by way of half precision. E5M2 has the same exponents; E4M3 read as a half is smaller by 2^8. NaN stays NaN.
static inline vf v_load_e4m3(const uint8_t *p) {
  const __m256i byte = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)p)), low = _mm256_and_si256(byte, _mm256_set1_epi16(0x7f));
  // An exponent of all ones stays all ones.
  const __m256i nan = _mm256_and_si256(_mm256_add_epi16(low, _mm256_set1_epi16(1)), _mm256_set1_epi16(0x80));
  const __m256i half = _mm256_or_si256(_mm256_slli_epi16(_mm256_andnot_si256(_mm256_set1_epi16(0x7f), byte), 8), _mm256_slli_epi16(_mm256_or_si256(low, nan), 7));
  return _mm512_mul_ps(_mm512_cvtph_ps(half), _mm512_set1_ps(256.0f));
}
static inline vf v_load_e5m2(const uint8_t *p) {
  return _mm512_cvtph_ps(_mm256_slli_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)p)), 8));
}
// Stores the lowest byte of each integer.
static inline void v_store_low_bytes(uint8_t *p, vi x) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(x)); }
static inline void v_transpose(vi *x) {
  vi y[16];
  for (int i = 0; i < 16; i += 2) {
    y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
    x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
    x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
    x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
  }
  // x[4 g + c]: rows 4 g to 4 g + 3 of the columns c, c + 4, c + 8, c + 12.
  for (int c = 0; c < 4; c++) {
    y[c] = _mm512_shuffle_i32x4(x[c], x[4 + c], 0x88);
    y[4 + c] = _mm512_shuffle_i32x4(x[c], x[4 + c], 0xdd);
    y[8 + c] = _mm512_shuffle_i32x4(x[8 + c], x[12 + c], 0x88);
    y[12 + c] = _mm512_shuffle_i32x4(x[8 + c], x[12 + c], 0xdd);
  }
  for (int c = 0; c < 4; c++) {
    x[c] = _mm512_shuffle_i32x4(y[c], y[8 + c], 0x88);
    x[8 + c] = _mm512_shuffle_i32x4(y[c], y[8 + c], 0xdd);
    x[4 + c] = _mm512_shuffle_i32x4(y[4 + c], y[12 + c], 0x88);
    x[12 + c] = _mm512_shuffle_i32x4(y[4 + c], y[12 + c], 0xdd);
  }
}
