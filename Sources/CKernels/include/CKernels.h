// The SIMD kernels behind one table of function pointers.
//
// Every slot is filled by portable C first; each instruction set that the machine has then overlays the slots it does
// better. All arrays are dense float32 unless a stride (in numbers) says otherwise; slots that end in _bf16 read and write
// bfloat16 (the upper half of a float32, as uint16_t) and compute in float32. Nothing is read or written outside the stated
// ranges. No slot allocates, and none keeps state. The order of every sum depends on the arguments' sizes alone.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

/// The largest panel width of any instruction set; a bound for buffers on the stack.
#define CK_MAX_NR 32

/// out[i][j] = sum over taps t and channels k of tap[t][i * row_stride + k] * panel[t][k][j], then bias and residual.
///
/// A linear layer is the product with one tap; a 3x3 convolution over channels-last images has nine, each pointing
/// at the same run of output pixels shifted by one row or column.
typedef struct {
  size_t taps;
  const float *const *tap;  ///< [taps] first row of each tap
  size_t row_stride;        ///< between the rows of a tap
  size_t k;                 ///< channels of a row
  const float *panel;       ///< [taps][k][nr], 64-byte aligned; columns from n on are zero
  size_t m;                 ///< rows
  size_t n;                 ///< columns, 1...nr
  float *out;               ///< [m][n]
  size_t out_stride;
  int accumulate;           ///< not 0: the sums start from what `out` holds
  const float *bias;        ///< [nr] or null
  const float *residual;    ///< [m][n] or null; may be `out`'s own memory
  size_t residual_stride;
} ck_product;

/// softmax(scale * q keys^T) values for a few queries of one head, over keys and values packed in panels.
typedef struct {
  const float *q;         ///< [rows][d]
  size_t q_stride;
  size_t rows;            ///< 1...CK_ATTENTION_ROWS
  size_t d;               ///< width of the head
  const float *keys;      ///< [ceil(count / nr)][d][nr]: panel p, column j is key p * nr + j; absent keys are zero
  const float *values;    ///< [ceil(d / nr)][count][nr]: panel p, column j is component p * nr + j
  size_t count;           ///< keys
  size_t visible;         ///< keys that the first query sees; query i sees visible + i, at most `count`
  float scale;
  float *scores;          ///< scratch: [rows][ceil(count / nr) * nr]
  float *out;             ///< [rows][d]
  size_t out_stride;
} ck_attention;

/// Queries per call of `attention`: their scores stay in the second-level cache up to some 8 000 keys.
#define CK_ATTENTION_ROWS 24

/// What follows the bias in a product.
enum { CK_IDENTITY = 0, CK_SILU, CK_GELU, CK_QUICK_GELU };

/// The product of bfloat16 numbers with sums in float32:
/// out[i][j] = f(sum over t and k of tap[t][i * row_stride + k] * panel[t][k / 2][j][k % 2] + bias[j]) + residual[i][j].
///
/// Long sums may take several calls, which hand them on in `sums`.
typedef struct {
  size_t taps;
  const uint16_t *const *tap;  ///< [taps] first row of each tap
  size_t row_stride;           ///< between the rows of a tap
  size_t k;                    ///< channels of a row; odd ones too
  const uint16_t *panel;       ///< [taps][ceil(k / 2)][nr][2], 64-byte aligned; columns from n on and channel k are zero
  size_t m;                    ///< rows
  size_t n;                    ///< columns, 1...nr
  float *sums;                 ///< [m][nr]; may be null in a call that neither continues nor leaves sums
  int continues;               ///< not 0: the sums start from `sums`
  int finishes;                ///< not 0: `out` is written; 0: the sums go to `sums`, and nothing below is read
  const float *bias;           ///< [nr] or null
  int activation;              ///< CK_IDENTITY and so on
  const uint16_t *residual;    ///< [m][n] or null; may be `out`'s own memory
  size_t residual_stride;
  uint16_t *out;               ///< [m][n]
  float *out32;                ///< [m][n] in place of `out`, or null
  size_t out_stride;
} ck_bf16_product;

