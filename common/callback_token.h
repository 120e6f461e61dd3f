/* Callback tokens: what proves that a callback URL came from the operator (INTERFACE, "Routes").
   The token of a campaign is HMAC-SHA256(secret, "callback:v1:" + campaign) in hex. Pure; any thread. */
#ifndef DROPBRIDGE_CALLBACK_TOKEN_H
#define DROPBRIDGE_CALLBACK_TOKEN_H

#include "bytes.h"
#include "error.h"
#include "sha256.h"

#include <stdbool.h>
#include <stddef.h>

/* 1 to LIMIT_CAMPAIGN of A-Z a-z 0-9 . _ - and not "." or "..". */
bool campaign_name_valid(struct bytes name);

/* Writes the token in lower-case hex. `campaign` NULL or "": the route without a campaign. False, with `out` untouched,
   only when libcrypto fails. */
bool callback_token_mint(const struct hmac_key *key, const char *campaign, char out[SHA256_HEX_SIZE]);

/* Whether `token` (exactly 64 hex digits of either case) is that of `campaign` under any of the keys. Every key is
   tried, so that the time tells nothing about which one matched. */
bool callback_token_check(struct hmac_key *const *keys, size_t count, const char *campaign, struct bytes token);

/* Cuts an entry of CALLBACK_CAMPAIGN_SECRETS, "campaign=key", in two. False with ERROR_CONFIG, a sentence that repeats
   nothing of it. */
bool callback_campaign_secret_split(struct bytes entry, struct bytes *campaign, struct bytes *key, struct error *error);

#endif
