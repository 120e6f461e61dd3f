/* What we know of civetweb's insides, checked on 1.15 (Debian 12) and 1.16 (Debian 13). Its interface does not tell where a head
   began, and it reads chunks too kindly. */
#ifndef DROPBRIDGE_HTTP_CIVETWEB_QUIRKS_H
#define DROPBRIDGE_HTTP_CIVETWEB_QUIRKS_H

#include "common/error.h"

#include <stdbool.h>

struct mg_connection;

/* Whether the library that is linked is one of those, as Debian builds it. False with *error. */
bool civetweb_is_known(struct error *error);

/* The socket of a connection, which civetweb hands out nowhere; it stays civetweb's. -1: its peer is gone already, or this is a version
   that we do not know. By the thread that serves the connection. */
int civetweb_socket(const struct mg_connection *connection);

/* The following are called by the thread that serves the connection, once a head was read or refused. */

/* What was read as the head: from what came before the request line to behind the empty line. */
void civetweb_head(const struct mg_connection *connection, const char **start, const char **end);
/* Whether a head was refused because the buffer has no room for more of it. */
bool civetweb_head_is_too_large(const struct mg_connection *connection);

/* From now on mg_read reads what comes, chunked or not, and waits until it has all that it was asked for. */
void civetweb_read_raw(struct mg_connection *connection);
/* The body has ended with the last byte that was read. */
void civetweb_end_body(struct mg_connection *connection);

#endif