/// The product of 8-bit integers with sums in 32 bits, which are exact, so every instruction set makes the same ones:
///
///     sum[i][j] = sum over t and k of tap[t][i * row_stride + k] * panel[t][k / 4][j][k % 4]
///     x[i][j] = (sum[i][j] - zero[i] * column_sum[j]) * column_scale[j] * scale[i] + bias[j]
///     out[i][j] = f(x[i][j]) + residual[i][j]
///
/// Activations are quantised: q stands for scale * (q - zero). A panel that is gated holds nr / 2 outputs, and the gates of each
/// in its other half: out[i][j] = x[i][j] * gelu(x[i][nr / 2 + j]), for j below nr / 2.
///
/// Long sums may take several calls, which hand them on in `sums`. None may have more than CK_INT8_INPUTS products.
typedef struct {
  size_t taps;
  const uint8_t *const *tap;   ///< [taps] first row of each tap
  size_t row_stride;           ///< between the rows of a tap
  size_t quads;                ///< channels of a row, in fours; those past the last are met by weights of zero
  const int8_t *panel;         ///< [taps][quads][nr][4], 64-byte aligned; columns from n on are zero
  size_t m;                    ///< rows
  size_t n;                    ///< columns of `out`, 1...nr, or 1...nr / 2 of a gated panel
  int32_t *sums;               ///< [m][nr]; may be null in a call that neither continues nor leaves sums
  int continues;               ///< not 0: the sums start from `sums`
  int finishes;                ///< not 0: `out` is written; 0: the sums go to `sums`, and nothing below is read
  const float *scale;          ///< of each row, or of all of them
  const int32_t *zero;         ///< likewise
  size_t scale_stride;         ///< 1, or 0 for one scale and zero of all rows
  const float *column_scale;   ///< [nr]
  const int32_t *column_sum;   ///< [nr]: the weights of a column, of all taps of all calls, added up
  const float *bias;           ///< [nr] or null
  int is_gated;
  int activation;              ///< CK_IDENTITY and so on; not of gated panels
  const uint16_t *residual;    ///< bfloat16, [m][n] or null; may be `out`'s own memory
  size_t residual_stride;
  uint16_t *out;               ///< bfloat16, [m][n]
  float *out32;                ///< [m][n] in place of `out`, or null
  size_t out_stride;
} ck_int8_product;

/// 255 * 127 times as many still fit into 31 bits.
#define CK_INT8_INPUTS 66000

/// bfloat16 to 8 bits: y = round(x / scale) + zero, to even in the middle, 0...255.
typedef struct {
  const uint16_t *x;    ///< [rows][k]
  size_t x_stride;
  size_t rows;
  size_t k;
  uint8_t *y;           ///< [rows][k], then zeros up to a multiple of 4
  size_t y_stride;
  float *scale;         ///< of each row, or of all of them
  int32_t *zero;        ///< likewise
  size_t scale_stride;  ///< 1: each row is spread over all of 0...255, and its scale and zero are written; 0: they are given
} ck_quantization;

/// A panel of float32 weights to 8 bits.
typedef struct {
  size_t taps;
  size_t inputs;
  const float *x;       ///< [taps][inputs][nr]
  int8_t *panel;        ///< [taps][ceil(inputs / 4)][nr][4], 64-byte aligned; what is past the last input becomes zero
  float *column_scale;  ///< [nr]; 1 of columns of zeros
  int32_t *column_sum;  ///< [nr]: the quantised weights of a column, added up
} ck_quantized_panel;

