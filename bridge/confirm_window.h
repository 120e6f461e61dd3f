/* The publishes that wait for the broker's word: delivery tag → item. Pure; one thread. */
#ifndef DROPBRIDGE_CONFIRM_WINDOW_H
#define DROPBRIDGE_CONFIRM_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct confirm_window;

/* `capacity`: how many tags the window spans, a power of two. NULL without memory. */
struct confirm_window *confirm_window_new(size_t capacity);
void confirm_window_free(struct confirm_window *window); /* the items are the caller's */

/* Tags from the oldest outstanding to the newest; the window is full when this is the capacity. */
size_t confirm_window_span(const struct confirm_window *window);
/* The tag of the next publish; and the oldest that may wait: the same if none does. */
uint64_t confirm_window_next(const struct confirm_window *window);
uint64_t confirm_window_first(const struct confirm_window *window);
/* How many items wait. */
size_t confirm_window_count(const struct confirm_window *window);
size_t confirm_window_capacity(const struct confirm_window *window);

/* Notes the next publish, sent at sent_ms; its tag is returned, or 0 when the window is full. Tags count from 1 after
   _new and _reset. */
uint64_t confirm_window_push(struct confirm_window *window, void *item, int64_t sent_ms);

/* When the oldest that waits was sent; INT64_MAX when none waits. */
int64_t confirm_window_oldest_ms(const struct confirm_window *window);

/* Takes out what an ack or nack names, oldest first, handing each to `settled`: the tag's item, with `multiple` also
   all before it (tag 0 with multiple: all). Returns how many; -1, with nothing taken, for a tag that was never given. A
   tag settled before settles nothing. */
long confirm_window_settle(struct confirm_window *window, uint64_t tag, bool multiple,
                           void (*settled)(void *context, void *item), void *context);

/* Hands all that wait to `visit`, oldest first. They stay. */
void confirm_window_each(const struct confirm_window *window, void (*visit)(void *context, void *item), void *context);

/* Takes out all, as settle does, and starts again from tag 1 (a new channel). */
void confirm_window_reset(struct confirm_window *window, void (*settled)(void *context, void *item), void *context);

#endif
