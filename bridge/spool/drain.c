#include "drain.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/log_limiter.h"
#include "common/thread.h"
#include "common/timers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WINDOW_MAX = 256, /* messages at the broker at once: few enough for live traffic to pass beside them */
    WINDOW_BYTES = 8 * 1024 * 1024,
    ROUND_MS = 10000,   /* a round's confirms come within this; a silent broker is cut off before */
    STOP_POLL_MS = 100, /* how often a wait for a confirm looks whether the program stops */
    BROKER_POLL_MS = TIMER_MS(250),
    IDLE_MS = TIMER_MS(1000),
    REFUSED_PAUSE_MS = TIMER_MS(50),
    BACKOFF_FIRST_MS = TIMER_MS(100),
    BACKOFF_MAX_MS = TIMER_MS(5000),
    STRIKES = 3,   /* once or twice may be chance: a broker that ended just then */
    HELD_MAX = 64, /* more are struck anew each time; they only cost more */
    HOLD_MS = TIMER_MS(120000),
};

struct spool_drain {
    struct spool *spool;
    struct broker_pool *publishers;
    pthread_t thread;

    pthread_mutex_t mutex; /* of the condition, and of `problem` */
    pthread_cond_t stopped;
    char problem[ERROR_TEXT];
    _Atomic int64_t stop_at_ms; /* 0: run; else take nothing more, and wait until then for what is out */

    /* The thread's own. */
    int64_t round_ms;
    struct backoff backoff;
    struct log_limiter limiter;
    bool told;        /* the log knows that it publishes */
    int64_t begun_ms; /* 0: the spool is empty */
    int64_t drained;  /* since then */
    struct suspect {
        int64_t id;
        int strikes;
        int64_t until_ms; /* it is held back */
    } suspects[HELD_MAX]; /* messages that ended the channel or the connection, alone */
    size_t suspect_count;
    size_t window; /* messages of the next round */
    struct spooled rows[WINDOW_MAX];
    bool offered[WINDOW_MAX];
    int64_t confirmed[WINDOW_MAX]; /* ids */
};

struct round {
    size_t count, tried, confirmed;
    size_t refused; /* of the lost: the channel was closed, or would be: another is soon there */
    size_t lost, last_lost; /* ended a channel or a connection, or were sent beside what did; the index of the last */
};

/* Sleeps; a stop ends it. */
static void pause_for(struct spool_drain *drain, int64_t ms)
{
    const int64_t until_ms = clock_monotonic_ms() + ms;

    pthread_mutex_lock(&drain->mutex);
    while (!atomic_load(&drain->stop_at_ms) && clock_wait(&drain->stopped, &drain->mutex, until_ms))
        continue;
    pthread_mutex_unlock(&drain->mutex);
}

/* False if the program stops first. */
static bool await_broker(struct spool_drain *drain)
{
    struct broker_status broker;

    for (;;) {
        pool_status(drain->publishers, &broker);
        if (atomic_load(&drain->stop_at_ms) || broker.state == BROKER_OPEN)
            return !atomic_load(&drain->stop_at_ms);
        pause_for(drain, BROKER_POLL_MS);
    }
}

/* ---- what people hear of it ---- */

static void note_begin(struct spool_drain *drain)
{
    struct spool_status status;

    if (drain->begun_ms != 0)
        return;
    drain->begun_ms = clock_monotonic_ms();
    drain->drained = 0;
    spool_status(drain->spool, &status);
    /* A few messages get no lines of their own so soon after others. */
    drain->told = log_limiter_is_news(&drain->limiter, "begin", clock_monotonic_ms()) || status.waiting > WINDOW_MAX;
    if (drain->told)
        log_info("publishing what the spool holds: %lld messages", (long long)status.waiting);
}

static void set_problem(struct spool_drain *drain, const char *problem)
{
    pthread_mutex_lock(&drain->mutex);
    snprintf(drain->problem, sizeof drain->problem, "%s", problem);
    pthread_mutex_unlock(&drain->mutex);
}

void spool_drain_problem(struct spool_drain *drain, char out[ERROR_TEXT])
{
    pthread_mutex_lock(&drain->mutex);
    snprintf(out, ERROR_TEXT, "%s", drain->problem);
    pthread_mutex_unlock(&drain->mutex);
}

