#include "spool_store.h"

#include "../common/backoff.h"
#include "../common/clock.h"
#include "../common/log.h"
#include "../common/protection.h"
#include "../common/timers.h"
#include "spool_books.h"
#include "spool_file.h"
#include "spool_lost.h"
#include "spool_room.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    REOPEN_FIRST_MS = TIMER_MS(100),
    REOPEN_MAX_MS = TIMER_MS(5000),
    /* How often the writer looks whether the file is still in its place. */
    LOOK_MS = TIMER_MS(1000),
    /* After a copy that was not possible, in looks; more when the copy itself has failed the file. */
    COPY_AGAIN_LOOKS = 1,
    COPY_FAILED_LOOKS = 10,
    /* At the stop, for what lost files still have; and how large a file may be that is opened for it. */
    RESCUE_MS = 2000,
    RESCUE_STEP_MS = 20,
    RESCUE_FILE_BYTES = 4 * 1024 * 1024,
    /* A process has that many ids for each millisecond since 1970, from its start on: more than it uses. */
    IDS_A_MS = 1024 * 1024,
    /* How long another process may still hold what is behind the lock: a kill lets go of one after the other. */
    REFUSED_MS = 10000,
};

struct spool_store {
    struct spool_settings settings;
    struct spool_board *board;
    struct ticket_queue *queue;
    struct bridge_metrics *metrics;
    atomic_bool interrupted;

    pthread_mutex_t opening_mutex; /* guards the next */
    struct spool_file *opening;    /* taken, and perhaps being opened; else NULL */

    /* Whoever waits for the file waits at the gate, so that a busy writer lets the drain in between its commits. */
    pthread_mutex_t gate;
    pthread_mutex_t mutex;   /* guards what follows; held while the disk works */
    struct spool_file *file; /* NULL: opening, or failed; only the writer opens it */
    struct spool_books books;
    struct spool_lost lost;
    struct spool_room room;
    int64_t next_id;    /* of no other message in any spool: see first_id */
    int64_t copy_at_ms; /* of what lost files have */
    bool in_trouble;    /* since the last commit; these are for the log, which tells each thing once: */
    bool reopening_logged;
    bool open_again_logged;
    int damages; /* calls that found damage */
    struct backoff backoff;
    int64_t reopen_at_ms;
    int64_t refuse_at_ms; /* from when on a file that another process holds is refused for good */
};

static void lock(struct spool_store *store)
{
    pthread_mutex_lock(&store->gate);
    pthread_mutex_lock(&store->mutex);
    pthread_mutex_unlock(&store->gate);
}

static void unlock(struct spool_store *store)
{
    pthread_mutex_unlock(&store->mutex);
}

/* ---- from here to "opening" the mutex is held ---- */

/* A file that waits for a log is left alone: its journal is in memory, and a kill half way would damage it. */
static bool is_usable(const struct spool_store *store)
{
    return store->file && spool_board_state(store->board) != SPOOL_HAS_FAILED;
}

/* How much there is, for the others. */
static void post(struct spool_store *store)
{
    spool_board_set_waiting(store->board, store->books.in_file + spool_lost_waiting(&store->lost));
    spool_board_set_readable(store->board, is_usable(store) || spool_lost_any(&store->lost));
    if (store->file)
        spool_board_set_bytes(store->board, spool_file_bytes(store->file));
}

static void schedule_reopening(struct spool_store *store)
{
    store->reopen_at_ms = clock_monotonic_ms() + backoff_next_ms(&store->backoff);
}

/* From here on nothing is taken until it is opened again. */
static void shut(struct spool_store *store, const struct error *error)
{
    spool_board_set_state(store->board, SPOOL_HAS_FAILED, error->text);
    ticket_queue_set_gate(store->queue, GATE_AWAY);
    post(store);
    if (!store->in_trouble)
        log_error("%s: nothing is taken until it can be opened again, which is tried by itself; what is in it stays",
                  error->text);
    store->in_trouble = true;
}

static void open_up(struct spool_store *store)
{
    /* In this order: who sees it open is let in. */
    ticket_queue_set_gate(store->queue, GATE_OPEN);
    spool_board_set_state(store->board, SPOOL_OPEN, "");
    post(store);
}

