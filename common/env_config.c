#include "env_config.h"

#include "bytes.h"
#include "limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    REPORT_LIMIT = 64 * 1024,        /* more problems than anybody reads */
    CONFIG_FILE_LIMIT = 1024 * 1024, /* the largest --config file */
    VALUE_FILE_LIMIT = 64 * 1024,    /* the largest NAME_FILE */
    TYPO_DISTANCE = 2,               /* letters that make a name look like another */
    TYPO_SHORTEST = 5,               /* below that everything resembles everything */
    NAME_LIMIT = 64,
    HOST_LIMIT = 254, /* RFC 1035: a host name and its NUL */
};

static const char file_suffix[] = "_FILE";

/* The --config file: the text, cut into lines in place, and the KEY=VALUE pairs found in it. */
struct config_line {
    const char *key;
    const char *value;
    size_t number;
};

struct config_text {
    struct buf text;
    struct config_line *lines;
    size_t count;
};

/* Where a row's value was given; NULL: not given. */
struct given {
    const char *value;
    const char *file;  /* NAME_FILE's value */
    const char *where; /* for messages */
};

/* ---- the report ---- */

void config_report_init(struct config_report *report)
{
    buf_init(&report->problems, REPORT_LIMIT);
    buf_init(&report->warnings, REPORT_LIMIT);
    buf_init(&report->failed, REPORT_LIMIT);
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
}

void config_warning(struct config_report *report, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_line(&report->warnings, format, arguments);
    va_end(arguments);
}

static void mark_failed(struct config_report *report, const char *name)
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

/* ---- reading files ---- */

/* Appends the file to `out`. False with a sentence in *error if it cannot be read or is longer than out's limit. */
static bool read_whole_file(const char *path, struct buf *out, struct error *error)
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

/* Frees what may hold secrets. */
static void buf_wipe(struct buf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->cap);
    buf_clear(buf);
}

/* ---- names ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance: letters to insert, delete or replace. */
static size_t name_distance(const char *a, const char *b)
{
    const size_t a_len = strlen(a);
    const size_t b_len = strlen(b);
    size_t row[NAME_LIMIT + 1];

    if (a_len > NAME_LIMIT || b_len > NAME_LIMIT)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_len];
}

/* Whether `name` is `base` and `suffix`. */
static bool name_is(const char *name, const char *base, const char *suffix)
{
    const size_t base_len = strlen(base);
    return strncmp(name, base, base_len) == 0 && strcmp(name + base_len, suffix) == 0;
}

/* One file may serve all programs: what another of them reads is none of this one's business, and no mistake. A test
   holds this list against the tables. */
static const char *const all_names[] = {
    "LISTEN",
    "TLS_CERT_FILE",
    "ADMIN_LISTEN",
    "WEBHOOK_SECRET",
    "WEBHOOK_SECRET_FILE",
    "CALLBACK_SECRET",
    "CALLBACK_SECRET_FILE",
    "CALLBACK_AUTH",
    "TIMESTAMP_TOLERANCE_S",
    "MAX_BODY_BYTES",
    "HTTP_THREADS",
    "BODY_TIMEOUT_MS",
    "CONFIRM_TIMEOUT_MS",
    "AMQP_URL",
    "AMQP_URL_FILE",
    "AMQP_PUBLISHERS",
    "AMQP_EXCHANGE",
    "AMQP_QUEUE",
    "AMQP_REJECTED_QUEUE",
    "PREFETCH",
    "BATCH_MAX",
    "BATCH_WAIT_MS",
    "SPOOL_PATH",
    "SPOOL_MAX_BYTES",
    "REDIS_URL",
    "REDIS_URL_FILE",
    "REDIS_PREFIX",
    "REDIS_WAIT_REPLICAS",
    "REDIS_AWAY_S",
    "RETENTION_S",
    "RESULT_TTL_S",
    "RESULTS_STREAM_MAX",
    "CAMPAIGN_FROM_FOREIGN_ID",
    "LOG_LEVEL",
    "LOG_FORMAT",
};

bool config_name_of_any_program(const char *name)
{
    for (size_t i = 0; i < sizeof all_names / sizeof all_names[0]; i++) {
        if (strcmp(name, all_names[i]) == 0)
            return true;
    }
    return false;
}

static bool name_known(const struct setting *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, rows[i].name) == 0 || (rows[i].file_variant && name_is(name, rows[i].name, file_suffix)))
            return true;
    }
    return false;
}

