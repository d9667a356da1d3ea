// The transforms before and after the products of Winograd's convolution, written once against vec/ for the type that
// element_*.h has chosen. They apply the one-dimensional transforms of winograd_math.h to the columns, then to the rows.

// One tile's window for one vector of channels. Pixels past `rows` and `columns` count as zeros. A doubled window begins with the
// last row and column of a square.
CK_INLINE void CK_FN(transform_window)(const CK_NUMBER *x, size_t row_stride, size_t channels, size_t rows, size_t columns,
                                       size_t lanes, CK_NUMBER *v, size_t position_stride, const int side, const int doubled,
                                       const int whole) {
  vf half[CK_WINOGRAD_SIDE * CK_WINOGRAD_SIDE], e[CK_WINOGRAD_SIDE];
#pragma clang loop unroll(full)
  for (int column = 0; column < side; column++) {
    vf d[CK_WINOGRAD_SIDE];
#pragma clang loop unroll(full)
    for (int row = 0; row < side; row++) {
      const CK_NUMBER *pixel = x + ((row + doubled) >> doubled) * row_stride + ((column + doubled) >> doubled) * channels;
      if (whole) d[row] = CK_LOAD(pixel);
      else d[row] = (size_t)row < rows && (size_t)column < columns ? CK_LOAD_N(pixel, lanes) : v_zero();
    }
    winograd_window(d, e, side);
#pragma clang loop unroll(full)
    for (int row = 0; row < side; row++) half[row * side + column] = e[row];
  }
#pragma clang loop unroll(full)
  for (int row = 0; row < side; row++) {
    winograd_window(half + row * side, e, side);
#pragma clang loop unroll(full)
    for (int column = 0; column < side; column++) {
      CK_NUMBER *out = v + (size_t)(row * side + column) * position_stride;
      if (whole) CK_STORE(out, e[column]);
      else CK_STORE_N(out, e[column], lanes);
    }
  }
}

CK_INLINE void CK_FN(transform_windows)(const ck_winograd_input *p, const int side, const int doubled) {
  const size_t step = (size_t)side - 2, channels = p->channels, whole = channels / VL * VL;
  for (size_t tile = 0; tile < p->tiles; tile++) {
    const size_t columns = p->columns - tile * step;
    const CK_NUMBER *x = (const CK_NUMBER *)p->x + tile * (step >> doubled) * channels;
    CK_NUMBER *v = (CK_NUMBER *)p->v + tile * channels;
    size_t c = 0;
    if (p->rows >= (size_t)side && columns >= (size_t)side) {
      for (; c < whole; c += VL) {
        CK_FN(transform_window)(x + c, p->row_stride, channels, side, side, VL, v + c, p->position_stride, side, doubled, 1);
      }
    }
    for (; c < channels; c += VL) {
      size_t lanes = channels - c < VL ? channels - c : VL;
      CK_FN(transform_window)(x + c, p->row_stride, channels, p->rows, columns, lanes, v + c, p->position_stride, side, doubled, 0);
    }
  }
}

static void CK_FN(winograd_input)(const ck_winograd_input *p) {
  if (p->doubled) {
    if (p->tile == 4) CK_FN(transform_windows)(p, 6, 1);
    else CK_FN(transform_windows)(p, 4, 1);
  } else {
    if (p->tile == 4) CK_FN(transform_windows)(p, 6, 0);
    else CK_FN(transform_windows)(p, 4, 0);
  }
}

// One tile's results for one vector of outputs, with bias and residual. Only pixels that are in the image are written.
CK_INLINE void CK_FN(transform_sums)(const float *sums, size_t position_stride, const vf bias, const CK_NUMBER *residual,
                                     size_t residual_stride, size_t residual_row_stride, CK_NUMBER *out, size_t out_stride,
                                     size_t out_row_stride, size_t rows, size_t columns, size_t lanes, const int side,
                                     const int whole) {
  const int size = side - 2;
  vf half[CK_WINOGRAD_SIDE * CK_WINOGRAD_SIDE], y[CK_WINOGRAD_SIDE];
#pragma clang loop unroll(full)
  for (int column = 0; column < side; column++) {
    vf m[CK_WINOGRAD_SIDE];
#pragma clang loop unroll(full)
    for (int row = 0; row < side; row++) m[row] = v_load(sums + (size_t)(row * side + column) * position_stride);
    winograd_result(m, y, side);
#pragma clang loop unroll(full)
    for (int row = 0; row < size; row++) half[row * side + column] = y[row];
  }
#pragma clang loop unroll(full)
  for (int row = 0; row < size; row++) {
    if (!whole && (size_t)row >= rows) break;
    winograd_result(half + row * side, y, side);
#pragma clang loop unroll(full)
    for (int column = 0; column < size; column++) {
      if (!whole && (size_t)column >= columns) break;
      vf value = v_add(y[column], bias);
      if (residual) {
        const CK_NUMBER *other = residual + row * residual_row_stride + column * residual_stride;
        value = v_add(value, whole ? CK_LOAD(other) : CK_LOAD_N(other, lanes));
      }
      CK_NUMBER *pixel = out + row * out_row_stride + column * out_stride;
      if (whole) CK_STORE(pixel, value);
      else CK_STORE_N(pixel, value, lanes);
    }
  }
}

CK_INLINE void CK_FN(transform_results)(const ck_winograd_output *p, const int side) {
  const size_t size = (size_t)side - 2;
  for (size_t tile = 0; tile < p->tiles; tile++) {
    const size_t columns = p->columns - tile * size;
    for (size_t j = 0; j < p->n; j += VL) {
      const size_t lanes = p->n - j < VL ? p->n - j : VL;
      const float *sums = p->sums + tile * NR + j;
      const vf bias = p->bias ? v_load(p->bias + j) : v_zero();
      const CK_NUMBER *residual = p->residual ? (const CK_NUMBER *)p->residual + tile * size * p->residual_stride + j : NULL;
      CK_NUMBER *out = (CK_NUMBER *)p->out + tile * size * p->out_stride + j;
      if (lanes == VL && p->rows >= size && columns >= size) {
        CK_FN(transform_sums)(sums, p->position_stride, bias, residual, p->residual_stride, p->residual_row_stride, out,
                              p->out_stride, p->out_row_stride, size, size, VL, side, 1);
      } else {
        CK_FN(transform_sums)(sums, p->position_stride, bias, residual, p->residual_stride, p->residual_row_stride, out,
                              p->out_stride, p->out_row_stride, p->rows, columns, lanes, side, 0);
      }
    }
  }
}

static void CK_FN(winograd_output)(const ck_winograd_output *p) {
  if (p->tile == 4) CK_FN(transform_results)(p, 6);
  else CK_FN(transform_results)(p, 4);
}
