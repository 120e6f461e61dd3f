/* Settings as one table a program: from the environment, from `--config FILE` (KEY=VALUE lines) and, for the rows that
   allow it, from the file that NAME_FILE names. The environment wins over the file. All problems are collected. */
#ifndef DROPBRIDGE_ENV_CONFIG_H
#define DROPBRIDGE_ENV_CONFIG_H

#include "buf.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type {
    SETTING_TEXT,    /* char *; freed by config_clear */
    SETTING_INTEGER, /* int64_t within min..max */
    SETTING_CHOICE,  /* int: index into `choices` (NULL-terminated) */
    SETTING_SECRETS, /* struct secrets: comma-separated in the environment, one a line in the _FILE */
    SETTING_LISTEN,  /* char *: host:port, the host an IPv4 address or a name of one (looked up), with an s behind the
                        port for TLS where the check allows */
};

/* Secret texts, in order; any bytes but newline (and, outside a _FILE, comma and control characters). */
struct secrets {
    size_t count;
    struct secret {
        uint8_t *data;
        size_t len;
    } * items;
};

struct setting {
    const char *name;
    size_t offset;              /* of the value in the program's configuration struct */
    const char *default_text;   /* NULL: empty */
    int64_t min, max;           /* SETTING_INTEGER */
    const char *const *choices; /* SETTING_CHOICE */
    enum setting_type type;
    bool file_variant;   /* NAME_FILE may name a file that holds the value */
    bool secret;         /* never printed */
    const char *meaning; /* one line for --help */
    /* A further check of a text: false with a sentence in *error if it cannot be used. May be NULL. */
    bool (*check)(const char *value, struct error *error);
};

/* Problems and warnings, one sentence a line. */
struct config_report {
    struct buf problems;
    struct buf warnings;
    struct buf failed; /* for config_row_failed */
};

void config_report_init(struct config_report *report);
void config_report_clear(struct config_report *report);
/* Appends a sentence to the problems; for checks across settings. */
void config_problem(struct config_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
void config_warning(struct config_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fills `out` from `rows`. `config_file` may be NULL. `environment` is environ's shape. Every row gets a value (its
   default where what was given cannot be used). Returns true when there were no problems; warnings (an environment name
   within two letters of a known one) do not count. A key in the file that no program of ours knows is a problem with
   its line number and the nearest known name. A value given both as NAME and NAME_FILE in the same place is a problem.
 */
bool config_load(const struct setting *rows, size_t count, const char *config_file, char *const *environment, void *out,
                 struct config_report *report);

/* Whether config_load was given a value for the row `name` that it could not use (and set the default). For checks
   across settings: what is given but unusable has its problem already and is not "not set". */
bool config_row_failed(const struct config_report *report, const char *name);

/* Whether one of our programs reads this key (INTERFACE, "Settings"). */
bool config_name_of_any_program(const char *name);

void config_clear(const struct setting *rows, size_t count, void *out);

/* For --help: each row with its default and meaning. */
void config_print_help(const struct setting *rows, size_t count, struct buf *out);

/* What a command line asked for. */
struct config_arguments {
    bool help;
    bool version;
    bool check_config;
    const char *config_file; /* NULL if not given; points into argv */
};

/* Reads --help --version --check-config --config FILE (and --config=FILE). False with *error (ERROR_USAGE) on anything
 * else. */
bool config_arguments_read(int argc, char **argv, struct config_arguments *out, struct error *error);

#endif
