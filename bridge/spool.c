#include "spool.h"

#include "../common/backoff.h"
#include "../common/clock.h"
#include "../common/log.h"
#include "../common/protection.h"
#include "spool_file.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    QUEUE_TICKETS = 16384,
    QUEUE_BYTES = 64 * 1024 * 1024,
    REOPEN_FIRST_MS = 100,
    REOPEN_MAX_MS = 5000,
    /* A spool that was full and falls below so many percent has room again, for the log. */
    ROOM_PERCENT = 90,
    /* For a control: what a busy disk may take, so that a kill strikes between word and deed. */
    CONTROL_GAP_MS = 50,
};

/* The last write, if its outcome is not known: the reopened file tells by its first message. */
struct unknown_write {
    bool is_delete;
    struct spool_change change; /* rows 0: there is none */
};

struct spool {
    struct spool_settings settings;
    struct bridge_metrics *metrics;
    struct ticket_queue *queue;
    pthread_t writer;
    atomic_bool stopping;

    /* Whoever waits for the file waits at the gate, so that a busy writer lets the drain in between its commits. */
    pthread_mutex_t file_gate;
    pthread_mutex_t file_mutex; /* guards what follows, up to the next mutex; held while the disk works */
    struct spool_file *file;    /* NULL: failed */
    int64_t next_id;
    bool was_open;   /* what was found has been counted */
    bool in_trouble; /* since the last commit; these are for the log, which tells each thing once: */
    bool reopening_logged;
    bool open_again_logged;
    bool full_logged;
    int damages; /* calls that found damage */
    struct unknown_write unknown;
    struct backoff backoff;
    int64_t reopen_at_ms;

    pthread_mutex_t mutex; /* guards what follows; never held while the disk works */
    pthread_cond_t changed;
    struct spool_status status;
    bool woken;
};

/* ---- the state that others see ---- */

static void lock_file(struct spool *spool)
{
    pthread_mutex_lock(&spool->file_gate);
    pthread_mutex_lock(&spool->file_mutex);
    pthread_mutex_unlock(&spool->file_gate);
}

static void unlock_file(struct spool *spool)
{
    pthread_mutex_unlock(&spool->file_mutex);
}

static void set_state(struct spool *spool, enum spool_state state, const char *problem)
{
    pthread_mutex_lock(&spool->mutex);
    spool->status.state = state;
    snprintf(spool->status.problem, sizeof spool->status.problem, "%s", problem);
    pthread_cond_broadcast(&spool->changed);
    pthread_mutex_unlock(&spool->mutex);
}

static enum spool_state state_of(struct spool *spool)
{
    enum spool_state state;

    pthread_mutex_lock(&spool->mutex);
    state = spool->status.state;
    pthread_mutex_unlock(&spool->mutex);
    return state;
}

static int64_t waiting_of(struct spool *spool)
{
    int64_t waiting;

    pthread_mutex_lock(&spool->mutex);
    waiting = spool->status.waiting;
    pthread_mutex_unlock(&spool->mutex);
    return waiting;
}

/* The file's mutex is held, so that nobody else changes the number. */
static void set_waiting(struct spool *spool, int64_t waiting)
{
    const int64_t bytes = spool->file ? spool_file_bytes(spool->file) : 0;

    pthread_mutex_lock(&spool->mutex);
    spool->status.waiting = waiting;
    if (spool->file)
        spool->status.bytes = bytes;
    pthread_cond_broadcast(&spool->changed);
    pthread_mutex_unlock(&spool->mutex);
    metric_set(&spool->metrics->rows[METRIC_SPOOL_WAITING], waiting);
    if (spool->file)
        metric_set(&spool->metrics->rows[METRIC_SPOOL_BYTES], bytes);
}

/* ---- failing and coming back; the file's mutex is held ---- */

static void schedule_reopening(struct spool *spool)
{
    spool->reopen_at_ms = clock_monotonic_ms() + backoff_next_ms(&spool->backoff);
}

