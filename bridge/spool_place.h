/* Where the spool lies: its folder, the lock that keeps it to one process, whether its files are still what their names
   say, and the renaming of what cannot be used. Knows nothing of SQLite but the header of its files and the names of
   those beside it. One thread at a time. */
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

/* What has become of an open file; what its descriptors hold is there in any case, until they are closed. */
enum spool_presence {
    SPOOL_PRESENT,
    SPOOL_LOG_GONE, /* the file is in its place, the log beside it is not */
    SPOOL_MOVED,    /* the name is another file's or nobody's, and the file has another name */
    SPOOL_DELETED,
};

/* Descriptors are -1 where there is none. */
struct spool_place {
    char path[PATH_MAX]; /* absolute, links resolved: it means the same wherever the process goes */
    int folder;
    int lock; /* of FILE.lock */
    int file; /* these two only know the files: closing them does not let go of SQLite's lock */
    int log;
};

/* Resolves `path`, opens its folder and locks FILE.lock until the place is left, waiting up to lock_wait_ms for another
   process to let go. False with *error: ERROR_NOT_YET (no such folder), ERROR_CONFIG (no right to write, another
   program's database, which gets no lock beside it), ERROR_REFUSED (another process has it), ERROR_UNAVAILABLE. A file
   system without locks is no error: then only SQLite keeps two processes apart. */
bool spool_place_take(const char *path, uint32_t application_id, int64_t lock_wait_ms, struct spool_place *out,
                      struct error *error);
/* Lets go of all of it, the lock too. May be called again. */
void spool_place_leave(struct spool_place *place);
/* The same, but for what is needed to know the file again by spool_place_is_at. */
void spool_place_let_go(struct spool_place *place);

/* Looks at the header. False with *error as above: also if it is no regular file. Only while the file is not open in
   this process (spool_place_is_at tells): closing any descriptor of it lets go of SQLite's lock. */
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

/* Remembers which files the names are now: the file and the log beside it, both there. */
bool spool_place_pin(struct spool_place *place, struct error *error);
/* Only the log beside it, which is another than before. On failure what was pinned stays so. */
bool spool_place_pin_log(struct spool_place *place, struct error *error);
/* Whether `path`, links followed, is sure to lead to the file that was pinned. Opens nothing. */
bool spool_place_is_at(const struct spool_place *place, const char *path);
/* Of what was pinned. */
enum spool_presence spool_place_presence(const struct spool_place *place);
/* Whether the log that was pinned is still beside the file's name; and takes its name away if it is. */
bool spool_place_names_log(const struct spool_place *place);
bool spool_place_unlink_log(const struct spool_place *place, struct error *error);

/* Whether the disk has room for so many bytes; if nobody can say, it has. */
bool spool_place_disk_has(const struct spool_place *place, int64_t bytes);

/* Why a foreign file, or one that another process holds, is not opened. The first is always false. */
bool spool_place_refuse_foreign(const struct spool_place *place, struct error *error);
void spool_place_say_held(const char *path, struct error *error);

/* ERROR_CONFIG for what an operator must put right (rights), ERROR_NOT_YET for a folder that is not there, else
   ERROR_UNAVAILABLE. */
enum error_code spool_place_code(int error_number);

#endif