/// softmax(scale * q keys^T) values for a few queries of one head, in bfloat16 with sums and softmax in float32. Weights are
/// rounded to bfloat16 between the two products.
typedef struct {
  const uint16_t *q;       ///< [rows][d]
  size_t q_stride;
  size_t rows;             ///< 1...CK_BF16_ATTENTION_ROWS
  size_t d;                ///< width of the head
  const uint16_t *keys;    ///< [ceil(count / nr)][ceil(d / 2)][nr][2]: panel p, column j is key p * nr + j; absent ones are zero
  const uint16_t *values;  ///< [ceil(d / nr)][ceil(count / 2)][nr][2]: panel p, column j is component p * nr + j
  size_t count;            ///< keys
  size_t visible;          ///< keys that the first query sees, at least 1; query i sees visible + i, at most `count`
  float scale;             ///< more than 0
  float *scratch;          ///< CK_BF16_ATTENTION_SCRATCH(d rounded up to whole panels) floats, 64-byte aligned
  uint16_t *out;           ///< [rows][d]
  size_t out_stride;
} ck_bf16_attention;

/// Queries per call of `attention_bf16`, and keys per block: scores and weights stay in the nearest caches.
#define CK_BF16_ATTENTION_ROWS 32
#define CK_BF16_ATTENTION_KEYS 512
#define CK_BF16_ATTENTION_SCRATCH(width) (CK_BF16_ATTENTION_ROWS * (CK_BF16_ATTENTION_KEYS * 3 / 2 + (width)))

/// The windows of a run of neighbouring tiles in one row of tiles, for Winograd's convolution F(tile x tile, 3 x 3): Lavin &
/// Gray 2016, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308.
///
/// A tile of results needs a window of side = tile + 2 pixels each way, which becomes side * side positions; a convolution
/// is one product over the channels for each position. `x` and `v` hold the slot's numbers.
typedef struct {
  int tile;                ///< 2 or 4
  size_t tiles;            ///< in the run; the windows start `tile` pixels apart
  size_t channels;
  const void *x;           ///< [rows][columns][channels]: the first window's first pixel
  size_t row_stride;       ///< between rows of `x`; its pixels lie side by side
  size_t rows, columns;    ///< pixels from `x` on that may be read, as far as the windows reach; those past them count as zeros
  void *v;                 ///< [side * side][tiles][channels]
  size_t position_stride;  ///< between positions of `v`
} ck_winograd_input;

/// The sums of such a run back to pixels, plus bias and residual. `residual` and `out` hold the slot's numbers.
typedef struct {
  int tile;                ///< 2 or 4
  size_t tiles;            ///< in the run
  size_t n;                ///< columns, 1...nr
  const float *sums;       ///< [side * side][tiles][nr]
  size_t position_stride;  ///< between positions of `sums`
  const float *bias;       ///< [nr] or null
  const void *residual;    ///< laid out as `out`, or null; may be `out`'s own memory
  size_t residual_stride;  ///< between pixels
  size_t residual_row_stride;
  void *out;               ///< the first tile's first pixel, [n]
  size_t out_stride;       ///< between pixels
  size_t out_row_stride;
  size_t rows, columns;    ///< pixels from `out` on that the image has; the others are not written
} ck_winograd_output;

/// Taps to the positions' panels, which hold the slot's numbers: pairs of inputs in bfloat16.
typedef struct {
  int tile;                ///< 2 or 4
  size_t inputs;
  const float *taps;       ///< [inputs][9][nr]
  void *panel;             ///< [side * side][inputs][nr], or [side * side][ceil(inputs / 2)][nr][2]
  size_t position_stride;  ///< between positions of `panel`
} ck_winograd_weights;

