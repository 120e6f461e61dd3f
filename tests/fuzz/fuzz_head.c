/* A request's head as it comes, cut as civetweb cuts it. What is taken of it has one meaning. */
#include "fuzz.h"
#include "tests/parsed_head.h"

#include <strings.h>

/* Steps over `text` at *at. */
static void claim_next(struct bytes sent, size_t *at, const char *text)
{
    const size_t len = strlen(text);
    CLAIM(sent.len - *at >= len && memcmp(sent.data + *at, text, len) == 0);
    *at += len;
}

/* The bytes are a request line, the fields with a line each, and an empty line, and nothing else. */
static void claim_of_one_meaning(struct bytes sent, const struct http_head *head)
{
    size_t at = sent.len > 0 && sent.data[0] == '\r' ? 2 : 0;
    claim_next(sent, &at, head->method);
    claim_next(sent, &at, " ");
    claim_next(sent, &at, head->target);
    if (head->query) {
        claim_next(sent, &at, "?");
        claim_next(sent, &at, head->query);
    }
    claim_next(sent, &at, " HTTP/");
    claim_next(sent, &at, head->version);
    /* civetweb overwrites all CR, LF and spaces here, so that nobody can tell CR LF from CR CR. */
    for (size_t i = 0; i < (head->count > 0 ? 2 : 4); i++, at++)
        CLAIM(at < sent.len && memchr("\r\n ", sent.data[at], 3));
    for (size_t i = 0; i < head->count; i++) {
        CLAIM(head->fields[i].name[0] != '\0' && !strpbrk(head->fields[i].name, ": \t\r\n"));
        CLAIM(!strpbrk(head->fields[i].value, "\r\n"));
        claim_next(sent, &at, head->fields[i].name);
        claim_next(sent, &at, ":");
        while (at < sent.len && (sent.data[at] == ' ' || sent.data[at] == '\t'))
            at++;
        claim_next(sent, &at, head->fields[i].value);
        claim_next(sent, &at, "\r\n");
    }
    if (head->count > 0)
        claim_next(sent, &at, "\r\n");
    CLAIM(at == sent.len);
}

static size_t occurrences(const struct http_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->count; i++)
        count += strcasecmp(head->fields[i].name, name) == 0;
    return count;
}

static void claim_of_framing(const struct http_head *head, const struct framing *framing)
{
    const bool chunked = framing->body == FRAMING_CHUNKED;
    const char *length = framing_field(head->fields, head->count, "Content-Length");
    CLAIM(occurrences(head, "Transfer-Encoding") == (chunked ? 1 : 0));
    CLAIM(occurrences(head, "Content-Length") <= (chunked ? 0 : 1));
    CLAIM(framing->body != FRAMING_LENGTH || (length && framing->length == strtoull(length, NULL, 10)));
    CLAIM(framing->body != FRAMING_NO_BODY || !length || strtoull(length, NULL, 10) == 0);
    CLAIM(occurrences(head, "Host") <= 1 && occurrences(head, "X-Signature") <= 1 && occurrences(head, "X-Timestamp") <= 1);
    CLAIM(occurrences(head, "Host") == 1 || strcmp(head->version, "1.0") == 0);
    CLAIM(!framing->expect_continue || framing->body != FRAMING_NO_BODY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct parsed_head parsed;
    char *buffer = fuzz_text(bytes_of(data, size));
    if (parsed_head(buffer, size, &parsed) && parsed.head.count < FRAMING_MAX_FIELDS) {
        struct framing framing = {0};
        char text[32];
        if (!framing_of_head(&parsed.head)) {
            claim_of_one_meaning(bytes_of(data, (size_t)(parsed.head.end - parsed.head.start)), &parsed.head);
            if (!framing_of_fields(parsed.head.version, parsed.fields, parsed.head.count, &framing))
                claim_of_framing(&parsed.head, &framing);
        }
        (void)framing_keeps_alive(parsed.head.version, parsed.fields, parsed.head.count);
        if (framing_text(parsed.fields, parsed.head.count, "X-Timestamp", text, sizeof text))
            CLAIM(strnlen(text, sizeof text) < sizeof text && text[0] != '\0' && text[0] != ' ');
    }
    free(buffer);
    return 0;
}
