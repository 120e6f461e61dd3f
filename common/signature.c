#include "signature.h"

#include "hex.h"

#include <string.h>

static const char v1_prefix[] = "sha256=";
enum { V1_PREFIX = sizeof v1_prefix - 1, V1_TIMESTAMP_DIGITS = 12 };

bool signature_guide_sign(const struct hmac_key *key, struct bytes body, char out[SHA256_HEX_SIZE])
{
    uint8_t mac[SHA256_SIZE];
    if (!hmac_sha256(key, &body, 1, mac))
        return false;
    hex_encode(mac, sizeof mac, out);
    return true;
}

bool signature_v1_sign(const struct hmac_key *key, const char *timestamp, struct bytes body,
                       char out[SIGNATURE_V1_SIZE])
{
    const struct bytes parts[] = {bytes_of_text(timestamp), bytes_of_text("."), body};
    uint8_t mac[SHA256_SIZE];
    if (!hmac_sha256(key, parts, 3, mac))
        return false;
    memcpy(out, v1_prefix, V1_PREFIX);
    hex_encode(mac, sizeof mac, out + V1_PREFIX);
    return true;
}

/* False if `text` is not 1 to 12 digits; so many always fit an int64_t. */
static bool read_timestamp(const char *text, int64_t *out)
{
    int64_t value = 0;
    size_t len = 0;
    for (; text[len] != '\0'; len++) {
        if (len == V1_TIMESTAMP_DIGITS || text[len] < '0' || text[len] > '9')
            return false;
        value = value * 10 + (text[len] - '0');
    }
    if (len == 0)
        return false;
    *out = value;
    return true;
}

enum signature_verdict signature_v1_precheck(const char *timestamp, const char *signature, int64_t now_s,
                                             int64_t tolerance_s)
{
    int64_t then_s = 0;
    if (!timestamp || !signature)
        return SIGNATURE_MISSING;
    if (!read_timestamp(timestamp, &then_s))
        return SIGNATURE_STALE;
    const int64_t distance_s = now_s > then_s ? now_s - then_s : then_s - now_s;
    return distance_s > tolerance_s ? SIGNATURE_STALE : SIGNATURE_OK;
}

/* Whether `hex` is the MAC of the parts under any key. */
static bool any_key_matches(struct hmac_key *const *keys, size_t key_count, const struct bytes *parts,
                            size_t part_count, const char *hex)
{
    uint8_t given[SHA256_SIZE];
    bool found = false;

    if (!hex_decode(hex, strlen(hex), given, sizeof given))
        return false;
    for (size_t i = 0; i < key_count; i++) {
        uint8_t mac[SHA256_SIZE];
        const bool same = hmac_sha256(keys[i], parts, part_count, mac) && mac_equal(mac, given);
        found = found || same;
    }
    return found;
}

enum signature_verdict signature_v1_verify(struct hmac_key *const *keys, size_t count, const char *timestamp,
                                           const char *signature, const char *version, struct bytes body)
{
    const struct bytes parts[] = {bytes_of_text(timestamp), bytes_of_text("."), body};

    if (!timestamp || !signature)
        return SIGNATURE_MISSING;
    if (version && strcmp(version, "v1") != 0)
        return SIGNATURE_INVALID;
    if (strncmp(signature, v1_prefix, V1_PREFIX) != 0)
        return SIGNATURE_INVALID;
    return any_key_matches(keys, count, parts, 3, signature + V1_PREFIX) ? SIGNATURE_OK : SIGNATURE_INVALID;
}

enum signature_verdict signature_guide_verify(struct hmac_key *const *keys, size_t count, const char *signature,
                                              struct bytes body)
{
    if (!signature)
        return SIGNATURE_MISSING;
    return any_key_matches(keys, count, &body, 1, signature) ? SIGNATURE_OK : SIGNATURE_INVALID;
}
