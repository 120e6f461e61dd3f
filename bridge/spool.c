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
    /* More than a disk writes in the time of an answer; the requests hold them in any case. */
    QUEUE_BYTES = 1024 * 1024 * 1024,
    REOPEN_FIRST_MS = 100,
    REOPEN_MAX_MS = 5000,
    /* A spool that was full and falls below so many percent has room again, for the log. */
    ROOM_PERCENT = 90,
    /* The row of a message that many are like: while it fits the spool is not full. */
    ORDINARY_BYTES = 4096 + 512,
    /* All columns but the body, at the most. */
    ROW_BYTES = 16 * 1024,
    LOG_AGAIN_MS = 60000,
    /* How often the writer looks whether the file is still in its place. */
    LOOK_MS = 1000,
    /* How long another process may still hold what is behind the lock: a kill lets go of one after the other. */
    REFUSED_MS = 10000,
    INTERRUPT_MS = 20,
    /* For a control: what a busy disk may take, so that a kill strikes between word and deed. */
    CONTROL_GAP_MS = 50,
};

/* The last write, if its outcome is not known: the reopened file tells by its first message. */
struct unknown_write {
    bool is_delete;
    struct spool_change change; /* rows 0: there is none */
};

/* A file that has lost its name. It is drained through its descriptors, and takes nothing. */
struct lost_file {
    struct spool_file *file;
    int64_t waiting;
    bool deleted; /* else moved */
    struct lost_file *next;
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
    struct spool_file *file;    /* NULL: opening, or failed; only the writer opens it */
    struct lost_file *lost;     /* oldest first; their ids are all below the file's */
    int64_t next_id;
    bool was_open;   /* what was found has been counted */
    bool in_trouble; /* since the last commit; these are for the log, which tells each thing once: */
    bool reopening_logged;
    bool open_again_logged;
    bool full_logged;
    int64_t full_logged_ms; /* 0: never */
    int64_t large_logged_ms;
    int damages; /* calls that found damage */
    struct unknown_write unknown;
    struct backoff backoff;
    int64_t reopen_at_ms;
    int64_t refuse_at_ms; /* from when on a file that another process holds is refused for good */

