// A vector of 4 floats: the operations that the files in body/ use.
typedef float32x4_t vf;
#define VL 4

static inline vf v_load(const float *p) { return vld1q_f32(p); }
static inline void v_store(float *p, vf x) { vst1q_f32(p, x); }
// Loads the first n lanes, 1...VL; the others are zero, and memory past them is not read.
static inline vf v_load_n(const float *p, size_t n) {
  if (n >= VL) return v_load(p);
  float whole[VL] = {0};
  for (size_t i = 0; i < n; i++) whole[i] = p[i];
  return v_load(whole);
}
static inline void v_store_n(float *p, vf x, size_t n) {
  if (n >= VL) {
    v_store(p, x);
    return;
  }
  float whole[VL];
  v_store(whole, x);
  for (size_t i = 0; i < n; i++) p[i] = whole[i];
}
static inline vf v_set1(float x) { return vdupq_n_f32(x); }
static inline vf v_zero(void) { return vdupq_n_f32(0); }
static inline vf v_add(vf a, vf b) { return vaddq_f32(a, b); }
static inline vf v_sub(vf a, vf b) { return vsubq_f32(a, b); }
static inline vf v_mul(vf a, vf b) { return vmulq_f32(a, b); }
static inline vf v_div(vf a, vf b) { return vdivq_f32(a, b); }
static inline vf v_max(vf a, vf b) { return vmaxq_f32(a, b); }
static inline vf v_min(vf a, vf b) { return vminq_f32(a, b); }
static inline vf v_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
// The two numbers of each pair of lanes in reverse order.
static inline vf v_swap_pairs(vf a) { return vrev64q_f32(a); }
static inline vf v_abs(vf a) { return vabsq_f32(a); }
static inline vf v_copysign(vf magnitude, vf sign) { return vbslq_f32(vdupq_n_u32(0x80000000), sign, magnitude); }
static inline vf v_round(vf a) { return vrndnq_f32(a); }
// x * 2^n for an integer n from -127 to 127.
static inline vf v_scale2(vf x, vf n) {
  int32x4_t exponent = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23);
  return vmulq_f32(x, vreinterpretq_f32_s32(exponent));
}
// Clamps an exponent to what v_scale2 accepts; NaN stays NaN.
static inline vf v_bounded_exponent(vf n) { return vmaxq_f32(vdupq_n_f32(-126.0f), n); }
static inline float v_sum(vf a) { return vaddvq_f32(a); }
static inline float v_largest(vf a) { return vmaxvq_f32(a); }

// Half precision, with any alignment.
static inline vf v_load_f16(const void *p) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const uint8_t *)p))); }

// bfloat16: the upper half of a float. A pair is two of them in 32 bits, the even one in the low half.
typedef uint32x4_t vp;
static inline vf v_load16(const uint16_t *p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
static inline vf v_load16_n(const uint16_t *p, size_t n) {
  if (n >= VL) return v_load16(p);
  uint16_t whole[VL] = {0};
  for (size_t i = 0; i < n; i++) whole[i] = p[i];
  return v_load16(whole);
}
#ifdef CK_HAS_DOT2
// Rounds to nearest, ties to even; NaN stays NaN.
static inline uint16x4_t v_narrow(vf x) { return vreinterpret_u16_bf16(vcvt_bf16_f32(x)); }
#else
// Rounds to nearest, ties to even; NaN stays NaN.
static inline uint16x4_t v_narrow(vf x) {
  uint32x4_t bits = vreinterpretq_u32_f32(x);
  uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
  return vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), rounded, quiet), 16);
}
#endif
static inline void v_store16(uint16_t *p, vf x) { vst1_u16(p, v_narrow(x)); }
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
static inline vp v_load_pairs(const uint16_t *p) { return vreinterpretq_u32_u16(vld1q_u16(p)); }
static inline vp v_set1_pair(uint32_t pair) { return vdupq_n_u32(pair); }
static inline vf v_even(vp x) { return vreinterpretq_f32_u32(vshlq_n_u32(x, 16)); }
static inline vf v_odd(vp x) { return vreinterpretq_f32_u32(vandq_u32(x, vdupq_n_u32(0xffff0000))); }
// sum + a.odd * b.odd + a.even * b.even
#ifdef CK_HAS_DOT2
static inline vf v_dot2(vf sum, vp a, vp b) { return vbfdotq_f32(sum, vreinterpretq_bf16_u32(a), vreinterpretq_bf16_u32(b)); }
#else
static inline vf v_dot2(vf sum, vp a, vp b) { return v_fma(v_even(a), v_even(b), v_fma(v_odd(a), v_odd(b), sum)); }
#endif
// Rounds both, and stores each even number next to its odd one.
static inline void v_store_pairs(uint16_t *p, vf even, vf odd) {
  uint32x4_t above = vshll_n_u16(v_narrow(odd), 16);
  vst1q_u16(p, vreinterpretq_u16_u32(vorrq_u32(vmovl_u16(v_narrow(even)), above)));
}

