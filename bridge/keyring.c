#include "keyring.h"

#include "common/callback_token.h"
#include "common/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct keys {
    struct hmac_key **webhook;
    size_t webhook_count;
    struct named_key {
        char campaign[LIMIT_CAMPAIGN + 1]; /* empty: for all that have no key of their own */
        struct hmac_key *key;
    } * callback;
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

static struct bytes secret_at(const struct secrets *secrets, size_t i)
{
    return bytes_of(secrets->items[i].data, secrets->items[i].len);
}

static bool add_callback_key(struct keys *keys, struct bytes campaign, struct bytes secret)
{
    struct named_key *named = &keys->callback[keys->callback_count++];

    memcpy(named->campaign, campaign.data, campaign.len);
    named->key = hmac_key_new(secret);
    return named->key != NULL;
}

/* On failure too *keys is to be cleared. */
static bool keys_init(struct keys *keys, const struct keyring_secrets *of)
{
    struct bytes campaign, secret;
    struct error ignored; /* the check of the setting has refused what has no = */

    *keys = (struct keys){.webhook = calloc(of->webhook.count + 1, sizeof *keys->webhook),
                          .callback = calloc(of->callback.count + of->campaign.count + 1, sizeof *keys->callback)};
    bool ok = keys->webhook && keys->callback;

    for (size_t i = 0; ok && i < of->webhook.count; i++)
        ok = (keys->webhook[keys->webhook_count++] = hmac_key_new(secret_at(&of->webhook, i))) != NULL;
    for (size_t i = 0; ok && i < of->callback.count; i++)
        ok = add_callback_key(keys, bytes_of_text(""), secret_at(&of->callback, i));
    for (size_t i = 0; ok && i < of->campaign.count; i++)
        ok = callback_campaign_secret_split(secret_at(&of->campaign, i), &campaign, &secret, &ignored) &&
             add_callback_key(keys, campaign, secret);
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

    for (size_t i = 0; i < keys->callback_count; i++) {
        if (strcmp(keys->callback[i].campaign, campaign) == 0)
            return campaign;
        if (keys->callback[i].campaign[0] == '\0')
            name = "";
    }
    return name;
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
    pthread_rwlock_rdlock(&ring->lock);
    const bool has = campaign ? name_of(&ring->keys, campaign) != NULL : ring->keys.callback_count > 0;
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
    for (size_t i = 0; name && i < ring->keys.callback_count; i++) {
        if (strcmp(ring->keys.callback[i].campaign, name) == 0)
            found |= callback_token_check(&ring->keys.callback[i].key, 1, campaign, token);
    }
    pthread_rwlock_unlock(&ring->lock);
    return found;
}