typedef struct {
  const char *name;  ///< of the last instruction set that overlaid a slot
  size_t mr;         ///< rows of `product`'s register tile; other row counts work, these are fastest
  size_t nr;         ///< columns of a panel
  int has_native_bf16;  ///< not 0: multiplies bfloat16 without widening it, faster than float32
  int has_native_int8;  ///< not 0: multiplies 8-bit integers in fours, faster than anything else

  void (*product)(const ck_product *);
  void (*attention)(const ck_attention *);

  /// mean[c] and m2[c] (sum of squared deviations) of each channel of x[rows][channels].
  void (*moments)(const float *x, size_t rows, size_t channels, float *mean, float *m2);
  /// y[i][c] = x[i][c] * scale[c] + shift[c], then SiLU if `silu` is not 0. `y` may be `x`.
  void (*scale_shift)(const float *x, size_t x_stride, size_t rows, size_t channels, const float *scale, const float *shift, int silu,
                      float *y, size_t y_stride);
  /// y[i] = (x[i] - mean) / sqrt(variance + epsilon) * gamma + beta, over each row of `width`. `y` may be `x`.
  void (*layer_norm)(const float *x, size_t rows, size_t width, const float *gamma, const float *beta, float epsilon, float *y);
  /// y[i][j] = x[i][j] * gelu(x[i][width + j]) with the exact GELU; x rows have 2 * width, y rows width. GEGLU, arXiv:2002.05202.
  void (*geglu)(const float *x, size_t rows, size_t width, float *y);
  /// x * sigmoid(x), in place or not.
  void (*silu)(const float *x, size_t count, float *y);
  /// x * Phi(x), exact (erf), in place or not.
  void (*gelu)(const float *x, size_t count, float *y);
  /// x * sigmoid(1.702 x), in place or not.
  void (*quick_gelu)(const float *x, size_t count, float *y);
  /// y[i] = a[i] + b[i]; `y` may be either.
  void (*add)(const float *a, const float *b, size_t count, float *y);
  void (*winograd_input)(const ck_winograd_input *);
  void (*winograd_output)(const ck_winograd_output *);
  void (*winograd_weights)(const ck_winograd_weights *);

  /// The same for bfloat16.
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
  void (*add_bf16)(const uint16_t *a, const uint16_t *b, size_t count, uint16_t *y);
  void (*winograd_input_bf16)(const ck_winograd_input *);
  void (*winograd_output_bf16)(const ck_winograd_output *);
  void (*winograd_weights_bf16)(const ck_winograd_weights *);

  /// For 8-bit integers. Whatever a row holds, the sums of another do not depend on it.
  void (*product_int8)(const ck_int8_product *);
  void (*quantize)(const ck_quantization *);
  /// The smallest and the largest of the numbers and of zero; neither is a number where one of them is not finite.
  void (*range)(const uint16_t *x, size_t count, float *smallest, float *largest);
  /// The scale and the zero that spread such a range over 0...255. The scale is not a number if the range is not finite.
  void (*range_scale)(float smallest, float largest, float *scale, int32_t *zero);
  /// Weights to a panel: y = round(x / scale), to even in the middle, each column's largest magnitude at 127.
  void (*quantize_panel)(const ck_quantized_panel *);

  /// From IEEE half precision to float32, exactly; not 0 where all the numbers are finite. `x` may lie anywhere.
  int (*widen_f16)(const void *x, size_t count, float *y);
  /// From bfloat16 to float32, exactly.
  void (*widen)(const uint16_t *x, size_t count, float *y);
  /// From float32 to the nearest bfloat16, to even in the middle; numbers below the normal ones may become zero.
  void (*narrow)(const float *x, size_t count, uint16_t *y);
} ck_table;

/// The table for this machine, made on the first call. SDBATCH_ISA=portable|avx2|avx512|avx512vnni|avx512bf16 stops the overlays at that name.
const ck_table *ck_kernels(void);

/// The table with the overlays up to and including `name`, or null if that name is unknown or this machine lacks it.
const ck_table *ck_kernels_named(const char *name);

/// The names of the instruction sets in overlay order; null past the last. Not all need be available here.
const char *ck_isa_name(size_t index);

/// Whether SDBATCH_ISA is set to a name that this build does not know or this machine lacks.
int ck_isa_refused(void);

/// Tells the processor that a loop waits, so that it spends less on it.
static inline void ck_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
