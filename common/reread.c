#include "reread.h"

#include "clock.h"
#include "env_config.h"
#include "file_version.h"
#include "log.h"
#include "setting_value.h"
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS_MAX = 8, PROBLEM_LIMIT = 64 * 1024 /* as the report's */ };

struct reread {
    struct row {
        struct setting setting;
        char *file; /* that holds the value; NULL: none */
        struct file_version version;
        char *text; /* of SETTING_TEXT: the last one; NULL: that of the start. The mutex guards it */
    } rows[ROWS_MAX];
    size_t count;
    const char *config_file;
    void *config;
    size_t size;
    struct reread_ops ops;
    pthread_t thread;
    bool runs;
    atomic_bool stopping;
    bool failing; /* something could not be used: tried again each time */
    pthread_mutex_t mutex; /* guards the next, and texts */
    struct buf problem;
};

/* ---- values ---- */

static size_t size_of(const struct setting *row)
{
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_LISTEN:
        return sizeof(char *);
    case SETTING_INTEGER:
        return sizeof(int64_t);
    case SETTING_CHOICE:
        return sizeof(int);
    case SETTING_SECRETS:
        break;
    }
    return sizeof(struct secrets);
}

static bool same_secrets(const struct secrets *a, const struct secrets *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = bytes_equal(bytes_of(a->items[i].data, a->items[i].len), bytes_of(b->items[i].data, b->items[i].len));
    return same;
}

static bool same_value(const struct setting *row, const void *a, const void *b)
{
    return row->type == SETTING_SECRETS ? same_secrets(a, b) : memcmp(a, b, size_of(row)) == 0;
}

static void tell(const struct row *row, const void *value)
{
    const char *suffix = row->file ? SETTING_FILE_SUFFIX : "";

    if (row->setting.type == SETTING_SECRETS)
        log_info("%s%s was read again: %zu secrets", row->setting.name, suffix, ((const struct secrets *)value)->count);
    else
        log_info("%s%s was read again: it has changed", row->setting.name, suffix);
}

static void put_text_into_force(struct reread *reread, struct row *row, void *fresh)
{
    char **next = setting_value_slot(&row->setting, fresh);
    char *const *first = setting_value_slot(&row->setting, reread->config);
    char *old = row->text;

    if (strcmp(old ? old : *first, *next) == 0)
        return;
    pthread_mutex_lock(&reread->mutex);
    row->text = *next;
    *next = old;
    pthread_mutex_unlock(&reread->mutex);
    log_info("%s%s was read again: the next connection uses it", row->setting.name, row->file ? SETTING_FILE_SUFFIX : "");
}

/* Exchanges the values of a row, so that the old one is freed with `fresh`. */
static void put_into_force(struct reread *reread, struct row *row, void *fresh)
{
    char old[sizeof(struct secrets)];
    void *now = setting_value_slot(&row->setting, reread->config);
    void *next = setting_value_slot(&row->setting, fresh);

    if (row->setting.type == SETTING_TEXT) {
        put_text_into_force(reread, row, fresh);
        return;
    }
    if (same_value(&row->setting, now, next))
        return;
    memcpy(old, now, size_of(&row->setting));
    memcpy(now, next, size_of(&row->setting));
    memcpy(next, old, size_of(&row->setting));
    explicit_bzero(old, sizeof old);
    if (strcmp(row->setting.name, "LOG_LEVEL") == 0)
        log_set_level(*(enum log_level *)now);
    tell(row, now);
}

/* ---- reading ---- */

static void find_files(struct reread *reread)
{
    for (size_t i = 0; i < reread->count; i++) {
        free(reread->rows[i].file);
        reread->rows[i].file = config_value_file(&reread->rows[i].setting, reread->config_file, environ);
    }
}

static bool any_changed(struct reread *reread)
{
    bool changed = false;

    for (size_t i = 0; i < reread->count; i++) {
        if (reread->rows[i].file)
            changed |= file_version_update(&reread->rows[i].version, reread->rows[i].file);
    }
    return changed;
}

/* Reads all rows. What cannot be used is the old value in `fresh`, and true in `kept`. */
static void read_rows(struct reread *reread, void *fresh, bool kept[ROWS_MAX], struct config_report *report)
{
    struct setting rows[ROWS_MAX];

    for (size_t i = 0; i < reread->count; i++)
        rows[i] = reread->rows[i].setting;
    memcpy(fresh, reread->config, reread->size);
    config_load_again(rows, reread->count, reread->config_file, environ, fresh, report);
    for (size_t i = 0; i < reread->count; i++) {
        kept[i] = config_row_failed(report, rows[i].name) || config_row_failed(report, CONFIG_FILE_ROW);
        if (!kept[i])
            continue;
        setting_value_clear(&rows[i], fresh);
        memcpy(setting_value_slot(&rows[i], fresh), setting_value_slot(&rows[i], reread->config), size_of(&rows[i]));
    }
}

