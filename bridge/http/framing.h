/* Where a request's body begins and ends, and refusal of whatever two readers could see differently. Pure. */
#ifndef DROPBRIDGE_HTTP_FRAMING_H
#define DROPBRIDGE_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The parser reads no more: a head with as many may have others behind them, and is refused. */
enum { FRAMING_MAX_FIELDS = 64 };

struct http_field {
    const char *name;
    const char *value;
};

enum framing_body { FRAMING_NO_BODY, FRAMING_LENGTH, FRAMING_CHUNKED };

struct framing {
    enum framing_body body;
    uint64_t length;      /* FRAMING_LENGTH */
    bool expect_continue; /* the client waits for 100 Continue before it sends the body */
};

/* Judges the header fields. NULL when their meaning is certain, with *out filled; else what is wrong, with *out
   untouched. `version` is "1.0" or "1.1". */
const char *framing_of_fields(const char *version, const struct http_field *fields, size_t count, struct framing *out);

/* A head in the buffer that the parser cut up in place by writing NULs: each separator byte that it consumed is NUL now, what it
   did not understand stands unread. */
struct http_head {
    const char *start, *end;                      /* with the empty line behind it and what came before it */
    const char *method, *target, *query, *version; /* query: NULL if there is none; version: what follows HTTP/ */
    const struct http_field *fields;
    size_t count;
};

/* Judges what the parser skipped in silence: lines before the request, a second space, a space before a colon, a bare line
   feed, a folded line. NULL or what is wrong. Not seen: which two of CR, LF and space ended the request line. */
const char *framing_of_head(const struct http_head *head);

/* Whether the HTTP library will keep the connection after this request. */
bool framing_keeps_alive(const char *version, const struct http_field *fields, size_t count);

/* Copies the value of the first field of that name without outer white space; a longer one is cut. False, with
   `out` untouched, if there is none or nothing is left of it. */
bool framing_text(const struct http_field *fields, size_t count, const char *name, char *out, size_t size);

/* The value of the first field of that name, or NULL. */
const char *framing_field(const struct http_field *fields, size_t count, const char *name);

#endif
