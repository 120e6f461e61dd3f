#include "config_report.h"

#include "error.h"
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { REPORT_LIMIT = 64 * 1024 /* more problems than anybody reads */ };

void config_report_init(struct config_report *report)
{
    buf_init(&report->problems, REPORT_LIMIT);
    buf_init(&report->warnings, REPORT_LIMIT);
    buf_init(&report->failed, REPORT_LIMIT);
    report->lasting = false;
}

void config_report_clear(struct config_report *report)
{
    buf_clear(&report->problems);
    buf_clear(&report->warnings);
    buf_clear(&report->failed);
}

__attribute__((format(printf, 2, 0))) static void report_line(struct buf *out, const char *format, va_list arguments)
{
    char line[2 * ERROR_TEXT];
    (void)vsnprintf(line, sizeof line, format, arguments);
    /* What users wrote is quoted in here: one sentence stays one line. */
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
    (void)(buf_append_text(out, line) && buf_append_text(out, "\n"));
}

void config_problem(struct config_report *report, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_line(&report->problems, format, arguments);
    va_end(arguments);
    report->lasting = true;
}

void config_passing_problem(struct config_report *report, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_line(&report->problems, format, arguments);
    va_end(arguments);
}

void config_warning(struct config_report *report, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_line(&report->warnings, format, arguments);
    va_end(arguments);
}

void config_mark_failed(struct config_report *report, const char *name)
{
    (void)(buf_append_text(&report->failed, name) && buf_append_text(&report->failed, "\n"));
}

bool config_row_failed(const struct config_report *report, const char *name)
{
    const size_t len = strlen(name);
    const char *line = report->failed.data;
    while (line && *line != '\0') {
        const char *end = strchr(line, '\n');
        const size_t line_len = end ? (size_t)(end - line) : strlen(line);
        if (line_len == len && memcmp(line, name, len) == 0)
            return true;
        line = end ? end + 1 : NULL;
    }
    return false;
}

static void log_lines(const struct buf *lines, enum log_level level)
{
    const char *line = lines->data;

    while (line && *line != '\0') {
        const size_t len = strcspn(line, "\n");

        log_message(level, "%.*s", (int)len, line);
        line += len + (line[len] == '\n' ? 1 : 0);
    }
}

void config_report_log(const struct config_report *report, bool with_warnings)
{
    log_lines(&report->problems, LOG_LEVEL_ERROR);
    if (with_warnings)
        log_lines(&report->warnings, LOG_LEVEL_WARN);
}
