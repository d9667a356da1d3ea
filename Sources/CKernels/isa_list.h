// In overlay order: a later line replaces slots of an earlier one. AMX would come last; its instructions can read the panels of
// bfloat16 and of bytes as they are.
CK_ISA(portable)
CK_ISA(neon)
CK_ISA(neondot)
CK_ISA(neoni8mm)
CK_ISA(neonbf16)
CK_ISA(avx2)
CK_ISA(avxvnni)
CK_ISA(avx512)
CK_ISA(avx512vnni)
CK_ISA(avx512bf16)
