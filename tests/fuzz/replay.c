/* Calls a target with the inputs that are kept of it: fuzz_replay TARGET FOLDER...
   An input that breaks a claim ends it; the last name on standard error is that input's. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096 };

#define TARGET(name) int fuzz_##name(const uint8_t *data, size_t size);
#include "fuzz_targets.def"
#undef TARGET

static const struct {
    const char *name;
    int (*run)(const uint8_t *data, size_t size);
} targets[] = {
#define TARGET(name) {#name, fuzz_##name},
#include "fuzz_targets.def"
};

static void replay(size_t target, const char *path, size_t size)
{
    uint8_t *data = malloc(size > 0 ? size : 1);
    FILE *file = fopen(path, "rb");
    CLAIM(data && file && fread(data, 1, size, file) == size);
    fprintf(stderr, "%s\n", path);
    (void)targets[target].run(data, size);
    (void)fclose(file);
    free(data);
}

static size_t replay_folder(size_t target, const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        char path[PATH_SIZE];
        struct stat status;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
            replay(target, path, (size_t)status.st_size);
            count++;
        }
    }
    if (dir)
        (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    size_t target = 0, count = 0;
    while (target < sizeof targets / sizeof targets[0] && (argc < 2 || strcmp(targets[target].name, argv[1]) != 0))
        target++;
    if (target == sizeof targets / sizeof targets[0])
        return 64;
    for (int i = 2; i < argc; i++) {
        const size_t of_folder = replay_folder(target, argv[i]);
        if (of_folder == 0) {
            fprintf(stderr, "no input is in %s\n", argv[i]);
            return 1;
        }
        count += of_folder;
    }
    printf("%zu inputs\n", count);
    return count > 0 ? 0 : 1;
}
