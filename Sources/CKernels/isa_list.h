// In overlay order: a later line replaces slots of an earlier one.
CK_ISA(portable)
CK_ISA(avx2)
CK_ISA(avx512)
CK_ISA(avx512bf16)
