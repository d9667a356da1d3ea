// OpenSSL's one-call interface allocates memory for each digest and for each copy of one, and a plan has 100 000 of them. The
// interface below keeps its state in a plain struct. Both run the same code.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
