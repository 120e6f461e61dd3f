#include "spool_board.h"

#include "../common/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct spool_board {
    struct bridge_metrics *metrics;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct spool_status status;
    struct error refusal; /* ERROR_NONE: none */
    size_t too_large;
    bool readable;
    bool woken;
    bool ended;
};

struct spool_board *spool_board_new(struct bridge_metrics *metrics)
{
    struct spool_board *board = calloc(1, sizeof *board);

    if (!board)
        return NULL;
    board->metrics = metrics;
    board->too_large = SIZE_MAX;
    pthread_mutex_init(&board->mutex, NULL);
    clock_init_condition(&board->changed);
    return board;
}

void spool_board_free(struct spool_board *board)
{
    if (!board)
        return;
    pthread_cond_destroy(&board->changed);
    pthread_mutex_destroy(&board->mutex);
    free(board);
}

void spool_board_set_state(struct spool_board *board, enum spool_state state, const char *problem)
{
    pthread_mutex_lock(&board->mutex);
    board->status.state = state;
    snprintf(board->status.problem, sizeof board->status.problem, "%s", problem);
    pthread_mutex_unlock(&board->mutex);
}

void spool_board_status(struct spool_board *board, struct spool_status *out)
{
    pthread_mutex_lock(&board->mutex);
    *out = board->status;
    pthread_mutex_unlock(&board->mutex);
}

enum spool_state spool_board_state(struct spool_board *board)
{
    enum spool_state state;

    pthread_mutex_lock(&board->mutex);
    state = board->status.state;
    pthread_mutex_unlock(&board->mutex);
    return state;
}

void spool_board_set_waiting(struct spool_board *board, int64_t waiting)
{
    pthread_mutex_lock(&board->mutex);
    board->status.waiting = waiting;
    pthread_cond_broadcast(&board->changed);
    pthread_mutex_unlock(&board->mutex);
    metric_set(&board->metrics->rows[METRIC_SPOOL_WAITING], waiting);
}

int64_t spool_board_waiting(struct spool_board *board)
{
    int64_t waiting;

    pthread_mutex_lock(&board->mutex);
    waiting = board->status.waiting;
    pthread_mutex_unlock(&board->mutex);
    return waiting;
}

void spool_board_set_bytes(struct spool_board *board, int64_t bytes)
{
    pthread_mutex_lock(&board->mutex);
    board->status.bytes = bytes;
    pthread_mutex_unlock(&board->mutex);
    metric_set(&board->metrics->rows[METRIC_SPOOL_BYTES], bytes);
}

void spool_board_set_too_large(struct spool_board *board, size_t row_size)
{
    pthread_mutex_lock(&board->mutex);
    board->too_large = row_size;
    pthread_mutex_unlock(&board->mutex);
}

size_t spool_board_too_large(struct spool_board *board)
{
    size_t too_large;

    pthread_mutex_lock(&board->mutex);
    too_large = board->status.state == SPOOL_IS_FULL ? 0 : board->too_large;
    pthread_mutex_unlock(&board->mutex);
    return too_large;
}

void spool_board_refuse(struct spool_board *board, const struct error *why)
{
    pthread_mutex_lock(&board->mutex);
    board->refusal = *why;
    pthread_mutex_unlock(&board->mutex);
}

bool spool_board_refused(struct spool_board *board, struct error *error)
{
    bool refused;

    pthread_mutex_lock(&board->mutex);
    refused = board->refusal.code != ERROR_NONE;
    if (refused)
        *error = board->refusal;
    pthread_mutex_unlock(&board->mutex);
    return refused;
}

void spool_board_set_readable(struct spool_board *board, bool readable)
{
    pthread_mutex_lock(&board->mutex);
    board->readable = readable;
    pthread_cond_broadcast(&board->changed);
    pthread_mutex_unlock(&board->mutex);
}

bool spool_board_wait(struct spool_board *board, int64_t timeout_ms)
{
    const struct timespec deadline = clock_timespec_of_ms(clock_monotonic_ms() + timeout_ms);
    bool is_there = false;
    int waited = 0;

    pthread_mutex_lock(&board->mutex);
    for (;;) {
        is_there = board->readable && board->status.waiting > 0;
        if (is_there || board->woken || waited != 0)
            break;
        waited = pthread_cond_timedwait(&board->changed, &board->mutex, &deadline);
    }
    board->woken = false;
    pthread_mutex_unlock(&board->mutex);
    return is_there;
}

void spool_board_wake(struct spool_board *board)
{
    pthread_mutex_lock(&board->mutex);
    board->woken = true;
    pthread_cond_broadcast(&board->changed);
    pthread_mutex_unlock(&board->mutex);
}

void spool_board_end(struct spool_board *board)
{
    pthread_mutex_lock(&board->mutex);
    board->ended = true;
    pthread_cond_broadcast(&board->changed);
    pthread_mutex_unlock(&board->mutex);
}

bool spool_board_await_end(struct spool_board *board, int64_t timeout_ms)
{
    const struct timespec deadline = clock_timespec_of_ms(clock_monotonic_ms() + timeout_ms);
    bool ended;
    int waited = 0;

    pthread_mutex_lock(&board->mutex);
    while (!board->ended && waited == 0)
        waited = pthread_cond_timedwait(&board->changed, &board->mutex, &deadline);
    ended = board->ended;
    pthread_mutex_unlock(&board->mutex);
    return ended;
}
