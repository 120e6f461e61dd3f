#include "thread.h"

#include <string.h>

bool thread_start(pthread_t *thread, const char *which, void *(*run)(void *), void *argument, struct error *error)
{
    const int failed = pthread_create(thread, NULL, run, argument);

    if (failed)
        error_set(error, ERROR_INTERNAL, "cannot start %s: %s", which, strerror(failed));
    return failed == 0;
}
