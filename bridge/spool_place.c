#include "spool_place.h"

#include "../common/clock.h"
#include "../common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    HEADER_SIZE = 100,
    HEADER_MAGIC = 16,
    HEADER_APPLICATION_ID = 68,
    OWNER_ONLY = 0600,
    /* Files set aside within one second. */
    NAMES_MAX = 100,
    LOCK_STEP_MS = 50,
};

/* What SQLite keeps beside a file. They go before it: without them the file is still known for what it is, but they
   without the file would be deleted as left-overs when a new one is begun. */
static const char *const beside[] = {"-wal", "-journal", "-shm"};

static const char lock_suffix[] = ".lock";

enum { BESIDE_COUNT = sizeof beside / sizeof beside[0], BESIDE_LONGEST = 8 };

enum error_code spool_place_code(int error_number)
{
    switch (error_number) {
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
        return ERROR_CONFIG;
    case ENOENT: /* what it lies on may be mounted later */
        return ERROR_NOT_YET;
    default:
        return ERROR_UNAVAILABLE;
    }
}

static bool fail(struct error *error, int number, const char *doing, const char *path, const char *remedy)
{
    error_set(error, spool_place_code(number), "the spool: %s %s: %s: %s", doing, path, strerror(number), remedy);
    return false;
}

/* The folder of `path` as text; the name behind it, or NULL if there is none. */
static const char *split(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    const size_t len = slash ? (size_t)(slash - path) : 0;

    if (!slash)
        snprintf(folder, PATH_MAX, ".");
    else
        snprintf(folder, PATH_MAX, "%.*s", (int)(len > 0 ? len : 1), path);
    path = slash ? slash + 1 : path;
    return *path ? path : NULL;
}

