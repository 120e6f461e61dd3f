/* Settings as one table a program: from the environment, from `--config FILE` (KEY=VALUE lines) and, for the rows that
   allow it, from the file that NAME_FILE names. The environment wins over the file. All problems are collected. */
#ifndef DROPBRIDGE_ENV_CONFIG_H
#define DROPBRIDGE_ENV_CONFIG_H

#include "buf.h"
#include "config_report.h"
#include "error.h"
#include "setting.h"
#include "setting_names.h"

#include <stdbool.h>
#include <stddef.h>

/* Fills `out` from `rows`. `config_file` may be NULL. `environment` is environ's shape. Every row gets a value (its
   default where what was given cannot be used). Returns true when there were no problems; warnings (an environment name
   within two letters of a known one) do not count. A key in the file that no program of ours knows is a problem with
   its line number and the nearest known name. A value given both as NAME and NAME_FILE in the same place is a problem.
 */
bool config_load(const struct setting *rows, size_t count, const char *config_file, char *const *environment, void *out,
                 struct config_report *report);

/* Reads rows again that config_load has read: what `out` holds in them is overwritten, not freed. Names in the environment
   are not looked at again. What is wrong with the --config file as a whole marks CONFIG_FILE_ROW as failed. */
void config_load_again(const struct setting *rows, size_t count, const char *config_file, char *const *environment,
                       void *out, struct config_report *report);
/* The file that holds the row's value, to be freed: what NAME_FILE names. NULL: none does, or no memory. */
char *config_value_file(const struct setting *row, const char *config_file, char *const *environment);

void config_clear(const struct setting *rows, size_t count, void *out);

/* For --help: each row with its default and meaning. */
void config_print_help(const struct setting *rows, size_t count, struct buf *out);

/* What a command line asked for. */
struct config_arguments {
    bool help;
    bool version;
    bool check_config;
    bool health;             /* ask the program that runs with these settings whether it is ready */
    const char *config_file; /* NULL if not given; points into argv */
};

/* What the settings that were read with `report` allow; `good`: there was no problem. --health needs no more than the
   address to ask: ERROR_NONE if that is known. --check-config: ERROR_CONFIG for any problem. Else ERROR_NOT_YET if all
   of them may pass by themselves, ERROR_CONFIG if not. */
enum error_code config_verdict(const struct config_report *report, bool good, const struct config_arguments *arguments);

/* Reads --help --version --check-config --health --config FILE (and --config=FILE). False with *error (ERROR_USAGE) on
 * anything else. */
bool config_arguments_read(int argc, char **argv, struct config_arguments *out, struct error *error);

#endif
