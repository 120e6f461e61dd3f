/* Clocks. Pure modules never call these: time is passed in. Any thread. */
#ifndef DROPBRIDGE_CLOCK_H
#define DROPBRIDGE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

int64_t clock_wall_ms(void);      /* since 1970-01-01T00:00:00Z */
int64_t clock_monotonic_ms(void); /* since some fixed point; for deadlines */
int64_t clock_monotonic_us(void);

struct timespec clock_timespec_of_ms(int64_t monotonic_ms);
/* Makes a condition variable for clock_wait. */
void clock_init_condition(pthread_cond_t *condition);
/* Waits until it is signalled (or for no reason); false once until_ms (CLOCK_MONOTONIC) has come. The mutex is held. */
bool clock_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_ms);

/* Sleeps in the calling thread. */
void clock_sleep_ms(int64_t ms);

enum { CLOCK_ISO_SIZE = 25 };

/* "2026-03-20T15:04:05.000Z" for a time from year 0 to 9999; returns `out`. */
const char *clock_iso8601_ms(int64_t wall_ms, char out[CLOCK_ISO_SIZE]);

#endif
