/* Where the spool lies: its folder, a lock while it is opened or set aside, and the renaming of what cannot be used.
   Knows nothing of SQLite but the header of its files and the names of those beside it. One thread at a time. */
#ifndef DROPBRIDGE_SPOOL_PLACE_H
#define DROPBRIDGE_SPOOL_PLACE_H

#include "../common/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum spool_found {
    SPOOL_NOTHING, /* no file, or an empty one */
    SPOOL_OURS,    /* the header of a database with our mark */
    SPOOL_FOREIGN, /* the header of another program's database */
    SPOOL_GARBAGE, /* no database */
};

struct spool_place {
    char path[PATH_MAX]; /* absolute, links resolved: it means the same wherever the process goes */
    int folder;          /* descriptor */
};

/* Resolves `path` and locks its folder against other processes that open a spool there; to be left soon. False with
   *error: ERROR_CONFIG (no such folder, no right to write), ERROR_REFUSED (another process is opening there now),
   ERROR_UNAVAILABLE. Only while the file is not open in this process: closing any descriptor of it lets go of SQLite's
   lock. */
bool spool_place_enter(const char *path, struct spool_place *out, struct error *error);
void spool_place_leave(struct spool_place *place);

/* Looks at the header. False with *error as above: also if it is no regular file. */
bool spool_place_look(const struct spool_place *place, uint32_t application_id, enum spool_found *out,
                      struct error *error);
/* Whether a log that is not empty lies beside the file. */
bool spool_place_has_log(const struct spool_place *place);
/* Makes an empty file that only its owner can read, unless there is one, and sees to it that its name is on the disk.
 */
bool spool_place_make(const struct spool_place *place, struct error *error);
/* Renames the file and those beside it to FILE.set-aside-YYYYMMDDTHHMMSSZ, never over another; `why` ("it is damaged:
   …") goes into the log. A log without its database goes too. */
bool spool_place_set_aside(const struct spool_place *place, const char *why, struct error *error);

/* ERROR_CONFIG for what an operator must put right (rights, folders), else ERROR_UNAVAILABLE. */
enum error_code spool_place_code(int error_number);

#endif
