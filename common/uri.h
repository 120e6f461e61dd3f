/* URLs of services (RFC 3986, the parts that AMQP and Redis URLs use) and percent-encoding. Pure. */
#ifndef DROPBRIDGE_URI_H
#define DROPBRIDGE_URI_H

#include "bytes.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { URI_PART = 256 };

struct uri {
    char scheme[32];
    char user[URI_PART]; /* percent-decoded; empty if not given */
    char password[URI_PART];
    bool has_user;
    bool has_password;
    char host[URI_PART]; /* IPv6 addresses without their brackets */
    uint16_t port;       /* 0 if not given */
    char path[URI_PART]; /* percent-decoded, without the leading slash */
    bool has_path;       /* a slash stood there: amqp://h/ is the empty virtual host, amqp://h none given */
};

/* Parses `text`. On an error *out is untouched, error->code is ERROR_CONFIG and the text says what is wrong without
   repeating user or password. Refuses queries and fragments, NULs, ports past 65535, parts longer than URI_PART - 1. */
bool uri_parse(const char *text, struct uri *out, struct error *error);

/* Decodes %XX. Returns the decoded length, or -1 if an escape is malformed or the result (with a NUL) does not fit in
   `size`. A decoded NUL is refused too. */
long uri_percent_decode(struct bytes text, char *out, size_t size);

#endif
