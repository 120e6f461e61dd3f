/* What a look found wrong, as sentences, and what mends it, as repairs for verify_repair.lua. Pure. */
#ifndef DROPBRIDGE_FINDINGS_H
#define DROPBRIDGE_FINDINGS_H

#include "look.h"
#include "unlisted.h"

#include <stdbool.h>
#include <stddef.h>

struct finding {
    char *line; /* "dc:campaign:spring:counters success: 12, …" */
};

/* A difference, or what is only ever raised: right also while workers count. */
struct repair {
    const char *how; /* as verify_repair.lua lists them */
    char *key;       /* without the prefix */
    char *field, *value;
    bool lowers; /* a count, or accepts that counts are lost: with --lower only */
};

struct findings {
    struct finding *list;
    size_t count, capacity;
    struct repair *repairs;
    size_t repair_count, repair_capacity;
    bool complete; /* false: memory ran out */
};

/* Solves look->sums. */
void findings_make(struct findings *findings, struct look *look, const struct unlisted *unlisted, const char *prefix);
void findings_clear(struct findings *findings);

#endif
