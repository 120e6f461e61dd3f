/* As many waiting HTTP threads as the load needs. civetweb 1.15 starts all of them, and those that have nothing to do wait on one
   condition variable: on kernels with a small futex hash every wake-up of any thread then walks them all (2,048 of them cost a
   quarter of what the bridge can take in). So most of them stay here, each asleep in a read, until connections come. A thread
   that was let go does not come back. Any thread. */
#ifndef DROPBRIDGE_HTTP_IDLE_THREADS_H
#define DROPBRIDGE_HTTP_IDLE_THREADS_H

#include "common/error.h"

#include <stddef.h>

struct idle_threads;

/* For `threads` in all. NULL with *error. */
struct idle_threads *idle_threads_new(size_t threads, struct error *error);
/* All of them have ended. NULL is fine. */
void idle_threads_free(struct idle_threads *idle);

/* A thread has started: returns when it is needed. */
void idle_threads_wait(struct idle_threads *idle);
/* So many are busy: lets more go if too few wait. */
void idle_threads_need(struct idle_threads *idle, size_t busy);
/* The end: lets all of them go. */
void idle_threads_let_all_go(struct idle_threads *idle);

#endif
