#include "keyring.h"

#include "common/callback_token.h"
#include "common/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct named_key {
    char campaign[LIMIT_CAMPAIGN + 1]; /* empty: for all */
    struct hmac_key *key;
};

struct keys {
    struct hmac_key **webhook;
    size_t webhook_count;
    struct named_key *callback;
    size_t callback_count;
};

struct keyring {
    pthread_rwlock_t lock; /* guards the next; held while one MAC is computed */
    struct keys keys;
};

static void keys_clear(struct keys *keys)
{
    for (size_t i = 0; i < keys->webhook_count; i++)
        hmac_key_free(keys->webhook[i]);
    for (size_t i = 0; i < keys->callback_count; i++)
        hmac_key_free(keys->callback[i].key);
    free(keys->webhook);
    free(keys->callback);
}

static bool add_callback_key(struct keys *keys, struct bytes campaign, struct bytes key)
{
    struct named_key *named = &keys->callback[keys->callback_count];

    if (campaign.len > 0)
        memcpy(named->campaign, campaign.data, campaign.len);
    named->key = hmac_key_new(key);
    keys->callback_count += named->key != NULL;
    return named->key != NULL;
}

static bool keys_init(struct keys *keys, const struct keyring_secrets *secrets)
{
    static const struct secrets none;
    const struct secrets *webhook = secrets->webhook ? secrets->webhook : &none;
    const struct secrets *callback = secrets->callback ? secrets->callback : &none;
    const struct secrets *campaign = secrets->campaign ? secrets->campaign : &none;

    *keys = (struct keys){.webhook = calloc(webhook->count + 1, sizeof *keys->webhook),
                          .callback = calloc(callback->count + campaign->count + 1, sizeof *keys->callback)};
    if (!keys->webhook || !keys->callback)
        return false;
    for (size_t i = 0; i < webhook->count; i++) {
        keys->webhook[i] = hmac_key_new(bytes_of(webhook->items[i].data, webhook->items[i].len));
        if (!keys->webhook[i])
            return false;
        keys->webhook_count++;
    }
    for (size_t i = 0; i < callback->count; i++) {
        if (!add_callback_key(keys, bytes_of(NULL, 0), bytes_of(callback->items[i].data, callback->items[i].len)))
            return false;
    }
    for (size_t i = 0; i < campaign->count; i++) {
        struct bytes name, key;
        struct error ignored; /* the settings' check has found none */

        if (callback_campaign_secret_split(bytes_of(campaign->items[i].data, campaign->items[i].len), &name, &key,
                                           &ignored) &&
            !add_callback_key(keys, name, key))
            return false;
    }
    return true;
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

/* The name under which the campaign's keys stand: its own, or "" if it has none. */
static const char *name_of(const struct keys *keys, const char *campaign)
{
    for (size_t i = 0; i < keys->callback_count; i++) {
        if (strcmp(keys->callback[i].campaign, campaign) == 0)
            return campaign;
    }
    return "";
}

bool keyring_has_webhook(struct keyring *ring)
{
    pthread_rwlock_rdlock(&ring->lock);
    const bool has = ring->keys.webhook_count > 0;
    pthread_rwlock_unlock(&ring->lock);
    return has;
}

bool keyring_has_callback(struct keyring *ring, const char *campaign)
{
    bool has = false;

    pthread_rwlock_rdlock(&ring->lock);
    const char *name = campaign ? name_of(&ring->keys, campaign) : NULL;
    for (size_t i = 0; i < ring->keys.callback_count; i++)
        has |= !name || strcmp(ring->keys.callback[i].campaign, name) == 0;
    pthread_rwlock_unlock(&ring->lock);
    return has;
}

enum signature_verdict keyring_verify_guide(struct keyring *ring, const char *signature, struct bytes body)
{
    pthread_rwlock_rdlock(&ring->lock);
    const enum signature_verdict verdict =
        signature_guide_verify(ring->keys.webhook, ring->keys.webhook_count, signature, body);
    pthread_rwlock_unlock(&ring->lock);
    return verdict;
}

enum signature_verdict keyring_verify_v1(struct keyring *ring, const char *timestamp, const char *signature,
                                         const char *version, struct bytes body)
{
    pthread_rwlock_rdlock(&ring->lock);
    const enum signature_verdict verdict =
        signature_v1_verify(ring->keys.webhook, ring->keys.webhook_count, timestamp, signature, version, body);
    pthread_rwlock_unlock(&ring->lock);
    return verdict;
}

bool keyring_check_token(struct keyring *ring, const char *campaign, struct bytes token)
{
    bool found = false;

    pthread_rwlock_rdlock(&ring->lock);
    const char *name = name_of(&ring->keys, campaign);
    /* Every key is tried, so that the time tells nothing about which one matched. */
    for (size_t i = 0; i < ring->keys.callback_count; i++) {
        if (strcmp(ring->keys.callback[i].campaign, name) == 0)
            found |= callback_token_check(&ring->keys.callback[i].key, 1, campaign, token);
    }
    pthread_rwlock_unlock(&ring->lock);
    return found;
}
