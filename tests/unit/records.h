/* Records of every kind that matters, for the tests of the record and of damage to it. */
#ifndef DROPBRIDGE_TEST_RECORDS_H
#define DROPBRIDGE_TEST_RECORDS_H

#include "copies.h"

#include <stddef.h>
#include <stdint.h>

#define T0 COPIES_BEGIN_MS
#define T0_HEX "0053c60b9d01" /* six bytes, the lowest first */
#define GREATEST_MS ((INT64_C(1) << 48) - 1)

struct record_row {
    const char *name;
    struct record record;
    const char *phones[RECORD_PHONES];
    const char *foreign_id;
};

/* The record with its phones and its foreign_id. */
struct record records_of(const struct record_row *row);

size_t records_count(void);
const struct record_row *records_row(size_t number);
/* Fails the test if there is none of that name. */
const struct record_row *records_named(const char *name);

/* Reads from memory of just that size, so that a byte too many is noticed. */
enum record_verdict records_read(const uint8_t *data, size_t len, struct record *out);

#endif
