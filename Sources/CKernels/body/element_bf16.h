// Bodies that are included after this read and write bfloat16, and compute in float32.
#undef CK_NUMBER
#undef CK_FN
#undef CK_LOAD
#undef CK_LOAD_N
#undef CK_STORE
#undef CK_STORE_N
#define CK_NUMBER uint16_t
#define CK_FN(name) name##_bf16
#define CK_LOAD v_load16
#define CK_LOAD_N v_load16_n
#define CK_STORE v_store16
#define CK_STORE_N v_store16_n
