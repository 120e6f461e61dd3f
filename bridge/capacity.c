#include "capacity.h"

#include "common/log.h"
#include "http/server.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

enum {
    SPARE_DESCRIPTORS = 128, /* listeners, broker, files */
    PROBE_STACK = 256 * 1024,
    SPARE_TASKS = 32,        /* probes of health run beside the bridge, in its container */
};

/* Each connection needs one, and so does each that waits for a thread. */
static rlim_t descriptors_for(int64_t threads)
{
    return (rlim_t)(threads + http_server_queue(threads) + SPARE_DESCRIPTORS);
}

/* The usual soft limit of 1024 is too low, and is raised. Accepting with none left would fail again and again. */
static int64_t within_descriptors(int64_t threads)
{
    const rlim_t wanted = descriptors_for(threads);
    struct rlimit limit;
    int64_t possible = threads;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return threads;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    while (possible > 1 && descriptors_for(possible) > limit.rlim_cur)
        possible--;
    if (possible < threads)
        log_warn("HTTP_THREADS=%lld needs %llu descriptors, and %llu are allowed (ulimit -n, LimitNOFILE): %lld connections are "
                 "served at once",
                 (long long)threads, (unsigned long long)wanted, (unsigned long long)limit.rlim_cur, (long long)possible);
    return possible;
}

static void *wait_at(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* How many threads more can be started, up to `wanted`: they are. Nothing else tells of all the limits there are. */
static int64_t startable(int64_t wanted)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = calloc((size_t)wanted, sizeof *threads);
    pthread_attr_t attributes;
    int64_t count = 0;

    if (!threads)
        return 0;
    pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, PROBE_STACK);
    pthread_mutex_lock(&gate);
    while (count < wanted && pthread_create(&threads[count], &attributes, wait_at, &gate) == 0)
        count++;
    pthread_mutex_unlock(&gate);
    for (int64_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&attributes);
    free(threads);
    return count;
}

static int64_t within_tasks(int64_t threads)
{
    const int64_t started = startable(threads + SPARE_TASKS);
    const int64_t possible = started > SPARE_TASKS + 1 ? started - SPARE_TASKS : 1;

    if (possible < threads)
        log_warn("HTTP_THREADS=%lld: only %lld threads more can be started (a limit on tasks: pids_limit, TasksMax or ulimit -u), and "
                 "%d are spared: %lld connections are served at once",
                 (long long)threads, (long long)started, SPARE_TASKS, (long long)possible);
    return possible;
}

int64_t capacity_threads(int64_t threads)
{
    return within_tasks(within_descriptors(threads));
}
