#include "common/sha256.h"

#include "cases.h"
#include "common/hex.h"

#include <pthread.h>
#include <string.h>

static void digests_the_published_vectors(void **state)
{
    (void)state;
    /* FIPS 180-4 */
    static const struct {
        const char *name, *text, *hex;
    } cases[] = {
        {"nothing", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t digest[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        CHECK_CASE(cases[i].name, sha256(bytes_of_text(cases[i].text), digest));
        hex_encode(digest, sizeof digest, hex);
        CHECK_CASE(cases[i].name, strcmp(hex, cases[i].hex) == 0);
    }
}

static const struct {
    const char *name, *key, *text, *hex;
} macs[] = {
    /* RFC 4231, cases 2 and 6 in part; the empty key by RFC 2104 */
    {"a short key", "Jefe", "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"an empty key and text", "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
};

static void authenticates_the_published_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(macs); i++) {
        const struct bytes text = bytes_of_text(macs[i].text);
        const size_t half = text.len / 2;
        const struct bytes parts[] = {bytes_of(text.data, half), bytes_of(NULL, 0),
                                      bytes_of(text.data + half, text.len - half)};
        struct hmac_key *key = hmac_key_new(bytes_of_text(macs[i].key));
        uint8_t whole[SHA256_SIZE];
        uint8_t in_parts[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        CHECK_CASE(macs[i].name, key != NULL);
        CHECK_CASE(macs[i].name, hmac_sha256(key, &text, 1, whole) && hmac_sha256(key, parts, 3, in_parts));
        hex_encode(whole, sizeof whole, hex);
        CHECK_CASE(macs[i].name, strcmp(hex, macs[i].hex) == 0);
        CHECK_CASE(macs[i].name, mac_equal(whole, in_parts));
        in_parts[31] ^= 1;
        CHECK_CASE(macs[i].name, !mac_equal(whole, in_parts));
        hmac_key_free(key);
    }
    hmac_key_free(NULL);
}

static void *many_macs(void *argument)
{
    const struct hmac_key *key = argument;
    const struct bytes text = bytes_of_text(macs[0].text);
    uint8_t expected[SHA256_SIZE];
    (void)hex_decode(macs[0].hex, strlen(macs[0].hex), expected, sizeof expected);
    for (int i = 0; i < 2000; i++) {
        uint8_t mac[SHA256_SIZE];
        if (!hmac_sha256(key, &text, 1, mac) || !mac_equal(mac, expected))
            return argument;
    }
    return NULL;
}

static void shares_one_key_between_threads(void **state)
{
    (void)state;
    struct hmac_key *key = hmac_key_new(bytes_of_text(macs[0].key));
    pthread_t threads[8];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_macs, key), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    hmac_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_the_published_vectors),
        cmocka_unit_test(authenticates_the_published_vectors),
        cmocka_unit_test(shares_one_key_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
