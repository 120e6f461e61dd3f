#include "spool_drain.h"

#include "../common/backoff.h"
#include "../common/clock.h"
#include "../common/log.h"
#include "../common/protection.h"
#include "../common/timers.h"
#include "body_limit.h"
#include "suspect_rows.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Messages at the broker at once: few enough for live traffic to pass beside them. */
    WINDOW_MAX = 256,
    WINDOW_BYTES = 8 * 1024 * 1024,
    /* A round's confirms come within this; the publishers cut a silent broker off before. */
    ROUND_MS = 10000,
    /* How often a wait for a confirm looks whether the program stops. */
    STOP_POLL_MS = 100,
    GATE_POLL_MS = TIMER_MS(250),
    IDLE_MS = TIMER_MS(1000),
    BACKOFF_FIRST_MS = TIMER_MS(100), /* also between messages that the broker refuses one by one */
    BACKOFF_MAX_MS = TIMER_MS(5000),
    /* A few messages get no lines of their own so soon after others. */
    LOG_AGAIN_MS = 10000,
};

struct spool_drain {
    struct spool *spool;
    struct publishers *publishers;
    pthread_t thread;

    pthread_mutex_t mutex; /* for the condition, and for `problem` */
    char problem[ERROR_TEXT];
    pthread_cond_t stopped;
    _Atomic int64_t stop_at_ms; /* 0: run; else take nothing more, and wait until then for what is out */

    /* The thread's own. */
    size_t window; /* messages of the next round */
    bool was_lost; /* some of this pass may have ended a connection or a channel */
    struct suspect_rows suspects;
    int64_t problem_id;     /* the row that `problem` names; 0: it is empty */
    bool large_named;       /* in this pass */
    int64_t large_up_to;    /* to this id only rows above the limit are left; 0: not known */
    uint64_t large_limit;   /* that limit */
    bool only_large;        /* the last pass left only such rows: nothing has failed */
    int64_t first_pause_ms; /* BACKOFF_FIRST_MS, or what a test wants; so the next, IDLE_MS */
    int64_t idle_pause_ms;
    int64_t round_ms; /* ROUND_MS, or what a test wants */
    bool delete_failed;
    bool read_failed;
    struct backoff round_backoff; /* while nothing gets through */
    struct backoff pass_backoff;  /* while something stays behind */
    bool draining;                /* from the first message until the spool is empty */
    bool begin_logged;
    int64_t begun_ms;
    int64_t logged_ms; /* 0: never */
    int64_t drained;
    struct spooled rows[WINDOW_MAX];
    bool offered[WINDOW_MAX];
    enum publish_outcome outcomes[WINDOW_MAX]; /* of what was not offered: REFUSED if it is too large, else AWAY */
    int64_t confirmed[WINDOW_MAX];             /* ids */
};

struct round {
    size_t count;
    size_t tried; /* neither held back nor too large */
    size_t confirmed;
    size_t refused;     /* ended a channel, or were sent beside what did */
    size_t lost;        /* the same, and those that ended a connection */
    size_t last_lost;   /* the index of the last of them */
    size_t large;       /* above the broker's limit */
    size_t first_large; /* the index of the first of them */
};

static int64_t stop_at(struct spool_drain *drain)
{
    return atomic_load(&drain->stop_at_ms);
}

/* Sleeps; a stop ends it. */
static void pause_for(struct spool_drain *drain, int64_t ms)
{
    const struct timespec until = clock_timespec_of_ms(clock_monotonic_ms() + ms);
    int waited = 0;

    pthread_mutex_lock(&drain->mutex);
    while (!stop_at(drain) && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&drain->stopped, &drain->mutex, &until);
    pthread_mutex_unlock(&drain->mutex);
}

/* False if the program stops first. */
static bool wait_for_gate(struct spool_drain *drain)
{
    while (!stop_at(drain)) {
        if (publishers_gate(drain->publishers) == GATE_OPEN)
            return true;
        pause_for(drain, GATE_POLL_MS);
    }
    return false;
}

/* ---- what people hear of it ---- */

/* Before each round, so that what began without a line gets one when it lasts. */
static void note_begin(struct spool_drain *drain)
{
    const int64_t now_ms = clock_monotonic_ms();
    struct spool_status status;

    if (!drain->draining) {
        drain->draining = true;
        drain->begin_logged = false;
        drain->drained = 0;
        drain->begun_ms = now_ms;
    }
    if (drain->begin_logged)
        return;
    spool_status(drain->spool, &status);
    if (status.waiting <= WINDOW_MAX && drain->logged_ms && now_ms - drain->logged_ms < LOG_AGAIN_MS)
        return;
    drain->begin_logged = true;
    drain->logged_ms = now_ms;
    log_info("publishing what the spool holds: %lld messages", (long long)status.waiting);
}