/* From here on nothing is taken until the file has been opened again. */
static void give_up_file(struct spool *spool, const struct error *error)
{
    set_state(spool, SPOOL_HAS_FAILED, error->text);
    ticket_queue_set_gate(spool->queue, GATE_AWAY);
    if (!spool->in_trouble)
        log_error("%s: nothing is taken until it can be opened again, which is tried by itself; what is in it stays",
                  error->text);
    spool->in_trouble = true;
    if (spool_file_damaged(spool->file))
        spool->damages++;
    spool_file_drop(spool->file);
    spool->file = NULL;
    schedule_reopening(spool);
    ticket_queue_wake(spool->queue);
}

static void fail_write(struct spool *spool, enum spool_write result, bool is_delete, const struct spool_change *change,
                       const struct error *error)
{
    if (result == SPOOL_WRITE_UNKNOWN)
        spool->unknown = (struct unknown_write){.is_delete = is_delete, .change = *change};
    bridge_count(spool->metrics, METRIC_SPOOL_FAILURES, 1);
    give_up_file(spool, error);
}

/* After a commit: the trouble, if there was any, is over. */
static void note_success(struct spool *spool)
{
    backoff_reset(&spool->backoff);
    if (spool->in_trouble)
        log_info("the spool %s takes messages again", spool->settings.path);
    spool->in_trouble = false;
    spool->reopening_logged = false;
    spool->open_again_logged = false;
}

/* Finds out how the last write ended, if nobody knows. */
static bool settle_unknown(struct spool *spool, struct spool_file *file, int64_t *waiting, struct error *error)
{
    const struct unknown_write unknown = spool->unknown;
    const int64_t rows = (int64_t)unknown.change.rows;
    bool there = false;

    if (rows == 0)
        return true;
    if (!spool_file_has(file, unknown.change.first_id, &there, error))
        return false;
    spool->unknown = (struct unknown_write){0};
    if (!unknown.is_delete && there) {
        bridge_count(spool->metrics, METRIC_SPOOL_SPOOLED, rows);
        *waiting += rows;
    } else if (unknown.is_delete && !there) {
        bridge_count(spool->metrics, METRIC_SPOOL_DRAINED, rows);
        *waiting -= rows;
    }
    return true;
}

/* Counts what an opened file holds, so that found + spooled = drained + set aside + waiting stays true. */
static bool take_stock(struct spool *spool, struct spool_file *file, int64_t *out, struct error *error)
{
    int64_t expected = waiting_of(spool);
    struct spool_stock stock;
    int64_t missing;

    if (!spool_file_stock(file, &stock, error) || !settle_unknown(spool, file, &expected, error))
        return false;
    missing = expected - stock.messages;
    if (!spool->was_open || missing < 0)
        bridge_count(spool->metrics, METRIC_SPOOL_FOUND, -missing);
    else if (missing > 0)
        bridge_count(spool->metrics, METRIC_SPOOL_SET_ASIDE, missing);
    if (!spool->was_open && stock.messages > 0)
        log_info("messages found in the spool %s: %lld", spool->settings.path, (long long)stock.messages);
    spool->was_open = true;
    if (spool->next_id <= stock.last_id)
        spool->next_id = stock.last_id + 1;
    *out = stock.messages;
    return true;
}

static bool open_file(struct spool *spool, int64_t lock_wait_ms, struct error *error)
{
    const struct spool_file_settings settings = {.path = spool->settings.path,
                                                 .max_bytes = spool->settings.max_bytes,
                                                 .lock_wait_ms = lock_wait_ms,
                                                 /* Once may have been the memory or the bus: the check decides. */
                                                 .distrusted = spool->damages > 1};
    struct spool_file *file = spool_file_open(&settings, error);
    int64_t waiting;

    if (!file)
        return false;
    if (!take_stock(spool, file, &waiting, error)) {
        spool_file_drop(file);
        return false;
    }
    if (settings.distrusted)
        spool->damages = 0;
    spool->file = file;
    set_waiting(spool, waiting);
    set_state(spool, SPOOL_OPEN, "");
    ticket_queue_set_gate(spool->queue, GATE_OPEN);
    return true;
}

