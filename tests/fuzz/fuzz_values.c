/* Single texts: phones, times, money, ids, names, reasons. */
#include "common/drops/campaign_name.h"
#include "common/drops/event_time.h"
#include "common/drops/phone.h"
#include "common/drops/reasons.h"
#include "common/text.h"
#include "fuzz.h"
#include "workers/event/normalize.h"
#include "workers/event/words.h"

static void claim_of_phone(struct bytes text)
{
    char phone[LIMIT_PHONE + 1], again[LIMIT_PHONE + 1];
    if (!phone_normalize(text, phone))
        return;
    const size_t len = strnlen(phone, sizeof phone);
    CLAIM(len >= 8 && len <= LIMIT_PHONE && phone[0] == '+' && strspn(phone + 1, "0123456789") == len - 1);
    CLAIM(phone_normalize(bytes_of_text(phone), again) && strcmp(phone, again) == 0);
    const struct phone packed = phone_pack(phone);
    phone_text(&packed, again);
    CLAIM(strcmp(phone, again) == 0);
}

static void claim_of_time(struct bytes text)
{
    int64_t ms = 0;
    if (event_time_of_text(text, &ms))
        CLAIM(ms >= -INT64_C(62167219200000) - 86400000 && ms <= INT64_C(1000000000000000));
}

static void claim_of_money(const char *text, size_t len)
{
    const struct json_value value = {.kind = JSON_TEXT, .text = bytes_of(text, len)};
    int64_t micros = -1;
    if (money_of(&value, &micros))
        CLAIM(micros >= 0 && micros <= INT64_C(1000000) * MONEY_MAX_DOLLARS);
    else
        CLAIM(micros == -1);
}

static void claim_of_id(struct bytes text)
{
    struct event_id id = {0};
    char name[LIMIT_CAMPAIGN + 1];
    CLAIM(event_id_of_text(text, &id) && id.packed_len > 0 && id.packed_len <= EVENT_ID_PACKED);
    CLAIM(strnlen(id.text, sizeof id.text) <= LIMIT_EVENT_ID);
    CLAIM((id.packed_len == 12 || id.packed_len == 16) == (id.packed[0] != 't' && id.packed[0] != 'T' && id.packed[0] != 'h') ||
          id.packed_len == 12 || id.packed_len == 16);
    CLAIM(campaign_of_id(text, name) && name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    CLAIM(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-%") == strlen(name));
}

/* As each body is before it is read. */
static bool is_utf8(struct bytes text)
{
    size_t len = 1;
    for (; text.len > 0 && len > 0; text = bytes_of(text.data + len, text.len - len))
        len = bytes_utf8_character(text);
    return len > 0;
}

static void claim_of_words(struct bytes text)
{
    char folded[TEXT_FOLDED], again[TEXT_FOLDED], shown[LIMIT_RAW_TEXT + 1];
    const char *word = NULL;
    if (text_fold(text, folded)) {
        CLAIM(!is_utf8(text) || (text_fold(bytes_of_text(folded), again) && strcmp(folded, again) == 0));
        CLAIM(folded_count(folded) > 0 && folded_holds(folded, folded));
    }
    text_for_display(text, LIMIT_RAW_TEXT, shown);
    CLAIM(strnlen(shown, sizeof shown) <= LIMIT_RAW_TEXT);
    CLAIM(reason_by_text(text) < (int)reason_count() && reason_by_text(text) != 0);
    (void)reason_text_sounds_like_opt_out(text);
    CLAIM(status_meaning(text, &word) <= STATUS_INTERIM && word);
    CLAIM(name_meaning(text) <= NAME_OTHER && name_sound(text) <= NAME_SOUNDS_LIKE_OPT_OUT);
    CLAIM(text_meaning(text) <= TEXT_OPT_IN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1); /* with a byte behind it that is no part of it, as in a body */
    CLAIM(copy);
    memcpy(copy, data, size);
    copy[size] = '"';
    const struct bytes text = bytes_of(copy, size);
    claim_of_phone(text);
    claim_of_time(text);
    claim_of_money(copy, size);
    if (size > 0)
        claim_of_id(text);
    claim_of_words(text);
    free(copy);
    return 0;
}
