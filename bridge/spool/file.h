/* Where the spool lies: the lock that keeps it to one process, whether its names still lead to the files that are open, and the
   renaming of what cannot be used. Of SQLite it knows the header of a database and the names beside it. One thread at a time. */
#ifndef DROPBRIDGE_SPOOL_FILE_H
#define DROPBRIDGE_SPOOL_FILE_H

#include "common/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* Descriptors are -1 where there is none. */
struct spool_file {
    char path[PATH_MAX];
    int folder;
    int lock;     /* of FILE.lock */
    int database; /* these two only know the files (O_PATH): closing them does not let go of SQLite's lock */
    int log;
};

/* Opens the folder of `path`, makes the file if there is none, and locks FILE.lock. False with *error: ERROR_NOT_YET (no such
   folder), ERROR_CONFIG (no right to write, no regular file, another program's database, which gets no lock beside it),
   ERROR_REFUSED (another process has it), ERROR_UNAVAILABLE. A file system without locks is no error: then only SQLite keeps
   two processes apart. */
bool spool_file_lock(const char *path, struct spool_file *out, struct error *error);
void spool_file_unlock(struct spool_file *file);

/* Makes an empty file that only its owner can read, with its name on the disk, unless there is a database of ours or something
   to set aside. Only while SQLite has the file not open: closing a descriptor of it lets go of SQLite's lock. False with *error
   as above. */
bool spool_file_make(const struct spool_file *file, struct error *error);
/* Renames the file and those beside it to FILE.set-aside-YYYYMMDDTHHMMSSZ, never over another; `why` ("it is damaged: …") goes
   into the log. */
bool spool_file_set_aside(const struct spool_file *file, const char *why, struct error *error);

/* Remembers which files the names lead to now: the database and the log beside it, both open in SQLite. */
bool spool_file_pin(struct spool_file *file, struct error *error);

/* What has become of the names. What the open files hold is there in any case, until they are closed. */
enum spool_presence {
    SPOOL_PRESENT,
    SPOOL_LOG_GONE, /* only the log has lost its name */
    SPOOL_GONE,     /* the file was moved or deleted */
};
enum spool_presence spool_file_presence(const struct spool_file *file);

/* Why a file that another process holds is not opened. Always false. */
bool spool_file_refuse_held(const char *path, struct error *error);

/* ERROR_CONFIG for what an operator must put right (rights), ERROR_NOT_YET for a folder that is not there, else
   ERROR_UNAVAILABLE. */
enum error_code spool_file_code(int error_number);

#endif
