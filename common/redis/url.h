/* REDIS_URL, read: where Redis is, or which sentinels know where it is. Pure. */
#ifndef DROPBRIDGE_REDIS_URL_H
#define DROPBRIDGE_REDIS_URL_H

#include "common/error.h"
#include "common/uri.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REDIS_SENTINELS_MAX = 16, /* three or five is what people run */
    REDIS_PORT = 6379,
    REDIS_SENTINEL_PORT = 26379,
};

struct redis_address {
    char host[URI_PART];
    uint16_t port;
};

struct redis_url {
    char user[URI_PART]; /* of Redis, never of a sentinel; empty: the default user */
    char password[URI_PART];
    int db;
    bool tls;               /* to servers[0]; never with sentinels */
    char primary[URI_PART]; /* its name among the sentinels; empty: servers[0] is Redis itself */
    size_t count;
    struct redis_address servers[REDIS_SENTINELS_MAX];
};

/* Whether rediss:// is taken, which asks for a hiredis that has TLS (1.0 and later). */
bool redis_url_may_be_tls(void);

/* Reads redis://[user:password@]host[:port][/db], the same with rediss:// or
   redis-sentinel://[user:password@]host[:port],host[:port]…/name[/db]. False with ERROR_CONFIG, a sentence that begins
   with "REDIS_URL: " and repeats neither user nor password; *out is then untouched. */
bool redis_url_read(const char *text, struct redis_url *out, struct error *error);

#endif
