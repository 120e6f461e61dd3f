/* A Redis of its own: it does with a call what apply.lua does, as far as the tests of the plan look at it. */
#ifndef DROPBRIDGE_TEST_CALL_SERVER_H
#define DROPBRIDGE_TEST_CALL_SERVER_H

#include "common/buf.h"
#include "common/bytes.h"
#include "common/redis/arguments.h"
#include "common/drops/record.h"

#include <stddef.h>
#include <stdint.h>

enum { SERVER_NAME = 160 };

struct server_drop {
    char bucket[SERVER_NAME];
    uint8_t field[64], value[RECORD_MAX];
    size_t field_len, value_len;
};

struct server_count {
    char key[SERVER_NAME], field[SERVER_NAME];
    int64_t value;
};

struct server_opt_out {
    char key[SERVER_NAME], phone[SERVER_NAME];
    int64_t time_ms;
};

struct server {
    struct server_drop *drops;
    struct server_count *counts; /* none is 0 */
    struct server_opt_out *opt_outs; /* of all lists, dc:optins too */
    size_t drop_count, count_count, opt_out_count;
    struct buf stream; /* the kinds of its entries, with spaces */
};

struct server *server_new(void);
void server_free(struct server *server);

/* Empty: there is none. */
struct bytes server_drop(const struct server *server, const char *bucket, struct bytes field);
void server_set_drop(struct server *server, const char *bucket, struct bytes field, struct bytes value);
void server_delete_drop(struct server *server, const char *bucket, struct bytes field);
int64_t server_count(const struct server *server, const char *key, const char *field);

/* When the phone is on that list; INT64_MAX: it is not. */
int64_t server_listed(const struct server *server, const char *key, const char *phone);

/* Does the call that begins at the argument `first`; the answer is added. */
void server_call(struct server *server, const struct arguments *arguments, size_t first, struct buf *answer);

/* "messages 2 success 2", by the names of the fields. */
void server_hash_text(const struct server *server, const char *key, struct buf *out);

#endif
