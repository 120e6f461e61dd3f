#include "config_file.h"

#include "setting_names.h"
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG_FILE_LIMIT = 1024 * 1024 /* the largest --config file */ };

static const char byte_order_mark[] = "\xef\xbb\xbf"; /* of UTF-8 */

bool config_read_whole(const char *path, struct buf *out, struct error *error)
{
    char chunk[4096];
    ssize_t got = 0;
    bool ok = false;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        error_set(error, ERROR_CONFIG, "%s cannot be read: %s", path, strerror(errno));
        return false;
    }
    for (;;) {
        got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        if (!buf_append(out, chunk, (size_t)got)) {
            error_set(error, ERROR_CONFIG, "%s is longer than %zu bytes", path, out->limit);
            goto out;
        }
    }
    if (got < 0)
        error_set(error, ERROR_CONFIG, "%s cannot be read: %s", path, strerror(errno));
    else if (out->len == 0)
        error_set(error, ERROR_CONFIG, "%s is empty", path);
    else
        ok = true;
out:
    (void)close(fd);
    explicit_bzero(chunk, sizeof chunk);
    return ok;
}

void config_wipe(struct buf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->cap);
    buf_clear(buf);
}

void config_file_init(struct config_file *file)
{
    *file = (struct config_file){0};
    buf_init(&file->text, CONFIG_FILE_LIMIT);
}

void config_file_clear(struct config_file *file)
{
    config_wipe(&file->text);
    free(file->lines);
    file->lines = NULL;
    file->count = 0;
}

static const struct config_line *find_line(const struct config_file *file, const char *key, const char *suffix)
{
    for (size_t i = 0; i < file->count; i++) {
        if (setting_name_is(file->lines[i].key, key, suffix))
            return &file->lines[i];
    }
    return NULL;
}

static char *trim(char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    char *end = text + strlen(text);
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    return text;
}

/* Reads one line, NUL-terminated in place, into the next free place of file->lines. */
static void read_line(struct config_file *file, char *line, size_t number, const char *path, const struct setting *rows,
                      size_t count, struct config_report *report)
{
    char nearest[SETTING_NAME_SIZE] = "";
    const size_t len = strlen(line);
    if (len > 0 && line[len - 1] == '\r')
        line[len - 1] = '\0';
    const char *first = line + strspn(line, " \t");
    if (*first == '\0' || *first == '#')
        return;

    char *equals = strchr(line, '=');
    if (!equals) {
        config_problem(report, "%s line %zu: not KEY=VALUE", path, number);
        return;
    }
    *equals = '\0';
    const char *key = trim(line);
    if (!setting_name_known(rows, count, key)) {
        if (setting_of_any_program(key))
            return;
        (void)setting_name_nearest(rows, count, key, nearest);
        config_problem(report, "%s line %zu: %.64s is no setting of this program; the nearest is %s", path, number, key,
                       nearest);
        return;
    }
    const struct config_line *before = find_line(file, key, "");
    if (before) {
        config_problem(report, "%s line %zu: %s is already given in line %zu", path, number, key, before->number);
        return;
    }
    file->lines[file->count++] = (struct config_line){.key = key, .value = equals + 1, .number = number};
}

void config_file_read(struct config_file *file, const char *path, const struct setting *rows, size_t count,
                      struct config_report *report)
{
    struct error error;
    size_t lines = 1;

    if (!config_read_whole(path, &file->text, &error)) {
        config_problem(report, "--config: %s", error.text);
        config_mark_failed(report, CONFIG_FILE_ROW);
        return;
    }
    if (memchr(file->text.data, '\0', file->text.len)) {
        config_problem(report, "--config: %s is no text: it has a NUL byte", path);
        config_mark_failed(report, CONFIG_FILE_ROW);
        return;
    }
    for (const char *c = file->text.data; *c != '\0'; c++)
        lines += *c == '\n';
    file->lines = calloc(lines, sizeof *file->lines);
    file->count = 0;
    if (!file->lines) {
        config_problem(report, "--config: out of memory");
        return;
    }
    char *next = file->text.data;
    /* Editors of other systems put a byte order mark first. */
    if (strncmp(next, byte_order_mark, sizeof byte_order_mark - 1) == 0)
        next += sizeof byte_order_mark - 1;
    for (size_t number = 1; next; number++) {
        char *line = next;
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        read_line(file, line, number, path, rows, count, report);
    }
}

const char *config_file_value(const struct config_file *file, const char *name, const char *suffix)
{
    const struct config_line *line = find_line(file, name, suffix);
    return line && *line->value != '\0' ? line->value : NULL;
}
