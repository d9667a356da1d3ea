// exp, exp2, erf and activations that use them, written once against vec/.
#include <math.h>

// exp(x) for x from -87 to 88, with an error of at most 2 units in the last place. x outside of this range is clamped to it.
//
// x = n ln 2 + r with |r| <= ln 2 / 2. ln 2 is split into two parts, so that r keeps its precision. exp(r) is a Taylor
// polynomial; its first omitted term, r^8 / 8!, is below 6e-9.
static inline vf v_exp(vf x) {
  x = v_min(v_max(x, v_set1(-87.0f)), v_set1(88.0f));
  vf n = v_round(v_mul(x, v_set1(1.44269504088896341f)));
  vf r = v_fma(n, v_set1(-0.693359375f), x);
  r = v_fma(n, v_set1(2.12194440054690583e-4f), r);
  vf p = v_set1(1.0f / 5040);
  p = v_fma(p, r, v_set1(1.0f / 720));
  p = v_fma(p, r, v_set1(1.0f / 120));
  p = v_fma(p, r, v_set1(1.0f / 24));
  p = v_fma(p, r, v_set1(1.0f / 6));
  p = v_fma(p, r, v_set1(0.5f));
  p = v_fma(p, r, v_set1(1.0f));
  p = v_fma(p, r, v_set1(1.0f));
  return v_scale2(p, n);
}

// 2^x with a relative error of 8e-5. Callers round the result to 8 bits, which has an error of 2e-3. x is at most 0; far below
// 0 the result is zero or the smallest normal number.
//
// Of all polynomials of degree 3, this one has the smallest error on |f| <= 1/2.
static inline vf v_exp2_rough(vf x) {
  x = v_bounded_exponent(x);
  vf n = v_round(x), f = v_sub(x, n);
  vf p = v_set1(0.0551716574f);
  p = v_fma(p, f, v_set1(0.242611125f));
  p = v_fma(p, f, v_set1(0.693260968f));
  p = v_fma(p, f, v_set1(0.999928057f));
  return v_scale2(p, n);
}

// erf(x) with an error of 3e-7: Abramowitz & Stegun 1964, 7.1.26.
static inline vf v_erf(vf x) {
  vf a = v_abs(x);
  vf t = v_div(v_set1(1.0f), v_fma(a, v_set1(0.3275911f), v_set1(1.0f)));
  vf p = v_set1(1.061405429f);
  p = v_fma(p, t, v_set1(-1.453152027f));
  p = v_fma(p, t, v_set1(1.421413741f));
  p = v_fma(p, t, v_set1(-0.284496736f));
  p = v_fma(p, t, v_set1(0.254829592f));
  vf tail = v_mul(v_mul(p, t), v_exp(v_mul(v_sub(v_zero(), a), a)));
  return v_copysign(v_sub(v_set1(1.0f), tail), x);
}

static inline vf v_sigmoid_product(vf x, float steepness) {
  return v_div(x, v_add(v_set1(1.0f), v_exp(v_mul(x, v_set1(-steepness)))));
}
static inline vf v_silu(vf x) { return v_sigmoid_product(x, 1.0f); }
static inline vf v_quick_gelu(vf x) { return v_sigmoid_product(x, 1.702f); }
// 0.5 x (1 + tanh(u)) = x * sigmoid(2 u)
static inline vf v_gelu_tanh(vf x) {
  vf cubic = v_fma(v_mul(v_mul(x, x), x), v_set1(0.044715f), x);
  return v_div(x, v_add(v_set1(1.0f), v_exp(v_mul(cubic, v_set1(-1.59576912160573071f)))));
}
static inline vf v_gelu(vf x) {
  vf half = v_mul(x, v_set1(0.5f));
  return v_fma(half, v_erf(v_mul(x, v_set1(0.70710678118654752f))), half);
}
