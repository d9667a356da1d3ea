// A vector of 8 floats: the operations that the files in body/ use.
typedef __m256 vf;
#define VL 8

static inline vf v_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void v_store(float *p, vf x) { _mm256_storeu_ps(p, x); }
static inline __m256i v_mask(size_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
// Loads the first n lanes, 1...VL; the others are zero, and memory past them is not read.
static inline vf v_load_n(const float *p, size_t n) { return n >= VL ? v_load(p) : _mm256_maskload_ps(p, v_mask(n)); }
static inline void v_store_n(float *p, vf x, size_t n) {
  if (n >= VL) v_store(p, x);
  else _mm256_maskstore_ps(p, v_mask(n), x);
}
static inline vf v_set1(float x) { return _mm256_set1_ps(x); }
static inline vf v_zero(void) { return _mm256_setzero_ps(); }
static inline vf v_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf v_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf v_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf v_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vf v_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
// The two numbers of each pair of lanes in reverse order.
static inline vf v_swap_pairs(vf a) { return _mm256_permute_ps(a, 0xB1); }
static inline vf v_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline vf v_copysign(vf magnitude, vf sign) {
  vf bit = _mm256_set1_ps(-0.0f);
  return _mm256_or_ps(_mm256_and_ps(bit, sign), _mm256_andnot_ps(bit, magnitude));
}
static inline vf v_round(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// x * 2^n for an integer n from -127 to 127.
static inline vf v_scale2(vf x, vf n) {
  __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(x, _mm256_castsi256_ps(exponent));
}
// Clamps an exponent to what v_scale2 accepts. The bound is the first operand, so that NaN stays NaN.
static inline vf v_bounded_exponent(vf n) { return _mm256_max_ps(_mm256_set1_ps(-126.0f), n); }
static inline float v_sum(vf a) {
  __m128 h = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  h = _mm_add_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
}
static inline float v_largest(vf a) {
  __m128 h = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  h = _mm_max_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
}

// Half precision, with any alignment.
static inline vf v_load_f16(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }

// bfloat16: the upper half of a float. A pair is two of them in 32 bits, the even one in the low half.
typedef __m256i vp;
static inline vf v_load16(const uint16_t *p) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}
static inline vf v_load16_n(const uint16_t *p, size_t n) {
  if (n >= VL) return v_load16(p);
  uint16_t whole[VL] = {0};
  for (size_t i = 0; i < n; i++) whole[i] = p[i];
  return v_load16(whole);
}
// Rounds to nearest, ties to even; NaN stays NaN.
static inline __m128i v_narrow(vf x) {
  __m256i bits = _mm256_castps_si256(x);
  __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  rounded = _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)));
  rounded = _mm256_srli_epi32(rounded, 16);
  return _mm_packus_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
}
static inline void v_store16(uint16_t *p, vf x) { _mm_storeu_si128((__m128i *)p, v_narrow(x)); }
static inline void v_store16_n(uint16_t *p, vf x, size_t n) {
  if (n >= VL) {
    v_store16(p, x);
    return;
  }
  uint16_t whole[VL];
  v_store16(whole, x);
  for (size_t i = 0; i < n; i++) p[i] = whole[i];
}
// Two vectors next to each other.
static inline void v_store16_both(uint16_t *p, vf first, vf second) {
  v_store16(p, first);
  v_store16(p + VL, second);
}
static inline vp v_load_pairs(const uint16_t *p) { return _mm256_load_si256((const __m256i *)p); }
static inline vp v_set1_pair(uint32_t pair) { return _mm256_set1_epi32((int)pair); }
static inline vf v_even(vp x) { return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16)); }
static inline vf v_odd(vp x) { return _mm256_castsi256_ps(_mm256_and_si256(x, _mm256_set1_epi32((int)0xffff0000))); }
// sum + a.odd * b.odd + a.even * b.even
static inline vf v_dot2(vf sum, vp a, vp b) { return v_fma(v_even(a), v_even(b), v_fma(v_odd(a), v_odd(b), sum)); }
// Rounds both, and stores each even number next to its odd one.
static inline void v_store_pairs(uint16_t *p, vf even, vf odd) {
  __m256i above = _mm256_slli_epi32(_mm256_cvtepu16_epi32(v_narrow(odd)), 16);
  _mm256_storeu_si256((__m256i *)p, _mm256_or_si256(_mm256_cvtepu16_epi32(v_narrow(even)), above));
}