// Integers of 32 bits, and groups of four bytes: unsigned for activations, signed for weights.
typedef int32x4_t vi;
typedef uint8x16_t vq;
static inline vi v_load_int(const int32_t *p) { return vld1q_s32(p); }
static inline void v_store_int(int32_t *p, vi x) { vst1q_s32(p, x); }
static inline vi v_zero_int(void) { return vdupq_n_s32(0); }
static inline vi v_set1_int(int32_t x) { return vdupq_n_s32(x); }
static inline vi v_add_int(vi a, vi b) { return vaddq_s32(a, b); }
static inline vi v_sub_int(vi a, vi b) { return vsubq_s32(a, b); }
static inline vi v_mul_int(vi a, vi b) { return vmulq_s32(a, b); }
static inline vf v_from_int(vi a) { return vcvtq_f32_s32(a); }
// Rounds to nearest, ties to even.
static inline vi v_nearest_int(vf a) { return vcvtnq_s32_f32(a); }
// Stores VL integers as unsigned bytes, clamped to 0...255.
static inline void v_store_bytes(uint8_t *p, vi x) {
  uint16x4_t halves = vqmovun_s32(x);
  uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vqmovn_u16(vcombine_u16(halves, halves))), 0);
  memcpy(p, &bytes, sizeof bytes);
}
static inline vq v_load_quads(const int8_t *p) { return vreinterpretq_u8_s8(vld1q_s8(p)); }
static inline vq v_set1_quad(uint32_t quad) { return vreinterpretq_u8_u32(vdupq_n_u32(quad)); }
// Stores the lowest bytes of four integers next to each other.
static inline void v_store_quads(int8_t *p, vi a, vi b, vi c, vi d) {
  const int32x4_t byte = vdupq_n_s32(0xff);
  int32x4_t low = vorrq_s32(vandq_s32(a, byte), vshlq_n_s32(vandq_s32(b, byte), 8));
  int32x4_t high = vorrq_s32(vshlq_n_s32(vandq_s32(c, byte), 16), vshlq_n_s32(d, 24));
  vst1q_s8(p, vreinterpretq_s8_s32(vorrq_s32(low, high)));
}
// sum + the four products of the unsigned bytes of `a` and the signed bytes of `b`.
#if defined(CK_HAS_USDOT)
static inline vi v_dot4(vi sum, vq a, vq b) { return vusdotq_s32(sum, a, vreinterpretq_s8_u8(b)); }
#elif defined(CK_HAS_DOT4)
// The instruction multiplies signed bytes, so subtract 128 from `a` first, and add 128 times the weights afterwards.
static inline vi v_dot4(vi sum, vq a, vq b) {
  int8x16_t weights = vreinterpretq_s8_u8(b), half = vdupq_n_s8(-128);
  sum = vdotq_s32(sum, vreinterpretq_s8_u8(veorq_u8(a, vdupq_n_u8(128))), weights);
  return vsubq_s32(sum, vdotq_s32(vdupq_n_s32(0), half, weights));
}
#else
static inline vi v_dot4(vi sum, vq a, vq b) {
  // All four columns are multiplied by the same four bytes.
  int16x8_t x = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(a)));
  int16x8_t low = vmovl_s8(vget_low_s8(vreinterpretq_s8_u8(b))), high = vmovl_high_s8(vreinterpretq_s8_u8(b));
  int32x4_t first = vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(low)), vmull_high_s16(x, low));
  int32x4_t second = vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(high)), vmull_high_s16(x, high));
  return vaddq_s32(sum, vpaddq_s32(first, second));
}
#endif

