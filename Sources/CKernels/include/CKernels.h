// The SIMD kernels, behind one table of function pointers. README.md in this target has the contract of a kernel.
//
// Portable C fills every slot of the table first. Then each instruction set that the machine has replaces the slots for which
// it has faster kernels. Arrays are dense float32 unless a stride (in numbers) or another type is given. Slots that end in
// _bf16 read and write bfloat16 (the upper half of a float32, as uint16_t) and compute in float32. Kernels read and write only
// the stated ranges, allocate no memory and keep no state. The order of every sum depends on the sizes only.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

/// The largest panel width of any instruction set; a bound for buffers on the stack.
#define CK_MAX_NR 32

/// out[i][j] = sum over t and k of tap[t][i * row_stride + k] * panel[t][k][j], + bias[j] + residual[i][j].
///
/// A linear layer is a product with one tap. A 3x3 convolution of a channels-last image has nine taps; each points at the same
/// run of pixels, shifted by a row or a column.
typedef struct {
  size_t taps;
  const float *const *tap;  ///< [taps] first row of each tap
  size_t row_stride;        ///< between the rows of a tap
  size_t k;                 ///< channels of a row
  const float *panel;       ///< [taps][k][nr], 64-byte aligned; columns n and up are zero
  size_t m;                 ///< rows
  size_t n;                 ///< columns, 1...nr
  float *out;               ///< [m][n]
  size_t out_stride;
  int accumulate;           ///< if not 0, the sums start from the values in `out`
  const float *bias;        ///< [nr] or null
  const float *residual;    ///< [m][n] or null; may be the memory of `out`
  size_t residual_stride;
} ck_product;

/// softmax(scale * q keys^T + bias) values for a few queries of one head, with keys and values packed in panels.
typedef struct {
  const float *q;         ///< [rows][d]
  size_t q_stride;
  size_t rows;            ///< 1...CK_ATTENTION_ROWS
  size_t d;               ///< width of the head
  const float *keys;      ///< [ceil(count / nr)][d][nr]: panel p, column j is key p * nr + j; missing keys are zero
  const float *values;    ///< [ceil(d / nr)][count][nr]: panel p, column j is component p * nr + j
  size_t count;           ///< keys
  size_t visible;         ///< keys that the first query sees; query i sees visible + i, at most `count`
  float scale;            ///< greater than 0
  const float *bias;      ///< by distance: query i and key j get bias[j - i]; or null
  float *scores;          ///< scratch: [rows][ceil(count / nr) * nr]
  float *out;             ///< [rows][d]
  size_t out_stride;
} ck_attention;

/// Queries per call of `attention`: their scores stay in the second-level cache for up to about 8000 keys.
#define CK_ATTENTION_ROWS 24

/// The function f that a product applies after the bias.
typedef enum { CK_IDENTITY = 0, CK_SILU, CK_GELU, CK_QUICK_GELU, CK_GELU_TANH } ck_activation;

/// The product of bfloat16 numbers with sums in float32:
/// out[i][j] = f(sum over t and k of tap[t][i * row_stride + k] * panel[t][k / 2][j][k % 2] + bias[j]) + residual[i][j].
///
/// Long sums may take several calls, which pass them on in `sums`.
typedef struct {
  size_t taps;
  const uint16_t *const *tap;  ///< [taps] first row of each tap
  size_t row_stride;           ///< between the rows of a tap
  size_t k;                    ///< channels of a row, even or odd
  const uint16_t *panel;       ///< [taps][ceil(k / 2)][nr][2], 64-byte aligned; columns n and up and channel k are zero
  size_t m;                    ///< rows
  size_t n;                    ///< columns, 1...nr
  float *sums;                 ///< [m][nr]; may be null in a call that neither reads nor leaves sums
  int continues;               ///< if not 0, the sums start from `sums`
  int finishes;                ///< if not 0, `out` is written; if 0, the sums go to `sums` and nothing below is read
  const float *bias;           ///< [nr] or null
  ck_activation activation;
  const uint16_t *residual;    ///< [m][n] or null; may be the memory of `out`
  size_t residual_stride;
  uint16_t *out;               ///< [m][n]
  float *out32;                ///< [m][n], written instead of `out`; or null
  size_t out_stride;
} ck_bf16_product;

