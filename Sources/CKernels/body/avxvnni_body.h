// The slots for bytes, with 256-bit products of bytes. The including file defines CK_DOT4, the instruction in its own encoding.
#define CK_HAS_DOT4
#include "../vec/vec_avx2.h"
#include "math_body.h"

// 6 x 16 sums take 12 of the 16 registers, and one row of the panel takes two more. Panels are as wide as those of plain AVX2.
enum { MR8 = 6, NV = 2, NR = NV * VL };
#include "activated_body.h"
#include "int8_product_body.h"
#include "quantize_scale.h"
#include "quantize_body.h"
#include "stored_body.h"
#define CK_UNPACK unpack_int8
#define CK_UNPACK_FN(part) int8_unpack_##part
#define CK_GROUP 4
#include "unpack_body.h"