    pthread_mutex_t mutex; /* guards what follows; never held while the disk works */
    pthread_cond_t changed;
    struct spool_status status;
    struct spool_file *opening; /* taken, and perhaps being opened */
    struct error refusal;
    size_t too_large; /* rows of this size or more do not fit */
    bool readable;    /* there is a file, or a lost one */
    bool woken;
    bool ended; /* the writer */
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

/* The file's mutex is held. */
static void set_file(struct spool *spool, struct spool_file *file)
{
    spool->file = file;
    pthread_mutex_lock(&spool->mutex);
    spool->readable = file || spool->lost;
    pthread_mutex_unlock(&spool->mutex);
}

static void schedule_reopening(struct spool *spool)
{
    spool->reopen_at_ms = clock_monotonic_ms() + backoff_next_ms(&spool->backoff);
}

/* ---- files that have lost their names; the file's mutex is held ---- */

static int64_t waiting_in_lost(const struct spool *spool)
{
    int64_t waiting = 0;

    for (const struct lost_file *lost = spool->lost; lost; lost = lost->next)
        waiting += lost->waiting;
    return waiting;
}

static const char *word_of(const struct lost_file *lost)
{
    return lost->deleted ? "deleted" : "moved";
}

/* Out of the list, and closed. What is still in it is not known to be lost, if it was moved, but nobody here has it. */
static void remove_lost(struct spool *spool, struct lost_file *lost)
{
    struct lost_file **link = &spool->lost;

    while (*link != lost)
        link = &(*link)->next;
    *link = lost->next;
    set_file(spool, spool->file);
    if (lost->waiting > 0) {
        bridge_count(spool->metrics, METRIC_SPOOL_SET_ASIDE, lost->waiting);
        set_waiting(spool, waiting_of(spool) - lost->waiting);
    }
    spool_file_close(lost->file);
    free(lost);
}

static void give_up_lost(struct spool *spool, struct lost_file *lost, const char *why)
{
    log_error("messages in the spool %s, which was %s while in use: %lld; %s: %s", spool->settings.path, word_of(lost),
              (long long)lost->waiting, why,
              lost->deleted ? "they are lost" : "they are in the file that was moved, and are not sent");
    remove_lost(spool, lost);
}

static void note_drained(struct spool *spool, struct lost_file *lost)
{
    log_info("the spool %s that was %s while in use is drained: nothing of it is lost", spool->settings.path,
             word_of(lost));
    remove_lost(spool, lost);
}

/* The file goes on the list, or is closed if there is nothing in it. */
static void set_apart(struct spool *spool, bool deleted)
{
    const int64_t waiting = waiting_of(spool) - waiting_in_lost(spool);
    struct lost_file *lost = calloc(1, sizeof *lost);
    struct lost_file **link = &spool->lost;
    struct error ignored;

    /* What failed has been rolled back in the file that is still open. */
    spool->unknown = (struct unknown_write){0};
    if (!lost) {
        schedule_reopening(spool);
        return; /* tried again */
    }
    if (waiting == 0)
        log_warn("the spool %s was %s while in use: nothing was in it; a new one is begun", spool->settings.path,
                 deleted ? "deleted" : "moved");
    else
        log_error(
            "the spool %s was %s while in use: its messages, %lld, are read through the file that is still open and "
            "sent when RabbitMQ takes them: do not stop the bridge before that; a new one is begun",
            spool->settings.path, deleted ? "deleted" : "moved", (long long)waiting);
    while (*link)
        link = &(*link)->next;
    *lost = (struct lost_file){.file = spool->file, .waiting = waiting, .deleted = deleted};
    *link = lost;
    set_file(spool, NULL);
    if (waiting == 0) {
        (void)spool_file_detach(lost->file, &ignored);
        remove_lost(spool, lost);
    }
}

/* So that another file can be opened in their place. */
static bool detach_lost(struct spool *spool, struct error *error)
{
    bool done = true;

    lock_file(spool);
    for (struct lost_file *lost = spool->lost; lost && done; lost = lost->next)
        done = spool_file_detach(lost->file, error);
    unlock_file(spool);
    return done;
}

static bool renew_log(struct spool *spool, struct error *error)
{
    if (!spool_file_renew_log(spool->file, error))
        return false;
    log_warn("the log of the spool %s was deleted or moved while in use: what was in it has been written into the "
             "spool, and a new one is begun: nothing is lost; leave the files beside the spool alone",
             spool->settings.path);
    return true;
}

/* ---- failing and coming back; the file's mutex is held ---- */

/* From here on nothing is taken until it is opened again. */
static void shut(struct spool *spool, const struct error *error)
{
    set_state(spool, SPOOL_HAS_FAILED, error->text);
    ticket_queue_set_gate(spool->queue, GATE_AWAY);
    if (!spool->in_trouble)
        log_error("%s: nothing is taken until it can be opened again, which is tried by itself; what is in it stays",
                  error->text);
    spool->in_trouble = true;
}

static void open_up(struct spool *spool)
{
    /* In this order: who sees it open is let in. */
    ticket_queue_set_gate(spool->queue, GATE_OPEN);
    set_state(spool, SPOOL_OPEN, "");
}

/* A call has failed: the file must be opened again. One that has lost its name could not be found again, or not whole:
   it stays open. */
static void give_up_file(struct spool *spool, const struct error *error)
{
    const bool damaged = spool_file_damaged(spool->file);

    shut(spool, error);
    spool->damages += damaged;
    switch (damaged ? SPOOL_PRESENT : spool_file_presence(spool->file)) {
    case SPOOL_PRESENT:
        spool_file_drop(spool->file);
        set_file(spool, NULL);
        break;
    case SPOOL_LOG_GONE: /* look_after sees to it */
        spool->unknown = (struct unknown_write){0};
        break;
    case SPOOL_MOVED:
        set_apart(spool, false);
        break;
    case SPOOL_DELETED:
        set_apart(spool, true);
        break;
    }
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
static void count_stock(struct spool *spool, int64_t expected, int64_t there)
{
    const char *path = spool->settings.path;

    if (!spool->was_open) {
        bridge_count(spool->metrics, METRIC_SPOOL_FOUND, there);
        if (there > 0)
            log_info("messages found in the spool %s: %lld", path, (long long)there);
    } else if (there > expected) {
        bridge_count(spool->metrics, METRIC_SPOOL_SPOOLED, there - expected);
        log_warn("the spool %s holds messages that this bridge did not put there: %lld; they are sent", path,
                 (long long)(there - expected));
    } else if (there < expected) {
        bridge_count(spool->metrics, METRIC_SPOOL_SET_ASIDE, expected - there);
        log_error("messages that were in the spool %s and are not in it any more: %lld", path,
                  (long long)(expected - there));
    }
    spool->was_open = true;
}

static void note_open(struct spool *spool)
{
    if (!spool->was_open && !spool->in_trouble)
        return;
    if (!spool->open_again_logged)
        log_info("the spool %s is open again", spool->settings.path);
    spool->open_again_logged = true;
}

/* Makes the opened file the one in use. */
static bool adopt(struct spool *spool, struct spool_file *file, const struct spool_stock *stock, struct error *error)
{
    const int64_t in_lost = waiting_in_lost(spool);
    int64_t expected = waiting_of(spool) - in_lost;

    /* Their ids would be mixed up. */
    if (spool->lost && stock->messages > 0) {
        error_set(
            error, ERROR_UNAVAILABLE,
            "the spool: in the place of %s, which was %s while in use, is a file with messages: it is opened when "
            "the first is drained",
            spool->settings.path, word_of(spool->lost));
        return false;
    }
    if (!settle_unknown(spool, file, &expected, error))
        return false;
    note_open(spool);
    count_stock(spool, expected, stock->messages);
    if (spool->next_id <= stock->last_id)
        spool->next_id = stock->last_id + 1;
    set_file(spool, file);
    set_waiting(spool, in_lost + stock->messages);
    pthread_mutex_lock(&spool->mutex);
    spool->too_large = SIZE_MAX;
    pthread_mutex_unlock(&spool->mutex);
    open_up(spool);
    return true;
}

/* ---- opening: the writer's alone, and without the file's mutex, since the check of a large file takes long ---- */

static void set_opening(struct spool *spool, struct spool_file *file)
{
    pthread_mutex_lock(&spool->mutex);
    spool->opening = file;
    pthread_mutex_unlock(&spool->mutex);
}

static struct spool_file *take_file(struct spool *spool, bool distrusted, int64_t lock_wait_ms, struct error *error)
{
    const struct spool_file_settings settings = {.path = spool->settings.path,
                                                 .max_bytes = spool->settings.max_bytes,
                                                 .lock_wait_ms = lock_wait_ms,
                                                 .distrusted = distrusted};

    return spool_file_take(&settings, error);
}

static bool open_file(struct spool *spool, struct error *error)
{
    /* Once may have been the memory or the bus: the check decides. */
    const bool distrusted = spool->damages > 1;
    struct spool_file *file = spool->opening;
    struct spool_stock stock;
    bool opened;

    if (!file) {
        if (!detach_lost(spool, error))
            return false;
        file = take_file(spool, distrusted, 0, error);
        if (!file)
            return false;
        set_opening(spool, file);
    }
    opened = spool_file_open(file, error) && spool_file_stock(file, &stock, error);
    set_opening(spool, NULL);
    if (opened) {
        lock_file(spool);
        opened = adopt(spool, file, &stock, error);
        if (opened && distrusted)
            spool->damages = 0;
        unlock_file(spool);
    }
    if (!opened)
        spool_file_drop(file);
    return opened;
}

/* What trying again will not mend, before the file was ever open. */
static bool is_refusal(const struct spool *spool, const struct error *error)
{
    if (spool->was_open)
        return false;
    return error->code == ERROR_CONFIG || (error->code == ERROR_REFUSED && clock_monotonic_ms() >= spool->refuse_at_ms);
}

/* The first opening, and those after it until one succeeds. */
static void note_not_open(struct spool *spool, const struct error *error)
{
    pthread_mutex_lock(&spool->mutex);
    if (is_refusal(spool, error))
        spool->refusal = *error;
    pthread_mutex_unlock(&spool->mutex);
    if (error->code == ERROR_REFUSED || is_refusal(spool, error) || spool->in_trouble)
        return;
    log_error("%s: the bridge goes on without a spool, which is opened as soon as it can be", error->text);
    spool->in_trouble = true;
}

static void note_not_reopened(struct spool *spool, const struct error *error)
{
    struct spool_status before;

    spool_status(spool, &before);
    if (spool->reopening_logged || strcmp(before.problem, error->text) == 0)
        return;
    log_error("%s: the spool cannot be opened again yet", error->text);
    spool->reopening_logged = true;
}

/* Opens the file if there is none and it is time to. */
static void reopen(struct spool *spool)
{
    const bool first = !spool->was_open;
    struct error error;

    if (clock_monotonic_ms() < spool->reopen_at_ms)
        return;
    if (open_file(spool, &error))
        return;
    if (atomic_load(&spool->stopping))
        return;
    if (first)
        note_not_open(spool, &error);
    else
        note_not_reopened(spool, &error);
    if (!first || error.code != ERROR_REFUSED)
        set_state(spool, SPOOL_HAS_FAILED, error.text);
    ticket_queue_set_gate(spool->queue, GATE_AWAY);
    schedule_reopening(spool);
}

/* Before anything is written: whether the file is still in its place. */
static void look_after(struct spool *spool)
{
    struct error error;

    lock_file(spool);
    switch (spool->file ? spool_file_presence(spool->file) : SPOOL_PRESENT) {
    case SPOOL_PRESENT:
        break;
    case SPOOL_LOG_GONE:
        if (!renew_log(spool, &error))
            shut(spool, &error);
        else if (state_of(spool) == SPOOL_HAS_FAILED)
            open_up(spool);
        break;
    case SPOOL_MOVED:
        set_apart(spool, false);
        spool->reopen_at_ms = 0;
        break;
    case SPOOL_DELETED:
        set_apart(spool, true);
        spool->reopen_at_ms = 0;
        break;
    }
    unlock_file(spool);
}

/* ---- writing ---- */

static void settle_all(struct ticket *const *tickets, size_t count, enum publish_outcome outcome)
{
    for (size_t i = 0; i < count; i++)
        ticket_settle(tickets[i], outcome);
}

static size_t row_size_of(const struct ticket *ticket)
{
    struct spool_row row;

    spool_row_of_ticket(ticket, 0, &row);
    return spool_row_size(&row);
}

static void set_too_large(struct spool *spool, size_t row_size)
{
    pthread_mutex_lock(&spool->mutex);
    spool->too_large = row_size;
    pthread_mutex_unlock(&spool->mutex);
}

/* Any thread. False if trying would be in vain. */
static bool fits(struct spool *spool, const struct ticket *ticket)
{
    bool is_full;
    size_t too_large;

    pthread_mutex_lock(&spool->mutex);
    is_full = spool->status.state == SPOOL_IS_FULL;
    too_large = spool->too_large;
    pthread_mutex_unlock(&spool->mutex);
    return !is_full && (too_large == SIZE_MAX || row_size_of(ticket) < too_large);
}

/* At most once in a while. */
static bool may_log(int64_t *last_ms)
{
    const int64_t now_ms = clock_monotonic_ms();

    if (*last_ms != 0 && now_ms - *last_ms < LOG_AGAIN_MS)
        return false;
    *last_ms = now_ms;
    return true;
}

static void note_large(struct spool *spool, size_t row_size)
{
    if (may_log(&spool->large_logged_ms))
        log_error("a message of %zu bytes does not fit into the spool %s (%lld messages, SPOOL_MAX_BYTES=%lld): such a "
                  "one is refused while RabbitMQ does not take it, smaller ones are not: allow more",
                  row_size, spool->settings.path, (long long)waiting_of(spool), (long long)spool->settings.max_bytes);
}

/* A row of this size did not fit. */
static void note_full(struct spool *spool, size_t row_size)
{
    char problem[ERROR_TEXT];

    set_too_large(spool, row_size);
    if (row_size > ORDINARY_BYTES && spool_file_has_room(spool->file, ORDINARY_BYTES)) {
        note_large(spool, row_size);
        return;
    }
    snprintf(problem, sizeof problem,
             "the spool %s is full: %lld messages, SPOOL_MAX_BYTES=%lld: see that RabbitMQ takes events "
             "(broker_problem of /readyz), or allow more",
             spool->settings.path, (long long)waiting_of(spool), (long long)spool->settings.max_bytes);
    set_state(spool, SPOOL_IS_FULL, problem);
    if (!spool->full_logged && may_log(&spool->full_logged_ms)) {
        log_error("%s; until it is drained what RabbitMQ does not take is refused", problem);
        spool->full_logged = true;
    }
}

/* Something was taken out. */
static void note_room(struct spool *spool)
{
    const int64_t bytes = spool_file_bytes(spool->file);

    set_too_large(spool, SIZE_MAX);
    if (state_of(spool) == SPOOL_IS_FULL)
        set_state(spool, SPOOL_OPEN, "");
    if (spool->full_logged && bytes <= spool->settings.max_bytes / 100 * ROOM_PERCENT) {
        log_info("the spool %s has room again", spool->settings.path);
        spool->full_logged = false;
    }
}

/* As many as one commit takes, at least one: up to the first that does not fit. */
static size_t one_commit(struct spool *spool, struct ticket *const *tickets, size_t count)
{
    size_t bytes = 0;
    size_t taken = 0;

    while (taken < count && (taken == 0 || fits(spool, tickets[taken]))) {
        bytes += row_size_of(tickets[taken]);
        if (taken > 0 && bytes > SPOOL_COMMIT_BYTES)
            break;
        taken++;
    }
    return taken;
}

/* What was written into a file that had lost its name by then will be drained, but a crash would lose it: nobody is
   told that it is safe. */
static bool is_safe(struct spool *spool)
{
    struct error error;

    switch (spool_file_presence(spool->file)) {
    case SPOOL_PRESENT:
        return true;
    case SPOOL_LOG_GONE:
        return renew_log(spool, &error);
    case SPOOL_MOVED:
    case SPOOL_DELETED:
        break;
    }
    return false;
}

/* One commit of all the tickets, or of the first that fit. Returns how many were dealt with. */
static size_t write_commit(struct spool *spool, struct ticket *const *tickets, size_t count)
{
    enum publish_outcome outcome = PUBLISH_CONFIRMED;
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
    if (result != SPOOL_WRITTEN) {
        fail_write(spool, result, false, &change, &error);
        unlock_file(spool);
        settle_all(tickets, count, protection("spool-errors") ? PUBLISH_FAILED : PUBLISH_CONFIRMED);
        return count;
    }
    if (change.rows > 0) {
        bridge_count(spool->metrics, METRIC_SPOOL_SPOOLED, (int64_t)change.rows);
        set_waiting(spool, waiting_of(spool) + (int64_t)change.rows);
        note_success(spool);
        outcome = is_safe(spool) ? PUBLISH_CONFIRMED : PUBLISH_FAILED;
    }
    if (change.rows < count)
        note_full(spool, row_size_of(tickets[change.rows]));
    unlock_file(spool);
    settle_all(tickets, change.rows, outcome);
    if (change.rows == count)
        return count;
    ticket_settle(tickets[change.rows], PUBLISH_FULL);
    return change.rows + 1;
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

    if (!protection("spool-commit"))
        confirm_early(tickets, &count);
    while (done < count) {
        if (fits(spool, tickets[done])) {
            done += write_commit(spool, tickets + done, one_commit(spool, tickets + done, count - done));
            write_back(spool);
        } else {
            ticket_settle(tickets[done++], PUBLISH_FULL);
        }
    }
}

/* ---- the writer's thread ---- */

static bool has_open_file(struct spool *spool)
{
    bool open;

    lock_file(spool);
    open = spool->file != NULL;
    unlock_file(spool);
    return open;
}

/* Until something comes in, or the file may be opened again, or is to be looked after. */
static void rest(struct spool *spool)
{
    struct pollfd waiting = {.fd = ticket_queue_fd(spool->queue), .events = POLLIN};
    int64_t timeout_ms = LOOK_MS;

    if (!has_open_file(spool)) {
        const int64_t left = spool->reopen_at_ms - clock_monotonic_ms();

        timeout_ms = left > 0 ? left : 0;
    }
    if (ticket_queue_sleep(spool->queue))
        (void)poll(&waiting, 1, (int)timeout_ms);
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
        if (!stopping) {
            look_after(spool);
            if (!has_open_file(spool))
                reopen(spool);
        }
        count = ticket_queue_take(spool->queue, tickets, SPOOL_COMMIT_ROWS);
        if (count > 0)
            write_group(spool, tickets, count);
        else if (!stopping)
            rest(spool);
        stopping = stopping && count == 0;
    }
    pthread_mutex_lock(&spool->mutex);
    spool->ended = true;
    pthread_cond_broadcast(&spool->changed);
    pthread_mutex_unlock(&spool->mutex);
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
    while (spool->lost)
        give_up_lost(spool, spool->lost, "the program stops");
    spool_file_drop(spool->opening);
    spool_file_close(spool->file);
    ticket_queue_free(spool->queue);
    pthread_cond_destroy(&spool->changed);
    pthread_mutex_destroy(&spool->mutex);
    pthread_mutex_destroy(&spool->file_mutex);
    pthread_mutex_destroy(&spool->file_gate);
    free(spool);
}

/* The quick half of the first opening. False only for what trying again will not mend. */
static bool take_first(struct spool *spool, struct error *error)
{
    struct error problem = {0};
    char text[ERROR_TEXT];

    spool->opening = take_file(spool, false, spool->settings.lock_wait_ms, &problem);
    if (spool->opening) {
        snprintf(text, sizeof text, "the spool %s is being opened and checked", spool->settings.path);
        set_state(spool, SPOOL_OPENING, text);
        return true;
    }
    if (problem.code != ERROR_UNAVAILABLE) {
        error_set(error, problem.code, "%s", problem.text);
        return false;
    }
    note_not_open(spool, &problem);
    set_state(spool, SPOOL_HAS_FAILED, problem.text);
    schedule_reopening(spool);
    return true;
}

static struct spool *new_spool(const struct spool_settings *settings, struct bridge_metrics *metrics)
{
    struct spool *spool = calloc(1, sizeof *spool);