/* The last write, in a file that stays open: it has been rolled back there. */
static void forget_unknown(struct spool_store *store)
{
    spool_books_forget_unknown(&store->books);
    spool_lost_forget_unknown(&store->lost);
}

/* Nothing is taken until another is open. That is mostly at once, so those who come wait for it. */
static void note_opening(struct spool_store *store)
{
    char text[ERROR_TEXT];

    if (spool_board_state(store->board) == SPOOL_HAS_FAILED)
        return;
    snprintf(text, sizeof text, "the spool %s was moved or deleted while in use: another is being opened in its place",
             store->settings.path);
    spool_board_set_state(store->board, SPOOL_OPENING, text);
}

/* The file has lost its name: it could not be found again, or not whole, and stays open until it is copied. */
static void set_apart(struct spool_store *store, bool deleted)
{
    forget_unknown(store);
    if (!spool_lost_add(&store->lost, store->file, store->books.in_file, deleted)) {
        schedule_reopening(store);
        return; /* tried again */
    }
    spool_books_clear(&store->books);
    store->file = NULL;
    store->copy_at_ms = 0;
    note_opening(store);
    post(store);
}

static bool renew_log(struct spool_store *store, struct error *error)
{
    if (!spool_file_renew_log(store->file, error))
        return false;
    log_warn("the log of the spool %s was deleted or moved while in use: what was in it has been written into the "
             "spool, and a new one is begun: nothing is lost; leave the files beside the spool alone",
             store->settings.path);
    return true;
}

static void let_go_of_file(struct spool_store *store)
{
    spool_file_drop(store->file);
    store->file = NULL;
    post(store);
}

/* A call has failed: the file must be opened again. */
static void give_up_file(struct spool_store *store, const struct error *error)
{
    const bool damaged = spool_file_damaged(store->file);

    shut(store, error);
    store->damages += damaged;
    switch (damaged ? SPOOL_PRESENT : spool_file_presence(store->file)) {
    case SPOOL_PRESENT:
        let_go_of_file(store);
        break;
    case SPOOL_LOG_GONE: /* look_after sees to it */
        break;
    case SPOOL_MOVED:
        set_apart(store, false);
        break;
    case SPOOL_DELETED:
        set_apart(store, true);
        break;
    }
    schedule_reopening(store);
    ticket_queue_wake(store->queue);
}

static void fail_call(struct spool_store *store, const struct error *error)
{
    bridge_count(store->metrics, METRIC_SPOOL_FAILURES, 1);
    give_up_file(store, error);
}

static void fail_write(struct spool_store *store, enum spool_write result, bool is_delete,
                       const struct spool_change *change, const struct error *error)
{
    if (result == SPOOL_WRITE_UNKNOWN)
        spool_books_note_unknown(&store->books, is_delete, change);
    fail_call(store, error);
}

/* After a commit: the trouble, if there was any, is over. */
static void note_success(struct spool_store *store)
{
    backoff_reset(&store->backoff);
    if (store->in_trouble)
        log_info("the spool %s takes messages again", store->settings.path);
    store->in_trouble = false;
    store->reopening_logged = false;
    store->open_again_logged = false;
}

static void note_open(struct spool_store *store)
{
    if (!store->books.begun && !store->in_trouble)
        return;
    if (!store->open_again_logged)
        log_info("the spool %s is open again", store->settings.path);
    store->open_again_logged = true;
}

/* Makes the opened file the one in use. */
static bool adopt(struct spool_store *store, struct spool_file *file, const struct spool_stock *stock,
                  struct error *error)
{
    int64_t copied = 0;
    const bool settled =
        spool_books_settle(&store->books, file, error) && spool_lost_settle(&store->lost, file, &copied, error);

    spool_books_bring_in(&store->books, copied);
    if (!settled)
        return false;
    note_open(store);
    spool_books_take_stock(&store->books, stock->messages);
    if (store->next_id <= stock->last_id)
        store->next_id = stock->last_id + 1;
    store->file = file;
    spool_board_set_too_large(store->board, SIZE_MAX);
    open_up(store);
    return true;
}

/* ---- opening: the writer's alone, and without the mutex, since the check of a large file takes long ---- */

