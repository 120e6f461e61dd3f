#include "handoff.h"

#include "common/clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The state is one word, so that whoever waits for it sleeps on it (a futex), and who settles it makes a system call only if
   somebody sleeps. */
enum message_state { TICKET_IDLE, TICKET_QUEUED, TICKET_SENT, TICKET_SETTLED, TICKET_ABANDONED, TICKET_STATES = 0xff };
enum { TICKET_WAITED = 0x100, TICKET_OUTCOME = 16 /* bits that it is shifted by */ };

struct pending_message {
    atomic_int shares;
    enum message_target target;
    bool returned;
    struct envelope envelope;
    char *reject_texts;        /* owned: the reason and, behind its NUL, the detail; NULL for an event */
    const char *reject_detail; /* within reject_texts */
    struct pending_message *next;       /* in the queue, under its mutex */

    _Atomic uint32_t word; /* enum message_state, whether somebody sleeps, the outcome once it is settled */

    size_t body_len;
    uint8_t body[];
};

struct handoff {
    pthread_mutex_t mutex; /* guards the list, the counts and `sleeping` */
    struct pending_message *first;
    struct pending_message *last;
    size_t messages;
    size_t bytes;
    size_t max_messages;
    size_t max_bytes;
    bool sleeping;
    _Atomic int state;
    int fd;
};

struct pending_message *message_new(size_t capacity)
{
    struct pending_message *message = malloc(sizeof *message + capacity);

    if (!message)
        return NULL;
    memset(message, 0, sizeof *message);
    atomic_init(&message->shares, 1);
    return message;
}

struct pending_message *message_grow(struct pending_message *message, size_t capacity)
{
    return realloc(message, sizeof *message + capacity);
}

void message_release(struct pending_message *message)
{
    if (!message || atomic_fetch_sub_explicit(&message->shares, 1, memory_order_acq_rel) != 1)
        return;
    free(message->reject_texts);
    free(message);
}

struct pending_message *message_copy(const struct pending_message *message)
{
    struct pending_message *copy = message_new(message->body_len);

    if (!copy)
        return NULL;
    memcpy(copy->body, message->body, message->body_len);
    copy->body_len = message->body_len;
    if (message->target == MESSAGE_EVENT) {
        message_set_event(copy, &message->envelope);
    } else if (!message_set_rejected(copy, &message->envelope, message->reject_texts, message->reject_detail)) {
        message_release(copy);
        return NULL;
    }
    return copy;
}

uint8_t *message_body(struct pending_message *message)
{
    return message->body;
}

void message_set_body_len(struct pending_message *message, size_t len)
{
    message->body_len = len;
}

struct bytes message_body_bytes(const struct pending_message *message)
{
    return bytes_of(message->body, message->body_len);
}

void message_set_event(struct pending_message *message, const struct envelope *envelope)
{
    message->target = MESSAGE_EVENT;
    message->envelope = *envelope;
}

bool message_set_rejected(struct pending_message *message, const struct envelope *envelope, const char *reason, const char *detail)
{
    const size_t reason_size = strlen(reason) + 1;
    const size_t detail_size = strlen(detail) + 1;
    char *texts = malloc(reason_size + detail_size);

    if (!texts)
        return false;
    memcpy(texts, reason, reason_size);
    memcpy(texts + reason_size, detail, detail_size);
    free(message->reject_texts);
    message->reject_texts = texts;
    message->reject_detail = texts + reason_size;
    message->target = MESSAGE_REJECTED;
    message->envelope = *envelope;
    return true;
}

enum message_target message_target(const struct pending_message *message)
{
    return message->target;
}

const struct envelope *message_envelope(const struct pending_message *message)
{
    return &message->envelope;
}

const char *message_reject_reason(const struct pending_message *message)
{
    return message->reject_texts;
}

const char *message_reject_detail(const struct pending_message *message)
{
    return message->reject_detail;
}

void message_mark_returned(struct pending_message *message)
{
    message->returned = true;
}

bool message_is_returned(const struct pending_message *message)
{
    return message->returned;
}