/* Writes the known name nearest to `name` to `out` and returns its distance. */
static size_t nearest_name(const struct setting *rows, size_t count, const char *name, char out[NAME_LIMIT])
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < 2 * count; i++) {
        const struct setting *row = &rows[i / 2];
        char known[NAME_LIMIT];
        if (i % 2 == 1 && !row->file_variant)
            continue;
        (void)snprintf(known, sizeof known, "%s%s", row->name, i % 2 == 1 ? file_suffix : "");
        const size_t distance = name_distance(name, known);
        if (distance < best) {
            best = distance;
            memcpy(out, known, sizeof known);
        }
    }
    return best;
}

/* ---- the --config file ---- */

static void config_text_clear(struct config_text *config)
{
    buf_wipe(&config->text);
    free(config->lines);
    config->lines = NULL;
    config->count = 0;
}

static const struct config_line *config_text_find(const struct config_text *config, const char *key, const char *suffix)
{
    for (size_t i = 0; i < config->count; i++) {
        if (name_is(config->lines[i].key, key, suffix))
            return &config->lines[i];
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

/* Reads one line, NUL-terminated in place, into the next free place of config->lines. */
static void config_text_line(struct config_text *config, char *line, size_t number, const char *path,
                             const struct setting *rows, size_t count, struct config_report *report)
{
    char nearest[NAME_LIMIT] = "";
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
    if (!name_known(rows, count, key)) {
        if (config_name_of_any_program(key))
            return;
        (void)nearest_name(rows, count, key, nearest);
        config_problem(report, "%s line %zu: %.64s is no setting of this program; the nearest is %s", path, number, key,
                       nearest);
        return;
    }
    const struct config_line *before = config_text_find(config, key, "");
    if (before) {
        config_problem(report, "%s line %zu: %s is already given in line %zu", path, number, key, before->number);
        return;
    }
    config->lines[config->count++] = (struct config_line){.key = key, .value = equals + 1, .number = number};
}

static void config_text_read(struct config_text *config, const char *path, const struct setting *rows, size_t count,
                             struct config_report *report)
{
    struct error error;
    size_t lines = 1;

    if (!read_whole_file(path, &config->text, &error)) {
        config_problem(report, "--config: %s", error.text);
        return;
    }
    if (memchr(config->text.data, '\0', config->text.len)) {
        config_problem(report, "--config: %s is no text: it has a NUL byte", path);
        return;
    }
    for (const char *c = config->text.data; *c != '\0'; c++)
        lines += *c == '\n';
    config->lines = calloc(lines, sizeof *config->lines);
    config->count = 0;
    if (!config->lines) {
        config_problem(report, "--config: out of memory");
        return;
    }
    char *next = config->text.data;
    for (size_t number = 1; next; number++) {
        char *line = next;
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        config_text_line(config, line, number, path, rows, count, report);
    }
}

/* ---- values ---- */

static bool bad(struct error *error, const char *text)
{
    error_set(error, ERROR_CONFIG, "%s", text);
    return false;
}

static bool parse_integer(const struct setting *row, const char *text, int64_t *out, struct error *error)
{
    char *end = NULL;
    const char *digits = text + (*text == '-' ? 1 : 0);
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (*digits < '0' || *digits > '9' || *end != '\0' || errno == ERANGE || value < row->min || value > row->max) {
        error_set(error, ERROR_CONFIG, "must be a whole number from %" PRId64 " to %" PRId64 ", not \"%.64s\"",
                  row->min, row->max, text);
        return false;
    }
    *out = value;
    return true;
}

static bool parse_choice(const struct setting *row, const char *text, int *out, struct error *error)
{
    char names[ERROR_TEXT / 2] = "";
    size_t len = 0;
    for (int i = 0; row->choices[i]; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *out = i;
            return true;
        }
        const char *between = i == 0 ? "" : row->choices[i + 1] ? ", " : " or ";
        const int written = snprintf(names + len, sizeof names - len, "%s%s", between, row->choices[i]);
        len = written < 0 || (size_t)written >= sizeof names - len ? sizeof names - 1 : len + (size_t)written;
    }
    error_set(error, ERROR_CONFIG, "must be %s, not \"%.64s\"", names, text);
    return false;
}

/* What the HTTP library can listen on: an IPv4 address, or a name of one that does not begin with a digit. */
static bool check_host(struct bytes text, struct error *error)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_";
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct in_addr address;
    char host[HOST_LIMIT] = "";

    if (text.len >= sizeof host)
        return bad(error, "must be host:port; the host is too long");
    memcpy(host, text.data, text.len);
    if (strspn(host, allowed) < text.len)
        return bad(error, "must be host:port; the host has characters that no host name has");
    if (inet_pton(AF_INET, host, &address) == 1)
        return true;
    if (host[0] >= '0' && host[0] <= '9') {
        error_set(error, ERROR_CONFIG, "must be host:port; \"%s\" is no IPv4 address", host);
        return false;
    }
    const int status = getaddrinfo(host, NULL, &hints, &found);
    if (status != 0) {
        error_set(error, ERROR_CONFIG, "needs an IPv4 address, and the name \"%s\" has none here: %s", host,
                  gai_strerror(status));
        return false;
    }
    freeaddrinfo(found);
    return true;
}

