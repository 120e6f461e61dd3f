#include "store.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/log_limiter.h"
#include "common/timers.h"
#include "db.h"
#include "file.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    REOPEN_FIRST_MS = TIMER_MS(100),
    REOPEN_MAX_MS = TIMER_MS(5000),
    LOOK_MS = TIMER_MS(1000),
    IDS_A_MS = 1024 * 1024, /* ids that a process has for each millisecond since 1970, from its start on: more than it uses */
    ORDINARY_BYTES = 4096 + 512, /* of a record that many are like: while it fits the spool is not full */
};

struct spool_store {
    struct spool_settings settings;
    struct bridge_metrics *metrics;
    struct handoff *queue;

    /* Who waits for the disk waits here, so that a busy writer lets the drain in between its commits. */
    pthread_mutex_t turnstile;
    pthread_mutex_t disk; /* guards what follows; held while the disk works, but not while the writer opens the file */
    struct spool_file file;
    bool locked;         /* the file is this process's */
    struct spool_db *db; /* NULL: opening, or failed; only the writer opens it */
    bool lost;           /* its names do not lead to it any more: it is only drained */
    int64_t lost_at_ms;
    bool begun;          /* what was found has been counted */
    int64_t messages;    /* in it, or in what failed and is to be opened again */
    int64_t next_id;
    bool in_trouble; /* since the last success; for the log, as is the next */
    struct log_limiter limiter;
    struct backoff backoff;
    int64_t reopen_at_ms;

    pthread_mutex_t mutex; /* guards what follows; taken last */
    pthread_cond_t changed;
    struct spool_status status;
    bool readable, woken;
};

/* ---- what everybody may know ---- */

static void set_state(struct spool_store *store, enum spool_state state, const char *problem)
{
    pthread_mutex_lock(&store->mutex);
    store->status.state = state;
    snprintf(store->status.problem, ERROR_TEXT, "%s", problem);
    pthread_mutex_unlock(&store->mutex);
}

void spool_store_status(struct spool_store *store, struct spool_status *out)
{
    pthread_mutex_lock(&store->mutex);
    *out = store->status;
    pthread_mutex_unlock(&store->mutex);
}

/* How much there is. The disk's mutex is held. */
static void post(struct spool_store *store)
{
    pthread_mutex_lock(&store->mutex);
    store->status.waiting = store->messages;
    if (store->db)
        store->status.bytes = spool_db_bytes(store->db);
    store->readable = store->db != NULL;
    metric_set(&store->metrics->rows[METRIC_SPOOL_WAITING], store->messages);
    metric_set(&store->metrics->rows[METRIC_SPOOL_BYTES], store->status.bytes);
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->mutex);
}

bool spool_store_wait(struct spool_store *store, int64_t timeout_ms)
{
    struct timespec deadline = clock_timespec_of_ms(clock_monotonic_ms() + timeout_ms);
    bool is_there;
    int waited = 0;

    pthread_mutex_lock(&store->mutex);
    while (!(is_there = store->readable && store->status.waiting > 0) && !store->woken && waited == 0)
        waited = pthread_cond_timedwait(&store->changed, &store->mutex, &deadline);
    store->woken = false;
    pthread_mutex_unlock(&store->mutex);
    return is_there;
}

void spool_store_wake(struct spool_store *store)
{
    pthread_mutex_lock(&store->mutex);
    store->woken = true;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->mutex);
}

/* ---- the file's life; the disk's mutex is held, except by reopen ---- */

static void lock(struct spool_store *store)
{
    pthread_mutex_lock(&store->turnstile);
    pthread_mutex_lock(&store->disk);
    pthread_mutex_unlock(&store->turnstile);
}

static void unlock(struct spool_store *store)
{
    pthread_mutex_unlock(&store->disk);
}

static void open_gate(struct spool_store *store)
{
    /* In this order: who sees it open is let in. */
    handoff_set_state(store->queue, BROKER_OPEN);
    set_state(store, SPOOL_OPEN, "");
    post(store);
}

static void shut_gate(struct spool_store *store, const char *problem, const char *outlook)
{
    set_state(store, SPOOL_HAS_FAILED, problem);
    handoff_set_state(store->queue, BROKER_AWAY);
    post(store);
    if (!store->in_trouble)
        log_error("%s%s", problem, outlook);
    store->in_trouble = true;
}

