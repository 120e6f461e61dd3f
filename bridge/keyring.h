/* The keys that requests are verified by. They may be replaced while other threads verify. Any thread. */
#ifndef DROPBRIDGE_BRIDGE_KEYRING_H
#define DROPBRIDGE_BRIDGE_KEYRING_H

#include "common/bytes.h"
#include "common/error.h"
#include "common/setting.h"
#include "common/signature.h"

#include <stdbool.h>

struct keyring;

/* As the settings have them, who own them. */
struct keyring_secrets {
    struct secrets webhook, callback;
    struct secrets campaign; /* entries of CALLBACK_CAMPAIGN_SECRETS */
};

/* Prepares keys from the secrets, which are not needed afterwards. NULL with *error. */
struct keyring *keyring_new(const struct keyring_secrets *secrets, struct error *error);
void keyring_free(struct keyring *ring); /* NULL is fine */

/* From now on these alone verify. False with *error: the old ones do. */
bool keyring_replace(struct keyring *ring, const struct keyring_secrets *secrets, struct error *error);

bool keyring_has_webhook(struct keyring *ring);
/* Whether some key is for callbacks of this campaign; "": for those without one; NULL: for any callback. */
bool keyring_has_callback(struct keyring *ring, const char *campaign);

/* As the functions of signature.h, under all keys for webhooks. */
enum signature_verdict keyring_verify_guide(struct keyring *ring, const char *signature, struct bytes body);
enum signature_verdict keyring_verify_v1(struct keyring *ring, const char *timestamp, const char *signature,
                                         const char *version, struct bytes body);
/* As callback_token_check: under the campaign's own keys if it has some, else under those for all. */
bool keyring_check_token(struct keyring *ring, const char *campaign, struct bytes token);

#endif