/// The product of 8-bit integers with sums in 32 bits. These are exact, so they are the same in every instruction set:
///
///     sum[i][j] = sum over t and k of tap[t][i * row_stride + k] * panel[t][k / 4][j][k % 4]
///     x[i][j] = (sum[i][j] - zero[i] * column_sum[j]) * column_scale[j] * scale[i] + bias[j]
///     out[i][j] = f(x[i][j]) + residual[i][j]
///
/// A byte q of the activations means scale * (q - zero). A gated panel has nr / 2 outputs in its first half and their gates in
/// the second: out[i][j] = x[i][j] * gelu(x[i][nr / 2 + j]), for j below nr / 2.
///
/// Long sums may take several calls, which pass them on in `sums`. No sum may have more than CK_INT8_INPUTS products.
typedef struct {
  size_t taps;
  const uint8_t *const *tap;   ///< [taps] first row of each tap
  size_t row_stride;           ///< between the rows of a tap
  size_t quads;                ///< channels of a row, in groups of four; the weights of channels past the last are zero
  const int8_t *panel;         ///< [taps][quads][nr][4], 64-byte aligned; columns n and up are zero
  size_t m;                    ///< rows
  size_t n;                    ///< columns of `out`, 1...nr, or 1...nr / 2 for a gated panel
  int32_t *sums;               ///< [m][nr]; may be null in a call that neither reads nor leaves sums
  int continues;               ///< if not 0, the sums start from `sums`
  int finishes;                ///< if not 0, `out` is written; if 0, the sums go to `sums` and nothing below is read
  const float *scale;          ///< of each row, or one for all rows
  const int32_t *zero;         ///< likewise
  size_t scale_stride;         ///< 1, or 0 for one scale and zero for all rows
  const float *column_scale;   ///< [nr]
  const int32_t *column_sum;   ///< [nr]: the sum of a column's weights, over all taps of all calls
  const float *bias;           ///< [nr] or null
  int is_gated;
  ck_activation activation;    ///< ignored for gated panels
  const uint16_t *residual;    ///< bfloat16, [m][n] or null; may be the memory of `out`
  size_t residual_stride;
  uint16_t *out;               ///< bfloat16, [m][n]
  float *out32;                ///< [m][n], written instead of `out`; or null
  size_t out_stride;
} ck_int8_product;

/// The most products in a sum of 8-bit integers: 255 * 127 times this fits into 31 bits.
#define CK_INT8_INPUTS 66000

/// Quantises bfloat16 to 8 bits: y = round(x / scale) + zero, clamped to 0...255; ties go to even.
typedef struct {
  const uint16_t *x;    ///< [rows][k]
  size_t x_stride;
  size_t rows;
  size_t k;
  uint8_t *y;           ///< [rows][k], then zeros up to a multiple of 4
  size_t y_stride;
  float *scale;         ///< of each row, or one for all rows
  int32_t *zero;        ///< likewise
  size_t scale_stride;  ///< 1: each row is spread over 0...255, and its scale and zero are written; 0: they are read
} ck_quantization;

/// Quantises a panel of float32 weights to 8 bits.
typedef struct {
  size_t taps;
  size_t inputs;
  const float *x;       ///< [taps][inputs][nr]
  int8_t *panel;        ///< [taps][ceil(inputs / 4)][nr][4], 64-byte aligned; past the last input it becomes zero
  float *column_scale;  ///< [nr]; 1 for a column of zeros
  int32_t *column_sum;  ///< [nr]: the sum of a column's quantised weights
} ck_quantized_panel;