static void note_end(struct spool_drain *drain)
{
    struct spool_status status;

    if (!drain->draining)
        return;
    spool_status(drain->spool, &status);
    if (status.waiting > 0)
        return;
    drain->draining = false;
    if (drain->begin_logged)
        log_info("the spool is empty again: %lld messages published in %.1f s", (long long)drain->drained,
                 (double)(clock_monotonic_ms() - drain->begun_ms) / 1000.0);
}

/* ---- one round ---- */

/* The outcome of an offered ticket; PUBLISH_TIMEOUT at deadline_ms, or when the stop's deadline has passed. */
static enum publish_outcome await(struct spool_drain *drain, struct ticket *ticket, int64_t deadline_ms)
{
    for (;;) {
        const int64_t stop_ms = stop_at(drain);
        const int64_t last_ms = stop_ms && stop_ms < deadline_ms ? stop_ms : deadline_ms;
        const int64_t look_ms = clock_monotonic_ms() + STOP_POLL_MS;

        if (ticket_wait(ticket, look_ms < last_ms ? look_ms : last_ms) || clock_monotonic_ms() >= last_ms) {
            const enum publish_outcome outcome = ticket_await(ticket, last_ms);

            return protection("drain-confirm") ? outcome : PUBLISH_CONFIRMED;
        }
    }
}

static bool is_above(const struct ticket *ticket, uint64_t limit)
{
    return limit > 0 && ticket_body_bytes(ticket).len > limit;
}

/* Hands the rows over, but for those that are held back. */
static void offer_rows(struct spool_drain *drain, struct round *round)
{
    const uint64_t limit = publishers_body_max(drain->publishers);
    const int64_t now_ms = clock_monotonic_ms();

    for (size_t i = 0; i < round->count; i++) {
        enum publish_outcome refused;

        drain->offered[i] = false;
        drain->outcomes[i] = PUBLISH_REFUSED;
        if (is_above(drain->rows[i].ticket, limit))
            continue;
        drain->outcomes[i] = PUBLISH_AWAY;
        if (suspect_rows_held(&drain->suspects, drain->rows[i].id, now_ms))
            continue;
        round->tried++;
        drain->offered[i] = publishers_offer(drain->publishers, drain->rows[i].ticket, &refused);
    }
}

static void count_outcome(struct spool_drain *drain, struct round *round, size_t i)
{
    switch (drain->outcomes[i]) {
    case PUBLISH_CONFIRMED:
        drain->confirmed[round->confirmed++] = drain->rows[i].id;
        break;
    case PUBLISH_REFUSED:
        round->refused++;
        round->lost++;
        round->last_lost = i;
        break;
    case PUBLISH_LOST:
        round->lost++;
        round->last_lost = i;
        break;
    case PUBLISH_FAILED:
    case PUBLISH_TIMEOUT:
    case PUBLISH_FULL:
    case PUBLISH_AWAY:
        break;
    }
}

/* A row that is refused for its size, as is known by now, throws no suspicion on any other. */
static void count_large(struct spool_drain *drain, struct round *round, size_t i)
{
    round->first_large = round->large == 0 ? i : round->first_large;
    round->large++;
    round->tried -= drain->offered[i];
}

/* Publishes the rows; the ids of the confirmed are in drain->confirmed. */
static void publish_round(struct spool_drain *drain, struct round *round)
{
    const int64_t deadline_ms = clock_monotonic_ms() + drain->round_ms;

    offer_rows(drain, round);
    for (size_t i = 0; i < round->count; i++) {
        if (drain->offered[i])
            drain->outcomes[i] = await(drain, drain->rows[i].ticket, deadline_ms);
    }
    const uint64_t limit = publishers_body_max(drain->publishers);
    for (size_t i = 0; i < round->count; i++) {
        const bool large =
            drain->outcomes[i] == PUBLISH_REFUSED && (!drain->offered[i] || is_above(drain->rows[i].ticket, limit));

        if (large)
            count_large(drain, round, i);
        else
            count_outcome(drain, round, i);
    }
}

static void release_rows(struct spool_drain *drain, const struct round *round)
{
    for (size_t i = 0; i < round->count; i++)
        ticket_release(drain->rows[i].ticket);
}

/* ---- messages that the broker does not take ---- */

/* `id`: the row that it is about; 0: none. */
static void set_problem(struct spool_drain *drain, const char *problem, int64_t id)
{
    drain->problem_id = id;
    pthread_mutex_lock(&drain->mutex);
    (void)snprintf(drain->problem, sizeof drain->problem, "%s", problem);
    pthread_mutex_unlock(&drain->mutex);
}