static void close_file(struct spool_store *store, bool write_back)
{
    spool_db_close(store->db, write_back);
    store->db = NULL;
    store->lost = false;
}

/* A call has failed. A file without its name could not be opened again: it stays as it is. */
static void fail(struct spool_store *store, const struct error *error)
{
    bridge_count(store->metrics, METRIC_SPOOL_FAILURES, 1);
    if (!store->lost)
        close_file(store, false);
    shut_gate(store, error->text, ": nothing is taken until it can be opened again, which is tried by itself; what is in it stays");
    store->reopen_at_ms = clock_monotonic_ms() + backoff_next_ms(&store->backoff);
    handoff_wake(store->queue); /* the writer's rest is another now */
}

/* After a write: the trouble, if there was any, is over. */
static void note_success(struct spool_store *store)
{
    backoff_reset(&store->backoff);
    if (store->in_trouble && !store->lost) {
        log_info("the spool %s takes messages again", store->settings.path);
        store->in_trouble = false;
    }
}

/* Whether an ordinary message still fits, for everybody. */
static void note_room(struct spool_store *store)
{
    bool full = !spool_db_has_room(store->db, ORDINARY_BYTES), was_full;
    struct spool_status status;
    char problem[ERROR_TEXT];

    spool_store_status(store, &status);
    was_full = status.state == SPOOL_IS_FULL;
    if (store->lost || full == was_full)
        return;
    snprintf(problem, sizeof problem,
             "the spool %s is full: %lld messages, SPOOL_MAX_BYTES=%lld: see that RabbitMQ takes events (broker_problem of "
             "/readyz), or allow more",
             store->settings.path, (long long)store->messages, (long long)store->settings.max_bytes);
    set_state(store, full ? SPOOL_IS_FULL : SPOOL_OPEN, full ? problem : "");
    if (!log_limiter_is_news(&store->limiter, full ? "full" : "room", clock_monotonic_ms()))
        return;
    if (full)
        log_error("%s; until it is drained what RabbitMQ does not take is refused", problem);
    else
        log_info("the spool %s has room again", store->settings.path);
}

static void note_too_large(struct spool_store *store, size_t record_size)
{
    if (log_limiter_is_news(&store->limiter, "large", clock_monotonic_ms()))
        log_error("a message of %zu bytes does not fit into the spool %s (SPOOL_MAX_BYTES=%lld) and is refused, for RabbitMQ does "
                  "not take it now: allow more",
                  record_size, store->settings.path, (long long)store->settings.max_bytes);
}

/* found + spooled = drained + set aside + waiting, also where nobody knows how the last write before a failure ended. */
static void count_found(struct spool_store *store, const struct spool_stock *stock)
{
    int64_t more = stock->messages - store->messages;

    if (!store->begun) {
        bridge_count(store->metrics, METRIC_SPOOL_FOUND, stock->messages);
        if (stock->messages > 0)
            log_info("messages found in the spool %s: %lld", store->settings.path, (long long)stock->messages);
    } else if (stock->set_aside) {
        bridge_count(store->metrics, METRIC_SPOOL_SET_ASIDE, store->messages);
    } else if (more > 0) {
        bridge_count(store->metrics, METRIC_SPOOL_SPOOLED, more);
    } else {
        bridge_count(store->metrics, METRIC_SPOOL_DRAINED, -more);
    }
    store->begun = true;
    store->messages = stock->messages;
    if (store->next_id <= stock->last_id)
        store->next_id = stock->last_id + 1;
}

static void note_not_open(struct spool_store *store, const struct error *error)
{
    store->reopen_at_ms = clock_monotonic_ms() + backoff_next_ms(&store->backoff);
    shut_gate(store, error->text, ": the bridge goes on without a spool, which is opened as soon as it can be");
}

/* Without the mutex: the check of a large file takes long. */
static void reopen(struct spool_store *store)
{
    struct spool_stock stock;
    struct error error = {0};
    struct spool_db *db = NULL;

    if (!store->locked)
        store->locked = spool_file_lock(store->settings.path, 0, &store->file, &error);
    if (store->locked)
        db = spool_db_open(&store->file, store->settings.max_bytes, &stock, &error);
    lock(store);
    if (db) {
        store->db = db;
        count_found(store, &stock);
        open_gate(store);
        note_room(store);
        if (store->in_trouble)
            log_info("the spool %s is open again", store->settings.path);
    } else {
        note_not_open(store, &error);
    }
    unlock(store);
}

