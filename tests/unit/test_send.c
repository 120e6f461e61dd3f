#include "tools/send.h"

#include "cases.h"
#include "common/signature.h"

#include <string.h>

static const char *value_of(const struct send_headers *headers, const char *name)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (strcmp(headers->items[i].name, name) == 0)
            return headers->items[i].value;
    }
    return NULL;
}

static void sends_what_the_vendor_sends(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum send_scheme scheme;
        bool guide, v1;
    } cases[] = {
        {"guide", SEND_GUIDE, true, false}, {"v1", SEND_V1, false, true}, {"callback", SEND_CALLBACK, false, false}};
    struct hmac_key *key = hmac_key_new(bytes_of_text("secret"));
    const struct bytes body = bytes_of_text("{\"a\":1}");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct send_headers headers;
        CHECK_CASE(cases[i].name, send_make_headers(cases[i].scheme, key, body, 1774041960, "the-uuid", &headers));
        CHECK_CASE(cases[i].name, strcmp(value_of(&headers, "Content-Type"), "application/json") == 0);
        CHECK_CASE(cases[i].name, strcmp(value_of(&headers, "User-Agent"), "DropCowboy-Webhook/1.0") == 0);

        const char *guide = value_of(&headers, "X-DropCowboy-Signature");
        CHECK_CASE(cases[i].name, (guide != NULL) == cases[i].guide);
        CHECK_CASE(cases[i].name, !guide || signature_guide_verify(&key, 1, guide, body) == SIGNATURE_OK);

        const char *v1 = value_of(&headers, "X-Signature");
        const char *timestamp = value_of(&headers, "X-Timestamp");
        const char *version = value_of(&headers, "X-Signature-Version");
        CHECK_CASE(cases[i].name, (v1 != NULL) == cases[i].v1 && (timestamp != NULL) == cases[i].v1);
        CHECK_CASE(cases[i].name, (version != NULL) == cases[i].v1);
        if (cases[i].v1) {
            CHECK_CASE(cases[i].name, strcmp(timestamp, "1774041960") == 0);
            CHECK_CASE(cases[i].name, signature_v1_verify(&key, 1, timestamp, v1, version, body) == SIGNATURE_OK);
            CHECK_CASE(cases[i].name, strcmp(value_of(&headers, "X-Event-Id"), "the-uuid") == 0);
            CHECK_CASE(cases[i].name, strcmp(value_of(&headers, "X-Attempt"), "1") == 0);
        }
    }
    hmac_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sends_what_the_vendor_sends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