/// How a file stores weights: ggml's blocks, FP8, or plain numbers. Blocks hold 32 weights, those that end in _K 256.
typedef enum {
  CK_Q4_0 = 0, CK_Q8_0, CK_Q4_K, CK_Q5_K, CK_Q6_K, CK_F8_E4M3, CK_F8_E5M2, CK_I8, CK_F16, CK_BF16
} ck_stored;

/// Unpacks stored rows of weights, one for each output of a panel, to some inputs of that panel:
///
///     float32:   panel[k][j] = w[j][first + k]
///     bfloat16:  panel[k / 2][j][k % 2] = the nearest bfloat16 of w[j][first + k]
///     bytes:     panel[k / 4][j][k % 4] = round(w[j][first + k] * inverse[j]), ties to even
///
/// A weight is what ggml's reference functions decode from the block, or the stored number times its factor, rounded to float32
/// after each operation.
typedef struct {
  ck_stored stored;
  const uint8_t *const *rows;    ///< [nr] the first byte of each row; a null row becomes zeros
  const float *const *factors;   ///< [nr] the factors of each row, for FP8 and I8; null for 1
  size_t factor_inputs;          ///< inputs that share a factor, a multiple of 32
  size_t first;                  ///< the first input, a multiple of 32
  size_t count;                  ///< inputs, a multiple of 32
  void *panel;                   ///< 64-byte aligned
  const float *inverse;          ///< [nr], for bytes only
} ck_unpacking;

/// softmax(scale * q keys^T + bias) values for a few queries of one head, in bfloat16, with sums and softmax in float32. The
/// softmax's results are rounded to bfloat16 before the second product.
typedef struct {
  const uint16_t *q;       ///< [rows][d]
  size_t q_stride;
  size_t rows;             ///< 1...CK_BF16_ATTENTION_ROWS
  size_t d;                ///< width of the head
  const uint16_t *keys;    ///< [ceil(count / nr)][ceil(d / 2)][nr][2]: panel p, column j is key p * nr + j; missing keys are zero
  const uint16_t *values;  ///< [ceil(d / nr)][ceil(count / 2)][nr][2]: panel p, column j is component p * nr + j
  size_t count;            ///< keys
  size_t visible;          ///< keys that the first query sees, at least 1; query i sees visible + i, at most `count`
  float scale;             ///< greater than 0
  const int8_t *keys8;     ///< `attention_int8` only, instead of `keys`: panels of `quantize_keys`
  const float *key_scales; ///< likewise, [ceil(count / nr) * nr]
  const int32_t *key_sums; ///< likewise
  const float *bias;       ///< by distance: query i and key j get bias[j - i]; or null
  float *scratch;          ///< CK_BF16_ATTENTION_SCRATCH(d rounded up to whole panels) floats, 64-byte aligned
  uint16_t *out;           ///< [rows][d]
  size_t out_stride;
} ck_bf16_attention;

/// Quantises one panel of keys to bytes. The mean is subtracted first: it shifts all scores of a query equally, so the weights
/// do not change (SageAttention, arXiv:2410.02367). Each key has its own scale: panel[k / 4][j][k % 4] = round((x[j][k] -
/// mean[k]) / scale[j]).
typedef struct {
  const uint16_t *x;    ///< [rows][d]
  size_t x_stride;
  size_t rows;          ///< keys, 0...nr; missing ones become zero
  size_t d;             ///< at most CK_INT8_ATTENTION_WIDTH
  const float *mean;    ///< [d]
  int8_t *panel;        ///< [ceil(d / 4)][nr][4], 64-byte aligned
  float *scale;         ///< [nr]
  int32_t *sum;         ///< [nr]: -128 times the sum of a key's bytes, the start of its products with bytes that are 128 too large
} ck_quantized_keys;

/// The widest head of `attention_int8`.
#define CK_INT8_ATTENTION_WIDTH 256

/// Queries per call of `attention_bf16`, and keys per block: scores and softmax results stay in the nearest caches.
#define CK_BF16_ATTENTION_ROWS 32
#define CK_BF16_ATTENTION_KEYS 512
#define CK_BF16_ATTENTION_SCRATCH(width) (CK_BF16_ATTENTION_ROWS * (CK_BF16_ATTENTION_KEYS * 3 / 2 + (width)))

