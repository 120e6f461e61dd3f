/* HTTP POST with a deadline. The only place that sees libcurl. One thread at a time. */
#ifndef DROPBRIDGE_HTTP_CLIENT_H
#define DROPBRIDGE_HTTP_CLIENT_H

#include "common/buf.h"
#include "common/bytes.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_TIMEOUT_MS = 10000 }; /* the vendor waits as long for a callback's answer */

struct http_header {
    const char *name;
    const char *value;
};

enum http_outcome {
    HTTP_ANSWERED,
    HTTP_NO_CONNECTION, /* nobody there: another request will fare no better */
    HTTP_NO_ANSWER,     /* connected, but no whole answer in time */
};

struct http_client;

/* NULL with *error when libcurl does not start. */
struct http_client *http_client_new(struct error *error);
void http_client_free(struct http_client *client); /* NULL is fine */

/* Whether http_client_post can use the URL: http or https, and parsed by libcurl. False with ERROR_USAGE and what is
   wrong, as what follows the name of an option; the URL, which may hold a token, is not repeated. Sends nothing, looks
   nothing up. */
bool http_url_check(const char *url, struct error *error);

/* Posts `body` to an http or https URL. Redirects are not followed, proxies not used. On HTTP_ANSWERED *status is set
   and `answer` holds the body of the answer, up to its limit; else *error says why (ERROR_USAGE: the URL cannot be
   used). */
enum http_outcome http_client_post(struct http_client *client, const char *url, const struct http_header *headers,
                                   size_t header_count, struct bytes body, long *status, struct buf *answer,
                                   struct error *error);

#endif
