#include "file.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEADER_SIZE = 100, /* of a database, and where it says whose it is (sqlite.org/fileformat2.html, 1.3) */
    AT_APPLICATION_ID = 68,
    OWNER_ONLY = 0600,
    SUFFIX_LONGEST = 64,
};

static const char log_suffix[] = "-wal"; /* SQLite's */
static const char lock_suffix[] = ".lock";

enum error_code spool_file_code(int error_number)
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
    error_set(error, spool_file_code(number), "the spool: %s %s: %s: %s", doing, path, strerror(number), remedy);
    return false;
}

bool spool_file_refuse_held(const char *path, struct error *error)
{
    error_set(error, ERROR_REFUSED,
              "the spool: another process holds %s: is a second bridge running with the same SPOOL_PATH? Give each one of "
              "its own",
              path);
    return false;
}

/* Of a file beside it; there is room for SUFFIX_LONGEST (spool_file_lock). Returns `out`. */
static const char *beside(char out[PATH_MAX], const char *path, const char *suffix)
{
    size_t len = strlen(path);

    memcpy(out, path, len);
    memcpy(out + len, suffix, strlen(suffix) + 1);
    return out;
}

static void close_one(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

/* Whether the name leads to the file of the descriptor. If nobody can say, it does. */
static bool leads_to(const char *path, int descriptor)
{
    struct stat by_name, open_one;

    if (fstat(descriptor, &open_one) != 0)
        return true;
    if (stat(path, &by_name) != 0)
        return errno != ENOENT && errno != ENOTDIR;
    return by_name.st_dev == open_one.st_dev && by_name.st_ino == open_one.st_ino;
}

/* ---- what is there ---- */

static bool sync_folder(const struct spool_file *file, struct error *error)
{
    return fsync(file->folder) == 0 || fail(error, errno, "syncing the folder of", file->path, "check the disk");
}

static bool is_foreign(const uint8_t *header, ssize_t size)
{
    static const char magic[] = "SQLite format 3", ours[] = {'D', 'b', 's', 'p'};

    return size == HEADER_SIZE && memcmp(header, magic, sizeof magic) == 0 &&
           memcmp(header + AT_APPLICATION_ID, ours, sizeof ours) != 0;
}

bool spool_file_make(const struct spool_file *file, struct error *error)
{
    int descriptor = open(file->path, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, OWNER_ONLY); /* it may be a pipe */
    uint8_t header[HEADER_SIZE];
    struct stat status;
    ssize_t got = -1;

    if (descriptor < 0)
        return fail(error, errno, "opening", file->path,
                    "make room, or let this user read and write it, or choose another SPOOL_PATH");
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode))
        error_set(error, ERROR_CONFIG, "the spool: %s is not a regular file: set SPOOL_PATH to one", file->path);
    else if ((got = pread(descriptor, header, sizeof header, 0)) < 0)
        fail(error, errno, "reading", file->path, "check the disk");
    close(descriptor);
    if (got >= 0 && is_foreign(header, got)) {
        error_set(error, ERROR_CONFIG,
                  "the spool: %s is a database of another program (or of this one, with a damaged first page): choose another "
                  "SPOOL_PATH, or move that file away",
                  file->path);
        return false;
    }
    return got > 0 || (got == 0 && sync_folder(file, error));
}

/* ---- the lock ---- */

/* Opens the folder of the path, which is the name of a file in it. */
static bool enter(struct spool_file *file, struct error *error)
{
    const char *slash = strrchr(file->path, '/');
    const char *name = slash ? slash + 1 : file->path;
    int len = slash ? (int)(slash - file->path) + 1 : 0;
    char folder[PATH_MAX];

    snprintf(folder, sizeof folder, "%.*s.", len, file->path);
    if (*name == '\0') {
        error_set(error, ERROR_CONFIG,
                  "SPOOL_PATH=%s is not the name of a file: give one, such as /var/lib/dropbridge/spool.db", file->path);
        return false;
    }
    file->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->folder < 0)
        return fail(error, errno, "finding the folder of", file->path,
                    "make it, or set SPOOL_PATH to a file in one that exists and that this user may read");
    return faccessat(file->folder, ".", W_OK | X_OK, AT_EACCESS) == 0 ||
           fail(error, errno, "using the folder of", file->path, "let this user read and write there");
}

