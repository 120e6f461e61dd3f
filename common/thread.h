/* A thread of one's own, to be joined by who started it. */
#ifndef DROPBRIDGE_THREAD_H
#define DROPBRIDGE_THREAD_H

#include "error.h"

#include <pthread.h>
#include <stdbool.h>

/* `which` is "the watchdog's thread", for the sentence in *error if the system has none (false). */
bool thread_start(pthread_t *thread, const char *which, void *(*run)(void *), void *argument, struct error *error);

#endif
