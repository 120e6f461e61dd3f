#include "sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

struct hmac_key {
    EVP_MAC_CTX *prepared; /* holds the key; only ever duplicated */
};

bool sha256(struct bytes data, uint8_t digest[SHA256_SIZE])
{
    uint8_t result[EVP_MAX_MD_SIZE];
    if (EVP_Digest(data.data, data.len, result, NULL, EVP_sha256(), NULL) != 1)
        return false;
    memcpy(digest, result, SHA256_SIZE);
    return true;
}

struct hmac_key *hmac_key_new(struct bytes key)
{
    char digest_name[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest_name, 0),
                                 OSSL_PARAM_construct_end()};
    static const uint8_t no_key[1] = {0}; /* a NULL key would mean "keep the key" */
    struct hmac_key *result = NULL;
    EVP_MAC_CTX *context = NULL;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    if (!mac)
        goto out;
    context = EVP_MAC_CTX_new(mac);
    if (!context || EVP_MAC_init(context, key.len > 0 ? key.data : no_key, key.len, params) != 1)
        goto out;
    result = malloc(sizeof *result);
    if (!result)
        goto out;
    result->prepared = context;
    context = NULL;
out:
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    return result;
}

void hmac_key_free(struct hmac_key *key)
{
    if (!key)
        return;
    EVP_MAC_CTX_free(key->prepared);
    free(key);
}

bool hmac_sha256(const struct hmac_key *key, const struct bytes *parts, size_t count, uint8_t mac[SHA256_SIZE])
{
    uint8_t result[SHA256_SIZE];
    size_t len = 0;
    bool ok = false;
    EVP_MAC_CTX *context = EVP_MAC_CTX_dup(key->prepared);

    if (!context)
        goto out;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0 && EVP_MAC_update(context, parts[i].data, parts[i].len) != 1)
            goto out;
    }
    if (EVP_MAC_final(context, result, &len, sizeof result) != 1 || len != sizeof result)
        goto out;
    memcpy(mac, result, sizeof result);
    ok = true;
out:
    EVP_MAC_CTX_free(context);
    return ok;
}

bool mac_equal(const uint8_t a[SHA256_SIZE], const uint8_t b[SHA256_SIZE])
{
    return CRYPTO_memcmp(a, b, SHA256_SIZE) == 0;
}
