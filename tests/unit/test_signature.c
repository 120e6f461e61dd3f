#include "common/signature.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

/* The vendor's published vectors. */
static const char secret[] = "e4b1c7a9-3f2d-4e8b-9a6c-5d1f8b2e7c30";
static const char other_secret[] = "7d2f9b4e-6a1c-4f83-b5e0-9c3a8d1f6e42";
static const char timestamp[] = "1774041960";
static const int64_t now_valid = 1774041990;
static const int64_t now_stale = 1774042261;
static const char body[] = "{\"event_id\":\"2694f968-93fd-44ca-9b92-2110ed1ee61e\",\"event\":\"contact.rvm.status\",\""
                           "event_at\":1774041912000,\"data\":{\"team_id\":\"3f6c2a1e-8b4d-4c7a-9e2f-5a1b3c4d6e7f\",\""
                           "contact_id\":\"5a4b3c2d-1e0f-4a9b-8c7d-6e5f4a3b2c1d\",\"drop_id\":\"b3e7a1c9-8d5f-4b2e-9a6"
                           "c-1f4d7b3e8a52\",\"campaign_id\":null,\"campaign_type\":\"rvm\",\"status\":\"success\",\"r"
                           "eason\":\"\",\"reason_code\":0,\"to\":\"+13125550142\",\"from\":\"+12125550100\"}}";
static const char tampered_body[] =
    "{\"event_id\":\"2694f968-93fd-44ca-9b92-2110ed1ee61e\",\"event\":\"contact.rvm.status\",\""
    "event_at\":1774041912000,\"data\":{\"team_id\":\"3f6c2a1e-8b4d-4c7a-9e2f-5a1b3c4d6e7f\",\""
    "contact_id\":\"5a4b3c2d-1e0f-4a9b-8c7d-6e5f4a3b2c1d\",\"drop_id\":\"b3e7a1c9-8d5f-4b2e-9a6"
    "c-1f4d7b3e8a52\",\"campaign_id\":null,\"campaign_type\":\"rvm\",\"status\":\"failure\",\"r"
    "eason\":\"\",\"reason_code\":0,\"to\":\"+13125550142\",\"from\":\"+12125550100\"}}";
static const char v1_signature[] = "sha256=e85f619d16c3a6ccdb54846a3d7fdf556fd9703c5d94b76740b7bb7470b1bebc";
static const char other_signature[] = "sha256=59719257b2a6653aa4cc5c6ebaab15d93291316fb5b5789d6895f24d13b8c4cd";
/* Of the same body by the guide's scheme. */
static const char guide_signature[] = "7895004c46a6f2db0a55a91baf1880224b101a8261d25317e4682518bde8af9c";

static struct hmac_key *keys[2];

static int make_keys(void **state)
{
    (void)state;
    keys[0] = hmac_key_new(bytes_of_text(other_secret));
    keys[1] = hmac_key_new(bytes_of_text(secret));
    return keys[0] && keys[1] ? 0 : -1;
}

static int free_keys(void **state)
{
    (void)state;
    hmac_key_free(keys[0]);
    hmac_key_free(keys[1]);
    return 0;
}

static void signs_as_the_vendor_does(void **state)
{
    (void)state;
    char v1[SIGNATURE_V1_SIZE];
    char guide[SHA256_HEX_SIZE];
    assert_true(signature_v1_sign(keys[1], timestamp, bytes_of_text(body), v1));
    assert_string_equal(v1, v1_signature);
    assert_true(signature_v1_sign(keys[0], timestamp, bytes_of_text(body), v1));
    assert_string_equal(v1, other_signature);
    assert_true(signature_guide_sign(keys[1], bytes_of_text(body), guide));
    assert_string_equal(guide, guide_signature);
}

static void judges_the_headers_before_the_body(void **state)
{
    (void)state;
    static const struct {
        const char *name, *timestamp, *signature;
        int64_t now;
        enum signature_verdict verdict;
    } cases[] = {
        {"the vendor's valid time", timestamp, v1_signature, now_valid, SIGNATURE_OK},
        {"the vendor's stale time", timestamp, v1_signature, now_stale, SIGNATURE_STALE},
        {"exactly 300 s old", "1000", "x", 1300, SIGNATURE_OK},
        {"301 s old", "1000", "x", 1301, SIGNATURE_STALE},
        {"exactly 300 s ahead", "1300", "x", 1000, SIGNATURE_OK},
        {"301 s ahead", "1301", "x", 1000, SIGNATURE_STALE},
        {"no timestamp", NULL, "x", 1000, SIGNATURE_MISSING},
        {"no signature", "1000", NULL, 1000, SIGNATURE_MISSING},
        {"neither", NULL, NULL, 1000, SIGNATURE_MISSING},
        {"no signature and a malformed timestamp", "x", NULL, 1000, SIGNATURE_MISSING},
        {"an empty timestamp", "", "x", 1000, SIGNATURE_STALE},
        {"a plus sign", "+1000", "x", 1000, SIGNATURE_STALE},
        {"a minus sign", "-1000", "x", 1000, SIGNATURE_STALE},
        {"a space in front", " 1000", "x", 1000, SIGNATURE_STALE},
        {"a space behind", "1000 ", "x", 1000, SIGNATURE_STALE},
        {"a fraction", "1000.0", "x", 1000, SIGNATURE_STALE},
        {"hexadecimal", "0x3e8", "x", 1000, SIGNATURE_STALE},
        {"zeros in front, 12 digits", "000000001000", "x", 1000, SIGNATURE_OK},
        {"13 digits", "0000000001000", "x", 1000, SIGNATURE_STALE},
        {"milliseconds", "1774041960000", "x", 1774041960, SIGNATURE_STALE},
        {"a number past 64 bits", "99999999999999999999", "x", 1000, SIGNATURE_STALE},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name, signature_v1_precheck(cases[i].timestamp, cases[i].signature, cases[i].now, 300) ==
                                      cases[i].verdict);
}