static void set_opening(struct spool_store *store, struct spool_file *file)
{
    pthread_mutex_lock(&store->opening_mutex);
    store->opening = file;
    pthread_mutex_unlock(&store->opening_mutex);
}

void spool_store_interrupt(struct spool_store *store)
{
    atomic_store(&store->interrupted, true);
    pthread_mutex_lock(&store->opening_mutex);
    if (store->opening)
        spool_file_interrupt(store->opening);
    pthread_mutex_unlock(&store->opening_mutex);
}

static struct spool_file *take_file(struct spool_store *store, bool distrusted, int64_t lock_wait_ms,
                                    struct error *error)
{
    const struct spool_file_settings settings = {.path = store->settings.path,
                                                 .max_bytes = store->settings.max_bytes,
                                                 .lock_wait_ms = lock_wait_ms,
                                                 .distrusted = distrusted};

    return spool_file_take(&settings, error);
}

/* A file is to be opened in the place of those that are lost; it may be one of them. */
static bool clear_place(struct spool_store *store, struct error *error)
{
    int64_t returned = 0;
    bool done;

    lock(store);
    done = spool_lost_clear_place(&store->lost, &returned, error);
    spool_books_bring_in(&store->books, returned);
    post(store);
    unlock(store);
    return done;
}

static bool open_file(struct spool_store *store, struct error *error)
{
    /* Once may have been the memory or the bus: the check decides. */
    const bool distrusted = store->damages > 1;
    struct spool_file *file = store->opening;
    struct spool_stock stock;
    bool opened;

    if (!file) {
        if (!clear_place(store, error))
            return false;
        file = take_file(store, distrusted, 0, error);
        if (!file)
            return false;
        set_opening(store, file);
    }
    opened = spool_file_open(file, error) && spool_file_stock(file, &stock, error);
    set_opening(store, NULL);
    if (opened) {
        lock(store);
        opened = adopt(store, file, &stock, error);
        if (opened && distrusted)
            store->damages = 0;
        unlock(store);
    }
    if (!opened)
        spool_file_drop(file);
    return opened;
}

/* What trying again will not mend, before the file was ever open. */
static bool is_refusal(const struct spool_store *store, const struct error *error)
{
    if (store->books.begun)
        return false;
    if (error->code == ERROR_CONFIG || error->code == ERROR_NOT_YET)
        return true;
    return error->code == ERROR_REFUSED && clock_monotonic_ms() >= store->refuse_at_ms;
}

/* The first opening, and those after it until one succeeds. */
static void note_not_open(struct spool_store *store, const struct error *error)
{
    const bool refused = is_refusal(store, error);

    if (refused)
        spool_board_refuse(store->board, error);
    if (refused || error->code == ERROR_REFUSED || store->in_trouble)
        return;
    log_error("%s: the bridge goes on without a spool, which is opened as soon as it can be", error->text);
    store->in_trouble = true;
}

static void note_not_reopened(struct spool_store *store, const struct error *error)
{
    struct spool_status before;

    spool_board_status(store->board, &before);
    if (store->reopening_logged || strcmp(before.problem, error->text) == 0)
        return;
    log_error("%s: the spool cannot be opened again yet", error->text);
    store->reopening_logged = true;
}

static void reopen(struct spool_store *store)
{
    const bool first = !store->books.begun;
    struct error error;

    if (open_file(store, &error) || atomic_load(&store->interrupted))
        return;
    if (first)
        note_not_open(store, &error);
    else
        note_not_reopened(store, &error);
    if (!first || error.code != ERROR_REFUSED)
        spool_board_set_state(store->board, SPOOL_HAS_FAILED, error.text);
    ticket_queue_set_gate(store->queue, GATE_AWAY);
    schedule_reopening(store);
}

/* Whether the file, which is in its place, has a log beside it, and a new one if need be. */
static bool keep_log(struct spool_store *store)
{
    const bool had_failed = spool_board_state(store->board) == SPOOL_HAS_FAILED;
    struct error error;

    if (renew_log(store, &error)) {
        forget_unknown(store);
        if (had_failed)
            open_up(store);
        return true;
    }
    if (!had_failed)
        bridge_count(store->metrics, METRIC_SPOOL_FAILURES, 1);
    if (spool_file_damaged(store->file))
        give_up_file(store, &error);
    else
        shut(store, &error);
    return false;
}

