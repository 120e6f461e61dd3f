#include "store.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>

enum { ORDINARY_BYTES = 4096 + 512 }; /* of a record that many are like: while it fits the spool is not full */

static void lock(struct spool *spool)
{
    pthread_mutex_lock(&spool->turnstile);
    pthread_mutex_lock(&spool->disk);
    pthread_mutex_unlock(&spool->turnstile);
}

static void unlock(struct spool *spool)
{
    pthread_mutex_unlock(&spool->disk);
}

/* The functions that are not called from outside expect the disk's mutex to be held. */

static void set_state(struct spool *spool, enum spool_state state, const char *problem)
{
    pthread_mutex_lock(&spool->mutex);
    spool->status.state = state;
    snprintf(spool->status.problem, ERROR_TEXT, "%s", problem);
    pthread_mutex_unlock(&spool->mutex);
}

/* How much there is, for everybody. */
static void post(struct spool *spool)
{
    pthread_mutex_lock(&spool->mutex);
    spool->status.waiting = spool->messages;
    if (spool->db)
        spool->status.bytes = spool_db_bytes(spool->db);
    spool->readable = spool->db != NULL;
    metric_set(&spool->metrics->rows[METRIC_SPOOL_WAITING], spool->messages);
    metric_set(&spool->metrics->rows[METRIC_SPOOL_BYTES], spool->status.bytes);
    pthread_cond_broadcast(&spool->changed);
    pthread_mutex_unlock(&spool->mutex);
}

static void begin_taking(struct spool *spool)
{
    /* In this order: who sees it open is let in. */
    handoff_set_state(spool->queue, BROKER_OPEN);
    set_state(spool, SPOOL_OPEN, "");
    post(spool);
}

static void end_taking(struct spool *spool, const char *problem, const char *outlook)
{
    set_state(spool, SPOOL_HAS_FAILED, problem);
    handoff_set_state(spool->queue, BROKER_AWAY);
    post(spool);
    if (!spool->in_trouble)
        log_error("%s%s", problem, outlook);
    spool->in_trouble = true;
    spool->reopen_at_ms = clock_monotonic_ms() + backoff_next_ms(&spool->backoff);
}

static void close_file(struct spool *spool, bool write_back)
{
    spool_db_close(spool->db, write_back);
    spool->db = NULL;
    spool->lost = false;
}

/* A call has failed. A file without its name could not be opened again: it stays as it is. */
static void fail(struct spool *spool, const struct error *error)
{
    bridge_count(spool->metrics, METRIC_SPOOL_FAILURES, 1);
    if (!spool->lost)
        close_file(spool, false);
    end_taking(spool, error->text, ": nothing is taken until it can be opened again, which is tried by itself; what is in it stays");
    handoff_wake(spool->queue); /* the writer's rest is another now */
}

/* After a write: the trouble, if there was any, is over. */
static void note_success(struct spool *spool)
{
    backoff_reset(&spool->backoff);
    if (spool->in_trouble && !spool->lost) {
        log_info("the spool %s takes messages again", spool->settings.path);
        spool->in_trouble = false;
    }
}

/* Whether an ordinary message still fits, for everybody. */
static void note_room(struct spool *spool)
{
    bool full = !spool_db_has_room(spool->db, ORDINARY_BYTES);
    char problem[ERROR_TEXT];

    if (spool->lost || full == (spool->status.state == SPOOL_IS_FULL))
        return;
    snprintf(problem, sizeof problem,
             "the spool %s is full: %lld messages, SPOOL_MAX_BYTES=%lld: see that RabbitMQ takes events (broker_problem of "
             "/readyz), or allow more",
             spool->settings.path, (long long)spool->messages, (long long)spool->settings.max_bytes);
    set_state(spool, full ? SPOOL_IS_FULL : SPOOL_OPEN, full ? problem : "");
    if (!log_limiter_is_news(&spool->limiter, full ? "full" : "room", clock_monotonic_ms()))
        return;
    if (full)
        log_error("%s; until it is drained what RabbitMQ does not take is refused", problem);
    else
        log_info("the spool %s has room again", spool->settings.path);
}

