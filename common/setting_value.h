/* A setting's text as its value, in the row's place of the program's configuration struct `out`. */
#ifndef DROPBRIDGE_SETTING_VALUE_H
#define DROPBRIDGE_SETTING_VALUE_H

#include "config_report.h"
#include "error.h"
#include "setting.h"

#include <stdbool.h>

/* False with *error, "must be …" (the name is said by the caller), and the place untouched. */
bool setting_value_parse(const struct setting *row, const char *text, void *out, struct error *error);
/* The same with the text of the file at `path`: of secrets one a line, else the first line. */
bool setting_value_parse_file(const struct setting *row, const char *path, void *out, struct error *error);
/* A value that can be used, whatever else fails; the place is taken as uninitialised. */
void setting_value_set_default(const struct setting *row, void *out, struct config_report *report);
/* Frees what the place holds, and wipes secrets. */
void setting_value_clear(const struct setting *row, void *out);

/* The row's place. */
void *setting_value_slot(const struct setting *row, void *out);

#endif