/* Whether the file is still in its place. */
static void look_after(struct spool_store *store)
{
    switch (store->file ? spool_file_presence(store->file) : SPOOL_PRESENT) {
    case SPOOL_PRESENT:
        /* It stayed open for want of a log, which is back: only opening tells what the disk holds. */
        if (store->file && spool_board_state(store->board) == SPOOL_HAS_FAILED) {
            let_go_of_file(store);
            store->reopen_at_ms = 0;
        }
        break;
    case SPOOL_LOG_GONE:
        (void)keep_log(store);
        break;
    case SPOOL_MOVED:
        set_apart(store, false);
        store->reopen_at_ms = 0;
        break;
    case SPOOL_DELETED:
        set_apart(store, true);
        store->reopen_at_ms = 0;
        break;
    }
}

static bool can_copy(const struct spool_store *store)
{
    return is_usable(store) && spool_lost_any(&store->lost);
}

/* One commit of what lost files have. True if the next may follow at once. */
static bool copy_some(struct spool_store *store)
{
    struct error error = {0};
    size_t copied = 0;
    int64_t looks = 0;

    switch (spool_lost_copy(&store->lost, store->file, store->next_id, &copied, &error)) {
    case SPOOL_COPIED:
        spool_books_bring_in(&store->books, (int64_t)copied);
        if (!spool_file_checkpoint(store->file, &error))
            fail_call(store, &error);
        break;
    case SPOOL_COPY_FAILED:
        fail_call(store, &error);
        looks = COPY_FAILED_LOOKS;
        break;
    case SPOOL_COPY_NO_ROOM:
    case SPOOL_COPY_UNREAD:
        looks = COPY_AGAIN_LOOKS;
        break;
    }
    store->next_id += SPOOL_COPY_ROWS;
    store->copy_at_ms = looks > 0 ? clock_monotonic_ms() + looks * store->settings.look_ms : 0;
    post(store);
    return looks == 0;
}

void spool_store_tend(struct spool_store *store)
{
    bool is_time;

    lock(store);
    look_after(store);
    is_time = !store->file && clock_monotonic_ms() >= store->reopen_at_ms;
    unlock(store);
    if (is_time && !atomic_load(&store->interrupted))
        reopen(store);
    lock(store);
    if (can_copy(store) && clock_monotonic_ms() >= store->copy_at_ms)
        (void)copy_some(store);
    unlock(store);
}

int64_t spool_store_rest_ms(struct spool_store *store)
{
    const int64_t now_ms = clock_monotonic_ms();
    int64_t rest_ms = store->settings.look_ms;

    lock(store);
    if (!store->file)
        rest_ms = store->reopen_at_ms - now_ms;
    else if (can_copy(store) && store->copy_at_ms - now_ms < rest_ms)
        rest_ms = store->copy_at_ms - now_ms;
    unlock(store);
    return rest_ms > 0 ? rest_ms : 0;
}

/* ---- writing ---- */

/* What was written into a file that had lost its name by then will be drained, but a crash would lose it: nobody is
   told that it is safe. */
static bool is_safe(struct spool_store *store)
{
    switch (spool_file_presence(store->file)) {
    case SPOOL_PRESENT:
        return true;
    case SPOOL_LOG_GONE:
        return keep_log(store);
    case SPOOL_MOVED:
    case SPOOL_DELETED:
        break;
    }
    return false;
}

static void commit(struct spool_store *store, struct ticket *const *tickets, size_t count, struct spool_commit *out)
{
    struct spool_change change = {0};
    struct error error = {0};
    const enum spool_write result = spool_file_insert(store->file, tickets, count, store->next_id, &change, &error);

    /* Whatever has become of them, no id is used twice. */
    store->next_id += (int64_t)count;
    if (result != SPOOL_WRITTEN) {
        fail_write(store, result, false, &change, &error);
        out->rows = count;
        out->outcome = protection("spool-errors") ? PUBLISH_FAILED : PUBLISH_CONFIRMED;
        return;
    }
    out->rows = change.rows;
    out->outcome = PUBLISH_CONFIRMED;
    if (change.rows > 0) {
        spool_books_add(&store->books, &change);
        post(store);
        note_success(store);
        if (!is_safe(store)) {
            out->outcome = PUBLISH_FAILED;
            return; /* the file may be given up */
        }
    }
    out->full = change.rows < count;
    if (out->full)
        spool_room_note_full(&store->room, store->file, spool_row_size_of(tickets[change.rows]));
}

