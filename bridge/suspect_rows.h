/* Which rows of the spool ended the channel or the connection when they were sent alone, how often, and which of them
   are held back. Pure; one thread. */
#ifndef DROPBRIDGE_SUSPECT_ROWS_H
#define DROPBRIDGE_SUSPECT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Once or twice may be chance: a broker that ended just then. */
    SUSPECT_STRIKES = 3,
    /* More are struck anew each time; they only cost more. */
    SUSPECT_ROWS = 64,
    SUSPECT_HOLD_MS = 120000,
};

/* All zero: none. */
struct suspect_rows {
    size_t count;
    struct suspect_row {
        int64_t id;
        int strikes;
        int64_t held_until_ms;
    } rows[SUSPECT_ROWS];
};

enum suspect_verdict { SUSPECT_NOTED, SUSPECT_HELD_FIRST, SUSPECT_HELD_AGAIN };

/* The row has ended the channel or the connection, alone: held back for SUSPECT_HOLD_MS from the SUSPECT_STRIKES-th
   time on. */
enum suspect_verdict suspect_rows_strike(struct suspect_rows *suspects, int64_t id, int64_t now_ms);
bool suspect_rows_held(const struct suspect_rows *suspects, int64_t id, int64_t now_ms);
/* It has been published after all. */
void suspect_rows_forget(struct suspect_rows *suspects, int64_t id);
size_t suspect_rows_count(const struct suspect_rows *suspects);

#endif
