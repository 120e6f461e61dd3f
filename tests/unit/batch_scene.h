/* A batch in a world that fails as often as it is told, for the tests of the batch. */
#ifndef DROPBRIDGE_TEST_BATCH_SCENE_H
#define DROPBRIDGE_TEST_BATCH_SCENE_H

#include "workers/batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCENE_JOURNAL = 1024 };

/* What is to fail, and what was asked. */
struct world {
    int apply_failures;
    int apply_waits; /* how often Redis has not answered yet */
    int acknowledge_failures;
    bool reject_confirms; /* what waits for the rejected queue goes at the next step there */
    char journal[SCENE_JOURNAL];
};

/* A batch in that world, and its rejects. */
struct scene {
    struct world *world;
    struct batch_ops ops;
    struct reject_ops reject_ops;
    struct pending_rejects rejects;
    struct batch *batch;
};

/* By the deliveries made here. */
extern struct held scene_held;
/* A body that is no event, but tells of an opt-out. */
extern const char SCENE_BOTH[];

struct batch *scene_open(struct scene *scene, struct world *world);
void scene_close(struct scene *scene);

/* It was read. */
struct delivery *scene_delivery(const char *body, uint64_t tag);

/* `kinds`: a letter for each delivery, g for a good one, b for a bad one, o for SCENE_BOTH; tags from 1. */
void scene_add(struct batch *batch, const char *kinds, int64_t now_ms);

/* Steps until the batch is over; the time jumps to what is due. Returns how it ended. */
enum batch_progress scene_run(struct batch *batch, int64_t *now_ms);

#endif
