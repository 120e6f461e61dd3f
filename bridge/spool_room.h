/* Whether there is room in the spool: says on the board what does not fit any more, and in the log, once, that it is
   full and that it has room again. One thread at a time. */
#ifndef DROPBRIDGE_SPOOL_ROOM_H
#define DROPBRIDGE_SPOOL_ROOM_H

#include "spool_board.h"
#include "spool_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_room {
    const char *path; /* SPOOL_PATH */
    int64_t max_bytes;
    struct spool_board *board;
    bool full_logged;
    int64_t full_logged_ms; /* 0: never */
    int64_t large_logged_ms;
};

/* `path` and `board` must outlive it. */
void spool_room_init(struct spool_room *room, const char *path, int64_t max_bytes, struct spool_board *board);

/* A row of this size did not fit: the spool is full, or only such rows are too large, if an ordinary one still fits. */
void spool_room_note_full(struct spool_room *room, const struct spool_file *file, size_t row_size);
/* Something was taken out. */
void spool_room_note_less(struct spool_room *room, const struct spool_file *file);

#endif
