#include "watchdog.h"

#include "clock.h"
#include "thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

struct watch {
    struct watchdog *dog;
    /* Under the watchdog's mutex. */
    struct watch *next;
    struct watch *previous;
    int fd; /* -1: no call is under way */
    int64_t deadline_ms;
    bool cut;
    int64_t abort_at_ms; /* INT64_MAX: not */
};

struct watchdog {
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below and the watches */
    pthread_cond_t changed;
    struct watch *first;
    int64_t wakes_at_ms; /* when the thread looks again by itself; INT64_MAX: never */
    bool stopping;
};

/* The mutex is held, so that the call cannot end and its descriptor become another file's meanwhile. */
static void cut(struct watch *watch)
{
    (void)shutdown(watch->fd, SHUT_RDWR);
    watch->cut = true;
}

/* Cuts what is late; returns when the next is. The mutex is held. */
static int64_t cut_late(struct watchdog *dog)
{
    const int64_t now_ms = clock_monotonic_ms();
    int64_t next_ms = INT64_MAX;

    for (struct watch *watch = dog->first; watch; watch = watch->next) {
        if (watch->fd < 0 || watch->cut)
            continue;
        if (watch->deadline_ms <= now_ms)
            cut(watch);
        else if (watch->deadline_ms < next_ms)
            next_ms = watch->deadline_ms;
    }
    return next_ms;
}

static void *watchdog_run(void *argument)
{
    struct watchdog *dog = argument;

    pthread_mutex_lock(&dog->mutex);
    while (!dog->stopping) {
        dog->wakes_at_ms = cut_late(dog);
        if (dog->wakes_at_ms == INT64_MAX)
            pthread_cond_wait(&dog->changed, &dog->mutex);
        else
            (void)clock_wait(&dog->changed, &dog->mutex, dog->wakes_at_ms);
    }
    pthread_mutex_unlock(&dog->mutex);
    return NULL;
}

static void watchdog_free(struct watchdog *dog)
{
    pthread_cond_destroy(&dog->changed);
    pthread_mutex_destroy(&dog->mutex);
    free(dog);
}

struct watchdog *watchdog_start(struct error *error)
{
    struct watchdog *dog = calloc(1, sizeof *dog);

    if (!dog) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the watchdog");
        return NULL;
    }
    pthread_mutex_init(&dog->mutex, NULL);
    clock_init_condition(&dog->changed);
    dog->wakes_at_ms = INT64_MAX;
    if (thread_start(&dog->thread, "the watchdog's thread", watchdog_run, dog, error))
        return dog;
    watchdog_free(dog);
    return NULL;
}

void watchdog_stop(struct watchdog *dog)
{
    if (!dog)
        return;
    pthread_mutex_lock(&dog->mutex);
    dog->stopping = true;
    pthread_cond_signal(&dog->changed);
    pthread_mutex_unlock(&dog->mutex);
    pthread_join(dog->thread, NULL);
    watchdog_free(dog);
}

struct watch *watch_new(struct watchdog *dog)
{
    struct watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return NULL;
    watch->dog = dog;
    watch->fd = -1;
    watch->abort_at_ms = INT64_MAX;
    pthread_mutex_lock(&dog->mutex);
    watch->next = dog->first;
    if (dog->first)
        dog->first->previous = watch;
    dog->first = watch;
    pthread_mutex_unlock(&dog->mutex);
    return watch;
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    struct watchdog *dog = watch->dog;

    pthread_mutex_lock(&dog->mutex);
    if (watch->previous)
        watch->previous->next = watch->next;
    else
        dog->first = watch->next;
    if (watch->next)
        watch->next->previous = watch->previous;
    pthread_mutex_unlock(&dog->mutex);
    free(watch);
}

/* The mutex is held, and a call under way. */
static void set_deadline(struct watch *watch, int64_t deadline_ms)
{
    struct watchdog *dog = watch->dog;

    watch->deadline_ms = deadline_ms;
    if (deadline_ms <= clock_monotonic_ms()) {
        cut(watch);
    } else if (deadline_ms < dog->wakes_at_ms) {
        /* Calls come by the thousand, with like limits: the thread is woken only for one that is due before it looks
           again by itself. */
        dog->wakes_at_ms = deadline_ms;
        pthread_cond_signal(&dog->changed);
    }
}

void watch_begin(struct watch *watch, int fd, int64_t limit_ms)
{
    if (!watch)
        return;
    const int64_t deadline_ms = clock_monotonic_ms() + limit_ms;

    pthread_mutex_lock(&watch->dog->mutex);
    watch->fd = fd;
    watch->cut = false;
    set_deadline(watch, deadline_ms < watch->abort_at_ms ? deadline_ms : watch->abort_at_ms);
    pthread_mutex_unlock(&watch->dog->mutex);
}

bool watch_end(struct watch *watch)
{
    bool was_cut;

    if (!watch)
        return false;
    pthread_mutex_lock(&watch->dog->mutex);
    watch->fd = -1;
    was_cut = watch->cut;
    pthread_mutex_unlock(&watch->dog->mutex);
    return was_cut;
}

void watch_abort_at(struct watch *watch, int64_t at_ms)
{
    pthread_mutex_lock(&watch->dog->mutex);
    watch->abort_at_ms = at_ms;
    if (watch->fd >= 0 && !watch->cut && at_ms < watch->deadline_ms)
        set_deadline(watch, at_ms);
    pthread_mutex_unlock(&watch->dog->mutex);
}