/// Divides each row by the root of its mean square: y[i][j] = x[i][j] / sqrt(mean(x[i]^2) + epsilon) * gamma[j] + residual[i][j].
/// `x`, `residual` and `y` have the slot's type; `y` may be the memory of either. Zhang & Sennrich 2019, arXiv:1910.07467.
typedef struct {
  const void *x;         ///< [rows][width]
  size_t x_stride;
  size_t rows;
  size_t width;
  const float *gamma;    ///< [width]
  float epsilon;
  const void *residual;  ///< [rows][width], or null
  size_t residual_stride;
  void *y;               ///< [rows][width]
  size_t y_stride;
} ck_rms_norm;

/// Queries or keys of several heads: each head of a row is normalised as by `ck_rms_norm`, and then rotated by angles that
/// depend on the row (rotary position embedding: Su et al. 2021, arXiv:2104.09864):
///
///     y[j] = n[j] * cosines[i][j] + n[partner(j)] * sines[i][j]
///
/// The partner of j is its neighbour, j ^ 1, or the number half a head away. `x` and `y` have the slot's type; `y` may be `x`.
typedef struct {
  const void *x;         ///< [rows][heads][d]; heads have no gaps
  size_t x_stride;       ///< between rows
  size_t rows;
  size_t heads;
  size_t d;              ///< width of a head, even if it is rotated
  const float *gamma;    ///< [d]; null for no norm
  float epsilon;
  const float *cosines;  ///< [rows][d]; null if heads are not rotated
  const float *sines;    ///< [rows][d]: negative for the first number of each pair
  int halves;            ///< if not 0, partners are half a head apart; otherwise neighbours
  void *y;               ///< [rows][heads][d]
  size_t y_stride;
} ck_heads;

/// y[i][j] = f(gate[i][j]) * x[i][j], as in SwiGLU (Shazeer 2020, arXiv:2002.05202). All arrays have the slot's type; `y` may
/// be the memory of `gate` or `x`.
typedef struct {
  const void *gate;  ///< [rows][width]
  size_t gate_stride;
  const void *x;     ///< [rows][width]
  size_t x_stride;
  size_t rows;
  size_t width;
  ck_activation activation;
  void *y;           ///< [rows][width]
  size_t y_stride;
} ck_gate;

/// Transforms the windows of neighbouring tiles in one row of tiles, for Winograd's convolution F(tile x tile, 3 x 3):
/// Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308.
///
/// A tile of results depends on a window of side * side pixels with side = tile + 2. The window is transformed to side * side
/// positions, and the convolution becomes one product over the channels for each position. `x` and `v` have the slot's type.
typedef struct {
  int tile;                ///< 2 or 4
  size_t tiles;            ///< in the run; the windows start `tile` pixels apart
  size_t channels;
  int doubled;             ///< 1 if each pixel of `x` counts as a square of 2 * 2 pixels, otherwise 0
  const void *x;           ///< [rows][columns][channels]: the first window's first pixel, the last one of its square
  size_t row_stride;       ///< between rows of `x`; its pixels have no gaps
  size_t rows, columns;    ///< pixels of the windows that may be read; those past them count as zeros
  void *v;                 ///< [side * side][tiles][channels]
  size_t position_stride;  ///< between positions of `v`
} ck_winograd_input;

/// Transforms the sums of these tiles back to pixels, and adds bias and residual. `residual` and `out` have the slot's type.
typedef struct {
  int tile;                ///< 2 or 4
  size_t tiles;            ///< in the run
  size_t n;                ///< columns, 1...nr
  const float *sums;       ///< [side * side][tiles][nr]
  size_t position_stride;  ///< between positions of `sums`
  const float *bias;       ///< [nr] or null
  const void *residual;    ///< like `out`, or null; may be the memory of `out`
  size_t residual_stride;  ///< between pixels
  size_t residual_row_stride;
  void *out;               ///< the first tile's first pixel, [n]
  size_t out_stride;       ///< between pixels
  size_t out_row_stride;
  size_t rows, columns;    ///< pixels from `out` on that are in the image; others are not written
} ck_winograd_output;

