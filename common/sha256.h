/* SHA-256 and HMAC-SHA256 over libcrypto. Any thread. */
#ifndef DROPBRIDGE_SHA256_H
#define DROPBRIDGE_SHA256_H

#include "bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_HEX_SIZE = 65 };

/* False only when libcrypto fails (out of memory). */
bool sha256(struct bytes data, uint8_t digest[SHA256_SIZE]);

/* A key prepared once for many MACs (HMAC() looks the digest up by name each time). Immutable: any number of threads
   may use one at once. NULL when libcrypto fails. */
struct hmac_key;
struct hmac_key *hmac_key_new(struct bytes key);
void hmac_key_free(struct hmac_key *key);

/* HMAC-SHA256 over the concatenation of `parts`. False only when libcrypto fails. */
bool hmac_sha256(const struct hmac_key *key, const struct bytes *parts, size_t count, uint8_t mac[SHA256_SIZE]);

/* Constant time in the content. */
bool mac_equal(const uint8_t a[SHA256_SIZE], const uint8_t b[SHA256_SIZE]);

#endif