static void reopen(struct spool *spool)
{
    struct spool_status before;
    struct error error;

    if (clock_monotonic_ms() < spool->reopen_at_ms)
        return;
    if (open_file(spool, 0, &error)) {
        if (!spool->open_again_logged)
            log_info("the spool %s is open again", spool->settings.path);
        spool->open_again_logged = true;
        return;
    }
    spool_status(spool, &before);
    if (!spool->reopening_logged && strcmp(before.problem, error.text) != 0) {
        log_error("%s: the spool cannot be opened again yet", error.text);
        spool->reopening_logged = true;
    }
    set_state(spool, SPOOL_HAS_FAILED, error.text);
    schedule_reopening(spool);
}

/* ---- writing ---- */

static void settle_all(struct ticket *const *tickets, size_t count, enum publish_outcome outcome)
{
    for (size_t i = 0; i < count; i++)
        ticket_settle(tickets[i], outcome);
}

static void note_full(struct spool *spool)
{
    const int64_t waiting = waiting_of(spool);
    char problem[ERROR_TEXT];

    /* Nothing will be taken out, and smaller ones fit. */
    if (waiting == 0) {
        log_error("a message is too large for the spool, which is empty: allow more than SPOOL_MAX_BYTES=%lld",
                  (long long)spool->settings.max_bytes);
        return;
    }
    snprintf(problem, sizeof problem,
             "the spool %s is full: %lld messages, SPOOL_MAX_BYTES=%lld: bring RabbitMQ back, or allow more",
             spool->settings.path, (long long)waiting, (long long)spool->settings.max_bytes);
    set_state(spool, SPOOL_IS_FULL, problem);
    if (!spool->full_logged)
        log_error("%s; until it is drained what RabbitMQ does not take is refused", problem);
    spool->full_logged = true;
}

/* Something was taken out. */
static void note_room(struct spool *spool)
{
    const int64_t bytes = spool_file_bytes(spool->file);

    if (state_of(spool) == SPOOL_IS_FULL)
        set_state(spool, SPOOL_OPEN, "");
    if (spool->full_logged && bytes <= spool->settings.max_bytes / 100 * ROOM_PERCENT) {
        log_info("the spool %s has room again", spool->settings.path);
        spool->full_logged = false;
    }
}

/* As many as one commit takes, at least one. */
static size_t one_commit(struct ticket *const *tickets, size_t count)
{
    size_t bytes = 0;
    size_t taken = 0;

    while (taken < count) {
        struct spool_row row;

        spool_row_of_ticket(tickets[taken], 0, &row);
        bytes += spool_row_size(&row);
        if (taken > 0 && bytes > SPOOL_COMMIT_BYTES)
            break;
        taken++;
    }
    return taken;
}

/* One commit of all the tickets, or of the first that fit. Returns how many were dealt with. */
static size_t write_commit(struct spool *spool, struct ticket *const *tickets, size_t count)
{
    struct spool_change change = {0};
    struct error error = {0};
    enum spool_write result;

    lock_file(spool);
    if (!spool->file) {
        unlock_file(spool);
        settle_all(tickets, count, PUBLISH_AWAY);
        return count;
    }
    result = spool_file_insert(spool->file, tickets, count, spool->next_id, &change, &error);
    /* Whatever has become of them, no id is used twice. */
    spool->next_id += (int64_t)count;
    if (result == SPOOL_WRITTEN && change.rows > 0) {
        bridge_count(spool->metrics, METRIC_SPOOL_SPOOLED, (int64_t)change.rows);
        set_waiting(spool, waiting_of(spool) + (int64_t)change.rows);
        note_success(spool);
    }
    if (result == SPOOL_WRITTEN && change.rows < count)
        note_full(spool);
    if (result != SPOOL_WRITTEN)
        fail_write(spool, result, false, &change, &error);
    unlock_file(spool);

    if (result == SPOOL_WRITTEN) {
        settle_all(tickets, change.rows, PUBLISH_CONFIRMED);
        settle_all(tickets + change.rows, count - change.rows, PUBLISH_FULL);
    } else {
        settle_all(tickets, count, protection("spool-errors") ? PUBLISH_FAILED : PUBLISH_CONFIRMED);
    }
    return count;
}

