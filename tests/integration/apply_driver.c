/* Feeds copies to the real parser and the real script, without a broker; tests/integration/model_harness.py speaks to
   it.

   apply_driver REDIS_URL PREFIX

   stdin: records, each a length (uint32) and that many bytes, all numbers big-endian:
     'S' retention_s:int64 result_ttl_s:int64 results_stream_max:int64 batch:uint32 separator…    settings, a new store
     'C' type:uint8 scheme:uint8 received_at_ms:int64 campaign_length:uint8 campaign… body…       one copy
     'E'                                                                                          end of the sequence
   A batch is applied when it is full and at the end of the sequence.
   stdout: a line for each copy, in order: what became of it, or "rejected:<slug>"; a line "batch" when a batch has been
   applied; "end" at the end of the sequence.
   Exit status 1, with a sentence on stderr, if a record cannot be read or Redis refuses. */
#include "common/buf.h"
#include "common/bytes.h"
#include "common/envelope.h"
#include "common/error.h"
#include "workers/batch.h"
#include "workers/event/parse.h"
#include "workers/redis/store.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REVIEW_MS = 30000, BATCH_LIMIT = 1024, RECORD_LIMIT = 2 * 1024 * 1024, SETTINGS_SIZE = 28, COPY_SIZE = 11, SEPARATOR_SIZE = 64 };

struct driver {
    const char *url;
    const char *prefix;
    struct redis_store *store;
    char separator[SEPARATOR_SIZE];
    size_t batch_size;
    struct event events[BATCH_LIMIT];
    const char *lines[BATCH_LIMIT]; /* what to print for each copy of the batch; NULL: what redis_store_apply says */
    size_t copies;
};

static uint64_t read_big_endian(const uint8_t *data, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value = value << 8 | data[i];
    return value;
}

static const char *applied_name(enum applied applied)
{
    switch (applied) {
    case APPLIED_COUNTED:
        return "counted";
    case APPLIED_REVISED:
        return "revised";
    case APPLIED_DUPLICATE:
        return "duplicate";
    case APPLIED_OPT_OUT:
        return "opt_out";
    case APPLIED_OPT_IN:
        return "opt_in";
    case APPLIED_CAMPAIGN:
        return "campaign";
    case APPLIED_UNRECOGNIZED:
        return "unrecognized";
    }
    return "out of range";
}

/* Waits for Redis as the worker does. */
static bool apply_all(struct redis_store *store, const struct event *const *events, size_t count, enum applied *results,
                      struct error *error)
{
    enum apply_progress progress = redis_store_apply(store, 0, events, count, results, error);
    while (progress == APPLY_WAITS) {
        struct pollfd fd = {.fd = redis_store_fd(store), .events = POLLIN};
        (void)poll(&fd, 1, BATCH_LOOK_MS);
        progress = redis_store_apply(store, 0, events, count, results, error);
    }
    return progress == APPLY_DONE;
}

static bool driver_apply(struct driver *driver, struct error *error)
{
    const struct event *events[BATCH_LIMIT];
    enum applied results[BATCH_LIMIT];
    size_t count = 0;
    for (size_t i = 0; i < driver->copies; i++) {
        if (!driver->lines[i])
            events[count++] = &driver->events[i];
    }
    /* A batch that cannot be applied is reported and given up: what it leaves behind is for the tests to see. */
    const bool failed = count > 0 && !apply_all(driver->store, events, count, results, error);
    size_t next = 0;
    for (size_t i = 0; i < driver->copies; i++) {
        if (driver->lines[i])
            printf("rejected:%s\n", driver->lines[i]);
        else if (failed)
            printf("failed:%s\n", error->text);
        else
            printf("%s\n", applied_name(results[next++]));
    }
    if (failed) {
        redis_store_abandon(driver->store, 0);
        *error = (struct error){0};
    }
    driver->copies = 0;
    printf("batch\n");
    return true;
}