/* False if nobody waits. */
static bool tell(struct pending_message *message, enum publish_outcome outcome)
{
    uint32_t was = atomic_load(&message->word);

    do {
        if ((was & TICKET_STATES) != TICKET_QUEUED && (was & TICKET_STATES) != TICKET_SENT)
            return false;
    } while (!atomic_compare_exchange_weak(&message->word, &was, TICKET_SETTLED | (uint32_t)outcome << TICKET_OUTCOME));
    if (was & TICKET_WAITED)
        (void)syscall(SYS_futex, &message->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return true;
}

bool message_settle(struct pending_message *message, enum publish_outcome outcome)
{
    bool waited_for;

    waited_for = tell(message, outcome);
    message_release(message);
    return waited_for;
}

void message_give_up(struct pending_message *message)
{
    (void)tell(message, PUBLISH_TIMEOUT);
}

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

/* Takes the whole list out. */
static struct pending_message *take_all(struct handoff *queue)
{
    struct pending_message *list;

    pthread_mutex_lock(&queue->mutex);
    list = queue->first;
    queue->first = NULL;
    queue->last = NULL;
    queue->messages = 0;
    queue->bytes = 0;
    pthread_mutex_unlock(&queue->mutex);
    return list;
}

static void fail_waiting(struct handoff *queue)
{
    struct pending_message *message = take_all(queue);

    while (message) {
        struct pending_message *next = message->next;

        message_settle(message, PUBLISH_AWAY);
        message = next;
    }
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

/* True: the queue holds a share. */
static bool enqueue(struct handoff *queue, struct pending_message *message, enum publish_outcome *outcome)
{
    bool taken = false;
    bool wake = false;

    pthread_mutex_lock(&queue->mutex);
    /* Read under the mutex: set_fact drains the list under it, so nothing slips in once it is away. */
    if (handoff_state(queue) != BROKER_OPEN) {
        *outcome = PUBLISH_AWAY;
    } else if (queue->messages >= queue->max_messages || message->body_len > queue->max_bytes - queue->bytes) {
        *outcome = PUBLISH_FULL;
    } else {
        taken = true;
        message->next = NULL;
        atomic_fetch_add_explicit(&message->shares, 1, memory_order_relaxed);
        if (queue->last)
            queue->last->next = message;
        else
            queue->first = message;
        queue->last = message;
        queue->messages++;
        queue->bytes += message->body_len;
        wake = queue->sleeping;
        queue->sleeping = false;
    }
    pthread_mutex_unlock(&queue->mutex);
    if (wake)
        handoff_wake(queue);
    return taken;
}

bool message_wait(struct pending_message *message, int64_t until_ms)
{
    const struct timespec until = clock_timespec_of_ms(until_ms);
    uint32_t word = atomic_load(&message->word);

    while ((word & TICKET_STATES) != TICKET_SETTLED) {
        if (!(word & TICKET_WAITED) && !atomic_compare_exchange_weak(&message->word, &word, word | TICKET_WAITED))
            continue;
        /* Against CLOCK_MONOTONIC (futex(2)). It returns at once if the word is another by now. */
        if (syscall(SYS_futex, &message->word, FUTEX_WAIT_BITSET_PRIVATE, word | TICKET_WAITED, &until, NULL,
                    FUTEX_BITSET_MATCH_ANY) != 0 &&
            errno == ETIMEDOUT)
            return (atomic_load(&message->word) & TICKET_STATES) == TICKET_SETTLED;
        word = atomic_load(&message->word);
    }
    return true;
}

enum publish_outcome message_await(struct pending_message *message, int64_t deadline_ms)
{
    uint32_t word;

    (void)message_wait(message, deadline_ms);
    word = atomic_load(&message->word);
    do {
        if ((word & TICKET_STATES) == TICKET_SETTLED)
            return (enum publish_outcome)(word >> TICKET_OUTCOME);
    } while (!atomic_compare_exchange_weak(&message->word, &word, TICKET_ABANDONED));
    return PUBLISH_TIMEOUT;
}

bool handoff_offer(struct handoff *queue, struct pending_message *message, enum publish_outcome *outcome)
{
    if (handoff_state(queue) != BROKER_OPEN) {
        *outcome = PUBLISH_AWAY;
        return false;
    }
    /* Before anyone else sees it; after this the message may not be moved. */
    atomic_store(&message->word, TICKET_QUEUED);
    message->returned = false;
    return enqueue(queue, message, outcome);
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

/* Marks the message as on its way. False if its waiter has gone. */
static bool claim(struct pending_message *message)
{
    uint32_t was = atomic_load(&message->word);

    do {
        if ((was & TICKET_STATES) != TICKET_QUEUED)
            return false;
    } while (!atomic_compare_exchange_weak(&message->word, &was, TICKET_SENT | (was & TICKET_WAITED)));
    return true;
}

size_t handoff_take(struct handoff *queue, struct pending_message **out, size_t max)
{
    size_t taken = 0;
    size_t kept = 0;

    pthread_mutex_lock(&queue->mutex);
    while (taken < max && queue->first) {
        struct pending_message *message = queue->first;

        queue->first = message->next;
        if (!queue->first)
            queue->last = NULL;
        queue->messages--;
        queue->bytes -= message->body_len;
        out[taken++] = message;
    }
    pthread_mutex_unlock(&queue->mutex);
    for (size_t i = 0; i < taken; i++) {
        if (claim(out[i]))
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
