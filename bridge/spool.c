#include "spool.h"

#include "../common/clock.h"
#include "../common/protection.h"
#include "spool_board.h"
#include "spool_file.h"
#include "spool_store.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_TICKETS = 16384,
    /* More than a disk writes in the time of an answer; the requests hold them in any case. */
    QUEUE_BYTES = 1024 * 1024 * 1024,
    /* All columns but the body, at the most. */
    ROW_BYTES = 16 * 1024,
    INTERRUPT_MS = 20,
    /* For a control: what a busy disk may take, so that a kill strikes between word and deed. */
    CONTROL_GAP_MS = 50,
};

struct spool {
    struct spool_board *board;
    struct ticket_queue *queue;
    struct spool_store *store;
    pthread_t writer;
    atomic_bool stopping;
};

/* ---- writing: many tickets, one commit ---- */

/* Any thread. False if trying would be in vain. */
static bool fits(struct spool *spool, const struct ticket *ticket)
{
    const size_t too_large = spool_board_too_large(spool->board);

    return too_large == SIZE_MAX || (too_large > 0 && spool_row_size_of(ticket) < too_large);
}

/* As many as one commit takes, at least one: up to the first that does not fit. */
static size_t one_commit(struct spool *spool, struct ticket *const *tickets, size_t count)
{
    size_t bytes = 0;
    size_t taken = 0;

    while (taken < count && (taken == 0 || fits(spool, tickets[taken]))) {
        bytes += spool_row_size_of(tickets[taken]);
        if (taken > 0 && bytes > SPOOL_COMMIT_BYTES)
            break;
        taken++;
    }
    return taken;
}

/* One commit of all the tickets, or of the first that fit. Returns how many were dealt with. */
static size_t write_commit(struct spool *spool, struct ticket *const *tickets, size_t count)
{
    struct spool_commit commit;

    spool_store_commit(spool->store, tickets, count, &commit);
    for (size_t i = 0; i < commit.rows; i++)
        ticket_settle(tickets[i], commit.outcome);
    if (!commit.full)
        return commit.rows;
    ticket_settle(tickets[commit.rows], PUBLISH_FULL);
    return commit.rows + 1;
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
            spool_store_write_back(spool->store);
        } else {
            ticket_settle(tickets[done++], PUBLISH_FULL);
        }
    }
}

/* ---- the writer's thread ---- */

/* Until something comes in, or the file may be opened again, or is to be looked after. */
static void rest(struct spool *spool)
{
    struct pollfd waiting = {.fd = ticket_queue_fd(spool->queue), .events = POLLIN};
    const int64_t rest_ms = spool_store_rest_ms(spool->store);

    if (ticket_queue_sleep(spool->queue))
        (void)poll(&waiting, 1, (int)rest_ms);
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
        if (!stopping)
            spool_store_tend(spool->store);
        count = ticket_queue_take(spool->queue, tickets, SPOOL_COMMIT_ROWS);
        if (count > 0)
            write_group(spool, tickets, count);
        else if (!stopping)
            rest(spool);
        stopping = stopping && count == 0;
    }
    spool_board_end(spool->board);
    return NULL;
}

/* ---- the life of a spool ---- */

static void free_spool(struct spool *spool)
{
    if (!spool)
        return;
    spool_store_free(spool->store);
    ticket_queue_free(spool->queue);
    spool_board_free(spool->board);
    free(spool);
}

/* All its parts, without the thread. NULL with *error. */
static struct spool *new_spool(const struct spool_settings *settings, struct bridge_metrics *metrics,
                               struct error *error)
{
    struct spool *spool = calloc(1, sizeof *spool);
    struct error problem;

    error_set(&problem, ERROR_NO_MEMORY, "no memory for the spool");
    if (spool)
        spool->board = spool_board_new(metrics);
    if (spool && spool->board)
        spool->queue = ticket_queue_new(QUEUE_TICKETS, QUEUE_BYTES, &problem);
    if (spool && spool->queue)
        spool->store = spool_store_new(settings, spool->board, spool->queue, metrics);
    if (spool && spool->store)
        return spool;
    free_spool(spool);
    error_set(error, problem.code, "%s", problem.text);
    return NULL;
}

struct spool *spool_start(const struct spool_settings *settings, struct bridge_metrics *metrics, struct error *error)
{
    struct spool *spool = new_spool(settings, metrics, error);
    int failed;

    if (!spool)
        return NULL;
    if (!spool_store_take(spool->store, error)) {
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
    /* An interruption may come between two steps of an opening: another must follow. */
    do {
        spool_store_interrupt(spool->store);
    } while (!spool_board_await_end(spool->board, INTERRUPT_MS));
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
    return spool_board_refused(spool->board, error);
}

void spool_status(struct spool *spool, struct spool_status *out)
{
    spool_board_status(spool->board, out);
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
    return spool_board_wait(spool->board, timeout_ms);
}

void spool_wake(struct spool *spool)
{
    spool_board_wake(spool->board);
}

int64_t spool_bytes_for(int64_t body_bytes)
{
    return spool_file_needs((size_t)body_bytes + ROW_BYTES);
}