static void verifies_v1(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t first, count;
        const char *timestamp, *signature, *version, *body;
        enum signature_verdict verdict;
    } cases[] = {
        {"the vendor's vector", 1, 1, timestamp, v1_signature, NULL, body, SIGNATURE_OK},
        {"with its version", 1, 1, timestamp, v1_signature, "v1", body, SIGNATURE_OK},
        {"the second of two secrets", 0, 2, timestamp, v1_signature, "v1", body, SIGNATURE_OK},
        {"the first of two secrets", 0, 2, timestamp, other_signature, "v1", body, SIGNATURE_OK},
        {"of another secret", 1, 1, timestamp, other_signature, "v1", body, SIGNATURE_INVALID},
        {"no secret", 0, 0, timestamp, v1_signature, "v1", body, SIGNATURE_INVALID},
        {"a changed body", 0, 2, timestamp, v1_signature, "v1", tampered_body, SIGNATURE_INVALID},
        {"an empty body", 0, 2, timestamp, v1_signature, "v1", "", SIGNATURE_INVALID},
        {"another timestamp", 0, 2, "1774041961", v1_signature, "v1", body, SIGNATURE_INVALID},
        {"the same second written otherwise", 0, 2, "01774041960", v1_signature, "v1", body, SIGNATURE_INVALID},
        {"version v2", 0, 2, timestamp, v1_signature, "v2", body, SIGNATURE_INVALID},
        {"version V1", 0, 2, timestamp, v1_signature, "V1", body, SIGNATURE_INVALID},
        {"an empty version", 0, 2, timestamp, v1_signature, "", body, SIGNATURE_INVALID},
        {"without the prefix", 0, 2, timestamp, v1_signature + 7, "v1", body, SIGNATURE_INVALID},
        {"the prefix alone", 0, 2, timestamp, "sha256=", "v1", body, SIGNATURE_INVALID},
        {"an empty signature", 0, 2, timestamp, "", "v1", body, SIGNATURE_INVALID},
        {"the prefix in upper case", 0, 2, timestamp,
         "SHA256=e85f619d16c3a6ccdb54846a3d7fdf556fd9703c5d94b76740b7bb7470b1bebc", "v1", body, SIGNATURE_INVALID},
        {"the digits in upper case", 0, 2, timestamp,
         "sha256=E85F619D16C3A6CCDB54846A3D7FDF556FD9703C5D94B76740B7BB7470B1BEBC", "v1", body, SIGNATURE_OK},
        {"a digit short", 0, 2, timestamp, "sha256=e85f619d16c3a6ccdb54846a3d7fdf556fd9703c5d94b76740b7bb7470b1beb",
         "v1", body, SIGNATURE_INVALID},
        {"a digit more", 0, 2, timestamp, "sha256=e85f619d16c3a6ccdb54846a3d7fdf556fd9703c5d94b76740b7bb7470b1bebc0",
         "v1", body, SIGNATURE_INVALID},
        {"a space behind", 0, 2, timestamp, "sha256=e85f619d16c3a6ccdb54846a3d7fdf556fd9703c5d94b76740b7bb7470b1bebc ",
         "v1", body, SIGNATURE_INVALID},
        {"the guide's signature", 0, 2, timestamp, guide_signature, "v1", body, SIGNATURE_INVALID},
        {"no timestamp", 0, 2, NULL, v1_signature, "v1", body, SIGNATURE_MISSING},
        {"no signature", 0, 2, timestamp, NULL, "v1", body, SIGNATURE_MISSING},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name,
                   signature_v1_verify(keys + cases[i].first, cases[i].count, cases[i].timestamp, cases[i].signature,
                                       cases[i].version, bytes_of_text(cases[i].body)) == cases[i].verdict);
}

static void verifies_the_guides_scheme(void **state)
{
    (void)state;
    static const struct {
        const char *name, *signature, *body;
        enum signature_verdict verdict;
    } cases[] = {
        {"the right one", guide_signature, body, SIGNATURE_OK},
        {"a changed body", guide_signature, tampered_body, SIGNATURE_INVALID},
        {"with v1's prefix", v1_signature, body, SIGNATURE_INVALID},
        {"v1's digits", v1_signature + 7, body, SIGNATURE_INVALID},
        {"empty", "", body, SIGNATURE_INVALID},
        {"absent", NULL, body, SIGNATURE_MISSING},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].name, signature_guide_verify(keys, 2, cases[i].signature, bytes_of_text(cases[i].body)) ==
                                      cases[i].verdict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_as_the_vendor_does),
        cmocka_unit_test(judges_the_headers_before_the_body),
        cmocka_unit_test(verifies_v1),
        cmocka_unit_test(verifies_the_guides_scheme),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
