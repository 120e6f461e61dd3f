/* A disk for the tests of the spool, in the place of the C library's calls: it counts what it does, and stands still or
   fails when told to. It syncs nothing: no test takes the power away, and the machine's disk may be busy. */
#ifndef DROPBRIDGE_TEST_SPOOL_DISK_H
#define DROPBRIDGE_TEST_SPOOL_DISK_H

#include <stdatomic.h>
#include <stdbool.h>

struct spool_disk {
    _Atomic int syncs;
    _Atomic int syncs_to_fail; /* the next so many */
    atomic_bool syncs_held;    /* as long as it is set none returns */
    bool (*sync_waits)(void);  /* none returns before it says no; NULL: none waits */
    _Atomic int reads;         /* of SQLite, also those that wait */
    atomic_bool reads_held;    /* as long as it is set none returns but those let through */
    _Atomic int reads_allowed;
    /* Called once, before the sync that comes after so many others; only where one thread uses the disk. */
    void (*at_sync)(void);
    int syncs_before;
};

extern struct spool_disk spool_disk;

/* Fast and good. */
void spool_disk_reset(void);

#endif
