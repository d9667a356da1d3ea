// Bodies that are included after this read and write float32.
#undef CK_NUMBER
#undef CK_FN
#undef CK_LOAD
#undef CK_LOAD_N
#undef CK_STORE
#undef CK_STORE_N
#define CK_NUMBER float
#define CK_FN(name) name
#define CK_LOAD v_load
#define CK_LOAD_N v_load_n
#define CK_STORE v_store
#define CK_STORE_N v_store_n
