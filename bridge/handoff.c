#include "handoff.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct handoff {
    pthread_mutex_t mutex; /* guards the list, the counts and `sleeping` */
    struct pending_message *first, *last;
    size_t messages, bytes;
    size_t max_messages, max_bytes;
    bool sleeping;
    _Atomic int state;
    int fd;
};

struct handoff *handoff_new(size_t max_messages, size_t max_bytes, struct error *error)
{
    struct handoff *queue = calloc(1, sizeof *queue);

    if (!queue) {
        error_set(error, ERROR_NO_MEMORY, "no memory for a queue of messages");
        return NULL;
    }
    queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->fd < 0) {
        error_set(error, ERROR_INTERNAL, "eventfd: %s", strerror(errno));
        free(queue);
        return NULL;
    }
    pthread_mutex_init(&queue->mutex, NULL);
    queue->max_messages = max_messages;
    queue->max_bytes = max_bytes;
    atomic_init(&queue->state, BROKER_AWAY);
    return queue;
}

/* The oldest one; NULL: there is none. The mutex is held. */
static struct pending_message *take_one(struct handoff *queue)
{
    struct pending_message *message = queue->first;

    if (!message)
        return NULL;
    queue->first = message->next;
    if (!queue->first)
        queue->last = NULL;
    queue->messages--;
    queue->bytes -= message->body_len;
    return message;
}

static void fail_waiting(struct handoff *queue)
{
    struct pending_message *message;

    pthread_mutex_lock(&queue->mutex);
    while ((message = take_one(queue)) != NULL)
        message_settle(message, PUBLISH_AWAY);
    pthread_mutex_unlock(&queue->mutex);
}

void handoff_free(struct handoff *queue)
{
    if (!queue)
        return;
    fail_waiting(queue);
    close(queue->fd);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

/* With a share of its own. The mutex is held. */
static void append(struct handoff *queue, struct pending_message *message)
{
    atomic_fetch_add_explicit(&message->shares, 1, memory_order_relaxed);
    message->next = NULL;
    if (queue->last)
        queue->last->next = message;
    else
        queue->first = message;
    queue->last = message;
    queue->messages++;
    queue->bytes += message->body_len;
}

bool handoff_offer(struct handoff *queue, struct pending_message *message, enum publish_outcome *outcome)
{
    bool open = handoff_state(queue) == BROKER_OPEN, taken = false, wake = false;

    if (open) {
        message_begin(message);
        pthread_mutex_lock(&queue->mutex);
        /* Read again under the mutex: set_state drains the list under it, so nothing slips in once it is away. */
        open = handoff_state(queue) == BROKER_OPEN;
        taken = open && queue->messages < queue->max_messages && message->body_len <= queue->max_bytes - queue->bytes;
        if (taken) {
            append(queue, message);
            wake = queue->sleeping;
            queue->sleeping = false;
        }
        pthread_mutex_unlock(&queue->mutex);
    }
    if (wake)
        handoff_wake(queue);
    if (!taken)
        *outcome = open ? PUBLISH_FULL : PUBLISH_AWAY;
    return taken;
}

enum publish_outcome handoff_submit(struct handoff *queue, struct pending_message *message, int64_t deadline_ms)
{
    enum publish_outcome outcome;

    return handoff_offer(queue, message, &outcome) ? message_await(message, deadline_ms) : outcome;
}

enum broker_state handoff_state(const struct handoff *queue)
{
    return (enum broker_state)atomic_load_explicit(&queue->state, memory_order_relaxed);
}

void handoff_set_state(struct handoff *queue, enum broker_state state)
{
    pthread_mutex_lock(&queue->mutex);
    atomic_store_explicit(&queue->state, (int)state, memory_order_relaxed);
    pthread_mutex_unlock(&queue->mutex);
    if (state != BROKER_OPEN)
        fail_waiting(queue);
}

size_t handoff_take(struct handoff *queue, struct pending_message **out, size_t max)
{
    size_t taken = 0, kept = 0;

    pthread_mutex_lock(&queue->mutex);
    while (taken < max && (out[taken] = take_one(queue)) != NULL)
        taken++;
    pthread_mutex_unlock(&queue->mutex);
    for (size_t i = 0; i < taken; i++) {
        if (message_claim(out[i]))
            out[kept++] = out[i];
        else
            message_release(out[i]);
    }
    return kept;
}

int handoff_fd(const struct handoff *queue)
{
    return queue->fd;
}

bool handoff_sleep(struct handoff *queue)
{
    bool empty;

    pthread_mutex_lock(&queue->mutex);
    empty = queue->first == NULL;
    queue->sleeping = empty;
    pthread_mutex_unlock(&queue->mutex);
    return empty;
}

void handoff_awake(struct handoff *queue)
{
    eventfd_t count;

    pthread_mutex_lock(&queue->mutex);
    queue->sleeping = false;
    pthread_mutex_unlock(&queue->mutex);
    /* Non-blocking: failing with EAGAIN means that it was empty. */
    (void)eventfd_read(queue->fd, &count);
}

void handoff_wake(struct handoff *queue)
{
    /* Fails only when 2^64 - 1 wakes are pending: it is readable then. */
    (void)eventfd_write(queue->fd, 1);
}