static void note_too_large(struct spool *spool, size_t record_size)
{
    if (log_limiter_is_news(&spool->limiter, "large", clock_monotonic_ms()))
        log_error("a message of %zu bytes does not fit into the spool %s (SPOOL_MAX_BYTES=%lld) and is refused, for RabbitMQ does "
                  "not take it now: allow more",
                  record_size, spool->settings.path, (long long)spool->settings.max_bytes);
}

/* found + spooled = drained + set aside + waiting, also where nobody knows how the last write before a failure ended. */
static void count_found(struct spool *spool, const struct spool_stock *stock)
{
    int64_t more = stock->messages - spool->messages;

    if (!spool->begun) {
        bridge_count(spool->metrics, METRIC_SPOOL_FOUND, stock->messages);
        if (stock->messages > 0)
            log_info("messages found in the spool %s: %lld", spool->settings.path, (long long)stock->messages);
    } else if (stock->set_aside) {
        bridge_count(spool->metrics, METRIC_SPOOL_SET_ASIDE, spool->messages);
    } else if (more > 0) {
        bridge_count(spool->metrics, METRIC_SPOOL_SPOOLED, more);
    } else {
        bridge_count(spool->metrics, METRIC_SPOOL_DRAINED, -more);
    }
    spool->begun = true;
    spool->messages = stock->messages;
    if (spool->next_id <= stock->last_id)
        spool->next_id = stock->last_id + 1;
}

/* Lets go of the mutex in between: the check of a large file takes long. */
static void reopen(struct spool *spool)
{
    struct spool_stock stock;
    struct error error = {0};
    struct spool_db *db = NULL;

    unlock(spool);
    if (!spool->locked)
        spool->locked = spool_file_lock(spool->settings.path, &spool->file, &error);
    if (spool->locked)
        db = spool_db_open(&spool->file, spool->settings.max_bytes, &stock, &error);
    lock(spool);
    spool->db = db;
    if (!db) {
        end_taking(spool, error.text, ": the bridge goes on without a spool, which is opened as soon as it can be");
        return;
    }
    count_found(spool, &stock);
    begin_taking(spool);
    note_room(spool);
    if (spool->in_trouble)
        log_info("the spool %s is open again", spool->settings.path);
}

/* It is given up when it has been drained through its descriptors; a look later if it is whole without its log: who deletes both
   may have begun with the log. */
static void note_lost(struct spool *spool, bool only_log)
{
    char problem[ERROR_TEXT];
    struct error ignored;

    if (!spool->lost) {
        snprintf(problem, sizeof problem,
                 "the spool %s%s was moved or deleted while in use: nothing is taken into it; put it back, or wait until "
                 "RabbitMQ has what is in it: then a new one is begun",
                 spool->settings.path, only_log ? "-wal" : "");
        end_taking(spool, problem, "");
        spool->lost_at_ms = clock_monotonic_ms();
    }
    spool->lost = true;
    only_log = only_log && clock_monotonic_ms() >= spool->lost_at_ms + spool->settings.look_ms;
    if (spool->messages > 0 && !(only_log && spool_db_write_back(spool->db, &ignored)))
        return;
    close_file(spool, true);
    spool->reopen_at_ms = 0;
}

static void look_after(struct spool *spool)
{
    enum spool_presence presence = spool->db ? spool_file_presence(&spool->file) : SPOOL_PRESENT;

    if (presence != SPOOL_PRESENT) {
        note_lost(spool, presence == SPOOL_LOG_GONE);
    } else if (spool->lost) {
        begin_taking(spool);
        spool->lost = false;
    }
}

/* ---- writing ---- */

static enum publish_outcome commit(struct spool *spool, struct pending_message *const *messages, size_t count, size_t *rows)
{
    struct error error;

