// A vector of 16 floats: the operations that the bodies are written in.
typedef __m512 vf;
#define VL 16

static inline vf v_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void v_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
static inline __mmask16 v_mask(size_t n) { return (__mmask16)((1u << n) - 1); }
// The first n lanes, 1...VL; the others are zero, and nothing is read past them.
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
static inline vf v_abs(vf a) { return _mm512_abs_ps(a); }
static inline vf v_copysign(vf magnitude, vf sign) {
  __m512i bit = _mm512_set1_epi32((int)0x80000000);
  return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(bit, _mm512_castps_si512(sign), _mm512_castps_si512(magnitude), 0xCA));
}
static inline vf v_round(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// x * 2^n for an integral n of at most 127 in magnitude.
static inline vf v_scale2(vf x, vf n) { return _mm512_scalef_ps(x, n); }
static inline float v_sum(vf a) { return _mm512_reduce_add_ps(a); }
static inline float v_largest(vf a) { return _mm512_reduce_max_ps(a); }