static bool looks_like_ipv6(const char *text)
{
    const char *colon = strchr(text, ':');
    return *text == '[' ||
           (colon && strchr(colon + 1, ':') && strspn(text, "0123456789abcdefABCDEF:.") + 1 >= strlen(text));
}

/* host:port with an optional s behind the port. */
static bool check_listen(const char *text, struct error *error)
{
    const char *colon = strchr(text, ':');
    size_t digits = 0;
    long port = 0;

    if (looks_like_ipv6(text))
        return bad(error, "names an IPv6 address, and listening on IPv6 is not supported: give an IPv4 address, "
                          "such as 127.0.0.1:8080");
    if (!colon || colon == text || strchr(colon + 1, ':'))
        return bad(error, "must be host:port, such as 127.0.0.1:8080");
    for (digits = 0; colon[1 + digits] >= '0' && colon[1 + digits] <= '9' && digits < 6; digits++)
        port = port * 10 + (colon[1 + digits] - '0');
    const char *end = colon + 1 + digits;
    if (digits == 0 || port > UINT16_MAX || !(*end == '\0' || strcmp(end, "s") == 0))
        return bad(error, "must be host:port with a port from 0 to 65535 (and an s behind it for TLS)");
    return check_host(bytes_of(text, (size_t)(colon - text)), error);
}

static void secrets_clear(struct secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        explicit_bzero(secrets->items[i].data, secrets->items[i].len);
        free(secrets->items[i].data);
    }
    free(secrets->items);
    *secrets = (struct secrets){0};
}

static bool secrets_add(struct secrets *secrets, struct bytes text, struct error *error)
{
    if (secrets->count == LIMIT_SECRETS) {
        error_set(error, ERROR_CONFIG, "names more than %d secrets", LIMIT_SECRETS);
        return false;
    }
    struct secret *grown = realloc(secrets->items, (secrets->count + 1) * sizeof *grown);
    if (!grown)
        return bad(error, "out of memory");
    secrets->items = grown;
    uint8_t *copy = malloc(text.len);
    if (!copy)
        return bad(error, "out of memory");
    memcpy(copy, text.data, text.len);
    grown[secrets->count++] = (struct secret){.data = copy, .len = text.len};
    return true;
}

/* Outside a file a control character is a slip of copying; a secret that is meant to have one can be put into a file.
 */
static bool check_no_control(const struct setting *row, const char *text, struct error *error)
{
    const size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] >= ' ' && text[i] != 0x7f)
            continue;
        const char *what = text[i] != '\n'       ? "a control character in it"
                           : text[i + 1] == '\0' ? "a newline at its end"
                                                 : "a newline in it";
        error_set(error, ERROR_CONFIG,
                  "has %s: take it away, or put the secrets into a file, one a line, and name that in %s%s", what,
                  row->name, file_suffix);
        return false;
    }
    return true;
}

/* Cuts `text` at `separator`. Empty lines of a file are nothing; an empty part of a list is a mistake. */
static bool parse_secrets(struct bytes text, char separator, struct secrets *out, struct error *error)
{
    struct secrets secrets = {0};
    size_t start = 0;
    bool ok = true;

    for (size_t i = 0; ok && i <= text.len; i++) {
        if (i < text.len && text.data[i] != (uint8_t)separator)
            continue;
        const struct bytes part = bytes_of(text.data + start, i - start);
        start = i + 1;
        if (part.len > 0)
            ok = secrets_add(&secrets, part, error);
        else if (separator == ',')
            ok = bad(error, "has an empty secret between its commas");
    }
    if (ok && secrets.count == 0)
        ok = bad(error, "holds no secret");
    if (ok)
        *out = secrets;
    else
        secrets_clear(&secrets);
    return ok;
}

static void *slot_of(const struct setting *row, void *out)
{
    return (char *)out + row->offset;
}