/* After the waiters have been told: what the log holds goes into the file from time to time. */
static void write_back(struct spool *spool)
{
    struct error error;

    lock_file(spool);
    if (spool->file && !spool_file_checkpoint(spool->file, &error)) {
        bridge_count(spool->metrics, METRIC_SPOOL_FAILURES, 1);
        give_up_file(spool, &error);
    }
    unlock_file(spool);
}

/* For a control: tells the waiters before anything is written, and keeps copies to write. */
static void confirm_early(struct ticket **tickets, size_t *count)
{
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++) {
        struct ticket *copy = ticket_copy(tickets[i]);

        ticket_settle(tickets[i], PUBLISH_CONFIRMED);
        if (copy)
            tickets[kept++] = copy;
    }
    *count = kept;
    clock_sleep_ms(CONTROL_GAP_MS);
}

static void write_group(struct spool *spool, struct ticket **tickets, size_t count)
{
    size_t done = 0;

    if (!protection("spool-sync"))
        confirm_early(tickets, &count);
    while (done < count) {
        done += write_commit(spool, tickets + done, one_commit(tickets + done, count - done));
        write_back(spool);
    }
}

/* ---- the writer's thread ---- */

/* Until something comes in, or the file may be opened again. */
static void rest(struct spool *spool)
{
    struct pollfd waiting = {.fd = ticket_queue_fd(spool->queue), .events = POLLIN};
    int timeout_ms = -1;

    lock_file(spool);
    if (!spool->file) {
        const int64_t left = spool->reopen_at_ms - clock_monotonic_ms();

        timeout_ms = left > 0 ? (int)left : 0;
    }
    unlock_file(spool);
    if (ticket_queue_sleep(spool->queue))
        (void)poll(&waiting, 1, timeout_ms);
    ticket_queue_awake(spool->queue);
}

static void *run_writer(void *context)
{
    struct ticket *tickets[SPOOL_COMMIT_ROWS];
    struct spool *spool = context;
    bool stopping = false;

    while (!stopping) {
        size_t count;

        /* Read before the last look into the queue: nobody hands over anything after it was set. */
        stopping = atomic_load(&spool->stopping);
        lock_file(spool);
        if (!spool->file && !stopping)
            reopen(spool);
        unlock_file(spool);
        count = ticket_queue_take(spool->queue, tickets, SPOOL_COMMIT_ROWS);
        if (count > 0)
            write_group(spool, tickets, count);
        else if (!stopping)
            rest(spool);
        stopping = stopping && count == 0;
    }
    return NULL;
}

/* ---- the life of a spool ---- */

static void init_waiting(struct spool *spool)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&spool->file_gate, NULL);
    pthread_mutex_init(&spool->file_mutex, NULL);
    pthread_mutex_init(&spool->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&spool->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void free_spool(struct spool *spool)
{
    spool_file_close(spool->file);
    ticket_queue_free(spool->queue);
    pthread_cond_destroy(&spool->changed);
    pthread_mutex_destroy(&spool->mutex);
    pthread_mutex_destroy(&spool->file_mutex);
    pthread_mutex_destroy(&spool->file_gate);
    free(spool);
}

/* False only for what trying again will not mend. */
static bool open_first(struct spool *spool, struct error *error)
{
    struct error problem = {0};

    if (open_file(spool, spool->settings.lock_wait_ms, &problem))
        return true;
    if (problem.code != ERROR_UNAVAILABLE) {
        error_set(error, problem.code, "%s", problem.text);
        return false;
    }
    log_error("%s: the bridge starts without a spool, which is opened as soon as it can be", problem.text);
    spool->in_trouble = true;
    set_state(spool, SPOOL_HAS_FAILED, problem.text);
    schedule_reopening(spool);
    return true;
}

struct spool *spool_start(const struct spool_settings *settings, struct bridge_metrics *metrics, struct error *error)
{
    struct spool *spool = calloc(1, sizeof *spool);
    int failed;

    if (!spool) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the spool");
        return NULL;
    }
    spool->settings = *settings;
    spool->metrics = metrics;
    spool->next_id = 1;
    backoff_init(&spool->backoff, REOPEN_FIRST_MS, REOPEN_MAX_MS, (uint64_t)getpid() ^ (uint64_t)clock_wall_ms());
    init_waiting(spool);
    spool->queue = ticket_queue_new(QUEUE_TICKETS, QUEUE_BYTES, error);
    if (!spool->queue || !open_first(spool, error)) {
        free_spool(spool);
        return NULL;
    }
    failed = pthread_create(&spool->writer, NULL, run_writer, spool);
    if (failed != 0) {
        error_set(error, ERROR_INTERNAL, "no thread for the spool: %s", strerror(failed));
        free_spool(spool);
        return NULL;
    }
    return spool;
}

