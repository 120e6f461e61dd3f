/* Latencies in microseconds, counted in buckets of at most 1.6 % width. One thread at a time. */
#ifndef DROPBRIDGE_BENCH_HISTOGRAM_H
#define DROPBRIDGE_BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_OCTAVES = 30, HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * (HISTOGRAM_OCTAVES + 1) };

/* All zero is empty. */
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    int64_t largest_us;
};

/* Below 0 counts as 0. What is past the last bucket is counted in it. */
void histogram_add(struct histogram *histogram, int64_t us);

/* The least value that `share` (0 to 1) of the values do not exceed, rounded up to its bucket's end; 0 if empty. */
int64_t histogram_quantile(const struct histogram *histogram, double share);

#endif