static bool parse_text(const struct setting *row, const char *text, char **out, struct error *error)
{
    if (row->type == SETTING_LISTEN && *text != '\0' && !check_listen(text, error))
        return false;
    if (row->check && *text != '\0' && !row->check(text, error))
        return false;
    char *copy = strdup(text);
    if (!copy)
        return bad(error, "out of memory");
    *out = copy;
    return true;
}

/* Puts `text` into the row's place; on false the place is untouched. */
static bool parse_value(const struct setting *row, const char *text, void *out, struct error *error)
{
    void *slot = slot_of(row, out);
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_LISTEN:
        return parse_text(row, text, slot, error);
    case SETTING_INTEGER:
        return parse_integer(row, text, slot, error);
    case SETTING_CHOICE:
        return parse_choice(row, text, slot, error);
    case SETTING_SECRETS:
        if (*text != '\0')
            return check_no_control(row, text, error) && parse_secrets(bytes_of_text(text), ',', slot, error);
        *(struct secrets *)slot = (struct secrets){0};
        return true;
    }
    return false;
}

/* Every row has a value after this, whatever else fails. */
static void set_default(const struct setting *row, void *out, struct config_report *report)
{
    struct error error;
    void *slot = slot_of(row, out);
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_LISTEN:
        *(char **)slot = NULL;
        break;
    case SETTING_INTEGER:
        *(int64_t *)slot = row->min;
        break;
    case SETTING_CHOICE:
        *(int *)slot = 0;
        break;
    case SETTING_SECRETS:
        *(struct secrets *)slot = (struct secrets){0};
        break;
    }
    if ((row->type == SETTING_INTEGER || row->type == SETTING_CHOICE) && !row->default_text)
        return;
    if (!parse_value(row, row->default_text ? row->default_text : "", out, &error))
        config_problem(report, "%s: the default %s", row->name, error.text);
}

/* Reads the row's value from the file that NAME_FILE names. */
static bool parse_file(const struct setting *row, const char *path, void *out, struct error *error)
{
    struct buf text;
    bool ok = false;
    buf_init(&text, VALUE_FILE_LIMIT);
    if (!read_whole_file(path, &text, error))
        goto out;
    if (row->type != SETTING_SECRETS && memchr(text.data, '\0', text.len)) {
        ok = bad(error, "is no text: it has a NUL byte");
    } else if (row->type == SETTING_SECRETS) {
        ok = parse_secrets(bytes_of(text.data, text.len), '\n', slot_of(row, out), error);
    } else {
        text.data[strcspn(text.data, "\n")] = '\0';
        const size_t len = strlen(text.data);
        if (len > 0 && text.data[len - 1] == '\r')
            text.data[len - 1] = '\0';
        ok = *text.data == '\0' ? bad(error, "has an empty first line") : parse_value(row, text.data, out, error);
    }
    if (!ok) {
        const struct error inner = *error;
        error_set(error, ERROR_CONFIG, "%.128s: %.360s", path, inner.text);
    }
out:
    buf_wipe(&text);
    return ok;
}

/* ---- putting it together ---- */

/* The value of `name` + `suffix` in the environment; NULL if not there or empty. */
static const char *environment_find(char *const *environment, const char *name, const char *suffix)
{
    const size_t name_len = strlen(name);
    const size_t suffix_len = strlen(suffix);
    for (; environment && *environment; environment++) {
        const char *entry = *environment;
        if (strncmp(entry, name, name_len) == 0 && strncmp(entry + name_len, suffix, suffix_len) == 0 &&
            entry[name_len + suffix_len] == '=' && entry[name_len + suffix_len + 1] != '\0')
            return entry + name_len + suffix_len + 1;
    }
    return NULL;
}

static const char *config_text_value(const struct config_text *config, const char *name, const char *suffix)
{
    const struct config_line *line = config_text_find(config, name, suffix);
    return line && *line->value != '\0' ? line->value : NULL;
}

static struct given find_given(const struct setting *row, const struct config_text *config, char *const *environment)
{
    struct given given = {.where = "the environment"};
    given.value = environment_find(environment, row->name, "");
    given.file = row->file_variant ? environment_find(environment, row->name, file_suffix) : NULL;
    if (given.value || given.file)
        return given;
    given.where = "the --config file";
    given.value = config_text_value(config, row->name, "");
    given.file = row->file_variant ? config_text_value(config, row->name, file_suffix) : NULL;
    return given;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Secrets are taken literally; a blank at an end is more often a mistake of an editor than meant. */
static void warn_of_blanks(const struct setting *row, const struct secrets *secrets, struct config_report *report)
{
    for (size_t i = 0; i < secrets->count; i++) {
        const struct secret *secret = &secrets->items[i];
        if (is_blank(secret->data[0]) || is_blank(secret->data[secret->len - 1]))
            config_warning(report, "%s: secret %zu begins or ends with white space, which is taken as a part of it",
                           row->name, i + 1);
    }
}

static void load_row(const struct setting *row, const struct config_text *config, char *const *environment, void *out,
                     struct config_report *report)
{
    struct error error;
    const struct given given = find_given(row, config, environment);