static bool take_lock(struct spool_file *file, struct error *error)
{
    char path[PATH_MAX];
    bool held;

    file->lock = open(beside(path, file->path, lock_suffix), O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, OWNER_ONLY);
    if (file->lock < 0)
        return fail(error, errno, "making the lock", path, "make room, or let this user write there");
    held = flock(file->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    /* Whoever leaves takes the name away: a lock without its name keeps nobody off. */
    return (!held && leads_to(path, file->lock)) || spool_file_refuse_held(file->path, error);
}

bool spool_file_lock(const char *path, struct spool_file *out, struct error *error)
{
    *out = (struct spool_file){.folder = -1, .lock = -1, .database = -1, .log = -1};
    if (strlen(path) + SUFFIX_LONGEST >= PATH_MAX)
        return fail(error, ENAMETOOLONG, "finding", path, "choose a shorter SPOOL_PATH");
    snprintf(out->path, PATH_MAX, "%s", path);
    if (enter(out, error) && spool_file_make(out, error) && take_lock(out, error))
        return true;
    close_one(&out->lock); /* it is another's: the name stays */
    spool_file_unlock(out);
    return false;
}

void spool_file_unlock(struct spool_file *file)
{
    char path[PATH_MAX];

    if (file->lock >= 0 && leads_to(beside(path, file->path, lock_suffix), file->lock))
        (void)unlink(path);
    close_one(&file->lock);
    close_one(&file->log);
    close_one(&file->database);
    close_one(&file->folder);
}

/* ---- whether the names still lead there ---- */

bool spool_file_pin(struct spool_file *file, struct error *error)
{
    char log[PATH_MAX];

    close_one(&file->database);
    close_one(&file->log);
    file->database = open(file->path, O_PATH | O_CLOEXEC);
    file->log = open(beside(log, file->path, log_suffix), O_PATH | O_CLOEXEC);
    if (file->database >= 0 && file->log >= 0)
        return true;
    error_set(error, ERROR_UNAVAILABLE, "the spool: finding %s and its log again: %s: leave both where they are", file->path,
              strerror(errno));
    return false;
}

enum spool_presence spool_file_presence(const struct spool_file *file)
{
    char log[PATH_MAX];

    if (!leads_to(file->path, file->database))
        return SPOOL_GONE;
    return leads_to(beside(log, file->path, log_suffix), file->log) ? SPOOL_PRESENT : SPOOL_LOG_GONE;
}

/* ---- setting aside ---- */

/* The log goes first: the file without it is still known for what it is, but SQLite deletes a log without its file. Two within
   one second: the second is tried again. */
bool spool_file_set_aside(const struct spool_file *file, const char *why, struct error *error)
{
    static const char remedy[] = "move it away by hand, with the file whose name has -wal behind its";
    time_t now = (time_t)(clock_wall_ms() / 1000);
    char log[PATH_MAX], to[PATH_MAX], to_log[PATH_MAX], stamp[32];
    struct tm utc;

    (void)strftime(stamp, sizeof stamp, ".set-aside-%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
    beside(log, file->path, log_suffix);
    beside(to_log, beside(to, file->path, stamp), log_suffix);
    if (renameat2(AT_FDCWD, log, AT_FDCWD, to_log, RENAME_NOREPLACE) != 0 && errno != ENOENT)
        return fail(error, errno, "setting aside", log, remedy);
    if (renameat2(AT_FDCWD, file->path, AT_FDCWD, to, RENAME_NOREPLACE) != 0)
        return fail(error, errno, "setting aside", file->path, remedy);
    /* Logged before anything else can fail: it is done, and the next try finds nothing to speak of. */
    log_error("the spool %s cannot be used: %s; it is kept as %s, its messages are not sent (sqlite3 %s .dump shows them), and "
              "a new one is begun",
              file->path, why, to, to);
    return sync_folder(file, error);
}