/// Transforms taps to one panel for each position. Panels have the slot's type; those of bfloat16 hold inputs in pairs.
typedef struct {
  int tile;                ///< 2 or 4
  size_t inputs;
  const float *taps;       ///< [inputs][9][nr]
  void *panel;             ///< [side * side][inputs][nr], or [side * side][ceil(inputs / 2)][nr][2]
  size_t position_stride;  ///< between positions of `panel`
} ck_winograd_weights;

/// The kernels of one instruction set. Slots that it does not replace have the kernels of the sets before it.
typedef struct {
  const char *name;  ///< of the last instruction set that replaced a slot
  size_t mr;         ///< rows of `product`'s register tile; multiples of it are fastest
  size_t nr;         ///< columns of a panel
  int has_native_bf16;  ///< not 0 if it multiplies bfloat16 directly, which is faster than float32
  int has_native_int8;  ///< not 0 if it multiplies 8-bit integers in groups of four, which is fastest

  void (*product)(const ck_product *);
  void (*attention)(const ck_attention *);

  /// mean[c] and m2[c] (the sum of squared deviations) of each channel of x[rows][channels].
  void (*moments)(const float *x, size_t rows, size_t channels, float *mean, float *m2);
  /// y[i][c] = x[i][c] * scale[c] + shift[c], then SiLU if `silu` is not 0. `y` may be `x`.
  void (*scale_shift)(const float *x, size_t x_stride, size_t rows, size_t channels, const float *scale, const float *shift, int silu,
                      float *y, size_t y_stride);
  /// y[i] = (x[i] - mean) / sqrt(variance + epsilon) * gamma + beta, over each row of `width`. `y` may be `x`.
  void (*layer_norm)(const float *x, size_t rows, size_t width, const float *gamma, const float *beta, float epsilon, float *y);
  /// y[i][j] = x[i][j] * gelu(x[i][width + j]) with the exact GELU; x rows have 2 * width, y rows width. GEGLU, arXiv:2002.05202.
  void (*geglu)(const float *x, size_t rows, size_t width, float *y);
  /// x * sigmoid(x); `y` may be `x`.
  void (*silu)(const float *x, size_t count, float *y);
  /// x * Phi(x), exact (erf); `y` may be `x`.
  void (*gelu)(const float *x, size_t count, float *y);
  /// x * sigmoid(1.702 x); `y` may be `x`.
  void (*quick_gelu)(const float *x, size_t count, float *y);
  /// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))); `y` may be `x`.
  void (*gelu_tanh)(const float *x, size_t count, float *y);
  /// y[i] = a[i] + b[i]; `y` may be the memory of either.
  void (*add)(const float *a, const float *b, size_t count, float *y);
  /// y[i][c] = residual[i][c] + x[i][c] * scale[c]; `y` may be the memory of either.
  void (*add_scaled)(const float *residual, const float *x, size_t rows, size_t channels, const float *scale, float *y);
  /// The products of a row with some vectors, in 16 sums for each vector: sums[v][l] adds up a[i] * x[v * x_stride + i] for i = l,
  /// l + 16, ..., with one rounding for each i, so that all instruction sets give the same. `count` is a multiple of 16.
  void (*lane_products)(const float *a, const float *x, size_t x_stride, size_t vectors, size_t count, float *sums);
  void (*rms_norm)(const ck_rms_norm *);
  void (*heads)(const ck_heads *);
  void (*gate)(const ck_gate *);
  void (*winograd_input)(const ck_winograd_input *);
  void (*winograd_output)(const ck_winograd_output *);
  void (*winograd_weights)(const ck_winograd_weights *);
  /// Stored weights to a panel; returns not 0 if all of them are finite.
  int (*unpack)(const ck_unpacking *);

  // The same for bfloat16.

  void (*product_bf16)(const ck_bf16_product *);
  void (*attention_bf16)(const ck_bf16_attention *);
  void (*moments_bf16)(const uint16_t *x, size_t rows, size_t channels, float *mean, float *m2);
  void (*scale_shift_bf16)(const uint16_t *x, size_t x_stride, size_t rows, size_t channels, const float *scale, const float *shift,
                           int silu, uint16_t *y, size_t y_stride);
  void (*layer_norm_bf16)(const uint16_t *x, size_t rows, size_t width, const float *gamma, const float *beta, float epsilon,
                          uint16_t *y);
  void (*geglu_bf16)(const uint16_t *x, size_t rows, size_t width, uint16_t *y);
  void (*silu_bf16)(const uint16_t *x, size_t count, uint16_t *y);
  void (*gelu_bf16)(const uint16_t *x, size_t count, uint16_t *y);
  void (*quick_gelu_bf16)(const uint16_t *x, size_t count, uint16_t *y);
  void (*gelu_tanh_bf16)(const uint16_t *x, size_t count, uint16_t *y);
  void (*add_bf16)(const uint16_t *a, const uint16_t *b, size_t count, uint16_t *y);
  void (*add_scaled_bf16)(const uint16_t *residual, const uint16_t *x, size_t rows, size_t channels, const float *scale, uint16_t *y);
  void (*rms_norm_bf16)(const ck_rms_norm *);
  void (*heads_bf16)(const ck_heads *);
  void (*gate_bf16)(const ck_gate *);
  void (*winograd_input_bf16)(const ck_winograd_input *);
  void (*winograd_output_bf16)(const ck_winograd_output *);
  void (*winograd_weights_bf16)(const ck_winograd_weights *);
  void (*unpack_bf16)(const ck_unpacking *);

  // For 8-bit integers.

  /// As `attention_bf16`, but with scores computed from bytes: the keys of `quantize_keys`, and queries with a scale each.
  void (*attention_int8)(const ck_bf16_attention *);
  void (*quantize_keys)(const ck_quantized_keys *);
  /// The result of a row does not depend on other rows.
  void (*product_int8)(const ck_int8_product *);
  void (*quantize)(const ck_quantization *);
  /// The minimum and maximum of the numbers and zero; both are NaN if a number is NaN or infinite.
  void (*range)(const uint16_t *x, size_t count, float *smallest, float *largest);
  /// The scale and zero point that map this range to 0...255. The scale is NaN if the range is NaN or infinite.
  void (*range_scale)(float smallest, float largest, float *scale, int32_t *zero);
  /// Quantises weights to a panel: y = round(x / scale), ties to even; the largest magnitude of each column becomes 127.
  void (*quantize_panel)(const ck_quantized_panel *);
  /// Unpacks stored weights to bytes of a panel, with the scales that `quantize_panel` computed.
  void (*unpack_int8)(const ck_unpacking *);

  /// From IEEE half precision to float32, exactly. `x` needs no alignment. Returns not 0 if all numbers are finite.
  int (*widen_f16)(const void *x, size_t count, float *y);
  /// From bfloat16 to float32, exactly.
  void (*widen)(const uint16_t *x, size_t count, float *y);
  /// From float32 to the nearest bfloat16, ties to even. NaN stays NaN; subnormal numbers may become zero.
  void (*narrow)(const float *x, size_t count, uint16_t *y);
} ck_table;

/// The table for this machine, filled at the first call. With SDBATCH_ISA, overlays stop at the instruction set of that name.
const ck_table *ck_kernels(void);

/// The table with the overlays up to `name`; null if the name is unknown or this machine lacks the instruction set.
const ck_table *ck_kernels_named(const char *name);

/// The names of the instruction sets in overlay order; null past the last. This machine may lack some.
const char *ck_isa_name(size_t index);

/// Not 0 if SDBATCH_ISA is set to an instruction set that is unknown or that this machine lacks.
int ck_isa_refused(void);

/// Tells the processor that this is a waiting loop, which saves power.
static inline void ck_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
