/* The --config file: KEY=VALUE lines, comments with #. */
#ifndef DROPBRIDGE_CONFIG_FILE_H
#define DROPBRIDGE_CONFIG_FILE_H

#include "buf.h"
#include "config_report.h"
#include "error.h"
#include "setting.h"

#include <stdbool.h>
#include <stddef.h>

/* The text, cut into lines in place, and the pairs found in it. */
struct config_file {
    struct buf text;
    struct config_line {
        const char *key;
        const char *value;
        size_t number;
    } * lines;
    size_t count;
};

/* Empty. */
void config_file_init(struct config_file *file);
/* Reads it. What is wrong with it, and keys that no program of ours knows, go to the report with their line numbers. */
void config_file_read(struct config_file *file, const char *path, const struct setting *rows, size_t count,
                      struct config_report *report);
/* Wipes: it may hold secrets. */
void config_file_clear(struct config_file *file);

/* The value of `name` + `suffix`, owned by the file; NULL if not there or empty. */
const char *config_file_value(const struct config_file *file, const char *name, const char *suffix);

/* Appends the file at `path` to `out`. False with a sentence in *error if it cannot be read, is empty or longer than
   out's limit. */
bool config_read_whole(const char *path, struct buf *out, struct error *error);
/* Frees what may hold secrets. */
void config_wipe(struct buf *buf);

#endif
