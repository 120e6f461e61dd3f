#include "framing.h"

#include "common/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Ours twice, or a second one that only the next reader looks at: which one was signed is anybody's guess. */
static const char *const single_fields[] = {"Host",        "Content-Length", "Transfer-Encoding",  "X-DropCowboy-Signature",
                                            "X-Signature", "X-Timestamp",    "X-Signature-Version"};

const char *framing_field(const struct http_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(fields[i].name, name) == 0)
            return fields[i].value;
    }
    return NULL;
}

bool framing_text(const struct http_field *fields, size_t count, const char *name, char *out, size_t size)
{
    const struct bytes value = text_trim(bytes_of_text(framing_field(fields, count, name)));
    const size_t len = value.len < size ? value.len : size - 1;

    if (len == 0)
        return false;
    memcpy(out, value.data, len);
    out[len] = '\0';
    return true;
}

static bool any_repeated(const struct http_field *fields, size_t count)
{
    for (size_t k = 0; k < sizeof single_fields / sizeof single_fields[0]; k++) {
        size_t times = 0;

        for (size_t i = 0; i < count; i++)
            times += strcasecmp(fields[i].name, single_fields[k]) == 0;
        if (times > 1)
            return true;
    }
    return false;
}

static bool parse_length(const char *text, uint64_t *out)
{
    const size_t digits = strspn(text, "0123456789");

    /* 18 digits are far past any body that is taken, and fit 64 bits. */
    if (digits == 0 || digits > 18 || text[digits + strspn(text + digits, " \t")] != '\0')
        return false;
    *out = strtoull(text, NULL, 10);
    return true;
}

const char *framing_of_fields(const char *version, const struct http_field *fields, size_t count, struct framing *out)
{
    const char *length = framing_field(fields, count, "Content-Length");
    const char *encoding = framing_field(fields, count, "Transfer-Encoding");
    const char *expect = framing_field(fields, count, "Expect");
    struct framing framing = {.body = FRAMING_NO_BODY};

    if (any_repeated(fields, count))
        return "a header field is given twice";
    if (strcmp(version, "1.1") == 0 && !framing_field(fields, count, "Host"))
        return "no Host";
    if (length && encoding)
        return "both Content-Length and Transfer-Encoding";
    if (encoding && (strcasecmp(encoding, "chunked") != 0 || strcmp(version, "1.1") != 0))
        return "a Transfer-Encoding other than chunked";
    if (length && !parse_length(length, &framing.length))
        return "a malformed Content-Length";
    if (encoding)
        framing.body = FRAMING_CHUNKED;
    else if (length && framing.length > 0)
        framing.body = FRAMING_LENGTH;
    framing.expect_continue = framing.body != FRAMING_NO_BODY && strcmp(version, "1.1") == 0 && expect &&
                              strcasecmp(expect, "100-continue") == 0;
    *out = framing;
    return NULL;
}

/* Tokens of RFC 9110, 5.6.2. */
static bool is_token(const char *name)
{
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_!#$%&'*+.^`|~")] == '\0';
}

static bool is_request_line(const struct http_head *head)
{
    const char *last = head->query ? head->query : head->target;

    return head->target == head->method + strlen(head->method) + 1 &&
           head->version == last + strlen(last) + 1 + strlen("HTTP/");
}

const char *framing_of_head(const struct http_head *head)
{
    const char *end = head->version + strlen(head->version);

    /* One empty line may come first (RFC 9112, 2.2). Of more the parser makes the end of a head. */
    if (head->method != head->start && (head->method != head->start + 2 || memcmp(head->start, "\r\n", 2) != 0))
        return "more than an empty line before the request";
    if (!is_request_line(head))
        return "a malformed request line";
    for (size_t i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];
        const char *behind_name = field->name + strlen(field->name) + 1;

        if (field->name != end + 2)
            return "a line does not end with CRLF";
        if (!is_token(field->name))
            return "a malformed field name";
        if (memchr(behind_name, '\0', (size_t)(field->value - behind_name)))
            return "a space before a colon";
        end = field->value + strlen(field->value);
    }
    /* The empty line: its CR is unread behind fields, its LF is where the parser ended the text. */
    if (head->end != end + 4 || end[1] != '\0' || (head->count > 0 && end[2] != '\r'))
        return "a folded or malformed header line";
    return NULL;
}

bool framing_keeps_alive(const char *version, const struct http_field *fields, size_t count)
{
    const char *list = framing_field(fields, count, "Connection");
    size_t len;

    if (!list)
        return strcmp(version, "1.1") == 0;
    for (; *list; list += len + (list[len] == ',')) {
        len = strcspn(list, ",");
        if (text_is(text_trim(bytes_of(list, len)), "keep-alive"))
            return true;
    }
    return false;
}
