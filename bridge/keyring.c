#include "keyring.h"

#include "common/callback_token.h"
#include "common/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct keys {
    size_t webhooks, count; /* those for webhooks are in front, the rest for callbacks */
    struct hmac_key **key;
    char (*campaign)[LIMIT_CAMPAIGN + 1]; /* of a key for callbacks; empty: for all that have no key of their own */
};

struct keyring {
    pthread_rwlock_t lock; /* guards the next; held while one MAC is computed */
    struct keys keys;
};

static void keys_clear(struct keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        hmac_key_free(keys->key[i]);
    free(keys->key);
    free(keys->campaign);
}

/* On failure too *keys is to be cleared. */
static bool keys_init(struct keys *keys, const struct keyring_secrets *of)
{
    const struct secrets *const lists[] = {&of->webhook, &of->callback, &of->campaign};
    const size_t most = of->webhook.count + of->callback.count + of->campaign.count + 1;
    struct error ignored; /* the check of the setting has refused what has no = */

    *keys = (struct keys){.webhooks = of->webhook.count,
                          .key = calloc(most, sizeof *keys->key),
                          .campaign = calloc(most, sizeof *keys->campaign)};
    bool ok = keys->key && keys->campaign;

    for (size_t list = 0; list < sizeof lists / sizeof lists[0]; list++) {
        for (size_t i = 0; ok && i < lists[list]->count; i++) {
            struct bytes secret = bytes_of(lists[list]->items[i].data, lists[list]->items[i].len);
            struct bytes campaign = bytes_of_text("");

            if (lists[list] == &of->campaign)
                ok = callback_campaign_secret_split(secret, &campaign, &secret, &ignored);
            memcpy(keys->campaign[keys->count], campaign.data, campaign.len);
            ok = ok && (keys->key[keys->count++] = hmac_key_new(secret)) != NULL;
        }
    }
    return ok;
}

struct keyring *keyring_new(const struct keyring_secrets *secrets, struct error *error)
{
    struct keyring *ring = calloc(1, sizeof *ring);

    if (!ring) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the keys");
        return NULL;
    }
    pthread_rwlock_init(&ring->lock, NULL);
    if (keyring_replace(ring, secrets, error))
        return ring;
    keyring_free(ring);
    return NULL;
}

void keyring_free(struct keyring *ring)
{
    if (!ring)
        return;
    keys_clear(&ring->keys);
    pthread_rwlock_destroy(&ring->lock);
    free(ring);
}

bool keyring_replace(struct keyring *ring, const struct keyring_secrets *secrets, struct error *error)
{
    struct keys keys, old;

    if (!keys_init(&keys, secrets)) {
        keys_clear(&keys);
        error_set(error, ERROR_NO_MEMORY, "cannot prepare the keys: no memory, or libcrypto failed");
        return false;
    }
    pthread_rwlock_wrlock(&ring->lock);
    old = ring->keys;
    ring->keys = keys;
    pthread_rwlock_unlock(&ring->lock);
    keys_clear(&old);
    return true;
}

/* Under which name the campaign's keys stand: its own, or "". NULL: it has none. */
static const char *name_of(const struct keys *keys, const char *campaign)
{
    const char *name = NULL;

    for (size_t i = keys->webhooks; i < keys->count; i++) {
        if (strcmp(keys->campaign[i], campaign) == 0)
            return campaign;
        if (keys->campaign[i][0] == '\0')
            name = "";
    }
    return name;
}

bool keyring_has_webhook(struct keyring *ring)
{
    pthread_rwlock_rdlock(&ring->lock);
    const bool has = ring->keys.webhooks > 0;
    pthread_rwlock_unlock(&ring->lock);
    return has;
}

bool keyring_has_callback(struct keyring *ring, const char *campaign)
{
    pthread_rwlock_rdlock(&ring->lock);
    const bool has = campaign ? name_of(&ring->keys, campaign) != NULL : ring->keys.count > ring->keys.webhooks;
    pthread_rwlock_unlock(&ring->lock);
    return has;
}

enum signature_verdict keyring_verify_guide(struct keyring *ring, const char *signature, struct bytes body)
{
    pthread_rwlock_rdlock(&ring->lock);
    const enum signature_verdict verdict = signature_guide_verify(ring->keys.key, ring->keys.webhooks, signature, body);
    pthread_rwlock_unlock(&ring->lock);
    return verdict;
}

enum signature_verdict keyring_verify_v1(struct keyring *ring, const char *timestamp, const char *signature,
                                         const char *version, struct bytes body)
{
    pthread_rwlock_rdlock(&ring->lock);
    const enum signature_verdict verdict =
        signature_v1_verify(ring->keys.key, ring->keys.webhooks, timestamp, signature, version, body);
    pthread_rwlock_unlock(&ring->lock);
    return verdict;
}

bool keyring_check_token(struct keyring *ring, const char *campaign, struct bytes token)
{
    bool found = false;

    pthread_rwlock_rdlock(&ring->lock);
    const char *name = name_of(&ring->keys, campaign);
    /* Every key is tried, so that the time tells nothing about which one matched. */
    for (size_t i = ring->keys.webhooks; name && i < ring->keys.count; i++) {
        if (strcmp(ring->keys.campaign[i], name) == 0)
            found |= callback_token_check(&ring->keys.key[i], 1, campaign, token);
    }
    pthread_rwlock_unlock(&ring->lock);
    return found;
}
