/* The header fields of a request, parted by bytes 0: names and values in turn; the last part is the body. */
#include "bridge/http/framing.h"
#include "common/signature.h"
#include "fuzz.h"

#include <stdio.h>

enum { FIELDS_MAX = 16, TEXT = 256 };

static void claim_of_signature(struct hmac_key *const *keys, const char *timestamp, struct bytes body, const char *text)
{
    char v1[SIGNATURE_V1_SIZE], guide[SHA256_HEX_SIZE];
    CLAIM(signature_v1_verify(keys, 1, timestamp, text, "v1", body) != SIGNATURE_STALE);
    CLAIM(signature_guide_verify(keys, 1, text, body) != SIGNATURE_OK); /* nobody guesses it */
    CLAIM(signature_v1_sign(keys[0], timestamp, body, v1) && signature_guide_sign(keys[0], body, guide));
    CLAIM(signature_v1_verify(keys, 1, timestamp, v1, "v1", body) == SIGNATURE_OK);
    CLAIM(signature_guide_verify(keys, 1, guide, body) == SIGNATURE_OK);
    (void)signature_v1_precheck(timestamp, text, 1780315200, 300);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hmac_key *key;
    static char texts[2 * FIELDS_MAX][TEXT];
    struct http_field fields[FIELDS_MAX];
    struct bytes rest = bytes_of(data, size), part = {0};
    size_t parts = 0;
    if (!key)
        key = hmac_key_new(bytes_of_text("secret"));
    while (parts < 2 * FIELDS_MAX && fuzz_part(&rest, &part))
        snprintf(texts[parts++], TEXT, "%.*s", (int)(part.len < TEXT ? part.len : TEXT - 1), (const char *)part.data);
    const size_t count = parts / 2;
    for (size_t i = 0; i < count; i++)
        fields[i] = (struct http_field){.name = texts[2 * i], .value = texts[2 * i + 1]};
    for (int minor = 0; minor < 2; minor++) {
        const char *version = minor == 0 ? "1.0" : "1.1";
        struct framing framing = {0};
        char text[32];
        if (!framing_of_fields(version, fields, count, &framing))
            CLAIM(framing.body <= FRAMING_CHUNKED);
        (void)framing_keeps_alive(version, fields, count);
        if (framing_text(fields, count, "X-Timestamp", text, sizeof text))
            CLAIM(strnlen(text, sizeof text) < sizeof text && text[0] != '\0');
    }
    if (parts >= 2)
        claim_of_signature(&key, texts[0], part, texts[1]);
    return 0;
}
