/* What is wrong with the settings: one sentence a line, however many there are. */
#ifndef DROPBRIDGE_CONFIG_REPORT_H
#define DROPBRIDGE_CONFIG_REPORT_H

#include "buf.h"

#include <stdbool.h>

/* Problems and warnings, one sentence a line. */
struct config_report {
    struct buf problems;
    struct buf warnings;
    struct buf failed; /* names of rows */
    bool lasting;      /* some problem is not transient */
};

void config_report_init(struct config_report *report);
void config_report_clear(struct config_report *report);
/* Appends a sentence to the problems; for checks across settings. */
void config_problem(struct config_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A transient one, such as a name that cannot be resolved now. */
void config_passing_problem(struct config_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void config_warning(struct config_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Marks --config itself as failed: the file as a whole could not be read. */
#define CONFIG_FILE_ROW "--config"

/* The problems to the log, as errors, and the warnings if asked for. */
void config_report_log(const struct config_report *report, bool with_warnings);

/* The value given for the row `name` could not be used. Its problem is a sentence of its own. */
void config_mark_failed(struct config_report *report, const char *name);
/* Whether config_load was given a value for the row `name` that it could not use (and set the default). For checks
   across settings: what is given but unusable has its problem already and is not "not set". */
bool config_row_failed(const struct config_report *report, const char *name);

#endif
