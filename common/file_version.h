/* Whether a file was rewritten or replaced since it was looked at. Any thread. */
#ifndef DROPBRIDGE_FILE_VERSION_H
#define DROPBRIDGE_FILE_VERSION_H

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

struct file_version {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed; /* the inode: content, name, owner or mode */
};

/* All zero for a file that is not there. Symbolic links are followed. */
struct file_version file_version_of(const char *path);
/* Takes the file's version as *known. True if it was another one. */
bool file_version_update(struct file_version *known, const char *path);

#endif
