/* One connection to RabbitMQ: connect, log in, declare the topology, close, and words for what went wrong.
   A session belongs to one thread at a time. Opening takes open_timeout_ms at the most and closing about a second,
   except for the resolution of a host's name (getaddrinfo has no deadline: seconds to half a minute when no name server
   answers). The library's own deadlines have holes (a send waits for ever, and so does reading from a peer that sends
   without a pause): the calls of opening and closing are under the watch that the session is given. What the caller
   does with the open connection has no deadline in the library: put it under a watch. */
#ifndef DROPBRIDGE_AMQP_SESSION_H
#define DROPBRIDGE_AMQP_SESSION_H

#include "amqp_lib.h"
#include "error.h"
#include "reread.h"
#include "watchdog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What every connection of a program shares; the strings belong to the caller and outlive the sessions. */
struct amqp_settings {
    const char *urls;      /* AMQP_URL: one or more, comma-separated */
    struct reread *reread; /* NULL, or who knows the present AMQP_URL, which is used instead */
    const char *ca_file;   /* of amqps://: what to trust; NULL or "": the system's certificates */
    const char *cert_file; /* of amqps://: key and certificate to show; NULL or "": none */
    const char *exchange;
    const char *queue;
    const char *rejected_queue;
    int64_t open_timeout_ms; /* what opening may take; 0: AMQP_OPEN_TIMEOUT_MS */
};

enum {
    AMQP_CHANNEL = 1,            /* the channel that amqp_session_open opens */
    AMQP_HEARTBEAT_S = 10,       /* a peer silent for two of these is gone */
    AMQP_OPEN_TIMEOUT_MS = 5000, /* connect, log in and declare, altogether */
};

struct amqp_session;

/* How many URLs the list names, or 0 with *error (ERROR_CONFIG) naming the first that cannot be used, as what follows
   the setting's name: "cannot be used: URL 2 of the list: …". */
size_t amqp_urls_count(const char *urls, struct error *error);
/* Whether one of them is amqps://. */
bool amqp_urls_ask_for_tls(const char *urls);

/* Connects to the URL numbered index modulo the count, logs in (with the connection.blocked and consumer_cancel_notify
   capabilities and `name` as connection_name), opens AMQP_CHANNEL and declares the topology of INTERFACE. NULL on
   failure: ERROR_UNAVAILABLE (away, resource error, time out, TLS: a certificate may be renewed), ERROR_REFUSED
   (credentials, virtual host, permissions, a queue or exchange that exists with other arguments: the text names it and
   what to do). */
struct amqp_session *amqp_session_open(const struct amqp_settings *settings, size_t index, const char *name,
                                       struct watch *watch, struct error *error);
/* The two halves of it, for a caller that tells a refused login from a refused declaration. The calls of opening and closing
   are under `watch` (NULL: none), which must outlive the session, from the moment there is a socket. */
struct amqp_session *amqp_session_connect(const struct amqp_settings *settings, size_t index, const char *name,
                                          struct watch *watch, struct error *error);
bool amqp_session_declare(struct amqp_session *session, const struct amqp_settings *settings, struct error *error);
/* Sends the declarations on another channel and waits for no answer: what was deleted or unbound is made again, and over
   what has other arguments the broker closes that channel. False with *error if they could not be sent. */
bool amqp_session_declare_again(struct amqp_session *session, amqp_channel_t channel, const struct amqp_settings *settings,
                                struct error *error);

/* Says goodbye within about a second, two if it must be cut, if the connection still works; frees. NULL is fine. */
void amqp_session_close(struct amqp_session *session);
/* Frees without a word to the broker (the connection is known dead). NULL is fine. */
void amqp_session_drop(struct amqp_session *session);

amqp_connection_state_t amqp_session_connection(const struct amqp_session *session);
/* For poll, setsockopt and shutdown. A descriptor of our own to the socket: it stays open until _close or _drop, though
   the library closes its own when a heartbeat is missing. */
int amqp_session_fd(const struct amqp_session *session);
/* Whether the socket carries what is written to it as it is. */
bool amqp_session_is_plain(const struct amqp_session *session);
/* host:port of the broker, for log lines. */
const char *amqp_session_peer(const struct amqp_session *session);

/* Turns a failed library status (`AMQP_STATUS_…`, negative) into *error: "publishing to 127.0.0.1:5672: …", with
   `doing` "publishing to". */
void amqp_error_of_status(struct error *error, const char *doing, const char *peer, int status);
/* The same for a failed reply, classed REFUSED or UNAVAILABLE by its code (AMQP 0-9-1, section 1.2 "Reply codes"). */
void amqp_error_of_reply(struct error *error, const char *doing, const char *peer, amqp_rpc_reply_t reply);
/* The same for a channel.close or connection.close method that arrived unasked. Here 404 on a channel and 406 are
   UNAVAILABLE: opening again declares what is missing, and an acknowledgement that came too late is a 406 as well. */
void amqp_error_of_close(struct error *error, const char *doing, const char *peer, const amqp_method_t *method);

#endif