/* It is given up when it has been drained through its descriptors; a look later if it is whole without its log: who deletes both
   may have begun with the log. */
static void note_lost(struct spool_store *store, bool only_log)
{
    char problem[ERROR_TEXT];
    struct error ignored;

    if (!store->lost) {
        snprintf(problem, sizeof problem,
                 "the spool %s%s was moved or deleted while in use: nothing is taken into it; put it back, or wait until "
                 "RabbitMQ has what is in it: then a new one is begun",
                 store->settings.path, only_log ? "-wal" : "");
        shut_gate(store, problem, "");
        store->lost_at_ms = clock_monotonic_ms();
    }
    store->lost = true;
    only_log = only_log && clock_monotonic_ms() >= store->lost_at_ms + store->settings.look_ms;
    if (store->messages > 0 && !(only_log && spool_db_write_back(store->db, &ignored)))
        return;
    close_file(store, true);
    store->reopen_at_ms = 0;
}

static void look_after(struct spool_store *store)
{
    switch (store->db ? spool_file_presence(&store->file) : SPOOL_PRESENT) {
    case SPOOL_PRESENT:
        if (store->lost)
            open_gate(store);
        store->lost = false;
        break;
    case SPOOL_LOG_GONE:
        note_lost(store, true);
        break;
    case SPOOL_MOVED:
    case SPOOL_DELETED:
        note_lost(store, false);
        break;
    }
}

/* ---- writing ---- */

static enum publish_outcome commit(struct spool_store *store, struct pending_message *const *messages, size_t count, size_t *rows)
{
    struct error error;

    *rows = count;
    if (!store->db || store->lost)
        return PUBLISH_AWAY;
    if (!spool_db_insert(store->db, messages, count, store->next_id, rows, &error)) {
        *rows = count;
        store->next_id += (int64_t)count; /* whatever has become of them, no id is used twice */
        fail(store, &error);
        return PUBLISH_FAILED;
    }
    store->next_id += (int64_t)*rows;
    store->messages += (int64_t)*rows;
    bridge_count(store->metrics, METRIC_SPOOL_SPOOLED, (int64_t)*rows);
    if (*rows > 0) {
        post(store);
        note_success(store);
    }
    note_room(store);
    if (*rows < count)
        note_too_large(store, spool_record_size_of(messages[*rows]));
    /* What has lost its name by now is drained, but a crash would lose it: nobody is told that it is safe. */
    return spool_file_presence(&store->file) == SPOOL_PRESENT ? PUBLISH_CONFIRMED : PUBLISH_FAILED;
}

enum publish_outcome spool_store_commit(struct spool_store *store, struct pending_message *const *messages, size_t count, size_t *rows)
{
    enum publish_outcome outcome;

    lock(store);
    outcome = commit(store, messages, count, rows);
    unlock(store);
    return outcome;
}

void spool_store_checkpoint(struct spool_store *store)
{
    struct error error;

    lock(store);
    if (store->db && !spool_db_checkpoint(store->db, &error))
        fail(store, &error);
    unlock(store);
}

int64_t spool_store_tend(struct spool_store *store)
{
    int64_t rest_ms;
    bool is_time;

    lock(store);
    look_after(store);
    is_time = !store->db && clock_monotonic_ms() >= store->reopen_at_ms;
    unlock(store);
    if (is_time)
        reopen(store);
    lock(store);
    rest_ms = store->db ? store->settings.look_ms : store->reopen_at_ms - clock_monotonic_ms();
    unlock(store);
    return rest_ms > 0 ? rest_ms : 0;
}

/* ---- for the drain ---- */

/* Sets *error if there is no file. */
static bool has_file(struct spool_store *store, struct error *error)
{
    struct spool_status status;

    spool_store_status(store, &status);
    if (!store->db)
        error_set(error, ERROR_UNAVAILABLE, "%s", status.problem);
    return store->db != NULL;
}

