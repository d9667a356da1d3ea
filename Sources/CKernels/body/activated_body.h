// The function that a product applies after the bias, written once against vec/.

static inline __attribute__((always_inline)) vf activated(vf x, ck_activation activation) {
  switch (activation) {
    case CK_IDENTITY: return x;
    case CK_SILU: return v_silu(x);
    case CK_GELU: return v_gelu(x);
    case CK_QUICK_GELU: return v_quick_gelu(x);
    case CK_GELU_TANH: return v_gelu_tanh(x);
  }
  return x;
}
