#include "spool.h"

#include "common/clock.h"
#include "common/thread.h"
#include "common/timers.h"
#include "store.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    QUEUE_MESSAGES = 16384,
    QUEUE_BYTES = 1024 * 1024 * 1024, /* more than a disk writes in the time of an answer; the requests hold them in any case */
    RECORD_BYTES = 16 * 1024,         /* all columns but the body, at the most */
    REOPEN_FIRST_MS = TIMER_MS(100),
    REOPEN_MAX_MS = TIMER_MS(5000),
    LOOK_MS = TIMER_MS(1000),
    IDS_A_MS = 1024 * 1024, /* ids that a process has for each millisecond since 1970, from its start on: more than it uses */
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
    enum publish_outcome outcome = store_commit(spool, messages, count, &rows);

    for (size_t i = 0; i < rows; i++)
        message_settle(messages[i], outcome);
    if (rows < count)
        message_settle(messages[rows++], PUBLISH_FULL);
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
        rest_ms = store_tend(spool);
        count = handoff_take(spool->queue, messages, SPOOL_COMMIT_ROWS);
        while (done < count)
            done += write_commit(spool, messages + done, one_commit(messages + done, count - done));
        if (count == 0 && !stopping)
            rest(spool, rest_ms);
        stopping = stopping && count == 0;
    }
    return NULL;
}

/* ---- any thread ---- */

enum publish_outcome spool_submit(struct spool *spool, struct pending_message *message, int64_t deadline_ms)
{
    struct spool_status status;

    spool_status(spool, &status);
    if (status.state == SPOOL_IS_FULL) /* not even tried: the writer may be busy with the disk */
        return PUBLISH_FULL;
    return handoff_submit(spool->queue, message, deadline_ms);
}

void spool_status(struct spool *spool, struct spool_status *out)
{
    pthread_mutex_lock(&spool->mutex);
    *out = spool->status;
    pthread_mutex_unlock(&spool->mutex);
}

bool spool_wait(struct spool *spool, int64_t timeout_ms)
{
    const int64_t until_ms = clock_monotonic_ms() + timeout_ms;
    bool is_there;

    pthread_mutex_lock(&spool->mutex);
    while (!(is_there = spool->readable && spool->status.waiting > 0) && !spool->woken &&
           clock_wait(&spool->changed, &spool->mutex, until_ms))
        continue;
    spool->woken = false;
    pthread_mutex_unlock(&spool->mutex);
    return is_there;
}

void spool_wake(struct spool *spool)
{
    pthread_mutex_lock(&spool->mutex);
    spool->woken = true;
    pthread_cond_broadcast(&spool->changed);
    pthread_mutex_unlock(&spool->mutex);
}

int64_t spool_bytes_for(int64_t body_bytes)
{
    return spool_db_needs((size_t)body_bytes + RECORD_BYTES);
}

/* ---- its life ---- */

/* Above those of every file that another process has made: the clock has gone on further than its ids. So files that are put
   in each other's place never give one id to two messages. */
static int64_t first_id(void)
{
    int64_t now_ms = clock_wall_ms();

    return now_ms > 0 && now_ms < INT64_MAX / IDS_A_MS / 2 ? now_ms * IDS_A_MS : 1;
}

/* All but the queue and the thread. NULL without memory. */
static struct spool *new_spool(const struct spool_settings *settings, struct bridge_metrics *metrics)
{
    struct spool *spool = calloc(1, sizeof *spool);

    if (!spool)
        return NULL;
    spool->settings = *settings;
    spool->settings.look_ms = settings->look_ms > 0 ? settings->look_ms : LOOK_MS;
    spool->metrics = metrics;
    spool->next_id = first_id();
    backoff_init(&spool->backoff, REOPEN_FIRST_MS, settings->reopen_max_ms > 0 ? settings->reopen_max_ms : REOPEN_MAX_MS,
                 (uint64_t)getpid() ^ (uint64_t)clock_wall_ms());
    pthread_mutex_init(&spool->turnstile, NULL);
    pthread_mutex_init(&spool->disk, NULL);
    pthread_mutex_init(&spool->mutex, NULL);
    clock_init_condition(&spool->changed);
    snprintf(spool->status.problem, ERROR_TEXT, "the spool %s is being opened and checked", settings->path);
    return spool;
}

static void free_spool(struct spool *spool)
{
    store_close(spool);
    handoff_free(spool->queue);
    pthread_cond_destroy(&spool->changed);
    pthread_mutex_destroy(&spool->mutex);
    pthread_mutex_destroy(&spool->disk);
    pthread_mutex_destroy(&spool->turnstile);
    free(spool);
}

struct spool *spool_start(const struct spool_settings *settings, struct bridge_metrics *metrics, struct error *error)
{
    struct spool *spool = new_spool(settings, metrics);

    if (!spool) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the spool");
        return NULL;
    }
    spool->queue = handoff_new(QUEUE_MESSAGES, QUEUE_BYTES, error);
    spool->locked = spool->queue && spool_file_lock(settings->path, &spool->file, error);
    /* A full or failing disk is tried again. */
    if ((spool->locked || (spool->queue && error->code == ERROR_UNAVAILABLE)) &&
        thread_start(&spool->writer, "the spool's thread", run_writer, spool, error))
        return spool;
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
