// What follows the bias in a product, written once against vec/.

static inline __attribute__((always_inline)) vf activated(vf x, int activation) {
  switch (activation) {
    case CK_SILU: return v_silu(x);
    case CK_GELU: return v_gelu(x);
    case CK_QUICK_GELU: return v_quick_gelu(x);
    default: return x;
  }
}
