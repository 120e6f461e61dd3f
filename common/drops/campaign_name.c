#include "campaign_name.h"

#include "common/hex.h"
#include "common/sha256.h"

#include <string.h>

static bool is_name_byte(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           byte == '.' || byte == '_' || byte == '-';
}

/* False if the encoded name is longer than LIMIT_CAMPAIGN. */
static bool percent_encode(struct bytes id, bool all, char out[LIMIT_CAMPAIGN + 1])
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;
    for (size_t i = 0; i < id.len; i++) {
        bool plain = !all && is_name_byte(id.data[i]);
        if (len + (plain ? 1 : 3) > LIMIT_CAMPAIGN)
            return false;
        if (plain) {
            out[len++] = (char)id.data[i];
        } else {
            out[len++] = '%';
            out[len++] = digits[id.data[i] >> 4];
            out[len++] = digits[id.data[i] & 15];
        }
    }
    out[len] = '\0';
    return true;
}

bool campaign_of_id(struct bytes id, char out[LIMIT_CAMPAIGN + 1])
{
    bool dots = bytes_equal(id, bytes_of_text(".")) || bytes_equal(id, bytes_of_text(".."));
    char name[LIMIT_CAMPAIGN + 1];
    if (!percent_encode(id, dots, name)) {
        uint8_t digest[SHA256_SIZE];
        if (!sha256(id, digest))
            return false;
        hex_encode(digest, SHA256_SIZE / 2, name);
    }
    memcpy(out, name, strlen(name) + 1);
    return true;
}