static bool driver_settings(struct driver *driver, struct bytes record, struct error *error)
{
    if (record.len < SETTINGS_SIZE || record.len - SETTINGS_SIZE >= SEPARATOR_SIZE) {
        error_set(error, ERROR_INTERNAL, "a settings record of %zu bytes", record.len);
        return false;
    }
    struct redis_settings settings = {
        .url = driver->url,
        .prefix = driver->prefix,
        .retention_s = (int64_t)read_big_endian(record.data, 8),
        .result_ttl_s = (int64_t)read_big_endian(record.data + 8, 8),
        .results_stream_max = (int64_t)read_big_endian(record.data + 16, 8),
        .review_every_ms = REVIEW_MS,
    };
    driver->batch_size = read_big_endian(record.data + 24, 4);
    if (driver->batch_size == 0 || driver->batch_size > BATCH_LIMIT) {
        error_set(error, ERROR_INTERNAL, "a batch of %zu", driver->batch_size);
        return false;
    }
    memcpy(driver->separator, record.data + SETTINGS_SIZE, record.len - SETTINGS_SIZE);
    driver->separator[record.len - SETTINGS_SIZE] = '\0';
    redis_store_free(driver->store);
    driver->store = redis_store_new(&settings, error);
    return driver->store != NULL;
}

static bool driver_copy(struct driver *driver, struct bytes record, struct error *error)
{
    size_t campaign_len = record.len < COPY_SIZE ? SIZE_MAX : record.data[COPY_SIZE - 1];
    if (!driver->store || campaign_len > LIMIT_CAMPAIGN || record.len - COPY_SIZE < campaign_len) {
        error_set(error, ERROR_INTERNAL, "a copy without settings, or a record of %zu bytes", record.len);
        return false;
    }
    struct envelope envelope = {
        .type = (enum envelope_type)record.data[0],
        .scheme = (enum envelope_scheme)record.data[1],
        .received_at_ms = (int64_t)read_big_endian(record.data + 2, 8),
    };
    memcpy(envelope.campaign, record.data + COPY_SIZE, campaign_len);
    struct bytes body = bytes_of(record.data + COPY_SIZE + campaign_len, record.len - COPY_SIZE - campaign_len);
    char detail[PARSE_DETAIL];
    enum parse_verdict verdict = event_parse(body, &envelope, driver->separator, &driver->events[driver->copies], detail);
    if (verdict == PARSE_NO_MEMORY) {
        error_set(error, ERROR_NO_MEMORY, "out of memory");
        return false;
    }
    driver->lines[driver->copies++] = verdict == PARSE_OK ? NULL : parse_verdict_slug(verdict);
    return driver->copies < driver->batch_size || driver_apply(driver, error);
}

static bool driver_end(struct driver *driver, struct error *error)
{
    if (driver->copies > 0 && !driver_apply(driver, error))
        return false;
    printf("end\n");
    return fflush(stdout) == 0;
}

static bool driver_record(struct driver *driver, struct bytes record, struct error *error)
{
    struct bytes rest = bytes_of(record.data + 1, record.len - 1);
    switch (record.data[0]) {
    case 'S':
        return driver_settings(driver, rest, error);
    case 'C':
        return driver_copy(driver, rest, error);
    case 'E':
        return driver_end(driver, error);
    default:
        error_set(error, ERROR_INTERNAL, "a record of the unknown kind %d", record.data[0]);
        return false;
    }
}

/* Returns the record's length, 0 at the end of the input or when the record cannot be read (with *error then set). */
static size_t read_record(uint8_t *record, struct error *error)
{
    uint8_t head[4];
    size_t got = fread(head, 1, sizeof head, stdin);
    if (got == 0)
        return 0;
    size_t len = got < sizeof head ? 0 : (size_t)read_big_endian(head, sizeof head);
    if (len == 0 || len > RECORD_LIMIT || fread(record, 1, len, stdin) != len) {
        error_set(error, ERROR_INTERNAL, "a record that ends too early, or of %zu bytes", len);
        return 0;
    }
    return len;
}

int main(int argc, char **argv)
{
    int status = EXIT_FAILURE;
    struct error error = {.code = ERROR_NONE};
    struct driver *driver = calloc(1, sizeof *driver);
    uint8_t *record = malloc(RECORD_LIMIT);
    if (argc != 3 || !driver || !record) {
        error_set(&error, ERROR_USAGE, "usage: apply_driver REDIS_URL PREFIX");
        goto out;
    }
    driver->url = argv[1];
    driver->prefix = argv[2];
    for (size_t len = read_record(record, &error); len > 0; len = read_record(record, &error)) {
        if (!driver_record(driver, bytes_of(record, len), &error))
            goto out;
    }
    if (error.code == ERROR_NONE)
        status = EXIT_SUCCESS;
out:
    if (error.code != ERROR_NONE)
        fprintf(stderr, "apply_driver: %s\n", error.text);
    if (driver)
        redis_store_free(driver->store);
    free(driver);
    free(record);
    return status;
}
