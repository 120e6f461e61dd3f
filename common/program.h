/* What the programs that run as services have in common: the command line, the settings, --help, --version, --check-config and
   --health. */
#ifndef DROPBRIDGE_PROGRAM_H
#define DROPBRIDGE_PROGRAM_H

#include "config_report.h"
#include "reread.h"
#include "setting.h"

#include <stdbool.h>
#include <stddef.h>

struct program {
    const char *name;
    const char *help;           /* what --help says ahead of the settings */
    const struct setting *rows; /* LOG_LEVEL, LOG_FORMAT and ADMIN_LISTEN are among them */
    size_t row_count;
    /* Bytes: larger blocks go back to the system when they are freed. Left to itself the library raises this to the largest one
       that was freed, and keeps what lies between others, in the arenas of many threads. */
    int mmap_from;
    /* As config_load of the rows, with the checks across settings. */
    bool (*load)(const char *config_file, char *const *environment, void *config, struct config_report *report);
    /* Returns the exit status. It may start `reread`, and wait with stop_signal_wait: the signals are blocked. */
    int (*run)(const void *config, struct reread *reread);
};

/* Does what the command line asks for, and returns the exit status. `config` is the program's struct of settings, of
   `size` bytes: filled by `load`, and cleared in the end. */
int program_main(const struct program *program, void *config, size_t size, int argc, char **argv);

/* Logs it; the exit status that belongs to it. */
int program_fail(const struct error *error);

#endif
