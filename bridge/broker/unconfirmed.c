#include "unconfirmed.h"

#include <stdlib.h>

struct unconfirmed *unconfirmed_new(size_t capacity)
{
    struct unconfirmed *window = calloc(1, sizeof *window + capacity * sizeof window->waiting[0]);

    if (!window)
        return NULL;
    window->capacity = capacity;
    window->first = 1;
    window->next = 1;
    return window;
}

void unconfirmed_free(struct unconfirmed *window)
{
    free(window);
}

size_t unconfirmed_room(const struct unconfirmed *window)
{
    return window->capacity - (size_t)(window->next - window->first);
}

static struct waiting *slot_of(struct unconfirmed *window, uint64_t tag)
{
    return &window->waiting[tag & (window->capacity - 1)];
}

int64_t unconfirmed_oldest_ms(const struct unconfirmed *window)
{
    /* Settling moves `first` past what is settled. */
    return window->count == 0 ? INT64_MAX : window->waiting[window->first & (window->capacity - 1)].sent_ms;
}

uint64_t unconfirmed_push(struct unconfirmed *window, void *item, int64_t sent_ms)
{
    if (unconfirmed_room(window) == 0)
        return 0;
    *slot_of(window, window->next) = (struct waiting){.item = item, .sent_ms = sent_ms};
    window->count++;
    return window->next++;
}

static long settle_one(struct unconfirmed *window, uint64_t tag, void (*settled)(void *, void *), void *context)
{
    struct waiting *slot = slot_of(window, tag);
    void *item = slot->item;

    if (!item)
        return 0;
    slot->item = NULL;
    window->count--;
    settled(context, item);
    return 1;
}

long unconfirmed_settle(struct unconfirmed *window, uint64_t tag, bool multiple,
                           void (*settled)(void *context, void *item), void *context)
{
    long taken = 0;

    if (multiple && tag == 0)
        tag = window->next - 1;
    else if (tag == 0)
        return -1;
    if (tag >= window->next)
        return -1;
    if (tag < window->first)
        return 0;
    for (uint64_t t = multiple ? window->first : tag; t <= tag; t++)
        taken += settle_one(window, t, settled, context);
    while (window->first < window->next && !slot_of(window, window->first)->item)
        window->first++;
    return taken;
}

void unconfirmed_each(struct unconfirmed *window, void (*visit)(void *context, void *item), void *context)
{
    for (uint64_t tag = window->first; tag < window->next; tag++) {
        void *item = slot_of(window, tag)->item;

        if (item)
            visit(context, item);
    }
}

void unconfirmed_reset(struct unconfirmed *window, void (*settled)(void *context, void *item), void *context)
{
    unconfirmed_settle(window, 0, true, settled, context);
    window->first = 1;
    window->next = 1;
}