void spool_stop(struct spool *spool)
{
    if (!spool)
        return;
    atomic_store(&spool->stopping, true);
    ticket_queue_wake(spool->queue);
    pthread_join(spool->writer, NULL);
    free_spool(spool);
}

enum publish_outcome spool_submit(struct spool *spool, struct ticket *ticket, int64_t deadline_ms)
{
    /* Not even tried: the writer may be busy with the disk. */
    if (state_of(spool) == SPOOL_IS_FULL)
        return PUBLISH_FULL;
    return ticket_queue_submit(spool->queue, ticket, deadline_ms);
}

void spool_status(struct spool *spool, struct spool_status *out)
{
    pthread_mutex_lock(&spool->mutex);
    *out = spool->status;
    pthread_mutex_unlock(&spool->mutex);
}

/* ---- for the drain ---- */

/* Sets *error if there is no file. */
static bool has_file(struct spool *spool, struct error *error)
{
    struct spool_status status;

    if (spool->file)
        return true;
    spool_status(spool, &status);
    error_set(error, ERROR_UNAVAILABLE, "%s", status.problem);
    return false;
}

bool spool_read(struct spool *spool, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out, size_t *count,
                struct error *error)
{
    struct error problem = {0};
    bool done;

    lock_file(spool);
    done = has_file(spool, &problem);
    if (done) {
        done = spool_file_read(spool->file, after_id, max, max_bytes, out, count, &problem);
        /* Without memory for a message the file is as good as before. */
        if (!done && problem.code != ERROR_NO_MEMORY)
            give_up_file(spool, &problem);
    }
    unlock_file(spool);
    if (!done)
        error_set(error, problem.code, "%s", problem.text);
    return done;
}

/* The file's mutex is held. Returns false if the deletion failed; what follows it may fail the spool, not the call. */
static bool delete_them(struct spool *spool, const int64_t *ids, size_t count, struct error *error)
{
    struct spool_change change = {0};
    struct error problem = {0};
    const enum spool_write result = spool_file_delete(spool->file, ids, count, &change, error);

    if (result != SPOOL_WRITTEN) {
        fail_write(spool, result, true, &change, error);
        return false;
    }
    bridge_count(spool->metrics, METRIC_SPOOL_DRAINED, (int64_t)change.rows);
    set_waiting(spool, waiting_of(spool) - (int64_t)change.rows);
    if (change.rows > 0) {
        note_success(spool);
        note_room(spool);
    }
    if (!spool_file_checkpoint(spool->file, &problem) ||
        (waiting_of(spool) == 0 && !spool_file_shrink(spool->file, &problem))) {
        bridge_count(spool->metrics, METRIC_SPOOL_FAILURES, 1);
        give_up_file(spool, &problem);
    } else {
        set_waiting(spool, waiting_of(spool));
    }
    return true;
}

bool spool_delete(struct spool *spool, const int64_t *ids, size_t count, struct error *error)
{
    struct error problem = {0};
    bool done;

    lock_file(spool);
    done = has_file(spool, &problem) && delete_them(spool, ids, count, &problem);
    unlock_file(spool);
    if (!done)
        error_set(error, problem.code, "%s", problem.text);
    return done;
}

bool spool_wait(struct spool *spool, int64_t timeout_ms)
{
    const struct timespec deadline = clock_timespec_of_ms(clock_monotonic_ms() + timeout_ms);
    bool is_there = false;
    int waited = 0;

    pthread_mutex_lock(&spool->mutex);
    for (;;) {
        is_there = spool->status.state != SPOOL_HAS_FAILED && spool->status.waiting > 0;
        if (is_there || spool->woken || waited != 0)
            break;
        waited = pthread_cond_timedwait(&spool->changed, &spool->mutex, &deadline);
    }
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
