#include "spool.h"

#include "db.h"
#include "store.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_MESSAGES = 16384,
    QUEUE_BYTES = 1024 * 1024 * 1024, /* more than a disk writes in the time of an answer; the requests hold them in any case */
    RECORD_BYTES = 16 * 1024,         /* all columns but the body, at the most */
};

struct spool {
    struct handoff *queue;
    struct spool_store *store;
    pthread_t writer;
    atomic_bool stopping;
};

/* ---- many messages, one commit ---- */

/* As many as one commit takes, at least one. */
static size_t one_commit(struct pending_message *const *messages, size_t count)
{
    size_t bytes = 0, taken = 0;

    while (taken < count && (taken == 0 || bytes + spool_record_size_of(messages[taken]) <= SPOOL_COMMIT_BYTES))
        bytes += spool_record_size_of(messages[taken++]);
    return taken;
}

/* Returns how many were dealt with. */
static size_t write_commit(struct spool *spool, struct pending_message *const *messages, size_t count)
{
    size_t rows;
    enum publish_outcome outcome = spool_store_commit(spool->store, messages, count, &rows);

    for (size_t i = 0; i < rows; i++)
        message_settle(messages[i], outcome);
    if (rows < count)
        message_settle(messages[rows++], PUBLISH_FULL);
    spool_store_checkpoint(spool->store);
    return rows;
}

static void rest(struct spool *spool, int64_t rest_ms)
{
    struct pollfd waiting = {.fd = handoff_fd(spool->queue), .events = POLLIN};

    if (rest_ms > 0 && handoff_sleep(spool->queue))
        (void)poll(&waiting, 1, (int)rest_ms);
    handoff_awake(spool->queue);
}

static void *run_writer(void *context)
{
    struct pending_message *messages[SPOOL_COMMIT_ROWS];
    struct spool *spool = context;
    bool stopping = false;

    while (!stopping) {
        int64_t rest_ms;
        size_t count, done = 0;

        /* Read before the last look into the queue: nobody hands over anything after it was set. */
        stopping = atomic_load(&spool->stopping);
        rest_ms = spool_store_tend(spool->store);
        count = handoff_take(spool->queue, messages, SPOOL_COMMIT_ROWS);
        while (done < count)
            done += write_commit(spool, messages + done, one_commit(messages + done, count - done));
        if (count == 0 && !stopping)
            rest(spool, rest_ms);
        stopping = stopping && count == 0;
    }
    return NULL;
}

enum publish_outcome spool_submit(struct spool *spool, struct pending_message *message, int64_t deadline_ms)
{
    struct spool_status status;

    spool_store_status(spool->store, &status);
    if (status.state == SPOOL_IS_FULL) /* not even tried: the writer may be busy with the disk */
        return PUBLISH_FULL;
    return handoff_submit(spool->queue, message, deadline_ms);
}

/* ---- its life ---- */

static void free_spool(struct spool *spool)
{
    spool_store_free(spool->store);
    handoff_free(spool->queue);
    free(spool);
}

/* All its parts, without the thread. NULL with *error. */
static struct spool *new_spool(const struct spool_settings *settings, struct bridge_metrics *metrics, struct error *error)
{
    struct spool *spool = calloc(1, sizeof *spool);

    error_set(error, ERROR_NO_MEMORY, "no memory for the spool");
    if (!spool)
        return NULL;
    spool->queue = handoff_new(QUEUE_MESSAGES, QUEUE_BYTES, error);
    if (spool->queue)
        spool->store = spool_store_new(settings, spool->queue, metrics);
    if (spool->store)
        return spool;
    free_spool(spool);
    return NULL;
}

struct spool *spool_start(const struct spool_settings *settings, struct bridge_metrics *metrics, struct error *error)
{
    struct spool *spool = new_spool(settings, metrics, error);
    int failed;

    if (!spool)
        return NULL;
    if (spool_store_lock(spool->store, error)) {
        failed = pthread_create(&spool->writer, NULL, run_writer, spool);
        if (failed == 0)
            return spool;
        error_set(error, ERROR_INTERNAL, "no thread for the spool: %s", strerror(failed));
    }
    free_spool(spool);
    return NULL;
}

void spool_stop(struct spool *spool)
{
    if (!spool)
        return;
    atomic_store(&spool->stopping, true);
    handoff_wake(spool->queue);
    pthread_join(spool->writer, NULL);
    free_spool(spool);
}

void spool_status(struct spool *spool, struct spool_status *out)
{
    spool_store_status(spool->store, out);
}

/* ---- for the drain ---- */

bool spool_read(struct spool *spool, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out, size_t *count,
                struct error *error)
{
    return spool_store_read(spool->store, after_id, max, max_bytes, out, count, error);
}

bool spool_delete(struct spool *spool, const int64_t *ids, size_t count, struct error *error)
{
    return spool_store_delete(spool->store, ids, count, error);
}

bool spool_wait(struct spool *spool, int64_t timeout_ms)
{
    return spool_store_wait(spool->store, timeout_ms);
}

void spool_wake(struct spool *spool)
{
    spool_store_wake(spool->store);
}

int64_t spool_bytes_for(int64_t body_bytes)
{
    return spool_db_needs((size_t)body_bytes + RECORD_BYTES);
}