void spool_store_commit(struct spool_store *store, struct ticket *const *tickets, size_t count,
                        struct spool_commit *out)
{
    *out = (struct spool_commit){.rows = count, .outcome = PUBLISH_AWAY};
    lock(store);
    if (is_usable(store))
        commit(store, tickets, count, out);
    unlock(store);
}

void spool_store_write_back(struct spool_store *store)
{
    struct error error;

    lock(store);
    if (store->file && !spool_file_checkpoint(store->file, &error))
        fail_call(store, &error);
    unlock(store);
}

/* ---- for the drain ---- */

/* Sets *error if there is no file. */
static bool has_file(struct spool_store *store, struct error *error)
{
    struct spool_status status;

    if (is_usable(store))
        return true;
    spool_board_status(store->board, &status);
    error_set(error, ERROR_UNAVAILABLE, "%s", status.problem);
    return false;
}

static bool read_file(struct spool_store *store, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out,
                      size_t *count, struct error *error)
{
    if (spool_file_read(store->file, after_id, max, max_bytes, out, count, error))
        return true;
    /* Without memory for a message the file is as good as before. */
    if (error->code != ERROR_NO_MEMORY)
        give_up_file(store, error);
    return false;
}

bool spool_store_read(struct spool_store *store, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out,
                      size_t *count, struct error *error)
{
    struct error problem = {0};
    size_t read = 0;
    bool done = false;

    lock(store);
    if (spool_lost_any(&store->lost)) {
        /* If one does not let itself be read, the others' messages need not wait for that. */
        done = spool_lost_read(&store->lost, after_id, max, max_bytes, out, &read, &problem);
        post(store);
    }
    if (read == 0 && is_usable(store))
        done = read_file(store, after_id, max, max_bytes, out, &read, &problem);
    else if (!done && problem.code == ERROR_NONE)
        done = has_file(store, &problem);
    unlock(store);
    if (done)
        *count = read;
    else
        error_set(error, problem.code, "%s", problem.text);
    return done;
}

/* Returns false if the deletion failed; what follows it may fail the file, not the call. */
static bool delete_from_file(struct spool_store *store, const int64_t *ids, size_t count, struct error *error)
{
    struct spool_change change = {0};
    struct error problem = {0};
    const enum spool_write result = spool_file_delete(store->file, ids, count, &change, error);

    if (result != SPOOL_WRITTEN) {
        fail_write(store, result, true, &change, error);
        return false;
    }
    spool_books_subtract(&store->books, &change);
    post(store);
    if (change.rows > 0) {
        note_success(store);
        spool_room_note_less(&store->room, store->file);
    }
    if (!spool_file_checkpoint(store->file, &problem) ||
        (store->books.in_file == 0 && !spool_file_shrink(store->file, &problem)))
        fail_call(store, &problem);
    else
        post(store);
    return true;
}

bool spool_store_delete(struct spool_store *store, const int64_t *ids, size_t count, struct error *error)
{
    struct error problem = {0};
    size_t deleted = 0;
    bool done = true;

    lock(store);
    if (spool_lost_any(&store->lost)) {
        done = spool_lost_delete(&store->lost, ids, count, &deleted, &problem);
        post(store);
    }
    if (done && deleted < count)
        done = has_file(store, &problem) && delete_from_file(store, ids, count, &problem);
    unlock(store);
    if (!done)
        error_set(error, problem.code, "%s", problem.text);
    return done;
}

/* ---- its life ---- */

/* Above those of every file that another process has made: the clock has gone on further than its ids. So files that
   are put in each other's place never give one id to two messages. */
static int64_t first_id(void)
{
    const int64_t now_ms = clock_wall_ms();

    return now_ms > 0 && now_ms < INT64_MAX / IDS_A_MS / 2 ? now_ms * IDS_A_MS : 1;
}

struct spool_store *spool_store_new(const struct spool_settings *settings, struct spool_board *board,
                                    struct ticket_queue *queue, struct bridge_metrics *metrics)
{
    struct spool_store *store = calloc(1, sizeof *store);
    int64_t first_ms = REOPEN_FIRST_MS;

