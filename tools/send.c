#include "send.h"

#include "common/clock.h"
#include "common/limits.h"
#include "common/signature.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANSWER_LIMIT = 4096, UUID_SIZE = 37, EXIT_NOT_ALL = 1 };

struct arguments {
    const char *url;
    enum send_scheme scheme;
    bool lines;
    char **files;
    int file_count;
};

/* What one run holds. */
struct sending {
    const struct arguments *arguments;
    const struct hmac_key *key;
    struct http_client *client;
    struct buf answer;
    bool not_all; /* an answer other than 2xx, or none */
};

/* ---- headers ---- */

static char *next_value(struct send_headers *headers, const char *name)
{
    struct http_header *header = &headers->items[headers->count];
    char *value = headers->values[headers->count++];
    *header = (struct http_header){.name = name, .value = value};
    return value;
}

static void add_header(struct send_headers *headers, const char *name, const char *text)
{
    (void)snprintf(next_value(headers, name), SEND_VALUE, "%s", text);
}

bool send_make_headers(enum send_scheme scheme, const struct hmac_key *key, struct bytes body, int64_t now_s,
                       const char *uuid, struct send_headers *out)
{
    char timestamp[24];
    char v1[SIGNATURE_V1_SIZE];
    char guide[SHA256_HEX_SIZE];

    out->count = 0;
    add_header(out, "Content-Type", "application/json");
    add_header(out, "User-Agent", "DropCowboy-Webhook/1.0");
    switch (scheme) {
    case SEND_CALLBACK:
        return true;
    case SEND_GUIDE:
        if (!signature_guide_sign(key, body, guide))
            return false;
        add_header(out, "X-DropCowboy-Signature", guide);
        return true;
    case SEND_V1:
        (void)snprintf(timestamp, sizeof timestamp, "%" PRId64, now_s);
        if (!signature_v1_sign(key, timestamp, body, v1))
            return false;
        add_header(out, "X-Timestamp", timestamp);
        add_header(out, "X-Signature", v1);
        add_header(out, "X-Signature-Version", "v1");
        add_header(out, "X-Event-Id", uuid);
        add_header(out, "X-Attempt", "1");
        return true;
    }
    return false;
}

/* A random UUID (RFC 9562, version 4). */
static bool make_uuid(char out[UUID_SIZE])
{
    uint8_t b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        return false;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(out, UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
                   b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return true;
}

/* ---- sending ---- */

/* An answer is printed on one line, whatever the server put into it. */
static void print_answer(const char *label, long status, struct buf *answer)
{
    while (answer->len > 0 && isspace((unsigned char)answer->data[answer->len - 1]))
        answer->data[--answer->len] = '\0';
    for (size_t i = 0; i < answer->len; i++) {
        const unsigned char c = (unsigned char)answer->data[i];
        if (c < ' ' || c == 0x7f)
            answer->data[i] = ' ';
    }
    (void)printf("%s: %ld %s\n", label, status, answer->len > 0 ? answer->data : "");
    (void)fflush(stdout);
}

/* False with *error when nothing more can be sent; an answer that is not 2xx is noted and printed. */
static bool send_event(struct sending *sending, const char *label, struct bytes body, struct error *error)
{
    struct send_headers headers;
    char uuid[UUID_SIZE];
    long status = 0;

    if (!make_uuid(uuid) ||
        !send_make_headers(sending->arguments->scheme, sending->key, body, clock_wall_ms() / 1000, uuid, &headers)) {
        error_set(error, ERROR_INTERNAL, "the event cannot be signed");
        return false;
    }
    struct error inner;
    switch (http_client_post(sending->client, sending->arguments->url, headers.items, headers.count, body, &status,
                             &sending->answer, &inner)) {
    case HTTP_ANSWERED:
        print_answer(label, status, &sending->answer);
        sending->not_all = sending->not_all || status < 200 || status > 299;
        return true;
    case HTTP_NO_ANSWER:
        (void)printf("%s: no answer: %s\n", label, inner.text);
        sending->not_all = true;
        return true;
    case HTTP_NO_CONNECTION:
        break;
    }
    error_set(error, inner.code, "send: no connection to the URL: %.400s", inner.text);
    return false;
}

static bool read_file(const char *path, struct buf *out, struct error *error)
{
    char chunk[65536];
    ssize_t got = 0;
    const bool standard_input = strcmp(path, "-") == 0;
    const int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0;

    if (!ok)
        error_set(error, ERROR_USAGE, "send: %.200s cannot be read: %s", path, strerror(errno));
    while (ok && (got = read(fd, chunk, sizeof chunk)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            error_set(error, ERROR_USAGE, "send: %.200s cannot be read: %s", path, strerror(errno));
            ok = false;
        } else if (!buf_append(out, chunk, (size_t)got)) {
            error_set(error, ERROR_USAGE, "send: %.200s is longer than %zu bytes", path, out->limit);
            ok = false;
        }
    }
    if (fd >= 0 && !standard_input)
        (void)close(fd);
    return ok;
}

static bool send_lines(struct sending *sending, const char *path, const struct buf *text, struct error *error)
{
    size_t number = 0;
    for (size_t start = 0; start < text->len;) {
        const char *line = text->data + start;
        const char *end = memchr(line, '\n', text->len - start);
        const size_t len = end ? (size_t)(end - line) : text->len - start;
        char label[300];
        number++;
        start += len + 1;
        if (len == 0)
            continue;
        (void)snprintf(label, sizeof label, "%.255s:%zu", path, number);
        if (!send_event(sending, label, bytes_of(line, len), error))
            return false;
    }
    return true;
}

static bool send_file(struct sending *sending, const char *path, struct error *error)
{
    struct buf text;
    buf_init(&text, LIMIT_BODY_MAX);
    bool ok = read_file(path, &text, error);
    if (ok && sending->arguments->lines)
        ok = send_lines(sending, path, &text, error);
    else if (ok)
        ok = send_event(sending, path, bytes_of(text.data, text.len), error);
    buf_clear(&text);
    return ok;
}

/* ---- the command line ---- */

static bool read_scheme(const char *text, enum send_scheme *out)
{
    static const char *const names[] = {[SEND_GUIDE] = "guide", [SEND_V1] = "v1", [SEND_CALLBACK] = "callback"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum send_scheme)i;
            return true;
        }
    }
    return false;
}

