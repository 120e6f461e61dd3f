/* A request's head cut up in its buffer as civetweb cuts it, kindnesses included, for what judges such heads. */
#ifndef DROPBRIDGE_PARSED_HEAD_H
#define DROPBRIDGE_PARSED_HEAD_H

#include "bridge/http/framing.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

struct parsed_head {
    struct http_head head;
    struct http_field fields[FRAMING_MAX_FIELDS];
};

/* The head's length in the first `len` bytes; 0: there is none. */
static inline size_t parsed_head_len(const char *buffer, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)buffer[i];

        if (c < 128 && c != '\r' && c != '\n' && !isprint(c))
            return 0;
        if (i + 1 < len && memcmp(buffer + i, "\n\n", 2) == 0)
            return i + 2;
        if (i + 3 < len && memcmp(buffer + i, "\r\n\r\n", 4) == 0)
            return i + 4;
    }
    return 0;
}

/* Ends the word at *p and goes on to the next: the word, or NULL if what ends it is not `end` or a line's end. */
static inline char *parsed_head_word(char **p, bool ends_line)
{
    char *word = *p;

    while (isgraph((unsigned char)**p))
        (*p)++;
    if (ends_line ? **p != '\r' && **p != '\n' : **p != ' ')
        return NULL;
    do
        *(*p)++ = '\0';
    while (isspace((unsigned char)**p));
    return ends_line || isgraph((unsigned char)**p) ? word : NULL;
}

/* Cuts buffer[0..len), behind which a NUL must stand. False if civetweb refuses it by itself. */
static inline bool parsed_head(char *buffer, size_t len, struct parsed_head *out)
{
    const size_t read_len = parsed_head_len(buffer, len);
    char *p = buffer;

    *out = (struct parsed_head){.head = {.start = buffer, .end = buffer + read_len}};
    while (isspace((unsigned char)*p))
        p++;
    const size_t head_len = parsed_head_len(p, len - (size_t)(p - buffer));
    if (read_len == 0 || head_len == 0)
        return false;
    p[head_len - 1] = '\0';
    char *target, *version;
    if (!(out->head.method = parsed_head_word(&p, false)) || !(target = parsed_head_word(&p, false)) ||
        !(version = parsed_head_word(&p, true)) || strncmp(version, "HTTP/", 5) != 0)
        return false;
    out->head.target = target;
    out->head.version = version + 5;
    if (strcmp(out->head.version, "1.0") != 0 && strcmp(out->head.version, "1.1") != 0)
        return false;
    char *query = strchr(target, '?');
    if (query) {
        *query = '\0';
        out->head.query = query + 1;
    }
    while (out->head.count < FRAMING_MAX_FIELDS) {
        char *colon = p;

        while (*colon != ':' && *colon >= 33 && *colon <= 126)
            colon++;
        if (colon == p)
            break;
        while (*colon == ' ')
            *colon++ = '\0';
        if (*colon != ':')
            return false;
        *colon = '\0';
        char *value = colon + 1 + strspn(colon + 1, " \t");
        out->fields[out->head.count++] = (struct http_field){p, value};
        p = value + strcspn(value, "\r\n");
        if (*p == '\r') {
            *p++ = '\0';
            if (*p != '\n')
                return false;
        }
        if (*p == '\0')
            break;
        *p++ = '\0';
        if (*p == '\r' || *p == '\n')
            break;
    }
    out->head.fields = out->fields;
    return true;
}

#endif
