// All kernels for the vector that the including file has chosen: float32, bfloat16 and bytes.
#include "math_body.h"
#include "activated_body.h"
#include "convert_body.h"
#include "element_fp32.h"
#include "norm_body.h"
#include "pointwise_body.h"
#include "product_body.h"
#include "lane_products_body.h"
#include "attention_body.h"
#include "half_body.h"
#include "winograd_math.h"
#include "winograd_body.h"
#include "winograd_weights_body.h"
#include "element_bf16.h"
#include "norm_body.h"
#include "pointwise_body.h"
#include "bf16_product_body.h"
#include "quantize_scale.h"
#include "bf16_attention_body.h"
#include "winograd_body.h"
#include "bf16_winograd_weights_body.h"
#include "int8_product_body.h"
#include "quantize_body.h"
#include "stored_body.h"
#define CK_UNPACK unpack
#define CK_UNPACK_FN(part) fp32_unpack_##part
#define CK_GROUP 1
#include "unpack_body.h"
#define CK_UNPACK unpack_bf16
#define CK_UNPACK_FN(part) bf16_unpack_##part
#define CK_GROUP 2
#include "unpack_body.h"
#define CK_UNPACK unpack_int8
#define CK_UNPACK_FN(part) int8_unpack_##part
#define CK_GROUP 4
#include "unpack_body.h"