/* Fills path with the absolute name, and folder with its folder's. */
static bool resolve(const char *path, struct spool_place *place, char folder[PATH_MAX], struct error *error)
{
    char given[PATH_MAX];
    const char *name = strlen(path) < PATH_MAX - BESIDE_LONGEST ? split(path, given) : NULL;
    int written;

    if (!name) {
        error_set(error, ERROR_CONFIG,
                  "SPOOL_PATH=%s is not the name of a file: give one, such as /var/lib/dropbridge/spool.db", path);
        return false;
    }
    if (realpath(path, place->path)) {
        split(place->path, folder);
        return true;
    }
    if (errno != ENOENT)
        return fail(error, errno, "finding", path, "check the folders in SPOOL_PATH and the rights on them");
    if (!realpath(given, folder))
        return fail(error, errno, "finding the folder", given,
                    "make it, or set SPOOL_PATH to a file in one that exists");
    written = snprintf(place->path, PATH_MAX, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
    if (written < 0 || written >= PATH_MAX - BESIDE_LONGEST)
        return fail(error, ENAMETOOLONG, "finding", path, "choose a shorter SPOOL_PATH");
    return true;
}

static bool join(char out[PATH_MAX], const char *path, const char *suffix)
{
    const int written = snprintf(out, PATH_MAX, "%s%s", path, suffix);

    return written >= 0 && written < PATH_MAX;
}

static void close_one(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

static bool enter(const char *path, struct spool_place *out, struct error *error)
{
    struct spool_place place = {.folder = -1, .lock = -1, .file = -1, .log = -1};
    char folder[PATH_MAX];

    if (!resolve(path, &place, folder, error))
        return false;
    place.folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place.folder < 0 || faccessat(place.folder, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        fail(error, errno, "using the folder", folder, "let this user read and write there");
        spool_place_leave(&place);
        return false;
    }
    *out = place;
    return true;
}

static bool is_same(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/* Whether the name leads to the file of the descriptor. If nobody can say, it does. */
static bool names(const char *path, int descriptor)
{
    struct stat by_name;
    struct stat open_one;

    if (fstat(descriptor, &open_one) != 0)
        return true;
    if (stat(path, &by_name) != 0)
        return errno != ENOENT && errno != ENOTDIR;
    return is_same(&by_name, &open_one);
}

static bool take_lock(struct spool_place *place, struct error *error)
{
    char path[PATH_MAX];
    bool refused;

    if (!join(path, place->path, lock_suffix))
        return fail(error, ENAMETOOLONG, "locking", place->path, "choose a shorter SPOOL_PATH");
    place->lock = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, OWNER_ONLY);
    if (place->lock < 0)
        return fail(error, errno, "making the lock", path, "make room, or let this user write there");
    refused = flock(place->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    /* Whoever leaves takes the name away: a lock without its name keeps nobody off. */
    if (!refused && names(path, place->lock))
        return true;
    close_one(&place->lock);
    error_set(error, ERROR_REFUSED, "the spool: another process holds the lock %s", path);
    return false;
}

void spool_place_let_go(struct spool_place *place)
{
    char path[PATH_MAX];

    if (place->lock >= 0 && join(path, place->path, lock_suffix) && names(path, place->lock))
        (void)unlink(path);
    close_one(&place->lock);
    close_one(&place->log);
    close_one(&place->folder);
}

void spool_place_leave(struct spool_place *place)
{
    spool_place_let_go(place);
    close_one(&place->file);
}

static bool read_header(int file, const char *path, uint32_t application_id, enum spool_found *out, struct error *error)
{
    static const char magic[HEADER_MAGIC] = "SQLite format 3";
    uint8_t header[HEADER_SIZE];
    const ssize_t got = pread(file, header, sizeof header, 0);
    uint32_t mark = 0;

    if (got < 0)
        return fail(error, errno, "reading", path, "check the disk");
    if (got == HEADER_SIZE) {
        for (int i = 0; i < 4; i++)
            mark = mark << 8 | header[HEADER_APPLICATION_ID + i];
    }
    if (got == 0)
        *out = SPOOL_NOTHING;
    else if (got < HEADER_SIZE || memcmp(header, magic, sizeof magic) != 0)
        *out = SPOOL_GARBAGE;
    else
        *out = mark == application_id ? SPOOL_OURS : SPOOL_FOREIGN;
    return true;
}

bool spool_place_look(const struct spool_place *place, uint32_t application_id, enum spool_found *out,
                      struct error *error)
{
    /* Not blocking: it may be a pipe. */
    const int file = open(place->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    bool known = false;

    if (file < 0 && errno == ENOENT) {
        *out = SPOOL_NOTHING;
        return true;
    }
    if (file < 0)
        return fail(error, errno, "opening", place->path,
                    "let this user read and write it, or choose another SPOOL_PATH");
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode))
        known = read_header(file, place->path, application_id, out, error);
    else
        error_set(error, ERROR_CONFIG, "the spool: %s is not a regular file: set SPOOL_PATH to one", place->path);
    close(file);
    return known;
}

bool spool_place_refuse_foreign(const struct spool_place *place, struct error *error)
{
    error_set(error, ERROR_CONFIG,
              "the spool: %s is a database of another program (or of this one, with a damaged first page): choose "
              "another SPOOL_PATH, or move that file away",
              place->path);
    return false;
}

void spool_place_say_held(const char *path, struct error *error)
{
    error_set(error, ERROR_REFUSED,
              "the spool: another process holds %s: is a second bridge running with the same SPOOL_PATH? Give each "
              "one of its own",
              path);
}

/* Another program's database gets no lock beside it. */
static bool try_to_take(const char *path, uint32_t application_id, struct spool_place *place, struct error *error)
{
    enum spool_found found;

    if (!enter(path, place, error))
        return false;
    if (!spool_place_look(place, application_id, &found, error))
        return false;
    if (found == SPOOL_FOREIGN)
        return spool_place_refuse_foreign(place, error);
    return take_lock(place, error);
}

bool spool_place_take(const char *path, uint32_t application_id, int64_t lock_wait_ms, struct spool_place *out,
                      struct error *error)
{
    const int64_t deadline_ms = clock_monotonic_ms() + lock_wait_ms;
    struct spool_place place = {.folder = -1, .lock = -1, .file = -1, .log = -1};
    struct error problem = {0};

    while (!try_to_take(path, application_id, &place, &problem)) {
        spool_place_leave(&place);
        if (problem.code != ERROR_REFUSED || clock_monotonic_ms() >= deadline_ms) {
            if (problem.code == ERROR_REFUSED)
                spool_place_say_held(path, &problem);
            error_set(error, problem.code, "%s", problem.text);
            return false;
        }
        clock_sleep_ms(LOCK_STEP_MS);
    }
    *out = place;
    return true;
}

bool spool_place_make(const struct spool_place *place, struct error *error)
{
    const int file = open(place->path, O_RDWR | O_CREAT | O_CLOEXEC, OWNER_ONLY);

    if (file < 0)
        return fail(error, errno, "making", place->path, "make room, or let this user write there");
    close(file);
    if (fsync(place->folder) != 0)
        return fail(error, errno, "syncing the folder of", place->path, "check the disk");
    return true;
}

static bool exists(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 || errno != ENOENT;
}

bool spool_place_has_log(const struct spool_place *place)
{
    char path[PATH_MAX];
    struct stat status;

    return join(path, place->path, beside[0]) && lstat(path, &status) == 0 && status.st_size > 0;
}

bool spool_place_disk_has(const struct spool_place *place, int64_t bytes)
{
    struct statvfs disk;

    if (fstatvfs(place->folder, &disk) != 0 || disk.f_frsize == 0)
        return true;
    return (uint64_t)disk.f_bavail >= (uint64_t)bytes / disk.f_frsize;
}

/* ---- whether the names still mean the same files ---- */

static bool say_gone(const struct spool_place *place, struct error *error)
{
    error_set(error, ERROR_UNAVAILABLE, "the spool: finding %s and its log again: %s: leave both where they are",
              place->path, strerror(errno));
    return false;
}

bool spool_place_pin(struct spool_place *place, struct error *error)
{
    close_one(&place->file);
    place->file = open(place->path, O_PATH | O_CLOEXEC);
    return place->file >= 0 ? spool_place_pin_log(place, error) : say_gone(place, error);
}

bool spool_place_pin_log(struct spool_place *place, struct error *error)
{
    char path[PATH_MAX];
    const int log = join(path, place->path, beside[0]) ? open(path, O_PATH | O_CLOEXEC) : -1;

    if (log < 0)
        return say_gone(place, error);
    close_one(&place->log);
    place->log = log;
    return true;
}

bool spool_place_names_log(const struct spool_place *place)
{
    char log[PATH_MAX];

    return join(log, place->path, beside[0]) && names(log, place->log);
}

enum spool_presence spool_place_presence(const struct spool_place *place)
{
    struct stat status;

    if (!names(place->path, place->file))
        return fstat(place->file, &status) == 0 && status.st_nlink == 0 ? SPOOL_DELETED : SPOOL_MOVED;
    return spool_place_names_log(place) ? SPOOL_PRESENT : SPOOL_LOG_GONE;
}

bool spool_place_is_at(const struct spool_place *place, const char *path)
{
    struct stat by_name;
    struct stat pinned;

    return fstat(place->file, &pinned) == 0 && stat(path, &by_name) == 0 && is_same(&by_name, &pinned);
}

bool spool_place_unlink_log(const struct spool_place *place, struct error *error)
{
    char log[PATH_MAX];

    if (!spool_place_names_log(place) || !join(log, place->path, beside[0]) || unlink(log) == 0 || errno == ENOENT)
        return true;
    return fail(error, errno, "deleting the log", log, "let this user write there");
}

/* ---- setting aside ---- */

static bool is_free(const char *path)
{
    char other[PATH_MAX];

    for (size_t i = 0; i < BESIDE_COUNT; i++) {
        if (!join(other, path, beside[i]) || exists(other))
            return false;
    }
    return !exists(path);
}

/* A name that nothing has yet. */
static bool choose_name(const char *path, char out[PATH_MAX])
{
    const time_t now = (time_t)(clock_wall_ms() / 1000);
    char stamp[32];
    struct tm utc;

    if (!gmtime_r(&now, &utc) || strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc) == 0)
        return false;
    for (int i = 1; i <= NAMES_MAX; i++) {
        char suffix[64];

        snprintf(suffix, sizeof suffix, i == 1 ? ".set-aside-%s" : ".set-aside-%s.%d", stamp, i);
        if (!join(out, path, suffix))
            return false;
        if (is_free(out))
            return true;
    }
    return false;
}

static bool move(const char *path, const char *to, const char *suffix)
{
    char from_name[PATH_MAX];
    char to_name[PATH_MAX];

    if (!join(from_name, path, suffix) || !join(to_name, to, suffix)) {
        errno = ENAMETOOLONG;
        return false;
    }
    return rename(from_name, to_name) == 0 || errno == ENOENT;
}

bool spool_place_set_aside(const struct spool_place *place, const char *why, struct error *error)
{
    static const char remedy[] = "move it away by hand, with the files whose names begin as its does";
    char to[PATH_MAX];

    if (!choose_name(place->path, to))
        return fail(error, EEXIST, "finding a name for what cannot be used of", place->path, remedy);
    for (size_t i = 0; i < BESIDE_COUNT; i++) {
        if (!move(place->path, to, beside[i]))
            return fail(error, errno, "setting aside", place->path, remedy);
    }
    if (!move(place->path, to, ""))
        return fail(error, errno, "setting aside", place->path, remedy);
    /* Before anything else fails: it is done, and the next try finds nothing to speak of. */
    if (exists(to))
        log_error(
            "the spool %s cannot be used: %s; it is kept as %s, its messages are not sent (sqlite3 %s .dump shows "
            "them), and a new one is begun",
            place->path, why, to, to);
    else
        log_error(
            "the spool %s cannot be used: %s; the log is kept as %s-wal, its messages are not sent, and a new one "
            "is begun: put the file that it belongs to beside it as %s before anything opens that, for SQLite "
            "deletes a log without its file",
            place->path, why, to, to);
    if (fsync(place->folder) != 0)
        return fail(error, errno, "syncing the folder of", place->path, "check the disk");
    return true;
}
