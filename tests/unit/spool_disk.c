#include "spool_disk.h"

#include "common/clock.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

struct spool_disk spool_disk;

void spool_disk_reset(void)
{
    atomic_store(&spool_disk.syncs, 0);
    atomic_store(&spool_disk.syncs_to_fail, 0);
    atomic_store(&spool_disk.syncs_held, false);
    spool_disk.sync_waits = NULL;
    atomic_store(&spool_disk.reads, 0);
    atomic_store(&spool_disk.reads_held, false);
    atomic_store(&spool_disk.reads_allowed, 0);
    spool_disk.at_sync = NULL;
    spool_disk.syncs_before = 0;
}

static int sync_file(void)
{
    void (*call)(void) = spool_disk.at_sync;

    if (call && spool_disk.syncs_before-- == 0) {
        spool_disk.at_sync = NULL;
        call();
    }
    atomic_fetch_add(&spool_disk.syncs, 1);
    while (atomic_load(&spool_disk.syncs_held) || (spool_disk.sync_waits && spool_disk.sync_waits()))
        clock_sleep_ms(1);
    if (atomic_load(&spool_disk.syncs_to_fail) > 0) {
        atomic_fetch_sub(&spool_disk.syncs_to_fail, 1);
        errno = EIO;
        return -1;
    }
    return 0;
}

int fsync(int file)
{
    (void)file;
    return sync_file();
}

int fdatasync(int file)
{
    (void)file;
    return sync_file();
}

ssize_t pread64(int file, void *out, size_t len, off_t at)
{
    const int turn = atomic_fetch_add(&spool_disk.reads, 1);

    while (atomic_load(&spool_disk.reads_held) && turn >= atomic_load(&spool_disk.reads_allowed))
        clock_sleep_ms(1);
    return (ssize_t)syscall(SYS_pread64, file, out, len, at);
}
