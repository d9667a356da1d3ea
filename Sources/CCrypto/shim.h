// The one-call interface asks for an allocation for each digest and each copy of one; a plan has 100 000 of them. The structure
// of the interface below is a plain value. Both run the same code.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
