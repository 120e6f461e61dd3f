/* Loaded into one program by LD_PRELOAD: makes the disk fail under the files whose path starts with FAULTS_PREFIX, as
   the file named by FAULTS_CONTROL says at that moment, and aborts on a JSON text that holds FAULTS_CRASH_WORD. The
   control file holds one word and perhaps a number: "sync-fails", "sync-slow MS", "full"; empty: all is well. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <dlfcn.h>

struct fault {
    char word[32];
    long number;
};

/* Reads with system calls of its own, so that it does not call itself. */
static struct fault fault_now(void)
{
    struct fault fault = {.word = "", .number = 0};
    const char *path = getenv("FAULTS_CONTROL");
    char text[64] = "";

    if (!path)
        return fault;
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fault;
    if (syscall(SYS_read, fd, text, sizeof text - 1) > 0)
        (void)sscanf(text, "%31s %ld", fault.word, &fault.number);
    (void)syscall(SYS_close, fd);
    return fault;
}

static bool is_ours(const char *path)
{
    const char *prefix = getenv("FAULTS_PREFIX");

    return prefix && path && strncmp(path, prefix, strlen(prefix)) == 0;
}

static bool descriptor_is_ours(int fd)
{
    char link[64], path[4096];

    if (!getenv("FAULTS_PREFIX"))
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 0)
        return false;
    path[len] = '\0';
    return is_ours(path);
}

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found)
        abort();
    return found;
}

/* Whether a call that needs room must fail. */
static bool no_room(int fd)
{
    const int before = errno;
    const bool full = descriptor_is_ours(fd) && strcmp(fault_now().word, "full") == 0;

    errno = full ? ENOSPC : before;
    return full;
}

/* A full disk opens what is there, and makes nothing new. */
static bool no_room_for(const char *path, int flags)
{
    struct stat status;

    if (!(flags & O_CREAT) || !is_ours(path) || strcmp(fault_now().word, "full") != 0)
        return false;
    if (syscall(SYS_newfstatat, AT_FDCWD, path, &status, 0) == 0)
        return false;
    errno = ENOSPC;
    return true;
}

static bool sync_fails(int fd)
{
    if (!descriptor_is_ours(fd))
        return false;
    const struct fault fault = fault_now();
    if (strcmp(fault.word, "sync-slow") == 0) {
        struct timespec left = {.tv_sec = fault.number / 1000, .tv_nsec = fault.number % 1000 * 1000000};

        while (nanosleep(&left, &left) != 0 && errno == EINTR) {
        }
    }
    if (strcmp(fault.word, "sync-fails") != 0)
        return false;
    errno = EIO;
    return true;
}

#define FORWARD(type, name, parameters, arguments, failing)                                                            \
    type name parameters;                                                                                              \
    type name parameters                                                                                               \
    {                                                                                                                  \
        static type(*real) parameters;                                                                                 \
        if (!real)                                                                                                     \
            *(void **)(&real) = next(#name);                                                                           \
        if (failing)                                                                                                   \
            return -1;                                                                                                 \
        return real arguments;                                                                                         \
    }

FORWARD(int, fsync, (int fd), (fd), sync_fails(fd))
FORWARD(int, fdatasync, (int fd), (fd), sync_fails(fd))
FORWARD(ssize_t, write, (int fd, const void *data, size_t len), (fd, data, len), no_room(fd))
FORWARD(ssize_t, pwrite, (int fd, const void *data, size_t len, off_t at), (fd, data, len, at), no_room(fd))
FORWARD(ssize_t, pwrite64, (int fd, const void *data, size_t len, off_t at), (fd, data, len, at), no_room(fd))
FORWARD(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at), no_room(fd))
FORWARD(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at),
        no_room(fd))
FORWARD(int, ftruncate, (int fd, off_t len), (fd, len), no_room(fd))
FORWARD(int, ftruncate64, (int fd, off_t len), (fd, len), no_room(fd))
FORWARD(int, fallocate, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len), no_room(fd))
FORWARD(int, fallocate64, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len), no_room(fd))

/* These two answer with the error itself. */
#define ALLOCATE(name)                                                                                                 \
    int name(int fd, off_t at, off_t len);                                                                             \
    int name(int fd, off_t at, off_t len)                                                                              \
    {                                                                                                                  \
        static int (*real)(int, off_t, off_t);                                                                         \
        if (!real)                                                                                                     \
            *(void **)(&real) = next(#name);                                                                           \
        return no_room(fd) ? ENOSPC : real(fd, at, len);                                                               \
    }

ALLOCATE(posix_fallocate)
ALLOCATE(posix_fallocate64)

/* The mode is there only if a file may be made. */
#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...);                                                                        \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        static int (*real)(const char *, int, ...);                                                                    \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;                             \
        va_end(arguments);                                                                                             \
        if (!real)                                                                                                     \
            *(void **)(&real) = next(#name);                                                                           \
        return no_room_for(path, flags) ? -1 : real(path, flags, mode);                                                \
    }

OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                   \
    int name(int folder, const char *path, int flags, ...);                                                            \
    int name(int folder, const char *path, int flags, ...)                                                             \
    {                                                                                                                  \
        static int (*real)(int, const char *, int, ...);                                                               \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;                             \
        va_end(arguments);                                                                                             \
        if (!real)                                                                                                     \
            *(void **)(&real) = next(#name);                                                                           \
        return no_room_for(path, flags) ? -1 : real(folder, path, flags, mode);                                        \
    }

OPENAT(openat)
OPENAT(openat64)

void *json_tokener_parse_ex(void *tokener, const char *text, int len);
void *json_tokener_parse_ex(void *tokener, const char *text, int len)
{
    static void *(*real)(void *, const char *, int);
    const char *word = getenv("FAULTS_CRASH_WORD");
    const size_t size = len < 0 ? strlen(text) : (size_t)len;

    if (!real)
        *(void **)(&real) = next("json_tokener_parse_ex");
    if (word && *word && memmem(text, size, word, strlen(word)))
        abort();
    return real(tokener, text, len);
}