    if (!given.value && !given.file) {
        set_default(row, out, report);
        return;
    }
    if (given.value && given.file) {
        config_problem(report, "%s and %s%s are both given in %s: give one of them", row->name, row->name, file_suffix,
                       given.where);
        mark_failed(report, row->name);
        set_default(row, out, report);
        return;
    }
    const bool ok = given.file ? parse_file(row, given.file, out, &error) : parse_value(row, given.value, out, &error);
    if (!ok) {
        config_problem(report, "%s%s %s", row->name, given.file ? "_FILE:" : "", error.text);
        mark_failed(report, row->name);
        set_default(row, out, report);
    } else if (row->type == SETTING_SECRETS) {
        warn_of_blanks(row, slot_of(row, out), report);
    }
}

static void warn_of_typos(const struct setting *rows, size_t count, char *const *environment,
                          struct config_report *report)
{
    for (; environment && *environment; environment++) {
        char name[NAME_LIMIT] = "";
        char nearest[NAME_LIMIT] = "";
        const size_t len = strcspn(*environment, "=");
        if (len < TYPO_SHORTEST || len >= sizeof name)
            continue;
        memcpy(name, *environment, len);
        if (!name_known(rows, count, name) && nearest_name(rows, count, name, nearest) <= TYPO_DISTANCE)
            config_warning(report, "%s in the environment is no setting; is %s meant?", name, nearest);
    }
}

bool config_load(const struct setting *rows, size_t count, const char *config_file, char *const *environment, void *out,
                 struct config_report *report)
{
    struct config_text config = {0};
    const size_t problems_before = report->problems.len;

    buf_init(&config.text, CONFIG_FILE_LIMIT);
    if (config_file)
        config_text_read(&config, config_file, rows, count, report);
    for (size_t i = 0; i < count; i++)
        load_row(&rows[i], &config, environment, out, report);
    warn_of_typos(rows, count, environment, report);
    config_text_clear(&config);
    return report->problems.len == problems_before && !report->problems.overflow;
}

void config_clear(const struct setting *rows, size_t count, void *out)
{
    for (size_t i = 0; i < count; i++) {
        void *slot = slot_of(&rows[i], out);
        switch (rows[i].type) {
        case SETTING_TEXT:
        case SETTING_LISTEN:
            if (*(char **)slot && rows[i].secret)
                explicit_bzero(*(char **)slot, strlen(*(char **)slot));
            free(*(char **)slot);
            *(char **)slot = NULL;
            break;
        case SETTING_SECRETS:
            secrets_clear(slot);
            break;
        case SETTING_INTEGER:
        case SETTING_CHOICE:
            break;
        }
    }
}

void config_print_help(const struct setting *rows, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct setting *row = &rows[i];
        (void)buf_printf(out, "  %-26s %s", row->name, row->meaning ? row->meaning : "");
        if (row->file_variant)
            (void)buf_printf(out, "; or in the file named by %s%s", row->name, file_suffix);
        if (row->default_text && *row->default_text != '\0')
            (void)buf_printf(out, " [%s]", row->default_text);
        (void)buf_append_text(out, "\n");
    }
}

bool config_arguments_read(int argc, char **argv, struct config_arguments *out, struct error *error)
{
    static const char config_equals[] = "--config=";
    struct config_arguments arguments = {0};

    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (strcmp(argument, "--help") == 0) {
            arguments.help = true;
        } else if (strcmp(argument, "--version") == 0) {
            arguments.version = true;
        } else if (strcmp(argument, "--check-config") == 0) {
            arguments.check_config = true;
        } else if (strcmp(argument, "--config") == 0 && i + 1 < argc) {
            arguments.config_file = argv[++i];
        } else if (strncmp(argument, config_equals, sizeof config_equals - 1) == 0) {
            arguments.config_file = argument + sizeof config_equals - 1;
        } else if (strcmp(argument, "--config") == 0) {
            error_set(error, ERROR_USAGE, "--config needs the name of a file");
            return false;
        } else {
            error_set(error, ERROR_USAGE, "unknown argument \"%.100s\"; --help lists what there is", argument);
            return false;
        }
    }
    *out = arguments;
    return true;
}
