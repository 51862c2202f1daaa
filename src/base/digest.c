#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

_Static_assert(SHA256_SIZE == SHA256_DIGEST_LENGTH, "the size that libcrypto writes");

void digest_sha256(struct slice bytes, uint8_t out[SHA256_SIZE])
{
    CHECK(SHA256(bytes.ptr, bytes.len, out) != NULL);
}

void digest_hmac_sha256(struct slice key, struct slice bytes, uint8_t out[SHA256_SIZE])
{
    unsigned size = 0;
    CHECK(key.len <= INT32_MAX);
    CHECK(HMAC(EVP_sha256(), key.ptr, (int)key.len, bytes.ptr, bytes.len, out, &size) != NULL);
    CHECK(size == SHA256_SIZE);
}

bool digest_md5(struct slice bytes, uint8_t out[MD5_SIZE])
{
    unsigned size = 0;
    if (EVP_Digest(bytes.ptr, bytes.len, out, &size, EVP_md5(), NULL) != 1)
        return false;
    CHECK(size == MD5_SIZE);
    return true;
}

void digest_hex(const uint8_t *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = '\0';
}

void digest_wipe(void *secret, size_t len)
{
    if (len > 0)
        OPENSSL_cleanse(secret, len);
}