static void load(struct reread *reread, struct config_report *report)
{
    void *fresh = malloc(reread->size);
    bool kept[ROWS_MAX] = {false};

    if (!fresh) {
        config_problem(report, "no memory to read the settings again");
        return;
    }
    read_rows(reread, fresh, kept, report);
    const bool taken = !reread->ops.take || reread->ops.take(reread->ops.context, fresh, report);

    for (size_t i = 0; i < reread->count; i++) {
        if (kept[i])
            continue;
        if (taken)
            put_into_force(reread, &reread->rows[i], fresh);
        setting_value_clear(&reread->rows[i].setting, fresh);
    }
    free(fresh);
}

/* Tells what is wrong: once, and when something was `touched`, for which warnings are told too. */
static void note_problem(struct reread *reread, const struct config_report *report, bool touched)
{
    const char *now = report->problems.data ? report->problems.data : "";
    bool changed;

    pthread_mutex_lock(&reread->mutex);
    changed = strcmp(reread->problem.data ? reread->problem.data : "", now) != 0;
    if (changed) {
        buf_reset(&reread->problem);
        (void)buf_append_text(&reread->problem, now);
    }
    pthread_mutex_unlock(&reread->mutex);
    if (changed || touched)
        config_report_log(report, touched);
    if (changed && *now != '\0')
        log_warn("what was read before stays in use, until that is mended");
    else if (changed)
        log_info("what could not be used is mended");
}

static void look(struct reread *reread, bool told)
{
    struct config_report report;
    bool touched;

    config_report_init(&report);
    if (told)
        find_files(reread);
    touched = any_changed(reread) || told;
    if (touched || reread->failing) {
        load(reread, &report);
        reread->failing = report.problems.len > 0;
    }
    if (reread->ops.look)
        reread->ops.look(reread->ops.context, &report);
    note_problem(reread, &report, touched);
    if (told)
        log_info("SIGHUP: secrets, certificates and LOG_LEVEL were read again");
    config_report_clear(&report);
}

/* ---- its life ---- */

static void *run(void *argument)
{
    const struct timespec pause = clock_timespec_of_ms(REREAD_LOOK_MS);
    struct reread *reread = argument;
    sigset_t hangup;

    (void)sigemptyset(&hangup);
    (void)sigaddset(&hangup, SIGHUP);
    while (!atomic_load(&reread->stopping)) {
        const bool told = sigtimedwait(&hangup, NULL, &pause) == SIGHUP;

        if (!atomic_load(&reread->stopping))
            look(reread, told);
    }
    return NULL;
}

struct reread *reread_new(const struct setting *rows, size_t count, const char *config_file, void *config, size_t size)
{
    struct reread *reread = calloc(1, sizeof *reread);

    if (!reread)
        return NULL;
    reread->config_file = config_file;
    reread->config = config;
    reread->size = size;
    pthread_mutex_init(&reread->mutex, NULL);
    buf_init(&reread->problem, PROBLEM_LIMIT);
    for (size_t i = 0; i < count && reread->count < ROWS_MAX; i++) {
        if (rows[i].reread)
            reread->rows[reread->count++].setting = rows[i];
    }
    find_files(reread);
    (void)any_changed(reread);
    return reread;
}

bool reread_start(struct reread *reread, const struct reread_ops *ops, struct error *error)
{
    reread->ops = *ops;
    reread->runs = thread_start(&reread->thread, "the thread that reads settings again", run, reread, error);
    return reread->runs;
}

void reread_stop(struct reread *reread)
{
    if (!reread->runs)
        return;
    reread->runs = false;
    atomic_store(&reread->stopping, true);
    (void)pthread_kill(reread->thread, SIGHUP); /* which it waits for */
    pthread_join(reread->thread, NULL);
}

void reread_free(struct reread *reread)
{
    if (!reread)
        return;
    reread_stop(reread);
    for (size_t i = 0; i < reread->count; i++) {
        free(reread->rows[i].file);
        reread_text_free(reread->rows[i].text);
    }
    buf_clear(&reread->problem);
    pthread_mutex_destroy(&reread->mutex);
    free(reread);
}

char *reread_text(struct reread *reread, const char *name)
{
    char *copy = NULL;

    pthread_mutex_lock(&reread->mutex);
    for (size_t i = 0; i < reread->count && !copy; i++) {
        const struct row *row = &reread->rows[i];
        char *const *first = setting_value_slot(&row->setting, reread->config);

        if (strcmp(row->setting.name, name) == 0)
            copy = strdup(row->text ? row->text : *first);
    }
    pthread_mutex_unlock(&reread->mutex);
    return copy;
}

void reread_text_free(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void reread_problem(struct reread *reread, struct buf *out)
{
    pthread_mutex_lock(&reread->mutex);
    (void)buf_append_text(out, reread->problem.data ? reread->problem.data : "");
    pthread_mutex_unlock(&reread->mutex);
}