    if (!store)
        return NULL;
    store->settings = *settings;
    if (store->settings.look_ms == 0)
        store->settings.look_ms = LOOK_MS;
    if (store->settings.reopen_max_ms == 0)
        store->settings.reopen_max_ms = REOPEN_MAX_MS;
    if (store->settings.rescue_ms == 0)
        store->settings.rescue_ms = RESCUE_MS;
    if (first_ms > store->settings.reopen_max_ms)
        first_ms = store->settings.reopen_max_ms;
    store->board = board;
    store->queue = queue;
    store->metrics = metrics;
    store->next_id = first_id();
    store->refuse_at_ms = clock_monotonic_ms() + REFUSED_MS;
    spool_books_init(&store->books, settings->path, metrics);
    spool_lost_init(&store->lost, settings->path, metrics);
    spool_room_init(&store->room, settings->path, settings->max_bytes, board);
    backoff_init(&store->backoff, first_ms, store->settings.reopen_max_ms,
                 (uint64_t)getpid() ^ (uint64_t)clock_wall_ms());
    pthread_mutex_init(&store->opening_mutex, NULL);
    pthread_mutex_init(&store->gate, NULL);
    pthread_mutex_init(&store->mutex, NULL);
    return store;
}

bool spool_store_take(struct spool_store *store, struct error *error)
{
    struct error problem = {0};
    char text[ERROR_TEXT];

    store->opening = take_file(store, false, store->settings.lock_wait_ms, &problem);
    if (store->opening) {
        snprintf(text, sizeof text, "the spool %s is being opened and checked", store->settings.path);
        spool_board_set_state(store->board, SPOOL_OPENING, text);
        return true;
    }
    if (problem.code != ERROR_UNAVAILABLE) {
        error_set(error, problem.code, "%s", problem.text);
        return false;
    }
    note_not_open(store, &problem);
    spool_board_set_state(store->board, SPOOL_HAS_FAILED, problem.text);
    schedule_reopening(store);
    return true;
}

/* A new one, or one that the stop has caught as it was being made; the check of a large one would take its time. */
static bool opens_at_once(const char *path)
{
    struct stat status;

    return stat(path, &status) != 0 || status.st_size <= RESCUE_FILE_BYTES;
}

enum rescue { RESCUE_GOES_ON, RESCUE_WAITS, RESCUE_ENDS };

/* One step of it: a place, a file in it, or a commit. RESCUE_WAITS for what a moment later may succeed. */
static enum rescue rescue_some(struct spool_store *store)
{
    struct error error;

    look_after(store);
    /* In any case: a log that stays beside the name of another file would be written into that. */
    if (!store->file && !clear_place(store, &error))
        return RESCUE_WAITS;
    if (!spool_lost_any(&store->lost) || (!store->file && !opens_at_once(store->settings.path)))
        return RESCUE_ENDS;
    if (!store->file && !open_file(store, &error))
        return RESCUE_WAITS;
    if (!can_copy(store))
        return RESCUE_WAITS;
    if (copy_some(store))
        return RESCUE_GOES_ON;
    return store->file ? RESCUE_ENDS : RESCUE_WAITS;
}

/* The last look, after the threads: what has lost its name and is not copied by now is gone with the process. */
static void rescue(struct spool_store *store)
{
    const int64_t deadline_ms = clock_monotonic_ms() + store->settings.rescue_ms;
    enum rescue step = RESCUE_GOES_ON;

    look_after(store);
    while (spool_lost_any(&store->lost) && step != RESCUE_ENDS && clock_monotonic_ms() < deadline_ms) {
        step = rescue_some(store);
        if (step == RESCUE_WAITS)
            clock_sleep_ms(RESCUE_STEP_MS);
    }
    spool_lost_clear(&store->lost);
    post(store);
}

void spool_store_free(struct spool_store *store)
{
    if (!store)
        return;
    rescue(store);
    spool_file_drop(store->opening);
    spool_file_close(store->file);
    pthread_mutex_destroy(&store->mutex);
    pthread_mutex_destroy(&store->gate);
    pthread_mutex_destroy(&store->opening_mutex);
    free(store);
}
