/* The connection that messages come by: takes whole messages from AMQP_QUEUE, serves heartbeats, and connects again by
   itself, to the next URL each time. One thread owns a consumer. */
#ifndef DROPBRIDGE_CONSUMER_H
#define DROPBRIDGE_CONSUMER_H

#include "common/amqp_session.h"
#include "common/error.h"
#include "common/timers.h"
#include "common/watchdog.h"
#include "delivery.h"

#include <stdbool.h>
#include <stdint.h>

struct consumer_settings {
    struct amqp_settings amqp;
    struct watchdog *dog; /* breaks calls of the library that would never return */
    uint16_t prefetch;
    const char *name;  /* of the connection, and the beginning of the consumer tag */
    uint64_t seed;     /* of the jitter */
    int wake_fd;       /* readable: consumer_next waits no more */
    struct held *held; /* what all deliveries take; outlives them */
};

enum {
    CONSUMER_RETRY_FIRST_MS = TIMER_MS(100),
    CONSUMER_RETRY_MAX_MS = TIMER_MS(5000),
    CONSUMER_RENEW_MS = 5000, /* consumer_renew takes no longer */
    CONSUMER_STUCK_MS = 5000, /* a call that takes this much longer than it should is broken off */
};

struct consumer;

/* Does not connect. What the settings point to must outlive the consumer. NULL when out of memory. */
struct consumer *consumer_new(const struct consumer_settings *settings);
/* Says goodbye to the broker; what was not acknowledged will be delivered again. NULL is fine. */
void consumer_free(struct consumer *consumer);

/* Connects to the next URL and begins to consume, unless that is so already. False with *error as amqp_session_open's.
 */
bool consumer_connect(struct consumer *consumer, struct error *error);

enum consumer_result {
    CONSUMER_DELIVERY,  /* *delivery is the caller's */
    CONSUMER_NOTHING,   /* nothing came in time */
    CONSUMER_CONNECTED, /* the connection was made again */
    CONSUMER_AWAY,      /* connecting failed; tried again after a while */
    CONSUMER_LOST,      /* the connection is lost: every delivery not acknowledged is void, and will come again */
};

/* Waits up to timeout_ms, or until wake_fd or `watched_fd` (-1: none) is readable, for the next message;
   connects if there is no connection and it is time to. A dead connection is noticed within two heartbeats and
   CONSUMER_STUCK_MS, if this is called at least every few seconds. While they take LIMIT_HELD_BYTES it reads nothing, so that RabbitMQ keeps what it would send, and
   sends our heartbeats: CONSUMER_NOTHING. A message of more than LIMIT_BODY_MAX bytes is never kept: it is rejected,
   and RabbitMQ moves it to the rejected queue. *error is set with AWAY and LOST. */
enum consumer_result consumer_next(struct consumer *consumer, int64_t timeout_ms, int watched_fd,
                                   struct delivery **delivery, struct error *error);

/* Ends the consumption and closes the connection, so that RabbitMQ gives what was not acknowledged to others.
   consumer_next connects again. */
void consumer_release(struct consumer *consumer);

/* Closes the channel and consumes on a new one, over the same connection. What RabbitMQ holds for the old channel goes
   back to the queue: a quorum queue's leader may count messages as this consumer's for as long as its channel lives,
   though their delivery or their acknowledgement was lost between the nodes of a cluster
   (rabbitmq/rabbitmq-server#13095, #14589, #15473). For a caller that holds no delivery: tags begin anew. Takes some
   milliseconds. Does nothing without a connection, or within a message. False with *error: the connection is lost
   (CONSUMER_LOST is not reported again). */
bool consumer_renew(struct consumer *consumer, struct error *error);

/* Acknowledges the delivery with the tag, with `multiple` every one up to and including it. False with *error: the
   connection is lost (CONSUMER_LOST is not reported again). */
bool consumer_acknowledge(struct consumer *consumer, uint64_t tag, bool multiple, struct error *error);

#endif
