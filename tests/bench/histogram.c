#include "histogram.h"

#include <stddef.h>

/* Up to HISTOGRAM_STEPS each value has a bucket; from there on each doubling has HISTOGRAM_STEPS of them. */
static size_t bucket_of(uint64_t value)
{
    unsigned octave = 0;
    while (value >> octave >= 2 * (uint64_t)HISTOGRAM_STEPS)
        octave++;
    if (value < HISTOGRAM_STEPS)
        return (size_t)value;
    size_t bucket = (size_t)(octave * HISTOGRAM_STEPS + (value >> octave));
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value in it. */
static int64_t end_of(size_t bucket)
{
    if (bucket < 2 * (size_t)HISTOGRAM_STEPS)
        return (int64_t)bucket;
    unsigned octave = (unsigned)(bucket / HISTOGRAM_STEPS) - 1;
    return (int64_t)(((uint64_t)(bucket - (size_t)octave * HISTOGRAM_STEPS) + 1) << octave) - 1;
}

void histogram_add(struct histogram *histogram, int64_t us)
{
    int64_t value = us < 0 ? 0 : us;
    histogram->counts[bucket_of((uint64_t)value)]++;
    histogram->total++;
    if (value > histogram->largest_us)
        histogram->largest_us = value;
}

int64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->total);
    uint64_t seen = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && seen >= wanted)
            return end_of(i) < histogram->largest_us ? end_of(i) : histogram->largest_us;
    }
    return histogram->largest_us;
}