    if (!spool)
        return NULL;
    spool->settings = *settings;
    spool->metrics = metrics;
    spool->next_id = 1;
    spool->too_large = SIZE_MAX;
    spool->refuse_at_ms = clock_monotonic_ms() + REFUSED_MS;
    backoff_init(&spool->backoff, REOPEN_FIRST_MS, REOPEN_MAX_MS, (uint64_t)getpid() ^ (uint64_t)clock_wall_ms());
    init_waiting(spool);
    return spool;
}

struct spool *spool_start(const struct spool_settings *settings, struct bridge_metrics *metrics, struct error *error)
{
    struct spool *spool = new_spool(settings, metrics);
    int failed;

    if (!spool) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the spool");
        return NULL;
    }
    spool->queue = ticket_queue_new(QUEUE_TICKETS, QUEUE_BYTES, error);
    if (!spool->queue || !take_first(spool, error)) {
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

/* Until the writer has ended. An interruption may come between two steps of an opening, and another must follow. */
static void interrupt_opening(struct spool *spool)
{
    pthread_mutex_lock(&spool->mutex);
    while (!spool->ended) {
        const struct timespec again = clock_timespec_of_ms(clock_monotonic_ms() + INTERRUPT_MS);

        if (spool->opening)
            spool_file_interrupt(spool->opening);
        (void)pthread_cond_timedwait(&spool->changed, &spool->mutex, &again);
    }
    pthread_mutex_unlock(&spool->mutex);
}

void spool_stop(struct spool *spool)
{
    if (!spool)
        return;
    atomic_store(&spool->stopping, true);
    ticket_queue_wake(spool->queue);
    interrupt_opening(spool);
    pthread_join(spool->writer, NULL);
    free_spool(spool);
}

enum publish_outcome spool_submit(struct spool *spool, struct ticket *ticket, int64_t deadline_ms)
{
    /* Not even tried: the writer may be busy with the disk. */
    if (!fits(spool, ticket))
        return PUBLISH_FULL;
    return ticket_queue_submit(spool->queue, ticket, deadline_ms);
}

bool spool_refused(struct spool *spool, struct error *error)
{
    bool refused;

    pthread_mutex_lock(&spool->mutex);
    refused = spool->refusal.code != ERROR_NONE;
    if (refused)
        *error = spool->refusal;
    pthread_mutex_unlock(&spool->mutex);
    return refused;
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

/* From the lost files, as long as there is something behind after_id. *count: 0 if not. False with *error, and nothing
   read, if one of them does not let itself be read: the others' messages need not wait for that. */
static bool read_lost(struct spool *spool, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out,
                      size_t *count, struct error *error)
{
    struct lost_file *next;
    bool done = true;

    *count = 0;
    for (struct lost_file *lost = spool->lost; lost && *count == 0; lost = next) {
        next = lost->next;
        if (spool_file_read(lost->file, after_id, max, max_bytes, out, count, error))
            continue;
        *count = 0;
        done = false;
        if (spool_file_damaged(lost->file))
            give_up_lost(spool, lost, error->text);
    }
    return done || *count > 0;
}

static bool read_file(struct spool *spool, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out,
                      size_t *count, struct error *error)
{
    if (spool_file_read(spool->file, after_id, max, max_bytes, out, count, error))
        return true;
    /* Without memory for a message the file is as good as before. */
    if (error->code != ERROR_NO_MEMORY)
        give_up_file(spool, error);
    return false;
}

bool spool_read(struct spool *spool, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out, size_t *count,
                struct error *error)
{
    struct error problem = {0};
    size_t read = 0;
    bool done;

    lock_file(spool);
    done = spool->lost && read_lost(spool, after_id, max, max_bytes, out, &read, &problem);
    if (read == 0 && spool->file)
        done = read_file(spool, after_id, max, max_bytes, out, &read, &problem);
    else if (!done && problem.code == ERROR_NONE)
        done = has_file(spool, &problem);
    unlock_file(spool);
    if (done)
        *count = read;
    else
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

/* From the lost files; an id is in one file only. *deleted: how many there were. */
static bool delete_from_lost(struct spool *spool, const int64_t *ids, size_t count, size_t *deleted,
                             struct error *error)
{
    struct lost_file *next;
    bool done = true;

    for (struct lost_file *lost = spool->lost; lost; lost = next) {
        struct spool_change change = {0};
        struct error ignored;

        next = lost->next;
        if (spool_file_delete(lost->file, ids, count, &change, error) != SPOOL_WRITTEN) {
            done = false;
            if (spool_file_damaged(lost->file))
                give_up_lost(spool, lost, error->text);
            continue;
        }
        *deleted += change.rows;
        lost->waiting -= (int64_t)change.rows;
        bridge_count(spool->metrics, METRIC_SPOOL_DRAINED, (int64_t)change.rows);
        set_waiting(spool, waiting_of(spool) - (int64_t)change.rows);
        if (lost->waiting == 0)
            note_drained(spool, lost);
        else
            (void)spool_file_checkpoint(lost->file, &ignored); /* it is tried again */
    }
    return done;
}

bool spool_delete(struct spool *spool, const int64_t *ids, size_t count, struct error *error)
{
    struct error problem = {0};
    size_t deleted = 0;
    bool done;

    lock_file(spool);
    done = delete_from_lost(spool, ids, count, &deleted, &problem);
    if (done && deleted < count)
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
        is_there = spool->readable && spool->status.waiting > 0;
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

int64_t spool_bytes_for(int64_t body_bytes)
{
    return spool_file_needs((size_t)body_bytes + ROW_BYTES);
}
