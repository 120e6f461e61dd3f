#include "file_version.h"

struct file_version file_version_of(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return (struct file_version){0};
    return (struct file_version){
        .device = status.st_dev, .inode = status.st_ino, .size = status.st_size, .changed = status.st_ctim};
}

bool file_version_update(struct file_version *known, const char *path)
{
    const struct file_version now = file_version_of(path);
    const bool same = now.device == known->device && now.inode == known->inode && now.size == known->size &&
                      now.changed.tv_sec == known->changed.tv_sec && now.changed.tv_nsec == known->changed.tv_nsec;

    *known = now;
    return !same;
}
