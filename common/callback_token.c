#include "callback_token.h"

#include "hex.h"
#include "limits.h"

static const char token_prefix[] = "callback:v1:";

bool campaign_name_valid(struct bytes name)
{
    if (name.len == 0 || name.len > LIMIT_CAMPAIGN)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        const uint8_t c = name.data[i];
        const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        const bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && c != '.' && c != '_' && c != '-')
            return false;
    }
    return !bytes_equal(name, bytes_of_text(".")) && !bytes_equal(name, bytes_of_text(".."));
}

static bool token_mac(const struct hmac_key *key, const char *campaign, uint8_t mac[SHA256_SIZE])
{
    const struct bytes parts[] = {bytes_of_text(token_prefix), bytes_of_text(campaign)};
    return hmac_sha256(key, parts, 2, mac);
}

bool callback_token_mint(const struct hmac_key *key, const char *campaign, char out[SHA256_HEX_SIZE])
{
    uint8_t mac[SHA256_SIZE];
    if (!token_mac(key, campaign, mac))
        return false;
    hex_encode(mac, sizeof mac, out);
    return true;
}

bool callback_token_check(struct hmac_key *const *keys, size_t count, const char *campaign, struct bytes token)
{
    uint8_t given[SHA256_SIZE];
    bool found = false;

    if (!hex_decode((const char *)token.data, token.len, given, sizeof given))
        return false;
    for (size_t i = 0; i < count; i++) {
        uint8_t mac[SHA256_SIZE];
        const bool same = token_mac(keys[i], campaign, mac) && mac_equal(mac, given);
        found = found || same;
    }
    return found;
}

bool callback_campaign_secret_split(struct bytes entry, struct bytes *campaign, struct bytes *key, struct error *error)
{
    const uint8_t *equals = entry.len > 0 ? memchr(entry.data, '=', entry.len) : NULL;
    const size_t len = equals ? (size_t)(equals - entry.data) : 0;

    if (!equals)
        error_set(error, ERROR_CONFIG, "it has no =: write campaign=key");
    else if (!campaign_name_valid(bytes_of(entry.data, len)))
        error_set(error, ERROR_CONFIG, "what stands before its = is no campaign: 1 to %d of A-Z a-z 0-9 . _ -",
                  LIMIT_CAMPAIGN);
    else if (len + 1 == entry.len)
        error_set(error, ERROR_CONFIG, "its key is empty: write campaign=key");
    else {
        *campaign = bytes_of(entry.data, len);
        *key = bytes_of(equals + 1, entry.len - len - 1);
        return true;
    }
    return false;
}
