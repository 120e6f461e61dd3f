/* Bytes as Redis may hold them of a drop. */
#include "common/drops/record.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record record = {0}, read = {0};
    uint8_t bytes[RECORD_MAX], again[RECORD_MAX];
    uint8_t *copy = malloc(size > 0 ? size : 1);
    CLAIM(copy);
    memcpy(copy, data, size);
    const enum record_verdict verdict = record_read(bytes_of(copy, size), &record);
    free(copy);
    if (verdict != RECORD_OK)
        return 0;
    for (size_t i = 0; i < record.phone_count; i++) {
        char text[LIMIT_PHONE + 1];
        phone_text(&record.phones[i], text);
        const struct phone packed = phone_pack(text);
        CLAIM(phone_compare(&packed, &record.phones[i]) == 0);
    }
    /* What was read is written so that it is read again, and stays as it is then. */
    const size_t len = record_write(&record, bytes);
    CLAIM(len <= RECORD_MAX && record_read(bytes_of(bytes, len), &read) == RECORD_OK);
    CLAIM(record_write(&read, again) == len && memcmp(bytes, again, len) == 0);
    return 0;
}
