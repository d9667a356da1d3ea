// Taps to panels of bfloat16 for Winograd's convolution, with neighbouring inputs in pairs.

CK_INLINE void transform_panel_bf16(const ck_winograd_weights *p, const int side) {
  for (size_t input = 0; input < p->inputs; input += 2) {
    for (int v = 0; v < NV; v++) {
      vf even[CK_WINOGRAD_SIDE * CK_WINOGRAD_SIDE], odd[CK_WINOGRAD_SIDE * CK_WINOGRAD_SIDE];
      const float *taps = p->taps + input * 9 * NR + v * VL;
      const int paired = input + 1 < p->inputs;
      transform_taps(taps, even, side);
      if (paired) transform_taps(taps + 9 * NR, odd, side);
      uint16_t *panel = (uint16_t *)p->panel + (input * NR + 2 * v * VL);
      for (int position = 0; position < side * side; position++) {
        v_store_pairs(panel + position * p->position_stride, even[position], paired ? odd[position] : v_zero());
      }
    }
  }
}

static void winograd_weights_bf16(const ck_winograd_weights *p) {
  if (p->tile == 4) transform_panel_bf16(p, 6);
  else transform_panel_bf16(p, 4);
}