    *rows = count;
    if (!spool->db || spool->lost)
        return PUBLISH_AWAY;
    if (!spool_db_checkpoint(spool->db, &error) || !spool_db_insert(spool->db, messages, count, spool->next_id, rows, &error)) {
        *rows = count;
        spool->next_id += (int64_t)count; /* whatever has become of them, no id is used twice */
        fail(spool, &error);
        return PUBLISH_FAILED;
    }
    spool->next_id += (int64_t)*rows;
    spool->messages += (int64_t)*rows;
    bridge_count(spool->metrics, METRIC_SPOOL_SPOOLED, (int64_t)*rows);
    if (*rows > 0) {
        post(spool);
        note_success(spool);
    }
    note_room(spool);
    if (*rows < count)
        note_too_large(spool, spool_record_size_of(messages[*rows]));
    /* What has lost its name by now is drained, but a crash would lose it: nobody is told that it is safe. */
    return spool_file_presence(&spool->file) == SPOOL_PRESENT ? PUBLISH_CONFIRMED : PUBLISH_FAILED;
}

enum publish_outcome store_commit(struct spool *spool, struct pending_message *const *messages, size_t count, size_t *rows)
{
    enum publish_outcome outcome;

    lock(spool);
    outcome = commit(spool, messages, count, rows);
    unlock(spool);
    return outcome;
}

int64_t store_tend(struct spool *spool)
{
    int64_t rest_ms;

    lock(spool);
    look_after(spool);
    if (!spool->db && clock_monotonic_ms() >= spool->reopen_at_ms)
        reopen(spool);
    rest_ms = spool->db ? spool->settings.look_ms : spool->reopen_at_ms - clock_monotonic_ms();
    unlock(spool);
    return rest_ms > 0 ? rest_ms : 0;
}

/* ---- for the drain ---- */

bool spool_read(struct spool *spool, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out, size_t *count,
                struct error *error)
{
    bool done = false;

    lock(spool);
    if (!spool->db) {
        error_set(error, ERROR_UNAVAILABLE, "%s", spool->status.problem);
    } else {
        done = spool_db_read(spool->db, after_id, max, max_bytes, out, count, error);
        if (!done && error->code != ERROR_NO_MEMORY) /* without memory for a message the file is as good as before */
            fail(spool, error);
    }
    unlock(spool);
    return done;
}

/* What follows a deletion may fail the file, not the call. */
static void note_deleted(struct spool *spool, size_t rows)
{
    struct error error;

    spool->messages -= (int64_t)rows;
    bridge_count(spool->metrics, METRIC_SPOOL_DRAINED, (int64_t)rows);
    if (rows > 0) {
        note_success(spool);
        note_room(spool);
    }
    if (!spool_db_checkpoint(spool->db, &error) || (spool->messages == 0 && !spool_db_shrink(spool->db, &error)))
        fail(spool, &error);
    post(spool);
}

bool spool_delete(struct spool *spool, const int64_t *ids, size_t count, struct error *error)
{
    bool done = false;
    size_t rows;

    lock(spool);
    if (!spool->db) {
        error_set(error, ERROR_UNAVAILABLE, "%s", spool->status.problem);
    } else {
        done = spool_db_delete(spool->db, ids, count, &rows, error);
        if (done)
            note_deleted(spool, rows);
        else
            fail(spool, error);
    }
    unlock(spool);
    return done;
}

/* ---- the end ---- */

/* What is in a file that has lost its name goes with it, or stays where it was moved to. */
static void tell_left_behind(struct spool *spool)
{
    look_after(spool);
    if (!spool->lost || spool_file_presence(&spool->file) == SPOOL_LOG_GONE) /* that is written back as it is closed */
        return;
    log_error("%lld messages were in the spool %s, which was moved or deleted while in use: if it was moved, move it back before "
              "the next start; else they are lost",
              (long long)spool->messages, spool->settings.path);
    bridge_count(spool->metrics, METRIC_SPOOL_SET_ASIDE, spool->messages);
    spool->messages = 0;
    post(spool);
}

void store_close(struct spool *spool)
{
    tell_left_behind(spool);
    close_file(spool, true);
    if (spool->locked)
        spool_file_unlock(&spool->file);
}