// Stored weights: VL neighbouring bytes.
static inline vi v_unsigned_bytes(const uint8_t *p) {
  uint32_t bytes;
  memcpy(&bytes, p, sizeof bytes);
  return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(bytes))))));
}
static inline vi v_signed_bytes(const uint8_t *p) {
  uint32_t bytes;
  memcpy(&bytes, p, sizeof bytes);
  return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(bytes)))));
}
static inline vi v_and_int(vi a, int32_t b) { return vandq_s32(a, vdupq_n_s32(b)); }
static inline vi v_or_int(vi a, vi b) { return vorrq_s32(a, b); }
static inline vi v_left(vi a, int n) { return vshlq_s32(a, vdupq_n_s32(n)); }
static inline vi v_right(vi a, int n) { return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-n))); }
// One half-precision number.
static inline float v_half(const uint8_t *p) {
  uint16_t bits;
  memcpy(&bits, p, sizeof bits);
  return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits))), 0);
}
// FP8 by way of half precision. E5M2 has the same exponents; E4M3 read as a half is smaller by 2^8. NaN stays NaN.
static inline vf v_load_e4m3(const uint8_t *p) {
  uint32_t bytes;
  memcpy(&bytes, p, sizeof bytes);
  const uint16x4_t byte = vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(bytes)))), low = vand_u16(byte, vdup_n_u16(0x7f));
  // An exponent of all ones stays all ones.
  const uint16x4_t nan = vand_u16(vadd_u16(low, vdup_n_u16(1)), vdup_n_u16(0x80));
  const uint16x4_t half = vorr_u16(vshl_n_u16(vand_u16(byte, vdup_n_u16(0x80)), 8), vshl_n_u16(vorr_u16(low, nan), 7));
  return vmulq_n_f32(vcvt_f32_f16(vreinterpret_f16_u16(half)), 256.0f);
}
static inline vf v_load_e5m2(const uint8_t *p) {
  uint32_t bytes;
  memcpy(&bytes, p, sizeof bytes);
  return vcvt_f32_f16(vreinterpret_f16_u16(vshl_n_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(bytes)))), 8)));
}
// Stores the lowest byte of each integer.
static inline void v_store_low_bytes(uint8_t *p, vi x) {
  const uint16x4_t halves = vmovn_u32(vreinterpretq_u32_s32(x));
  const uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(halves, halves))), 0);
  memcpy(p, &bytes, sizeof bytes);
}
static inline void v_transpose(vi *x) {
  const int32x4x2_t a = vtrnq_s32(x[0], x[1]), b = vtrnq_s32(x[2], x[3]);
  x[0] = vcombine_s32(vget_low_s32(a.val[0]), vget_low_s32(b.val[0]));
  x[1] = vcombine_s32(vget_low_s32(a.val[1]), vget_low_s32(b.val[1]));
  x[2] = vcombine_s32(vget_high_s32(a.val[0]), vget_high_s32(b.val[0]));
  x[3] = vcombine_s32(vget_high_s32(a.val[1]), vget_high_s32(b.val[1]));
}
