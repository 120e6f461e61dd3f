/* Settings that are read again while the program runs: the rows of settings.def with .reread, at SIGHUP at once, and
   when the file that a NAME_FILE names has changed, which is looked at every REREAD_LOOK_MS. A value that cannot be used
   leaves the old one in force, and is named in the log and to reread_problem, until it is mended.

   The values of these rows in the program's struct of settings are replaced by the thread of reread_start, and only
   its functions may look at them while it runs. But texts (URLs, passwords) stay there as they were at the start: who
   connects asks reread_text for the present one. */
#ifndef DROPBRIDGE_REREAD_H
#define DROPBRIDGE_REREAD_H

#include "buf.h"
#include "config_report.h"
#include "error.h"
#include "setting.h"
#include "timers.h"

#include <stdbool.h>
#include <stddef.h>

enum { REREAD_LOOK_MS = TIMER_MS(2000) };

struct reread;

/* Call before the settings are read for the first time, so that what changes meanwhile is found. `config` is the
   program's struct of settings, of `size` bytes. Everything must outlive it. NULL without memory. */
struct reread *reread_new(const struct setting *rows, size_t count, const char *config_file, void *config, size_t size);
void reread_free(struct reread *reread); /* NULL is fine */

/* What the program does in the thread; both may be NULL. */
struct reread_ops {
    /* Puts the values of `config` into force, a struct of settings that has the old ones where the new cannot be used.
       False with a problem in the report: all stays as it was. */
    bool (*take)(void *context, const void *config, struct config_report *report);
    /* Each time: looks at other files, with what is wrong with them to the report. */
    void (*look)(void *context, struct config_report *report);
    void *context;
};

/* After stop_signal_ignore_others. False with *error. */
bool reread_start(struct reread *reread, const struct reread_ops *ops, struct error *error);
/* Waits for the thread's end. May be called again, and without a start. */
void reread_stop(struct reread *reread);

/* A copy of the text of the row `name`, as last read, to be given to reread_text_free. NULL without memory, or if there is
   no such row. Any thread. */
char *reread_text(struct reread *reread, const char *name);
void reread_text_free(char *text); /* wipes it; NULL is fine */

/* Appends what cannot be used now, a sentence a line; nothing if all can. Any thread. */
void reread_problem(struct reread *reread, struct buf *out);

#endif
