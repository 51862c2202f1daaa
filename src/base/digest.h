/* digest.h: cryptographic digests, over OpenSSL's libcrypto. Pure; no state.
 *
 * digest.c is the only file besides TLS that includes openssl headers. */
#ifndef VDB_BASE_DIGEST_H
#define VDB_BASE_DIGEST_H

#include "base/check.h"
#include "base/slice.h"

enum { SHA256_SIZE = 32, MD5_SIZE = 16, DIGEST_HEX_MAX = 2 * SHA256_SIZE + 1 };

void digest_sha256(struct slice bytes, uint8_t out[SHA256_SIZE]);

/* RFC 2104. out may not overlap key or bytes. */
void digest_hmac_sha256(struct slice key, struct slice bytes, uint8_t out[SHA256_SIZE]);

/* For checksums of other people's protocols only: MD5 does not withstand forgery. False where the
 * machine's policy (FIPS) has taken MD5 out of the library. */
MUST_USE bool digest_md5(struct slice bytes, uint8_t out[MD5_SIZE]);

/* Lower-case hexadecimal digits and a NUL: 2 * len + 1 bytes. */
void digest_hex(const uint8_t *bytes, size_t len, char *out);

/* Overwrites memory that held a secret; the compiler does not leave it out. */
void digest_wipe(void *secret, size_t len);

#endif