/* Whatever was held back is gone, too. */
static void note_end(struct spool_drain *drain)
{
    struct spool_status status;

    spool_status(drain->spool, &status);
    if (drain->begun_ms == 0 || status.waiting > 0)
        return;
    if (drain->told)
        log_info("the spool is empty again: %lld messages published in %.1f s", (long long)drain->drained,
                 (double)(clock_monotonic_ms() - drain->begun_ms) / 1000.0);
    drain->begun_ms = 0;
    drain->suspect_count = 0;
    set_problem(drain, "");
}

/* ---- messages that end the channel ---- */

/* NULL: it is none. */
static struct suspect *find_suspect(struct spool_drain *drain, int64_t id)
{
    for (size_t i = 0; i < drain->suspect_count; i++) {
        if (drain->suspects[i].id == id)
            return &drain->suspects[i];
    }
    return NULL;
}

static bool is_held(struct spool_drain *drain, int64_t id)
{
    const struct suspect *suspect = find_suspect(drain, id);

    return suspect && clock_monotonic_ms() < suspect->until_ms;
}

static void note_confirmed(struct spool_drain *drain, int64_t id)
{
    struct suspect *suspect = find_suspect(drain, id);

    if (suspect)
        *suspect = drain->suspects[--drain->suspect_count];
    if (suspect && drain->suspect_count == 0)
        set_problem(drain, "");
}

/* It was sent alone. */
static void strike(struct spool_drain *drain, const struct spooled *row, bool refused)
{
    struct suspect *suspect = find_suspect(drain, row->id);
    char problem[ERROR_TEXT];

    if (!suspect) {
        suspect = &drain->suspects[drain->suspect_count < HELD_MAX ? drain->suspect_count++ : 0];
        *suspect = (struct suspect){.id = row->id};
    }
    if (++suspect->strikes < STRIKES && !refused)
        return;
    snprintf(problem, sizeof problem,
             "message %s of the spool (%zu bytes) ends the channel or connection each time it is published: it is held back and "
             "tried every %d s; is it above RabbitMQ's max_message_size? Then raise that limit",
             row->message->envelope.message_id, row->message->body_len, HOLD_MS / 1000);
    if (suspect->until_ms == 0 && log_limiter_is_news(&drain->limiter, "held", clock_monotonic_ms()))
        log_error("%s", problem);
    set_problem(drain, problem);
    suspect->until_ms = clock_monotonic_ms() + HOLD_MS;
}

/* ---- one round ---- */

/* The outcome of an offered message; PUBLISH_TIMEOUT at deadline_ms, or when the stop's deadline has passed. */
static enum publish_outcome await(struct spool_drain *drain, struct pending_message *message, int64_t deadline_ms)
{
    for (;;) {
        int64_t stop_ms = atomic_load(&drain->stop_at_ms);
        int64_t last_ms = stop_ms && stop_ms < deadline_ms ? stop_ms : deadline_ms;
        int64_t look_ms = clock_monotonic_ms() + STOP_POLL_MS;

        if (message_wait(message, look_ms < last_ms ? look_ms : last_ms) || clock_monotonic_ms() >= last_ms)
            return message_await(message, last_ms);
    }
}

/* Publishes the rows, except those that are held back; the ids of the confirmed are in drain->confirmed. */
static void publish(struct spool_drain *drain, struct round *round)
{
    int64_t deadline_ms = clock_monotonic_ms() + drain->round_ms;
    enum publish_outcome outcome;

    for (size_t i = 0; i < round->count; i++) {
        bool held = is_held(drain, drain->rows[i].id);

        round->tried += !held;
        drain->offered[i] = !held && pool_offer(drain->publishers, drain->rows[i].message, &outcome);
    }
    for (size_t i = 0; i < round->count; i++) {
        outcome = drain->offered[i] ? await(drain, drain->rows[i].message, deadline_ms) : PUBLISH_AWAY;
        if (outcome == PUBLISH_CONFIRMED) {
            drain->confirmed[round->confirmed++] = drain->rows[i].id;
            note_confirmed(drain, drain->rows[i].id);
        } else if (outcome == PUBLISH_LOST || outcome == PUBLISH_REFUSED) {
            round->lost++;
            round->refused += outcome == PUBLISH_REFUSED;
            round->last_lost = i;
        }
    }
    if (round->lost == 1 && round->tried == 1)
        strike(drain, &drain->rows[round->last_lost], round->refused > 0);
}

