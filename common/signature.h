/* The vendor's webhook signatures. guide: hex HMAC-SHA256 over the raw body. v1: "sha256=" and hex HMAC-SHA256 over the
   timestamp, a dot and the raw body. The clock is passed in. Pure; any thread. */
#ifndef DROPBRIDGE_SIGNATURE_H
#define DROPBRIDGE_SIGNATURE_H

#include "bytes.h"
#include "sha256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIGNATURE_V1_SIZE = SHA256_HEX_SIZE + 7 }; /* "sha256=", 64 digits, NUL */

enum signature_verdict { SIGNATURE_OK, SIGNATURE_MISSING, SIGNATURE_STALE, SIGNATURE_INVALID };

/* Sign as the vendor does. False, with `out` untouched, only when libcrypto fails. */
bool signature_guide_sign(const struct hmac_key *key, struct bytes body, char out[SHA256_HEX_SIZE]);
bool signature_v1_sign(const struct hmac_key *key, const char *timestamp, struct bytes body,
                       char out[SIGNATURE_V1_SIZE]);

/* What can be said of a v1 request before its body is read: MISSING if a header is absent (NULL), STALE if the
   timestamp is not 1 to 12 digits or is more than tolerance_s from now either way, else OK. */
enum signature_verdict signature_v1_precheck(const char *timestamp, const char *signature, int64_t now_s,
                                             int64_t tolerance_s);

/* OK if the signature is that of the body under any of the keys, else INVALID: another version than "v1" (NULL is none
   given), no "sha256=" in front, not 64 hex digits (either case), no key that matches. An absent header is MISSING here
   too. Every key is tried, so that the time tells nothing about which one matched. */
enum signature_verdict signature_v1_verify(struct hmac_key *const *keys, size_t count, const char *timestamp,
                                           const char *signature, const char *version, struct bytes body);

/* The same for the guide's header; NULL is MISSING. */
enum signature_verdict signature_guide_verify(struct hmac_key *const *keys, size_t count, const char *signature,
                                              struct bytes body);

#endif
