// Fills the slots with the kernels of the including file, which have the names of the slots: all slots, or those of one type.

#ifndef CK_BF16_ONLY
static void overlay_int8(ck_table *t) {
  t->product_int8 = product_int8;
  t->quantize = quantize;
  t->range = range;
  t->range_scale = ck_quantized_range;
  t->quantize_panel = quantize_panel;
  t->unpack_int8 = unpack_int8;
}
#endif

#ifndef CK_INT8_ONLY
static void overlay_bf16(ck_table *t) {
  t->product_bf16 = product_bf16;
  t->attention_bf16 = attention_bf16;
  t->attention_int8 = attention_int8;
  t->quantize_keys = quantize_keys;
  t->moments_bf16 = moments_bf16;
  t->scale_shift_bf16 = scale_shift_bf16;
  t->layer_norm_bf16 = layer_norm_bf16;
  t->geglu_bf16 = geglu_bf16;
  t->silu_bf16 = silu_bf16;
  t->gelu_bf16 = gelu_bf16;
  t->quick_gelu_bf16 = quick_gelu_bf16;
  t->gelu_tanh_bf16 = gelu_tanh_bf16;
  t->add_bf16 = add_bf16;
  t->add_scaled_bf16 = add_scaled_bf16;
  t->rms_norm_bf16 = rms_norm_bf16;
  t->heads_bf16 = heads_bf16;
  t->gate_bf16 = gate_bf16;
  t->winograd_input_bf16 = winograd_input_bf16;
  t->winograd_output_bf16 = winograd_output_bf16;
  t->winograd_weights_bf16 = winograd_weights_bf16;
  t->unpack_bf16 = unpack_bf16;
  t->widen = widen;
  t->narrow = narrow;
}
#endif

#if !defined(CK_BF16_ONLY) && !defined(CK_INT8_ONLY)
static void overlay(ck_table *t) {
  t->mr = MR;
  t->nr = NR;
  t->product = product;
  t->attention = attention;
  t->moments = moments;
  t->scale_shift = scale_shift;
  t->layer_norm = layer_norm;
  t->geglu = geglu;
  t->silu = silu;
  t->gelu = gelu;
  t->quick_gelu = quick_gelu;
  t->gelu_tanh = gelu_tanh;
  t->add = add;
  t->add_scaled = add_scaled;
  t->lane_products = lane_products;
  t->rms_norm = rms_norm;
  t->heads = heads;
  t->gate = gate;
  t->widen_f16 = widen_f16;
  t->winograd_input = winograd_input;
  t->winograd_output = winograd_output;
  t->winograd_weights = winograd_weights;
  t->unpack = unpack;
  overlay_bf16(t);
  overlay_int8(t);
}
#endif