/* What is published and stays will be published again, and counted once. */
static bool delete_confirmed(struct spool_drain *drain, const struct round *round)
{
    struct error error;

    if (round->confirmed == 0)
        return true;
    if (spool_delete(drain->spool, drain->confirmed, round->confirmed, &error)) {
        drain->drained += (int64_t)round->confirmed;
        return true;
    }
    if (log_limiter_is_news(&drain->limiter, "delete", clock_monotonic_ms()))
        log_warn("messages that the broker holds are still in the spool and will be published again: %s", error.text);
    return false;
}

static bool read_rows(struct spool_drain *drain, int64_t after_id, size_t *count)
{
    struct error error;

    if (spool_read(drain->spool, after_id, drain->window, WINDOW_BYTES, drain->rows, count, &error))
        return true;
    if (log_limiter_is_news(&drain->limiter, "read", clock_monotonic_ms()))
        log_warn("the spool cannot be read for now: %s", error.text);
    return false;
}

/* One message that ends the connection takes all with it that are on their way: the fewer, the better. */
static void adjust_window(struct spool_drain *drain, const struct round *round)
{
    if (round->lost > 0)
        drain->window = 1;
    else if (round->confirmed == round->tried)
        drain->window = drain->window * 2 < WINDOW_MAX ? drain->window * 2 : WINDOW_MAX;
}

/* Goes once through the spool. True if something was published and nothing else stayed behind than what is held back. */
static bool run_pass(struct spool_drain *drain)
{
    bool tried = false, clean = true;
    int64_t cursor = 0;

    while (await_broker(drain)) {
        struct round round = {0};

        if (!read_rows(drain, cursor, &round.count))
            return false;
        if (round.count == 0)
            return clean && tried; /* something was said to wait: nothing at all is no reason to hurry on */
        note_begin(drain);
        cursor = drain->rows[round.count - 1].id;
        publish(drain, &round);
        for (size_t i = 0; i < round.count; i++)
            message_release(drain->rows[i].message);
        clean &= delete_confirmed(drain, &round) && round.confirmed == round.tried;
        tried |= round.tried > 0;
        adjust_window(drain, &round);
        if (round.confirmed > 0)
            backoff_reset(&drain->backoff);
        else if (round.tried > 0) /* gives the broker time where nothing gets through */
            pause_for(drain, round.refused > 0 ? REFUSED_PAUSE_MS : backoff_next_ms(&drain->backoff));
    }
    return false;
}

static void *run_drain(void *argument)
{
    struct spool_drain *drain = argument;

    while (!atomic_load(&drain->stop_at_ms)) {
        note_end(drain);
        if (spool_wait(drain->spool, IDLE_MS) && !run_pass(drain))
            pause_for(drain, backoff_next_ms(&drain->backoff));
    }
    return NULL;
}

/* ---- start and stop ---- */

static void free_drain(struct spool_drain *drain)
{
    pthread_cond_destroy(&drain->stopped);
    pthread_mutex_destroy(&drain->mutex);
    free(drain);
}

struct spool_drain *spool_drain_start(struct spool *spool, struct broker_pool *publishers, int64_t pause_max_ms,
                                      int64_t round_ms, struct error *error)
{
    struct spool_drain *drain = calloc(1, sizeof *drain);

    if (!drain) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the drain of the spool");
        return NULL;
    }
    drain->spool = spool;
    drain->publishers = publishers;
    drain->window = WINDOW_MAX;
    drain->round_ms = round_ms > 0 ? round_ms : ROUND_MS;
    backoff_init(&drain->backoff, BACKOFF_FIRST_MS, pause_max_ms > 0 ? pause_max_ms : BACKOFF_MAX_MS, (uint64_t)clock_monotonic_us());
    pthread_mutex_init(&drain->mutex, NULL);
    clock_init_condition(&drain->stopped);
    if (thread_start(&drain->thread, "the thread that drains the spool", run_drain, drain, error))
        return drain;
    free_drain(drain);
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
    free_drain(drain);
}