static bool check_arguments(const struct arguments *arguments, bool has_scheme, struct error *error)
{
    struct error inner;
    if (!arguments->url || !has_scheme || arguments->file_count == 0) {
        error_set(error, ERROR_USAGE, "send: --url URL --scheme guide|v1|callback and at least one FILE are needed");
        return false;
    }
    if (!http_url_check(arguments->url, &inner)) {
        error_set(error, inner.code, "send: --url %.450s", inner.text);
        return false;
    }
    return true;
}

/* Reads the option argv[*i], and its value if it has one; *i is then the last word read. */
static bool read_option(int argc, char **argv, int *i, struct arguments *out, bool *has_scheme, struct error *error)
{
    const char *option = argv[*i];
    const char *value = *i + 1 < argc ? argv[*i + 1] : NULL;
    if (strcmp(option, "--lines") == 0) {
        out->lines = true;
        return true;
    }
    if ((strcmp(option, "--url") != 0 && strcmp(option, "--scheme") != 0) || !value) {
        error_set(error, ERROR_USAGE, "send: \"%.100s\" is unknown, or lacks its value", option);
        return false;
    }
    ++*i;
    if (strcmp(option, "--url") == 0) {
        out->url = value;
        return true;
    }
    *has_scheme = read_scheme(value, &out->scheme);
    if (!*has_scheme)
        error_set(error, ERROR_USAGE, "send: --scheme must be guide, v1 or callback, not \"%.64s\"", value);
    return *has_scheme;
}

/* Options and files in any order; behind "--" there are files only. The files' names are moved to the front of argv. */
static bool read_arguments(int argc, char **argv, struct arguments *out, struct error *error)
{
    struct arguments arguments = {.files = argv};
    bool has_scheme = false;
    bool options = true;
    for (int i = 1; i < argc; i++) {
        if (!options || argv[i][0] != '-' || strcmp(argv[i], "-") == 0)
            arguments.files[arguments.file_count++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            options = false;
        else if (!read_option(argc, argv, &i, &arguments, &has_scheme, error))
            return false;
    }
    if (!check_arguments(&arguments, has_scheme, error))
        return false;
    *out = arguments;
    return true;
}

/* Before the first event is posted; a file may still change or vanish later. Nothing is opened: of a pipe that would be
   felt at its other end. */
static bool check_files(const struct arguments *arguments, struct error *error)
{
    for (int i = 0; i < arguments->file_count; i++) {
        const char *path = arguments->files[i];
        struct stat status;
        if (strcmp(path, "-") == 0)
            continue;
        int problem = stat(path, &status) != 0 || access(path, R_OK) != 0 ? errno : 0;
        if (problem == 0 && S_ISDIR(status.st_mode))
            problem = EISDIR;
        if (problem != 0) {
            error_set(error, ERROR_USAGE, "send: %.200s cannot be read: %s", path, strerror(problem));
            return false;
        }
        if (S_ISREG(status.st_mode) && status.st_size > LIMIT_BODY_MAX) {
            error_set(error, ERROR_USAGE, "send: %.200s is longer than %d bytes", path, LIMIT_BODY_MAX);
            return false;
        }
    }
    return true;
}

int send_run(const struct tool_config *config, int argc, char **argv)
{
    struct error error = {.code = ERROR_NONE};
    struct arguments arguments;
    struct hmac_key *key = NULL;
    struct sending sending = {.arguments = &arguments};

    buf_init(&sending.answer, ANSWER_LIMIT);
    if (!read_arguments(argc, argv, &arguments, &error) || !check_files(&arguments, &error))
        goto out;
    if (arguments.scheme != SEND_CALLBACK) {
        key = tool_first_key(&config->webhook_secrets, "WEBHOOK_SECRET", &error);
        if (!key)
            goto out;
    }
    sending.key = key;
    sending.client = http_client_new(&error);
    if (!sending.client)
        goto out;
    for (int i = 0; i < arguments.file_count; i++) {
        if (!send_file(&sending, arguments.files[i], &error))
            goto out;
    }
out:
    if (error.code != ERROR_NONE)
        (void)fprintf(stderr, "dropctl: %s\n", error.text);
    buf_clear(&sending.answer);
    http_client_free(sending.client);
    hmac_key_free(key);
    return error.code == ERROR_NONE && sending.not_all ? EXIT_NOT_ALL : error_exit_status(error.code);
}