void spool_drain_problem(struct spool_drain *drain, char out[ERROR_TEXT])
{
    pthread_mutex_lock(&drain->mutex);
    (void)snprintf(out, ERROR_TEXT, "%s", drain->problem);
    pthread_mutex_unlock(&drain->mutex);
}

/* A row that was sent alone and ended the channel or the connection is counted; after some times it is held back. */
static void note_lost_alone(struct spool_drain *drain, const struct round *round)
{
    const struct spooled *row = &drain->rows[round->last_lost];
    char problem[ERROR_TEXT];

    if (round->lost != 1 || round->tried != 1)
        return;
    const enum suspect_verdict verdict = suspect_rows_strike(&drain->suspects, row->id, clock_monotonic_ms());
    if (verdict == SUSPECT_NOTED)
        return;
    (void)snprintf(
        problem, sizeof problem,
        "message %s of the spool (%zu bytes) ends the channel or connection each time it is published: it is "
        "held back and tried every %d s; is it above RabbitMQ's max_message_size? Then raise that limit",
        ticket_envelope(row->ticket)->message_id, ticket_body_bytes(row->ticket).len, SUSPECT_HOLD_MS / 1000);
    if (verdict == SUSPECT_HELD_FIRST)
        log_error("%s", problem);
    set_problem(drain, problem, row->id);
}

/* The first of a pass is named; the log hears of it when nothing was named before. */
static void note_large(struct spool_drain *drain, const struct round *round)
{
    const struct spooled *row = &drain->rows[round->first_large];
    char problem[ERROR_TEXT];

    if (round->large == 0 || drain->large_named)
        return;
    drain->large_named = true;
    (void)snprintf(
        problem, sizeof problem,
        "message %s of the spool (%zu bytes) is above RabbitMQ's max_message_size: it is held back, with any "
        "other above it, and tried every %d s; raise that limit",
        ticket_envelope(row->ticket)->message_id, ticket_body_bytes(row->ticket).len, BODY_LIMIT_TRUSTED_MS / 1000);
    if (drain->problem_id == 0)
        log_error("%s", problem);
    set_problem(drain, problem, row->id);
}

static void note_confirmed(struct spool_drain *drain, const struct round *round)
{
    if (drain->problem_id == 0 && suspect_rows_count(&drain->suspects) == 0)
        return;
    for (size_t i = 0; i < round->confirmed; i++) {
        suspect_rows_forget(&drain->suspects, drain->confirmed[i]);
        if (drain->confirmed[i] == drain->problem_id)
            set_problem(drain, "", 0);
    }
}

/* The spool is empty: what is held back is gone with a file that was set aside. */
static void forget_suspects(struct spool_drain *drain)
{
    drain->suspects = (struct suspect_rows){.count = 0};
    drain->large_up_to = 0;
    if (drain->problem_id)
        set_problem(drain, "", 0);
}

/* ---- after a round ---- */

/* What is published and stays will be published again, and counted once. */
static bool delete_confirmed(struct spool_drain *drain, const struct round *round)
{
    struct error error = {0};

    if (round->confirmed == 0)
        return true;
    if (spool_delete(drain->spool, drain->confirmed, round->confirmed, &error)) {
        drain->delete_failed = false;
        drain->drained += (int64_t)round->confirmed;
        return true;
    }
    if (!drain->delete_failed)
        log_warn("messages that the broker holds are still in the spool and will be published again: %s", error.text);
    drain->delete_failed = true;
    return false;
}

/* One row that ends the connection takes all with it that are on their way: the fewer, the better. */
static void adjust_window(struct spool_drain *drain, const struct round *round)
{
    if (round->lost > 0) {
        drain->window = 1;
        drain->was_lost = true;
    } else if (round->confirmed == round->tried) {
        drain->window = drain->window * 2 < WINDOW_MAX ? drain->window * 2 : WINDOW_MAX;
    }
}

/* Reads the rows behind *cursor. False if the spool does not let itself be read. */
static bool read_rows(struct spool_drain *drain, int64_t cursor, size_t *count)
{
    struct error error = {0};
    const bool ok = spool_read(drain->spool, cursor, drain->window, WINDOW_BYTES, drain->rows, count, &error);

    if (!ok && !drain->read_failed)
        log_warn("the spool cannot be read for now: %s", error.text);
    drain->read_failed = !ok;
    return ok;
}

/* ---- passes ---- */

/* Behind which id a pass begins. What is too large is not read again and again: there may be a great many. (A file that
   could not be read for a while may come back with rows before it; they wait until the limit is asked for afresh.) */
