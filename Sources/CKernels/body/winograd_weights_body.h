// Taps to panels of float32 for Winograd's convolution.

CK_INLINE void transform_panel(const ck_winograd_weights *p, const int side) {
  for (size_t input = 0; input < p->inputs; input++) {
    for (int v = 0; v < NV; v++) {
      vf u[CK_WINOGRAD_SIDE * CK_WINOGRAD_SIDE];
      transform_taps(p->taps + input * 9 * NR + v * VL, u, side);
      float *panel = (float *)p->panel + input * NR + v * VL;
      for (int position = 0; position < side * side; position++) v_store(panel + position * p->position_stride, u[position]);
    }
  }
}

static void winograd_weights(const ck_winograd_weights *p) {
  if (p->tile == 4) transform_panel(p, 6);
  else transform_panel(p, 4);
}
