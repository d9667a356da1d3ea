// Fills every slot with the kernels that the including file has made under the slots' names.

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
  t->add = add;
}