bool spool_store_read(struct spool_store *store, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out, size_t *count,
                struct error *error)
{
    bool there, done;

    lock(store);
    there = has_file(store, error);
    done = there && spool_db_read(store->db, after_id, max, max_bytes, out, count, error);
    if (there && !done && error->code != ERROR_NO_MEMORY) /* without memory for a message the file is as good as before */
        fail(store, error);
    unlock(store);
    return done;
}

/* What follows a deletion may fail the file, not the call. */
static void note_deleted(struct spool_store *store, size_t rows)
{
    struct error error;

    store->messages -= (int64_t)rows;
    bridge_count(store->metrics, METRIC_SPOOL_DRAINED, (int64_t)rows);
    if (rows > 0) {
        note_success(store);
        note_room(store);
    }
    if (!spool_db_checkpoint(store->db, &error) || (store->messages == 0 && !spool_db_shrink(store->db, &error)))
        fail(store, &error);
    post(store);
}

bool spool_store_delete(struct spool_store *store, const int64_t *ids, size_t count, struct error *error)
{
    bool there, done;
    size_t rows = 0;

    lock(store);
    there = has_file(store, error);
    done = there && spool_db_delete(store->db, ids, count, &rows, error);
    if (done)
        note_deleted(store, rows);
    else if (there)
        fail(store, error);
    unlock(store);
    return done;
}

/* Above those of every file that another process has made: the clock has gone on further than its ids. So files that are put
   in each other's place never give one id to two messages. */
static int64_t first_id(void)
{
    int64_t now_ms = clock_wall_ms();

    return now_ms > 0 && now_ms < INT64_MAX / IDS_A_MS / 2 ? now_ms * IDS_A_MS : 1;
}

struct spool_store *spool_store_new(const struct spool_settings *settings, struct handoff *queue,
                                    struct bridge_metrics *metrics)
{
    struct spool_store *store = calloc(1, sizeof *store);
    int64_t max_ms = settings->reopen_max_ms > 0 ? settings->reopen_max_ms : REOPEN_MAX_MS;

    if (!store)
        return NULL;
    store->settings = *settings;
    store->settings.look_ms = settings->look_ms > 0 ? settings->look_ms : LOOK_MS;
    store->queue = queue;
    store->metrics = metrics;
    store->next_id = first_id();
    backoff_init(&store->backoff, max_ms < REOPEN_FIRST_MS ? max_ms : REOPEN_FIRST_MS, max_ms,
                 (uint64_t)getpid() ^ (uint64_t)clock_wall_ms());
    pthread_mutex_init(&store->turnstile, NULL);
    pthread_mutex_init(&store->disk, NULL);
    pthread_mutex_init(&store->mutex, NULL);
    clock_init_condition(&store->changed);
    snprintf(store->status.problem, ERROR_TEXT, "the spool %s is being opened and checked", settings->path);
    return store;
}

bool spool_store_lock(struct spool_store *store, struct error *error)
{
    store->locked = spool_file_lock(store->settings.path, store->settings.lock_wait_ms, &store->file, error);
    return store->locked || error->code == ERROR_UNAVAILABLE;
}

/* What is in a file that has lost its name goes with it, or stays where it was moved to. */
static void tell_left_behind(struct spool_store *store)
{
    look_after(store);
    if (!store->lost || spool_file_presence(&store->file) == SPOOL_LOG_GONE) /* that is written back as it is closed */
        return;
    if (spool_file_presence(&store->file) == SPOOL_MOVED)
        log_error("%lld messages are in the spool that was moved away from %s: move it back before the next start",
                  (long long)store->messages, store->settings.path);
    else
        log_error("%lld messages were in the spool %s, which was deleted while in use: they are lost",
                  (long long)store->messages, store->settings.path);
    bridge_count(store->metrics, METRIC_SPOOL_SET_ASIDE, store->messages);
    store->messages = 0;
    post(store);
}

void spool_store_free(struct spool_store *store)
{
    if (!store)
        return;
    tell_left_behind(store);
    close_file(store, true);
    if (store->locked)
        spool_file_unlock(&store->file);
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->mutex);
    pthread_mutex_destroy(&store->disk);
    pthread_mutex_destroy(&store->turnstile);
    free(store);
}
