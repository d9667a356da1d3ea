// The one-dimensional transforms of Winograd's convolution F(m, 3) on vectors, and the transform of the taps.
//
// m neighbouring results of a three-tap filter are the coefficients of a product of polynomials. The product is evaluated at m
// + 1 points and at infinity (Toom and Cook; Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks",
// arXiv:1509.09308):
//
//     results = A^T ((G taps) * (B^T window))
//
// F(2, 3) uses the points 0, 1, -1. F(4, 3) uses 0, +-5/8, +-3/2: they are exact in binary, and had the smallest error of all
// such pairs that we tried. In float32 over 320 channels the mean relative error is 1.6e-6. It is 3.4e-6 with the common points
// 0, +-1, +-2, and 0.9e-6 with nine direct products.
#define CK_INLINE static inline __attribute__((always_inline))

// The largest side of a window: tile + 2.
#define CK_WINOGRAD_SIDE 6

// a = 5/8, b = 3/2.
#define CK_A 0.625f
#define CK_B 1.5f
#define CK_A2 (CK_A * CK_A)
#define CK_B2 (CK_B * CK_B)

// B^T: d[side] -> e[side].
CK_INLINE void winograd_window(const vf *d, vf *e, const int side) {
  if (side == 4) {
    e[0] = v_sub(d[0], d[2]);
    e[1] = v_add(d[1], d[2]);
    e[2] = v_sub(d[2], d[1]);
    e[3] = v_sub(d[1], d[3]);
  } else {
    const vf a = v_set1(CK_A), minus_a = v_set1(-CK_A), b = v_set1(CK_B), minus_b = v_set1(-CK_B);
    const vf minus_a2 = v_set1(-CK_A2), minus_b2 = v_set1(-CK_B2);
    const vf product = v_set1(CK_A2 * CK_B2), minus_sum = v_set1(-(CK_A2 + CK_B2));
    vf even_a = v_fma(d[2], minus_b2, d[4]), odd_a = v_fma(d[1], minus_b2, d[3]);
    vf even_b = v_fma(d[2], minus_a2, d[4]), odd_b = v_fma(d[1], minus_a2, d[3]);
    e[0] = v_fma(d[0], product, v_fma(d[2], minus_sum, d[4]));
    e[1] = v_fma(odd_a, a, even_a);
    e[2] = v_fma(odd_a, minus_a, even_a);
    e[3] = v_fma(odd_b, b, even_b);
    e[4] = v_fma(odd_b, minus_b, even_b);
    e[5] = v_fma(d[1], product, v_fma(d[3], minus_sum, d[5]));
  }
}

// A^T: m[side] -> y[side - 2].
CK_INLINE void winograd_result(const vf *m, vf *y, const int side) {
  if (side == 4) {
    y[0] = v_add(v_add(m[0], m[1]), m[2]);
    y[1] = v_sub(v_sub(m[1], m[2]), m[3]);
  } else {
    vf even_a = v_add(m[1], m[2]), odd_a = v_sub(m[1], m[2]);
    vf even_b = v_add(m[3], m[4]), odd_b = v_sub(m[3], m[4]);
    y[0] = v_add(v_add(even_a, even_b), m[0]);
    y[1] = v_fma(odd_b, v_set1(CK_B), v_mul(odd_a, v_set1(CK_A)));
    y[2] = v_fma(even_b, v_set1(CK_B2), v_mul(even_a, v_set1(CK_A2)));
    y[3] = v_fma(odd_b, v_set1(CK_B2 * CK_B), v_fma(odd_a, v_set1(CK_A2 * CK_A), m[5]));
  }
}

// G: g[3] -> u[side].
CK_INLINE void winograd_taps(const vf *g, vf *u, const int side) {
  if (side == 4) {
    vf even = v_mul(v_add(g[0], g[2]), v_set1(0.5f)), odd = v_mul(g[1], v_set1(0.5f));
    u[0] = g[0];
    u[1] = v_add(even, odd);
    u[2] = v_sub(even, odd);
    u[3] = g[2];
  } else {
    const vf share_a = v_set1(1 / (2 * CK_A2 * (CK_A2 - CK_B2))), share_b = v_set1(1 / (2 * CK_B2 * (CK_B2 - CK_A2)));
    vf even_a = v_mul(v_fma(g[2], v_set1(CK_A2), g[0]), share_a), odd_a = v_mul(g[1], v_set1(CK_A));
    vf even_b = v_mul(v_fma(g[2], v_set1(CK_B2), g[0]), share_b), odd_b = v_mul(g[1], v_set1(CK_B));
    u[0] = v_mul(g[0], v_set1(1 / (CK_A2 * CK_B2)));
    u[1] = v_fma(odd_a, share_a, even_a);
    u[2] = v_fma(odd_a, v_sub(v_zero(), share_a), even_a);
    u[3] = v_fma(odd_b, share_b, even_b);
    u[4] = v_fma(odd_b, v_sub(v_zero(), share_b), even_b);
    u[5] = g[2];
  }
}

// One input's taps for one vector of outputs: g[9][NR] -> u[side * side].
CK_INLINE void transform_taps(const float *taps, vf *u, const int side) {
  vf half[3 * CK_WINOGRAD_SIDE], e[CK_WINOGRAD_SIDE];
#pragma clang loop unroll(full)
  for (int column = 0; column < 3; column++) {
    vf g[3];
#pragma clang loop unroll(full)
    for (int row = 0; row < 3; row++) g[row] = v_load(taps + (row * 3 + column) * NR);
    winograd_taps(g, e, side);
#pragma clang loop unroll(full)
    for (int row = 0; row < side; row++) half[row * 3 + column] = e[row];
  }
#pragma clang loop unroll(full)
  for (int row = 0; row < side; row++) winograd_taps(half + row * 3, u + row * side, side);
}
