#include "bridge/keyring.h"

#include "cases.h"
#include "common/callback_token.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { SECRETS_MAX = 4 };

/* Secrets as the settings hold them, of literals. */
struct list {
    struct secrets secrets;
    struct secret items[SECRETS_MAX];
    uint8_t data[SECRETS_MAX][64];
};

static struct secrets list_of(struct list *list, const char *const *texts)
{
    memset(list, 0, sizeof *list);
    list->secrets.items = list->items;
    for (size_t i = 0; i < SECRETS_MAX && texts[i]; i++) {
        list->items[i] = (struct secret){list->data[i], strlen(texts[i])};
        memcpy(list->data[i], texts[i], strlen(texts[i]));
        list->secrets.count++;
    }
    return list->secrets;
}

static bool token_verifies(struct keyring *ring, const char *campaign, const char *key_text)
{
    struct hmac_key *key = hmac_key_new(bytes_of_text(key_text));
    char token[SHA256_HEX_SIZE];

    assert_true(callback_token_mint(key, campaign, token));
    hmac_key_free(key);
    return keyring_check_token(ring, campaign, bytes_of_text(token));
}

static bool signature_verifies(struct keyring *ring, const char *key_text)
{
    struct hmac_key *key = hmac_key_new(bytes_of_text(key_text));
    char guide[SHA256_HEX_SIZE], v1[SIGNATURE_V1_SIZE];

    assert_true(signature_guide_sign(key, bytes_of_text("{}"), guide));
    assert_true(signature_v1_sign(key, "1", bytes_of_text("{}"), v1));
    hmac_key_free(key);
    const bool good = keyring_verify_guide(ring, guide, bytes_of_text("{}")) == SIGNATURE_OK;
    assert_true(good == (keyring_verify_v1(ring, "1", v1, "v1", bytes_of_text("{}")) == SIGNATURE_OK));
    return good;
}

static void a_campaign_with_keys_of_its_own_is_verified_by_those_alone(void **state)
{
    static const char *const own[] = {"spring=own", "spring=older", "autumn=other", NULL};
    static const char *const of_all[] = {"all", "older-of-all", NULL};
    static const char *const none[] = {NULL};
    static const struct {
        const char *name;
        const char *const *callback, *const *campaign;
        const char *which, *key;
        bool has, verifies;
    } cases[] = {
        {"its first key", of_all, own, "spring", "own", true, true},
        {"its second key", of_all, own, "spring", "older", true, true},
        {"another campaign's key", of_all, own, "spring", "other", true, false},
        {"the key of all", of_all, own, "spring", "all", true, false},
        {"the key of all for a campaign without one", of_all, own, "winter", "all", true, true},
        {"a second key of all", of_all, own, "winter", "older-of-all", true, true},
        {"the key of all without a campaign", of_all, own, "", "all", true, true},
        {"a campaign's key without a campaign", of_all, own, "", "own", true, false},
        {"a campaign's key for one whose name is longer", of_all, own, "springs", "own", true, false},
        {"no key of all: a campaign with one", none, own, "spring", "own", true, true},
        {"no key of all: a campaign without one", none, own, "winter", "own", false, false},
        {"no key of all: no campaign", none, own, "", "own", false, false},
        {"no keys", none, none, "spring", "own", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct list callback, campaign;
        const struct keyring_secrets secrets = {.callback = list_of(&callback, cases[i].callback),
                                                .campaign = list_of(&campaign, cases[i].campaign)};
        struct error error;
        struct keyring *ring = keyring_new(&secrets, &error);

        CHECK_CASE(cases[i].name, ring);
        CHECK_CASE(cases[i].name, keyring_has_callback(ring, cases[i].which) == cases[i].has);
        CHECK_CASE(cases[i].name, token_verifies(ring, cases[i].which, cases[i].key) == cases[i].verifies);
        CHECK_CASE(cases[i].name, keyring_has_callback(ring, NULL) == (cases[i].campaign != none || cases[i].callback != none));
        CHECK_CASE(cases[i].name, !keyring_has_webhook(ring));
        keyring_free(ring);
    }
}

static void replaced_keys_verify_no_more(void **state)
{
    static const char *const before[] = {"a", "kept", NULL}, *const after[] = {"kept", "b", NULL};
    struct list first, second;
    const struct keyring_secrets old = {.webhook = list_of(&first, before), .callback = first.secrets};
    const struct keyring_secrets new = {.webhook = list_of(&second, after), .callback = second.secrets};
    struct error error;
    struct keyring *ring = keyring_new(&old, &error);

    (void)state;
    assert_true(signature_verifies(ring, "a") && token_verifies(ring, "x", "a"));
    assert_false(signature_verifies(ring, "b") || token_verifies(ring, "x", "b"));
    assert_true(keyring_replace(ring, &new, &error));
    assert_true(signature_verifies(ring, "b") && token_verifies(ring, "x", "b"));
    assert_true(signature_verifies(ring, "kept") && token_verifies(ring, "x", "kept"));
    assert_false(signature_verifies(ring, "a") || token_verifies(ring, "x", "a"));
    assert_true(keyring_replace(ring, &(struct keyring_secrets){0}, &error));
    assert_false(keyring_has_webhook(ring) || keyring_has_callback(ring, NULL) || signature_verifies(ring, "b"));
    keyring_free(ring);
}

struct readers {
    struct keyring *ring;
    atomic_bool ended;
    _Atomic int verified, wrong;
};

static void *verify_on(void *argument)
{
    struct readers *readers = argument;

    while (!atomic_load(&readers->ended)) {
        if (!signature_verifies(readers->ring, "kept") || !token_verifies(readers->ring, "x", "kept"))
            atomic_fetch_add(&readers->wrong, 1);
        atomic_fetch_add(&readers->verified, 1);
    }
    return NULL;
}

static void keys_are_replaced_while_others_verify(void **state)
{
    static const char *const texts[2][3] = {{"a", "kept", NULL}, {"kept", "b", NULL}};
    struct list lists[2];
    struct readers readers = {0};
    pthread_t threads[3];
    struct error error;

    (void)state;
    for (size_t i = 0; i < 2; i++)
        (void)list_of(&lists[i], texts[i]);
    readers.ring = keyring_new(&(struct keyring_secrets){.webhook = lists[0].secrets, .callback = lists[0].secrets}, &error);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_on, &readers), 0);
    for (size_t i = 0; i < 200; i++) {
        const struct secrets secrets = lists[i % 2].secrets;
        const int before = atomic_load(&readers.verified);

        assert_true(keyring_replace(readers.ring, &(struct keyring_secrets){.webhook = secrets, .callback = secrets}, &error));
        WAIT_UNTIL(atomic_load(&readers.verified) > before);
    }
    atomic_store(&readers.ended, true);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&readers.wrong), 0);
    keyring_free(readers.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_campaign_with_keys_of_its_own_is_verified_by_those_alone),
        cmocka_unit_test(replaced_keys_verify_no_more),
        cmocka_unit_test(keys_are_replaced_while_others_verify),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
