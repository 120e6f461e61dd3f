/* Rejections on their way: messages that wait, with their delivery tags, until the rejected queue holds them, so that
   nothing else has to wait for that. They are offered again and again, and each is acknowledged alone, once the broker
   has confirmed it. Does no I/O: ports, the clock among them, are passed in. One thread owns it. */
#ifndef DROPBRIDGE_PARKED_H
#define DROPBRIDGE_PARKED_H

#include "common/error.h"
#include "common/timers.h"
#include "delivery.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PARKED_LOOK_FIRST_MS = 1, /* how soon to look for a confirm, and how seldom in the end */
    PARKED_LOOK_MAX_MS = 64,
    PARKED_RETRY_FIRST_MS = TIMER_MS(100), /* after a failure */
    PARKED_RETRY_MAX_MS = TIMER_MS(2000),  /* the broker's heartbeats are looked after so often at the least */
    PARKED_REST = 9, /* after a failure that took long, the pause is so many times longer: what a broker
                        away costs stays a tenth of the time */
    PARKED_REST_MAX_MS = TIMER_MS(30000),
};

struct rejection {
    struct delivery *delivery; /* with its body, a reason and a detail */
    uint64_t sent_tag;  /* for the port that publishes: 0 at first */
    int64_t sent_at_ms; /* the same */
    bool confirmed;     /* set by that port once the broker holds it */
};

struct parked_ports {
    void *context;
    int64_t (*now_ms)(void *context); /* monotonic */
    /* Brings them further, without waiting for confirms that have not come: publishes what is not yet published, and
       marks what the broker holds as confirmed. In the order of parking. False with *error if something is wrong with
       some of them. */
    bool (*reject)(void *context, struct rejection *rejections, size_t count, struct error *error);
    /* Once for each that is confirmed, before its acknowledgement. */
    void (*rejected)(void *context, const struct rejection *rejection);
    /* Acknowledges the delivery with this tag, and no other. On failure the connection is lost: all is delivered
       again. */
    bool (*acknowledge)(void *context, uint64_t tag, struct error *error);
};

struct parked;

/* For `limit` messages, at least one. The ports must outlive it. NULL when out of memory. */
struct parked *parked_new(size_t limit, const struct parked_ports *ports, uint64_t seed);
/* NULL is fine. */
void parked_free(struct parked *parked);

size_t parked_count(const struct parked *parked);
/* For how many more there is room, also if all that is reserved is added. */
size_t parked_room(const struct parked *parked);
bool parked_full(const struct parked *parked);
/* Keeps a place for one that may have to be added; there must be room. */
void parked_reserve(struct parked *parked);
/* Gives so many reserved places back, before what needed them is added. */
void parked_release(struct parked *parked, size_t places);
/* The lowest delivery tag, which an acknowledgement of several must not reach; UINT64_MAX if it is empty. */
uint64_t parked_oldest(const struct parked *parked);

/* Takes the delivery over, which has a reason and its body; there must be room. */
void parked_add(struct parked *parked, struct delivery *delivery);

/* When parked_step has something to do; INT64_MAX if it is empty. */
int64_t parked_due_ms(const struct parked *parked);
/* Whether the last try failed. */
bool parked_failing(const struct parked *parked);

enum parked_progress {
    PARKED_NOT_DUE,
    PARKED_ON,      /* nothing is wrong, and nothing new is confirmed */
    PARKED_SETTLED, /* nothing is wrong; some are acknowledged, others may be on their way */
    PARKED_FAILED,  /* *error says why; tried again at parked_due_ms */
    PARKED_LOST,    /* acknowledging failed, *error says why; it is empty */
};

/* One try: publishes, and acknowledges what is confirmed. */
enum parked_progress parked_step(struct parked *parked, struct error *error);

/* The connection is lost: forgets all. They will be delivered again. */
void parked_drop(struct parked *parked);

#endif
