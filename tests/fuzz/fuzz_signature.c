/* What proves a sender, parted by bytes 0: a timestamp, a signature, a campaign, a token; the last part is the body too. */
#include "common/callback_token.h"
#include "common/signature.h"
#include "fuzz.h"

#include <stdio.h>

enum { PARTS = 4, TEXT = 256, NOW_S = 1780315200, TOLERANCE_S = 300 };

static void claim_of_signature(struct hmac_key *const *keys, const char *timestamp, const char *text, struct bytes body)
{
    char v1[SIGNATURE_V1_SIZE], guide[SHA256_HEX_SIZE];
    CLAIM(signature_v1_verify(keys, 1, timestamp, text, "v1", body) == SIGNATURE_INVALID); /* nobody guesses it */
    CLAIM(signature_guide_verify(keys, 1, text, body) == SIGNATURE_INVALID);
    CLAIM(signature_v1_sign(keys[0], timestamp, body, v1) && signature_guide_sign(keys[0], body, guide));
    CLAIM(signature_v1_verify(keys, 1, timestamp, v1, "v1", body) == SIGNATURE_OK);
    CLAIM(signature_guide_verify(keys, 1, guide, body) == SIGNATURE_OK);
    CLAIM(signature_v1_verify(keys, 1, timestamp, v1, text, body) == (strcmp(text, "v1") == 0 ? SIGNATURE_OK : SIGNATURE_INVALID));
    CLAIM(signature_v1_verify(keys, 1, timestamp, v1 + 7, NULL, body) == SIGNATURE_INVALID);
    if (signature_v1_precheck(timestamp, text, NOW_S, TOLERANCE_S) == SIGNATURE_OK)
        CLAIM(strspn(timestamp, "0123456789") == strlen(timestamp) && llabs(atoll(timestamp) - NOW_S) <= TOLERANCE_S);
}

static void claim_of_token(struct hmac_key *const *keys, const char *campaign, struct bytes token)
{
    char minted[SHA256_HEX_SIZE], of_other[SHA256_HEX_SIZE];
    CLAIM(!callback_token_check(keys, 1, campaign, token));
    CLAIM(callback_token_mint(keys[0], campaign, minted) && callback_token_mint(keys[0], "other", of_other));
    CLAIM(callback_token_check(keys, 1, campaign, bytes_of_text(minted)));
    CLAIM(!callback_token_check(keys, 0, campaign, bytes_of_text(minted)));
    CLAIM(callback_token_check(keys, 1, campaign, bytes_of_text(of_other)) == (strcmp(campaign, "other") == 0));
    const bool valid = campaign_name_valid(bytes_of_text(campaign));
    CLAIM(!valid || !strpbrk(campaign, "/?%&:{} "));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hmac_key *key;
    static char texts[PARTS][TEXT];
    struct bytes rest = bytes_of(data, size), part = {0};
    if (!key)
        key = hmac_key_new(bytes_of_text("secret"));
    for (size_t i = 0; i < PARTS; i++) {
        if (!fuzz_part(&rest, &part))
            part = bytes_of(NULL, 0);
        snprintf(texts[i], TEXT, "%.*s", (int)(part.len < TEXT ? part.len : TEXT - 1), part.data ? (const char *)part.data : "");
    }
    claim_of_signature(&key, texts[0], texts[1], rest);
    claim_of_token(&key, texts[2], part);
    return 0;
}
