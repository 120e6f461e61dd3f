/* What we know of civetweb's insides, checked on 1.15 (Debian 12) and 1.16 (Debian 13). */
#ifndef DROPBRIDGE_HTTP_CIVETWEB_QUIRKS_H
#define DROPBRIDGE_HTTP_CIVETWEB_QUIRKS_H

struct mg_connection;

/* The socket of a connection, which civetweb hands out nowhere; it stays civetweb's. -1: its peer is gone already, or this is a version
   that we do not know. By the thread that serves the connection. */
int civetweb_socket(const struct mg_connection *connection);

/* How many threads mg_start has left after this complaint of its log ("Cannot start worker thread 12: …"); -1: it speaks of something
   else. */
long civetweb_threads_started(const char *message);

#endif
