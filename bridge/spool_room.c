#include "spool_room.h"

#include "../common/clock.h"
#include "../common/log.h"

#include <stdio.h>

enum {
    /* A spool that was full and falls below so many percent has room again, for the log. */
    ROOM_PERCENT = 90,
    /* The row of a message that many are like: while it fits the spool is not full. */
    ORDINARY_BYTES = 4096 + 512,
    LOG_AGAIN_MS = 60000,
};

void spool_room_init(struct spool_room *room, const char *path, int64_t max_bytes, struct spool_board *board)
{
    *room = (struct spool_room){.path = path, .max_bytes = max_bytes, .board = board};
}

/* At most once in a while. */
static bool may_log(int64_t *last_ms)
{
    const int64_t now_ms = clock_monotonic_ms();

    if (*last_ms != 0 && now_ms - *last_ms < LOG_AGAIN_MS)
        return false;
    *last_ms = now_ms;
    return true;
}

static void note_large(struct spool_room *room, size_t row_size)
{
    if (may_log(&room->large_logged_ms))
        log_error("a message of %zu bytes does not fit into the spool %s (%lld messages, SPOOL_MAX_BYTES=%lld): such a "
                  "one is refused while RabbitMQ does not take it, smaller ones are not: allow more",
                  row_size, room->path, (long long)spool_board_waiting(room->board), (long long)room->max_bytes);
}

void spool_room_note_full(struct spool_room *room, const struct spool_file *file, size_t row_size)
{
    char problem[ERROR_TEXT];

    spool_board_set_too_large(room->board, row_size);
    if (row_size > ORDINARY_BYTES && spool_file_has_room(file, ORDINARY_BYTES)) {
        note_large(room, row_size);
        return;
    }
    snprintf(problem, sizeof problem,
             "the spool %s is full: %lld messages, SPOOL_MAX_BYTES=%lld: see that RabbitMQ takes events "
             "(broker_problem of /readyz), or allow more",
             room->path, (long long)spool_board_waiting(room->board), (long long)room->max_bytes);
    spool_board_set_state(room->board, SPOOL_IS_FULL, problem);
    if (!room->full_logged && may_log(&room->full_logged_ms)) {
        log_error("%s; until it is drained what RabbitMQ does not take is refused", problem);
        room->full_logged = true;
    }
}

void spool_room_note_less(struct spool_room *room, const struct spool_file *file)
{
    spool_board_set_too_large(room->board, SIZE_MAX);
    if (spool_board_state(room->board) == SPOOL_IS_FULL)
        spool_board_set_state(room->board, SPOOL_OPEN, "");
    if (room->full_logged && spool_file_bytes(file) <= room->max_bytes / 100 * ROOM_PERCENT) {
        log_info("the spool %s has room again", room->path);
        room->full_logged = false;
    }
}
