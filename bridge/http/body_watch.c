#include "body_watch.h"

#include "common/clock.h"
#include "common/descriptors.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { WATCH_TICK_MS = 100 };

struct body_slot {
    struct body_watch *watch;
    struct body_slot *next;
    struct body_slot *next_overdue; /* the watcher's, for one walk */
    pthread_mutex_t mutex;          /* holding it keeps the armed connection open: its thread cannot disarm and close */
    bool armed;
    bool expired;
    int64_t deadline_ms;
    const char *remote_address;
    uint16_t remote_port;
    uint16_t local_port;
};

struct body_watch {
    pthread_t thread;
    atomic_int armed;     /* slots armed now */
    atomic_bool sleeping; /* the watcher has seen none armed and waits for the condition */
    atomic_bool stop;
    pthread_mutex_t mutex; /* guards the list and the condition */
    pthread_cond_t wake;
    struct body_slot *slots;
};

static bool is_overdue(const struct body_slot *slot, int64_t now_ms)
{
    return slot->armed && !slot->expired && now_ms >= slot->deadline_ms;
}

/* The slot's mutex is held. */
static bool is_connection_of(const struct body_slot *slot, int fd)
{
    char address[DESCRIPTOR_ADDRESS];
    uint16_t remote_port;
    uint16_t local_port;

    return descriptor_peer(fd, address, &remote_port, &local_port) && slot->remote_port == remote_port &&
           slot->local_port == local_port && strcmp(slot->remote_address, address) == 0;
}

/* All the connections that are overdue at one moment share one walk over the descriptors. */
struct overdue {
    struct body_slot *slots;
    int64_t now_ms;
};

static void cut_if_overdue(void *context, int fd)
{
    const struct overdue *overdue = context;
    char address[DESCRIPTOR_ADDRESS];
    uint16_t remote_port;
    uint16_t local_port;

    if (!descriptor_peer(fd, address, &remote_port, &local_port))
        return;
    for (struct body_slot *slot = overdue->slots; slot; slot = slot->next_overdue) {
        pthread_mutex_lock(&slot->mutex);
        /* The descriptor may have been closed and reused since it was asked: it is asked again under the mutex. */
        if (is_overdue(slot, overdue->now_ms) && slot->remote_port == remote_port && is_connection_of(slot, fd)) {
            slot->expired = true;
            (void)shutdown(fd, SHUT_RD);
        }
        pthread_mutex_unlock(&slot->mutex);
    }
}

/* The list's mutex is held: no slot goes away. */
static void cut_overdue(struct body_watch *watch)
{
    struct overdue overdue = {.now_ms = clock_monotonic_ms()};

    for (struct body_slot *slot = watch->slots; slot; slot = slot->next) {
        pthread_mutex_lock(&slot->mutex);
        if (is_overdue(slot, overdue.now_ms)) {
            slot->next_overdue = overdue.slots;
            overdue.slots = slot;
        }
        pthread_mutex_unlock(&slot->mutex);
    }
    if (overdue.slots)
        (void)descriptors_each(cut_if_overdue, &overdue);
}

static void *watch_run(void *argument)
{
    struct body_watch *watch = argument;

    pthread_mutex_lock(&watch->mutex);
    while (!atomic_load(&watch->stop)) {
        const struct timespec tick = clock_timespec_of_ms(clock_monotonic_ms() + WATCH_TICK_MS);

        atomic_store(&watch->sleeping, true);
        if (atomic_load(&watch->armed) == 0) {
            pthread_cond_wait(&watch->wake, &watch->mutex);
        } else {
            atomic_store(&watch->sleeping, false);
            (void)pthread_cond_timedwait(&watch->wake, &watch->mutex, &tick);
        }
        atomic_store(&watch->sleeping, false);
        cut_overdue(watch);
    }
    pthread_mutex_unlock(&watch->mutex);
    return NULL;
}

struct body_watch *body_watch_start(struct error *error)
{
    struct body_watch *watch = calloc(1, sizeof *watch);

    if (!watch) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the body watch");
        return NULL;
    }
    pthread_mutex_init(&watch->mutex, NULL);
    clock_init_condition(&watch->wake);
    const int failed = pthread_create(&watch->thread, NULL, watch_run, watch);
    if (failed) {
        error_set(error, ERROR_INTERNAL, "cannot start the body watch: %s", strerror(failed));
        pthread_cond_destroy(&watch->wake);
        pthread_mutex_destroy(&watch->mutex);
        free(watch);
        return NULL;
    }
    return watch;
}

void body_watch_stop(struct body_watch *watch)
{
    if (!watch)
        return;
    atomic_store(&watch->stop, true);
    pthread_mutex_lock(&watch->mutex);
    pthread_cond_signal(&watch->wake);
    pthread_mutex_unlock(&watch->mutex);
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->wake);
    pthread_mutex_destroy(&watch->mutex);
    free(watch);
}

struct body_slot *body_slot_new(struct body_watch *watch)
{
    struct body_slot *slot = calloc(1, sizeof *slot);

    if (!slot)
        return NULL;
    slot->watch = watch;
    pthread_mutex_init(&slot->mutex, NULL);
    pthread_mutex_lock(&watch->mutex);
    slot->next = watch->slots;
    watch->slots = slot;
    pthread_mutex_unlock(&watch->mutex);
    return slot;
}

void body_slot_free(struct body_slot *slot)
{
    if (!slot)
        return;
    pthread_mutex_lock(&slot->watch->mutex);
    for (struct body_slot **link = &slot->watch->slots; *link; link = &(*link)->next) {
        if (*link == slot) {
            *link = slot->next;
            break;
        }
    }
    pthread_mutex_unlock(&slot->watch->mutex);
    pthread_mutex_destroy(&slot->mutex);
    free(slot);
}

void body_slot_arm(struct body_slot *slot, const char *remote_address, int remote_port, int local_port,
                   int64_t deadline_ms)
{
    struct body_watch *watch = slot->watch;

    pthread_mutex_lock(&slot->mutex);
    slot->armed = true;
    slot->expired = false;
    slot->deadline_ms = deadline_ms;
    slot->remote_address = remote_address;
    slot->remote_port = (uint16_t)remote_port;
    slot->local_port = (uint16_t)local_port;
    pthread_mutex_unlock(&slot->mutex);
    atomic_fetch_add(&watch->armed, 1);
    /* The watcher says that it sleeps before it looks at `armed`: one of the two sees the other. */
    if (atomic_load(&watch->sleeping)) {
        pthread_mutex_lock(&watch->mutex);
        pthread_cond_signal(&watch->wake);
        pthread_mutex_unlock(&watch->mutex);
    }
}

bool body_slot_disarm(struct body_slot *slot)
{
    bool expired;

    atomic_fetch_sub(&slot->watch->armed, 1);
    pthread_mutex_lock(&slot->mutex);
    expired = slot->expired;
    slot->armed = false;
    pthread_mutex_unlock(&slot->mutex);
    return expired;
}