static int64_t first_cursor(struct spool_drain *drain)
{
    const uint64_t limit = publishers_body_max(drain->publishers);

    if (limit == 0 || limit != drain->large_limit)
        drain->large_up_to = 0;
    drain->large_limit = limit;
    return drain->large_up_to;
}

/* Gives the broker time where nothing gets through. */
static void pause_after(struct spool_drain *drain, const struct round *round)
{
    if (round->confirmed > 0 || round->tried == 0)
        backoff_reset(&drain->round_backoff);
    else if (round->refused == round->tried)
        pause_for(drain, drain->first_pause_ms);
    else
        pause_for(drain, backoff_next_ms(&drain->round_backoff));
}

/* Goes once through the spool. True if something was published and nothing stayed behind but what is held back. */
static bool run_pass(struct spool_drain *drain)
{
    int64_t cursor = first_cursor(drain);
    bool tried = false;
    bool clean = true;

    drain->only_large = true;
    drain->was_lost = false;
    drain->large_named = false;
    while (wait_for_gate(drain)) {
        struct round round = {0};

        if (!read_rows(drain, cursor, &round.count)) {
            drain->only_large = false;
            return false;
        }
        if (round.count == 0)
            return clean && tried; /* something was said to wait: nothing at all is no reason to hurry on */
        note_begin(drain);
        cursor = drain->rows[round.count - 1].id;
        publish_round(drain, &round);
        note_lost_alone(drain, &round);
        note_confirmed(drain, &round);
        note_large(drain, &round);
        release_rows(drain, &round);
        clean &= delete_confirmed(drain, &round) && round.confirmed == round.tried;
        tried |= round.tried > 0;
        drain->only_large &= clean && round.confirmed + round.large == round.count;
        if (drain->only_large)
            drain->large_up_to = cursor;
        adjust_window(drain, &round);
        pause_after(drain, &round);
    }
    return false;
}

static void *drain_run(void *argument)
{
    struct spool_drain *drain = argument;

    while (!stop_at(drain)) {
        note_end(drain);
        if (!drain->draining)
            forget_suspects(drain);
        if (!spool_wait(drain->spool, IDLE_MS))
            continue;
        if (run_pass(drain)) {
            backoff_reset(&drain->pass_backoff);
            continue;
        }
        /* What the next pass finds first are the companions of the lost. */
        if (drain->was_lost)
            drain->window = 1;
        if (drain->only_large)
            pause_for(drain, drain->idle_pause_ms);
        else
            pause_for(drain, backoff_next_ms(&drain->pass_backoff));
    }
    return NULL;
}

/* ---- start and stop ---- */

struct spool_drain *spool_drain_start(struct spool *spool, struct publishers *publishers, int64_t pause_max_ms,
                                      int64_t round_ms, struct error *error)
{
    const int64_t max_ms = pause_max_ms > 0 ? pause_max_ms : BACKOFF_MAX_MS;
    const int64_t first_ms = max_ms < BACKOFF_FIRST_MS ? max_ms : BACKOFF_FIRST_MS;
    struct spool_drain *drain = calloc(1, sizeof *drain);
    int failed;

    if (!drain) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the drain of the spool");
        return NULL;
    }
    drain->spool = spool;
    drain->publishers = publishers;
    drain->window = WINDOW_MAX;
    drain->first_pause_ms = first_ms;
    drain->idle_pause_ms = max_ms < IDLE_MS ? max_ms : IDLE_MS;
    drain->round_ms = round_ms > 0 ? round_ms : ROUND_MS;
    backoff_init(&drain->round_backoff, first_ms, max_ms, (uint64_t)clock_monotonic_us());
    backoff_init(&drain->pass_backoff, first_ms, max_ms, (uint64_t)clock_monotonic_us() + 1);
    pthread_mutex_init(&drain->mutex, NULL);
    clock_init_condition(&drain->stopped);
    failed = pthread_create(&drain->thread, NULL, drain_run, drain);
    if (!failed)
        return drain;
    error_set(error, ERROR_INTERNAL, "cannot start the thread that drains the spool: %s", strerror(failed));
    pthread_cond_destroy(&drain->stopped);
    pthread_mutex_destroy(&drain->mutex);
    free(drain);
    return NULL;
}

void spool_drain_stop(struct spool_drain *drain, int64_t deadline_ms)
{
    if (!drain)
        return;
    pthread_mutex_lock(&drain->mutex);
    atomic_store(&drain->stop_at_ms, deadline_ms);
    pthread_cond_signal(&drain->stopped);
    pthread_mutex_unlock(&drain->mutex);
    spool_wake(drain->spool);
    pthread_join(drain->thread, NULL);
    pthread_cond_destroy(&drain->stopped);
    pthread_mutex_destroy(&drain->mutex);
    free(drain);
}
