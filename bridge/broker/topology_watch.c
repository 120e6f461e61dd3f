#include "topology_watch.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/log_limiter.h"
#include "common/protection.h"
#include "common/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char connection_name[] = "dropbridge-topology";

struct topology_watch {
    const struct amqp_settings *settings;
    struct broker_pool *pool;
    struct watchdog *dog;
    struct watch *watch;
    pthread_t thread;
    bool refused; /* this and the limiter: the thread only */
    struct log_limiter limiter;

    pthread_mutex_t mutex; /* guards `stopping` */
    pthread_cond_t changed;
    bool stopping;
};

static void complain(struct topology_watch *watch, const char *what, const struct error *why)
{
    struct error whole;

    error_set(&whole, why->code, "%s: %.440s", what, why->text);
    if (log_limiter_is_news(&watch->limiter, whole.text, clock_monotonic_ms()))
        log_warn("%s", whole.text);
}

static void note_right(struct topology_watch *watch)
{
    pool_refuse(watch->pool, NULL);
    if (watch->refused)
        log_info("RabbitMQ's exchanges, queues and bindings are as they must be again");
    watch->refused = false;
    log_limiter_forget(&watch->limiter);
}

static void note_refused(struct topology_watch *watch, const struct error *error)
{
    watch->refused = true;
    pool_refuse(watch->pool, error->text);
    complain(watch, "nothing is published for now", error);
}

static void check(struct topology_watch *watch, size_t url_index)
{
    struct error error = {0};
    struct amqp_session *session =
        amqp_session_connect(watch->settings, url_index, connection_name, watch->watch, &error);

    if (!session) {
        /* The publishers' connections may go on working: a changed password is asked for only at the next login. */
        if (error.code == ERROR_REFUSED)
            complain(watch, "a new connection to RabbitMQ is refused", &error);
        return;
    }
    if (amqp_session_declare(session, watch->settings, &error))
        note_right(watch);
    else if (error.code == ERROR_REFUSED)
        note_refused(watch, &error);
    amqp_session_close(session);
}

/* True when it is time for the next check, false at the stop. */
static bool wait_for_turn(struct topology_watch *watch)
{
    const struct timespec until = clock_timespec_of_ms(clock_monotonic_ms() + TOPOLOGY_CHECK_MS);
    int waited = 0;
    bool stopping;

    pthread_mutex_lock(&watch->mutex);
    while (!watch->stopping && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&watch->changed, &watch->mutex, &until);
    stopping = watch->stopping;
    pthread_mutex_unlock(&watch->mutex);
    return !stopping;
}

static void *topology_watch_run(void *argument)
{
    struct topology_watch *watch = argument;

    while (wait_for_turn(watch)) {
        size_t url_index = 0;

        /* A publisher that connects sees to the topology itself. */
        if (pool_connected(watch->pool, &url_index) && protection("topology"))
            check(watch, url_index);
    }
    return NULL;
}

static void topology_watch_free(struct topology_watch *watch)
{
    watch_free(watch->watch);
    watchdog_stop(watch->dog);
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->mutex);
    free(watch);
}

struct topology_watch *topology_watch_start(const struct amqp_settings *settings, struct broker_pool *pool,
                                            struct error *error)
{
    struct topology_watch *watch = calloc(1, sizeof *watch);
    int failed;

    if (!watch) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the topology's watch");
        return NULL;
    }
    watch->settings = settings;
    watch->pool = pool;
    pthread_mutex_init(&watch->mutex, NULL);
    clock_init_condition(&watch->changed);
    watch->dog = watchdog_start(error);
    if (!watch->dog)
        goto out;
    watch->watch = watch_new(watch->dog);
    if (!watch->watch) {
        error_set(error, ERROR_NO_MEMORY, "no memory for the topology's watch");
        goto out;
    }
    failed = pthread_create(&watch->thread, NULL, topology_watch_run, watch);
    if (!failed)
        return watch;
    error_set(error, ERROR_INTERNAL, "cannot start the topology's thread: %s", strerror(failed));
out:
    topology_watch_free(watch);
    return NULL;
}

void topology_watch_stop(struct topology_watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->mutex);
    watch->stopping = true;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
    watch_abort(watch->watch);
    pthread_join(watch->thread, NULL);
    topology_watch_free(watch);
}
