#include "spool_folder.h"

#include "cases.h"
#include "spool_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char spool_folder[64];
char spool_path[96];

int spool_folder_make(void **state)
{
    (void)state;
    spool_disk_reset();
    snprintf(spool_folder, sizeof spool_folder, "/tmp/test_spool.XXXXXX");
    if (!mkdtemp(spool_folder))
        return -1;
    snprintf(spool_path, sizeof spool_path, "%s/spool.db", spool_folder);
    return 0;
}

int spool_folder_remove(void **state)
{
    DIR *listing = opendir(spool_folder);
    struct dirent *entry;

    (void)state;
    while (listing && (entry = readdir(listing)) != NULL)
        (void)unlinkat(dirfd(listing), entry->d_name, 0);
    if (listing)
        closedir(listing);
    return rmdir(spool_folder);
}

bool spool_file_exists(const char *name)
{
    return access(name, F_OK) == 0;
}

const char *spool_log_path(void)
{
    static char log[128];

    snprintf(log, sizeof log, "%s-wal", spool_path);
    return log;
}

void spool_delete_log(void)
{
    assert_int_equal(unlink(spool_log_path()), 0);
}

void spool_delete_file(void)
{
    assert_int_equal(unlink(spool_path), 0);
}

void spool_delete_both(void)
{
    spool_delete_log();
    spool_delete_file();
}

static const char *moved(const char *name)
{
    static char to[160];

    snprintf(to, sizeof to, "%s.moved", name);
    return to;
}

void spool_move_file(void)
{
    assert_int_equal(rename(spool_path, moved(spool_path)), 0);
}

void spool_move_file_back(void)
{
    assert_int_equal(rename(moved(spool_path), spool_path), 0);
}

void spool_move_log(void)
{
    assert_int_equal(rename(spool_log_path(), moved(spool_log_path())), 0);
}

void spool_move_log_back(void)
{
    assert_int_equal(rename(moved(spool_log_path()), spool_log_path()), 0);
}

void spool_move_folder(void)
{
    assert_int_equal(rename(spool_folder, moved(spool_folder)), 0);
}

void spool_move_folder_back(void)
{
    assert_int_equal(rename(moved(spool_folder), spool_folder), 0);
}

int spool_nameless_open(void)
{
    DIR *listing = opendir("/proc/self/fd");
    struct dirent *entry;
    int count = 0;

    assert_non_null(listing);
    while ((entry = readdir(listing)) != NULL) {
        char link[PATH_MAX];
        const ssize_t len = readlinkat(dirfd(listing), entry->d_name, link, sizeof link - 1);

        if (len <= 0)
            continue;
        link[len] = '\0';
        count += strstr(link, spool_folder) && (strstr(link, " (deleted)") || strstr(link, ".moved"));
    }
    closedir(listing);
    return count;
}
