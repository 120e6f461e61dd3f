/* How many connections the system lets the bridge serve at once. */
#ifndef DROPBRIDGE_CAPACITY_H
#define DROPBRIDGE_CAPACITY_H

#include <stdint.h>

/* How many of `threads` (HTTP_THREADS) can be had, each with a connection of its own, once all other threads of the program
   run; at least 1. Raises the soft limit of descriptors. What limits them is logged, with the setting that does. */
int64_t capacity_threads(int64_t threads);

#endif
