/* The publishes that wait for the broker's word: delivery tag → item. Pure; one thread. */
#ifndef DROPBRIDGE_BROKER_UNCONFIRMED_H
#define DROPBRIDGE_BROKER_UNCONFIRMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* To be read only. */
struct unconfirmed {
    size_t capacity; /* how many tags it spans, from the oldest that waits */
    size_t count;    /* items that wait */
    uint64_t first;  /* the oldest tag that may wait; `next` if none does */
    uint64_t next;   /* the tag of the next publish */
    struct waiting {
        void *item; /* NULL: settled */
        int64_t sent_ms;
    } waiting[]; /* tag modulo capacity */
};

/* `capacity`: a power of two. NULL without memory. */
struct unconfirmed *unconfirmed_new(size_t capacity);
void unconfirmed_free(struct unconfirmed *window); /* the items are the caller's */

/* How many more publishes it takes. */
size_t unconfirmed_room(const struct unconfirmed *window);

/* Notes the next publish, sent at sent_ms; its tag is returned, or 0 when the window is full. Tags count from 1 after
   _new and _reset. */
uint64_t unconfirmed_push(struct unconfirmed *window, void *item, int64_t sent_ms);

/* When the oldest that waits was sent; INT64_MAX when none waits. */
int64_t unconfirmed_oldest_ms(const struct unconfirmed *window);

/* Takes out what an ack or nack names, oldest first, handing each to `settled`: the tag's item, with `multiple` also
   all before it (tag 0 with multiple: all). Returns how many; -1, with nothing taken, for a tag that was never given. A
   tag settled before settles nothing. */
long unconfirmed_settle(struct unconfirmed *window, uint64_t tag, bool multiple,
                           void (*settled)(void *context, void *item), void *context);

/* Hands all that wait to `visit`, oldest first. They stay. */
void unconfirmed_each(struct unconfirmed *window, void (*visit)(void *context, void *item), void *context);

/* Takes out all, as settle does, and starts again from tag 1 (a new channel). */
void unconfirmed_reset(struct unconfirmed *window, void (*settled)(void *context, void *item), void *context);

#endif