// Integers of 32 bits, and groups of four bytes: unsigned for activations, signed for weights.
typedef __m256i vi;
typedef __m256i vq;
static inline vi v_load_int(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline void v_store_int(int32_t *p, vi x) { _mm256_storeu_si256((__m256i *)p, x); }
static inline vi v_zero_int(void) { return _mm256_setzero_si256(); }
static inline vi v_set1_int(int32_t x) { return _mm256_set1_epi32(x); }
static inline vi v_add_int(vi a, vi b) { return _mm256_add_epi32(a, b); }
static inline vi v_sub_int(vi a, vi b) { return _mm256_sub_epi32(a, b); }
static inline vi v_mul_int(vi a, vi b) { return _mm256_mullo_epi32(a, b); }
static inline vf v_from_int(vi a) { return _mm256_cvtepi32_ps(a); }
// Rounds to nearest, ties to even.
static inline vi v_nearest_int(vf a) { return _mm256_cvtps_epi32(a); }
// Stores VL integers as unsigned bytes, clamped to 0...255.
static inline void v_store_bytes(uint8_t *p, vi x) {
  __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(halves, halves));
}
static inline vq v_load_quads(const int8_t *p) { return _mm256_load_si256((const __m256i *)p); }
static inline vq v_set1_quad(uint32_t quad) { return _mm256_set1_epi32((int)quad); }
// Stores the lowest bytes of four integers next to each other.
static inline void v_store_quads(int8_t *p, vi a, vi b, vi c, vi d) {
  const __m256i byte = _mm256_set1_epi32(0xff);
  __m256i low = _mm256_or_si256(_mm256_and_si256(a, byte), _mm256_slli_epi32(_mm256_and_si256(b, byte), 8));
  __m256i high = _mm256_or_si256(_mm256_slli_epi32(_mm256_and_si256(c, byte), 16), _mm256_slli_epi32(d, 24));
  _mm256_store_si256((__m256i *)p, _mm256_or_si256(low, high));
}
// sum + the four products of the unsigned bytes of `a` and the signed bytes of `b`.
#ifdef CK_HAS_DOT4
static inline vi v_dot4(vi sum, vq a, vq b) { return CK_DOT4(sum, a, b); }
#else
// Bytes are widened to 16 bits, because
// vpmaddubsw saturates sums of two products.
static inline vi v_dot4(vi sum, vq a, vq b) {
  __m256i even = _mm256_madd_epi16(_mm256_and_si256(a, _mm256_set1_epi16(0xff)), _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8));
  __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(a, 8), _mm256_srai_epi16(b, 8));
  return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
}
#endif

// Stored weights: VL neighbouring bytes.
static inline vi v_unsigned_bytes(const uint8_t *p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
static inline vi v_signed_bytes(const uint8_t *p) { return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
static inline vi v_and_int(vi a, int32_t b) { return _mm256_and_si256(a, _mm256_set1_epi32(b)); }
static inline vi v_or_int(vi a, vi b) { return _mm256_or_si256(a, b); }
static inline vi v_left(vi a, int n) { return _mm256_sll_epi32(a, _mm_cvtsi32_si128(n)); }
static inline vi v_right(vi a, int n) { return _mm256_srl_epi32(a, _mm_cvtsi32_si128(n)); }
// One half-precision number.
static inline float v_half(const uint8_t *p) {
  uint16_t bits;
  memcpy(&bits, p, sizeof bits);
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}
// FP8 by way of half precision. E5M2 has the same exponents; E4M3 read as a half is smaller by 2^8. NaN stays NaN.
static inline vf v_load_e4m3(const uint8_t *p) {
  const __m128i byte = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)p)), low = _mm_and_si128(byte, _mm_set1_epi16(0x7f));
  // An exponent of all ones stays all ones.
  const __m128i nan = _mm_and_si128(_mm_add_epi16(low, _mm_set1_epi16(1)), _mm_set1_epi16(0x80));
  const __m128i half = _mm_or_si128(_mm_slli_epi16(_mm_andnot_si128(_mm_set1_epi16(0x7f), byte), 8), _mm_slli_epi16(_mm_or_si128(low, nan), 7));
  return _mm256_mul_ps(_mm256_cvtph_ps(half), _mm256_set1_ps(256.0f));
}
static inline vf v_load_e5m2(const uint8_t *p) {
  return _mm256_cvtph_ps(_mm_slli_epi16(_mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)p)), 8));
}
// Stores the lowest byte of each integer.
static inline void v_store_low_bytes(uint8_t *p, vi x) {
  const __m256i first = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i y = _mm256_shuffle_epi8(x, first);
  _mm_storel_epi64((__m128i *)p, _mm_unpacklo_epi32(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1)));
}
static inline void v_transpose(vi *x) {
  vi y[8];
  for (int i = 0; i < 8; i += 2) {
    y[i] = _mm256_unpacklo_epi32(x[i], x[i + 1]);
    y[i + 1] = _mm256_unpackhi_epi32(x[i], x[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    x[i] = _mm256_unpacklo_epi64(y[i], y[i + 2]);
    x[i + 1] = _mm256_unpackhi_epi64(y[i], y[i + 2]);
    x[i + 2] = _mm256_unpacklo_epi64(y[i + 1], y[i + 3]);
    x[i + 3] = _mm256_unpackhi_epi64(y[i + 1], y[i + 3]);
  }
  for (int c = 0; c < 4; c++) {
    y[c] = _mm256_permute2x128_si256(x[c], x[4 + c], 0x20);
    y[4 + c] = _mm256_permute2x128_si256(x[c], x[4 + c], 0x31);
  }
  for (int i = 0; i < 8; i++) x[i] = y[i];
}
